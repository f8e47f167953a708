// The only place of the probe that prints and exits.
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <thread>

#include "gpu_probe/canary.hpp"
#include "gpu_probe/device.hpp"
#include "gpu_probe/replay.hpp"
#include "gpu_probe/report.hpp"
#include "gpu_probe/selftest.hpp"
#include "gpu_probe/vmm_peer.hpp"

namespace stowage::probe {
namespace {
double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

enum class Outcome { fine, failed, gpu_lost };

Outcome run_part(const Part& part, const DeviceInfo& device, const Options& options, PartResult& result) {
  const auto start = std::chrono::steady_clock::now();
  Context context(device, options, *find_model_shape(options.model));
  result.name = part.name;
  Outcome outcome = Outcome::fine;
  try {
    if (const auto reason = part.unsupported(context)) {
      result.status = Status::waived;
      result.reason = *reason;
    } else {
      part.run(context);
      CUDA_CHECK(cudaDeviceSynchronize());
    }
  } catch (const std::exception& e) {
    result.status = Status::partial;
    result.reason = e.what();
    outcome = cudaDeviceSynchronize() == cudaSuccess ? Outcome::failed : Outcome::gpu_lost;
    std::fprintf(stderr, "gpu_probe: error: %.*s: %s\n", static_cast<int>(part.name.size()), part.name.data(),
                 e.what());
  }
  if (stop_signal() != 0 && result.status == Status::measured) {
    result.status = Status::partial;
    result.reason = "interrupted";
  }
  result.figures.assign(context.figures().begin(), context.figures().end());
  result.notes.assign(context.notes().begin(), context.notes().end());
  result.seconds = seconds_since(start);
  return outcome;
}

int run_checks() {
  const int failed = run_selftest([](const std::string& line) {
    std::fputs((line + '\n').c_str(), stdout);
    std::fflush(stdout);  // under a sanitizer it runs for minutes
  });
  std::fputs(fmt::format("selftest: {}\n", failed == 0 ? "all checks passed" : fmt::format("{} checks FAILED", failed))
                 .c_str(),
             stdout);
  return failed == 0 ? 0 : 1;
}

/// Runs the parts asked for; the file is rewritten after each, so that whatever happens, what was measured is kept.
int run_parts(ProbeRun& run, std::chrono::steady_clock::time_point start) {
  const Options& options = run.options;
  bool failed = false, lost = false;
  Rng rng(options.seed);
  Canary canary(run.device);
  run.canary = canary.points("start", seconds_since(start), rng);
  for (const Part* part : parts()) {
    if (options.command != "all" && options.command != part->name) continue;
    PartResult& result = run.parts.emplace_back();
    if (lost || stop_signal() != 0) {
      result = {std::string(part->name),
                Status::waived,
                lost ? "an earlier part lost the GPU" : "interrupted before it began",
                0,
                {},
                {}};
    } else {
      std::fprintf(stderr, "gpu_probe: %.*s …\n", static_cast<int>(part->name.size()), part->name.data());
      const Outcome outcome = run_part(*part, run.device, options, result);
      failed = failed || outcome != Outcome::fine;
      lost = outcome == Outcome::gpu_lost;
      // Twice: whatever a part leaves going on (freed memory being wiped, say) shows as a difference between the two.
      if (!lost && stop_signal() == 0 && result.status != Status::waived) {
        run.canary.push_back({result.name, seconds_since(start), canary.read(rng)});
        std::this_thread::sleep_for(std::chrono::milliseconds(500));
        run.canary.push_back({result.name, seconds_since(start), canary.read(rng)});
      }
    }
    std::fputs(to_text(result).c_str(), stdout);
    std::fflush(stdout);
    run.stop_signal = stop_signal();
    run.seconds = seconds_since(start);
    if (!options.output.empty()) write_file(options.output, to_json(run));
  }
  return stop_signal() != 0 ? 128 + stop_signal() : failed ? 1 : 0;
}

int probe_main(int argc, char** argv) {
  const auto start = std::chrono::steady_clock::now();
  if (argc >= 2 && std::string_view(argv[1]) == "replay") return replay_main(argc - 1, argv + 1);
  if (argc == 4 && std::string_view(argv[1]) == vmm_peer_flag) return vmm_peer_main(argv[2], argv[3]);
  ProbeRun run;
  std::string text;
  run.options = parse_options(argc, argv, parts(), text);
  if (!text.empty()) {
    std::fputs(text.c_str(), stdout);
    return 0;
  }
  catch_stop_signals();
  const OpenedDevice opened = open_device(run.options);
  run.device = opened.info;
  run.in_use_by_others = opened.in_use_by_others;
  run.version = STOWAGE_VERSION;
  run.date = utc_now();
  run.host = read_host();
  if (!run.options.output.empty() && run.options.command != "selftest")
    write_file(run.options.output, to_json(run));  // better to fail now than in 8 minutes
  std::fputs(fmt::format("{} · driver {} · CUDA {} · {:.1f} of {:.1f} GiB free · {}\n", run.device.name,
                         run.device.driver_version, run.device.runtime_cuda,
                         static_cast<double>(run.device.free_bytes) / (1 << 30),
                         static_cast<double>(run.device.memory_bytes) / (1 << 30), run.host.cpu)
                 .c_str(),
             stdout);
  return run.options.command == "selftest" ? run_checks() : run_parts(run, start);
}
}  // namespace
}  // namespace stowage::probe

int main(int argc, char** argv) {
  try {
    return stowage::probe::probe_main(argc, argv);
  } catch (const stowage::InputError& e) {
    for (const stowage::Problem& p : e.problems())
      std::fprintf(stderr, "%s%s\n", p.at.file.empty() ? "gpu_probe: " : "", p.str().c_str());
    return 2;
  } catch (const stowage::InfeasibleError& e) {
    std::fprintf(stderr, "gpu_probe: error: %s\n", e.what());
    return 4;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "gpu_probe: error: %s\n", e.what());
    return 1;
  }
}
