// stowage trace info|convert|synth
#include <cmath>
#include <memory>
#include <ostream>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/config.hpp"
#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/describe.hpp"
#include "cli/table.hpp"
#include "reports/output_file.hpp"
#include "reports/text.hpp"
#include "traces/workload.hpp"

namespace stowage::cli {
namespace {
std::shared_ptr<const Workload> open_input(const Options& options, TraceLedger& ledger) {
  return open_trace({.path = options.inputs.front(),
                     .rate_scale = options.rate_scale,
                     .limit = options.limit,
                     .repeat = options.repeat,
                     .hash_tokens = options.hash_block_size},
                    ledger);
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
          {"prefix_hit", or_null(info.prefix_hit)},
          {"warnings", implausible(ledger)}};
}

std::string as_text(const TraceInfo& info, const TraceLedger& ledger) {
  const auto dispersion = [](const std::optional<double>& x) { return x ? text::number(*x) : std::string("–"); };
  const auto lengths = [](const std::string& what, const LengthStats& s) -> std::vector<std::string> {
    const auto whole = [](std::int64_t n) { return text::count(static_cast<std::uint64_t>(n)); };
    return {what, fmt::format("{:.1f}", s.mean), whole(s.p50), whole(s.p90), whole(s.p99), whole(s.max)};
  };
  return ledger.line() + "\n" +
         facts({{"requests", text::count(info.requests)},
                {"duration", text::duration(info.duration_s * 1e9)},
                {"rate", fmt::format("{} requests/s", text::number(info.rate_per_s))},
                {"burstiness", fmt::format("gaps cv {}; dispersion {} in 1 s, {} in 10 s, {} in 60 s windows "
                                           "(Poisson: 1)",
                                           std::isnan(info.cv) ? "–" : fmt::format("{:.3f}", info.cv),
                                           dispersion(info.dispersion_1s), dispersion(info.dispersion_10s),
                                           dispersion(info.dispersion_60s))},
                {"prefix hit", info.prefix_hit ? fmt::format("{:.2f} %", *info.prefix_hit * 100) : "unknown"}}) +
         table({{"tokens", "mean", "p50", "p90", "p99", "max"}, lengths("prompt", info.prompt),
                lengths("output", info.output)});
}

/// Without a file the rows go to stdout.
Outcome write_workload(const std::unique_ptr<WholeFile>& file, std::shared_ptr<const Workload> workload) {
  if (!file) {
    Outcome outcome;
    outcome.write = [workload = std::move(workload)](std::ostream& out) { write_canonical(*workload, out); };
    return outcome;
  }
  OutputStream rows(file->file());
  std::ostream out(&rows);
  out.exceptions(std::ios::badbit);  // with the system's reason
  write_canonical(*workload, out);
  file->commit();
  return {};
}
}  // namespace

Outcome trace_info_command(const Options& options) {
  TraceLedger ledger;
  const auto workload = open_input(options, ledger);
  const TraceInfo info = trace_info(*workload, &ledger);
  Outcome outcome;
  outcome.text = options.json
                     ? as_json(info, ledger).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n"
                     : as_text(info, ledger);
  warn(implausible(ledger), ledger.file, outcome);
  return outcome;
}

Outcome trace_convert(const Options& options) {
  const auto file = open_output(options.output, options.force);
  TraceLedger ledger;
  auto workload = open_input(options, ledger);
  Outcome outcome = write_workload(file, std::move(workload));
  auto warnings = implausible(ledger);
  if (ledger.hash_tokens > 0)
    warnings.emplace_back("the hashes of its prompts are left out: the canonical CSV has no place for them");
  warn(warnings, ledger.file, outcome);
  return outcome;
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
  const auto file = open_output(options.output, options.force);
  return write_workload(file, synthetic_workload(spec, seed));
}
}  // namespace stowage::cli
