// `gpu_probe replay SCENARIO`: from the command line to measured.json.
#include "gpu_probe/replay.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <stdexcept>

#include "gpu_probe/canary.hpp"
#include "gpu_probe/device.hpp"
#include "gpu_probe/replay/passes.hpp"
#include "gpu_probe/replay/setup.hpp"
#include "sim/kv/registry.hpp"

namespace stowage::replay {
namespace {
constexpr std::int64_t mib = std::int64_t{1} << 20;
constexpr std::int64_t kept_free = 1024 * mib;  // block tables, page tables of mappings, what cuBLASLt and CUDA take

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}
void say(const std::string& line) {
  std::fputs((line + "\n").c_str(), stdout);
  std::fflush(stdout);
}

/// Activations, logits and work space of a StepRunner, upper bound.
std::int64_t activation_bytes(const probe::ModelShape& m, const SchedulerConfig& s) {
  const std::int64_t q = std::int64_t{m.heads} * m.head_dim, kv = std::int64_t{m.kv_heads} * m.head_dim;
  const std::int64_t a_row = 2 * (3 * std::int64_t{m.hidden} + 2 * q + 2 * kv + 3 * std::int64_t{m.intermediate});
  const std::int64_t rope = s.max_model_len * m.head_dim * 4;
  return (s.max_batched_tokens + 64) * a_row + (s.max_batch + 8) * 2 * (std::int64_t{m.vocab} + m.hidden) + rope +
         512 * mib;
}

void check_weights_fit(const Prepared& p) {
  const auto free = static_cast<std::int64_t>(probe::free_device_bytes());
  const std::int64_t weights = p.scenario.model.weights_bytes().count();
  const std::int64_t rest = activation_bytes(p.shape, p.scenario.scheduler) + kept_free;
  if (weights + rest > free)
    throw InfeasibleError(fmt::format(
        "{} does not fit this GPU: weights of {:.2f} GiB and {:.2f} GiB of activations beside {:.2f} GiB free; take "
        "fewer --layers, a smaller max_batched_tokens, or a smaller model",
        p.scenario.model.name, static_cast<double>(weights) / (1024.0 * mib),
        static_cast<double>(rest) / (1024.0 * mib), static_cast<double>(free) / (1024.0 * mib)));
}

class Replay {
 public:
  Replay(const ReplayOptions& options, const std::string& folder) : options_(options), folder_(folder) {}

  int run() {
    Prepared prepared = prepare(options_, folder_);
    probe::catch_stop_signals();
    open();
    check_weights_fit(prepared);
    read_canary("start");
    const SchedulerConfig& s = prepared.scenario.scheduler;
    const auto loading = std::chrono::steady_clock::now();
    probe::StepRunner runner(prepared.shape, prepared.shape.layers,
                             {.rows_max = static_cast<int>(s.max_batched_tokens),
                              .requests_max = static_cast<int>(s.max_batch),
                              .slots = static_cast<int>(s.max_batch),
                              .context_max = static_cast<int>(s.max_model_len)},
                             out_.device.sms, prepared.scenario.seed + 1);
    out_.load_s = seconds_since(loading);
    out_.weight_bytes = runner.weight_bytes();
    const auto free = static_cast<std::int64_t>(probe::free_device_bytes());
    fit_pool(prepared, Bytes{std::max<std::int64_t>(0, free - kept_free)}, out_.notes);
    describe(prepared);
    save();  // better to fail now than after the run
    for (const RunConfig& config : prepared.scenario.runs) {
      if (!run_manager(runner, prepared, config)) break;
    }
    if (out_.status == "complete") read_canary("end");
    save();
    std::fputs(to_text(out_).c_str(), stdout);
    if (!options_.output.empty()) say(fmt::format("written to {}", folder_));
    if (probe::stop_signal() != 0) return 128 + probe::stop_signal();
    return out_.status == "complete" ? 0 : 1;
  }

 private:
  void open() {
    probe::Options device;
    device.device = options_.device;
    device.shared = options_.shared;
    const probe::OpenedDevice opened = probe::open_device(device);
    if (!probe::gemm_missing().empty()) throw EnvironmentError(probe::gemm_missing());
    out_.device = opened.info;
    stream_ = probe::make_stream();
    out_.in_use_by_others = opened.in_use_by_others;
    if (opened.in_use_by_others) out_.notes.push_back("measured with --shared while others used the GPU");
  }

  /// Its memory is given back before the pool takes what is free.
  void read_canary(const std::string& after) {
    probe::Rng rng(1);
    for (probe::CanaryPoint& point : probe::Canary(out_.device).points(after, seconds_since(began_), rng))
      out_.canary.push_back(std::move(point));
  }

  void describe(Prepared& p) {
    out_.version = STOWAGE_VERSION;
    out_.date = probe::utc_now();
    out_.command = options_.command_line;
    out_.host = probe::read_host();
    out_.scenario_file = std::filesystem::path(options_.scenario).filename().string();
    out_.scenario_yaml = resolved_yaml(p.scenario, folder_);
    out_.model = p.scenario.model_ref;
    out_.layers = p.shape.layers;
    out_.model_layers = p.model_layers;
    cold_ = options_.cold && p.offline;
    out_.warm_up = cold_ ? "the cold pass: the whole scenario once, nothing loaded or captured before it"
                         : "prompts of 8, 16, … 256, 320, … 2,048, 2,560, … tokens alone, then a decode batch "
                           "shrinking by eight from "
                           "max_batch, so that kernels are loaded and graphs captured";
    if (out_.model_layers != out_.layers)
      out_.notes.push_back(fmt::format("{} of the model's {} layers", out_.layers, out_.model_layers));
  }

  /// False when nothing more can be run.
  bool run_manager(probe::StepRunner& runner, const Prepared& p, const RunConfig& config) {
    ManagerRun& run = out_.runs.emplace_back();
    run.manager = config.manager;
    const bool blocks = row_of(config.manager).layout(config.manager).block_tokens > 0;
    const bool gathers = blocks && options_.paged_loader == "gather";
    const auto loader = gathers ? probe::PrefillLoader::gather : probe::PrefillLoader::tensor;
    run.prefill_loader = probe::name_of(loader);
    bool usable = true;
    try {
      const auto started = std::chrono::steady_clock::now();
      const auto store = make_store({&config, &p.shape, p.shape.layers, options_.device});
      runner.bind(store->views());
      run.start_up_s = seconds_since(started);
      run.create_s = store->create_s();
      if (!cold_) run.warm_up_s = warm_up(runner, *store, config, loader, stream_.get());
      for (int i = cold_ ? 0 : 1; i <= options_.repeat && usable; ++i) {
        run.passes.push_back(
            run_pass(runner, *store, config, loader, stream_.get(), p.scenario.seed, i == 0 ? "cold" : "warm"));
        const Pass& pass = run.passes.back();
        say(fmt::format(
            "{}: {} pass {}", config.manager.name, pass.state,
            pass.result ? fmt::format("of {:.2f} s", static_cast<double>(pass.result->wall_ns) / 1e9) : pass.status));
        if (pass.status != "complete") {
          out_.status = fmt::format("{}: {}", config.manager.name, pass.status);
          usable = false;
        }
        save();
      }
    } catch (const Interrupted&) {
      out_.status = config.manager.name + ": interrupted";
      usable = false;
    } catch (const std::exception& e) {
      out_.status = fmt::format("{}: failed: {}", config.manager.name, e.what());
      usable = false;
    }
    if (!usable) {
      std::fprintf(stderr, "gpu_probe: error: %s\n", out_.status.c_str());
      save();
      return false;
    }
    return true;
  }

  void save() const {
    if (!options_.output.empty()) write_measured(out_, folder_);
  }

  const ReplayOptions& options_;
  std::string folder_;
  MeasuredRun out_;
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  probe::Stream stream_;
  bool cold_ = true;
};
}  // namespace
}  // namespace stowage::replay

int stowage::probe::replay_main(int argc, char** argv) {
  using namespace stowage::replay;
  std::string text;
  ReplayOptions options = parse_replay_options(argc, argv, text);
  if (!text.empty()) {
    std::fputs(text.c_str(), stdout);
    return 0;
  }
  options.command_line = "gpu_probe";
  for (int i = 0; i < argc; ++i) options.command_line += fmt::format(" {}", argv[i]);
  // Without -o only --layers needs a folder, for the shrunk model's description.
  const std::string folder =
      options.output.empty()
          ? (std::filesystem::temp_directory_path() / fmt::format("stowage-replay-{}", getpid())).string()
          : options.output;
  const auto tidy = [&] {
    std::error_code ignored;
    if (options.output.empty()) std::filesystem::remove_all(folder, ignored);
  };
  try {
    const int code = Replay(options, folder).run();
    tidy();
    return code;
  } catch (...) {
    tidy();
    throw;
  }
}
