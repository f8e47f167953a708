// stowage trace info|convert|synth
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/config.hpp"
#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/interrupt.hpp"
#include "cli/table.hpp"
#include "reports/text.hpp"
#include "traces/workload.hpp"

namespace stowage::cli {
namespace {
/// Looks for Ctrl-C at every batch of rows.
class InterruptibleStream : public RequestStream {
 public:
  explicit InterruptibleStream(std::unique_ptr<RequestStream> inner) : inner_(std::move(inner)) {}
  std::size_t read(std::span<Request> out) override {
    check_interrupted();
    return inner_->read(out);
  }

 private:
  std::unique_ptr<RequestStream> inner_;
};

class InterruptibleWorkload : public Workload {
 public:
  explicit InterruptibleWorkload(std::shared_ptr<const Workload> inner) : inner_(std::move(inner)) {}
  [[nodiscard]] std::unique_ptr<RequestStream> open() const override {
    return std::make_unique<InterruptibleStream>(inner_->open());
  }

 private:
  std::shared_ptr<const Workload> inner_;
};

std::shared_ptr<const Workload> open_input(const Options& options, TraceLedger& ledger) {
  return std::make_shared<InterruptibleWorkload>(
      open_trace({.path = options.inputs.front(), .rate_scale = options.rate_scale, .limit = options.limit,
                  .repeat = options.repeat},
                 ledger));
}

nlohmann::ordered_json as_json(const LengthStats& stats) {
  return {{"mean", stats.mean}, {"p50", stats.p50}, {"p90", stats.p90}, {"p99", stats.p99}, {"max", stats.max}};
}

nlohmann::ordered_json as_json(const TraceInfo& info, const TraceLedger& ledger) {
  nlohmann::ordered_json dropped = nlohmann::ordered_json::object();
  for (const auto& [reason, count] : info.dropped) dropped[reason] = count;
  const auto or_null = [](const std::optional<double>& x) { return x ? nlohmann::ordered_json(*x) : nullptr; };
  return {{"file", ledger.file},
          {"format", ledger.format},
          {"rows", info.rows},
          {"kept", info.kept},
          {"dropped", dropped},
          {"out_of_order", ledger.out_of_order},
          {"requests", info.requests},
          {"duration_s", info.duration_s},
          {"rate_per_s", info.rate_per_s},
          {"cv", info.cv},
          {"dispersion", {{"1s", or_null(info.dispersion_1s)}, {"10s", or_null(info.dispersion_10s)},
                          {"60s", or_null(info.dispersion_60s)}}},
          {"prompt", as_json(info.prompt)},
          {"output", as_json(info.output)},
          {"prefix_hit", info.prefix_hit}};
}

std::string as_text(const TraceInfo& info, const TraceLedger& ledger) {
  const auto dispersion = [](const std::optional<double>& x) { return x ? text::number(*x) : std::string("-"); };
  const auto lengths = [](const std::string& what, const LengthStats& s) -> std::vector<std::string> {
    const auto whole = [](std::int64_t n) { return text::count(static_cast<std::uint64_t>(n)); };
    return {what, fmt::format("{:.1f}", s.mean), whole(s.p50), whole(s.p90), whole(s.p99), whole(s.max)};
  };
  return ledger.line() + "\n" +
         facts({{"requests", text::count(info.requests)},
                {"duration", text::duration(info.duration_s * 1e9)},
                {"rate", fmt::format("{} requests/s", text::number(info.rate_per_s))},
                {"burstiness", fmt::format("gaps cv {:.3f}; dispersion {} in 1 s, {} in 10 s, {} in 60 s windows "
                                           "(Poisson: 1)",
                                           info.cv, dispersion(info.dispersion_1s), dispersion(info.dispersion_10s),
                                           dispersion(info.dispersion_60s))},
                {"prefix hit", text::percent(info.prefix_hit)}}) +
         table({{"tokens", "mean", "p50", "p90", "p99", "max"}, lengths("prompt", info.prompt),
                lengths("output", info.output)});
}

/// The file appears complete or not at all; without -o the rows go to stdout.
Outcome write_workload(const Options& options, std::shared_ptr<const Workload> workload) {
  if (options.output.empty()) {
    Outcome outcome;
    outcome.write = [workload = std::move(workload)](std::ostream& out) { write_canonical(*workload, out); };
    return outcome;
  }
  namespace fs = std::filesystem;
  const fs::path target = options.output;
  if (fs::exists(target) && !options.force) {
    throw InputError({options.output, 0, 0}, "the file is already there; --force replaces it");
  }
  struct Partial {
    fs::path path;
    ~Partial() {
      std::error_code ignored;
      fs::remove(path, ignored);
    }
  } partial{target.string() + fmt::format(".partial-{}", ::getpid())};
  std::ofstream out(partial.path, std::ios::binary);
  if (!out) throw EnvironmentError(fmt::format("{}: cannot be written; does its folder exist?", options.output));
  write_canonical(*workload, out);
  out.close();
  if (!out) throw EnvironmentError(fmt::format("{}: writing failed; is the disk full?", options.output));
  fs::rename(partial.path, target);
  return {};
}
}  // namespace

Outcome trace_info_command(const Options& options) {
  TraceLedger ledger;
  const auto workload = open_input(options, ledger);
  const TraceInfo info = trace_info(*workload, &ledger);
  return {options.json ? as_json(info, ledger).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n"
                       : as_text(info, ledger)};
}

Outcome trace_convert(const Options& options) {
  TraceLedger ledger;
  return write_workload(options, open_input(options, ledger));
}

Outcome trace_synth(const Options& options) {
  const std::string& name = options.inputs.front();
  const SyntheticPreset* preset = find_synthetic_preset(name);
  if (preset == nullptr) {
    std::vector<std::string_view> names;
    std::string known;
    for (const auto& row : synthetic_presets()) {
      names.push_back(row.name);
      known += (known.empty() ? "" : ", ") + std::string(row.name);
    }
    throw InputError({}, fmt::format("no preset '{}'{} (known: {})", name, did_you_mean(name, names), known));
  }
  SyntheticSpec spec = preset->make();
  if (options.count > 0) spec.count = options.count;
  const auto seed = static_cast<std::uint64_t>(options.seed.value_or(0));
  return write_workload(options, std::make_shared<InterruptibleWorkload>(synthetic_workload(spec, seed)));
}
}  // namespace stowage::cli
