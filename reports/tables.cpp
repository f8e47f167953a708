#include "reports/tables.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "sim/latency.hpp"
#include "reports/metrics.hpp"
#include "reports/run_page.hpp"
#include "reports/text.hpp"
#include "reports/words.hpp"
#include "sim/kv/registry.hpp"

namespace stowage {
namespace {
using text::csv_field, text::markdown;

std::string exact(double x) { return std::isfinite(x) ? fmt::format("{}", x) : ""; }
}  // namespace

std::string to_csv(const ReportInput& input) {
  std::string out =
      "manager,kind,deployable,evidence,slo_met,submitted,completed,rejected,unfinished,preemptions,makespan_s,"
      "requests_per_s,output_tokens_per_s,prompt_tokens_per_s,running_mean,running_max,";
  for (const Latency* l : latencies) {
    for (const auto s : {"mean", "p50", "p90", "p95", "p99", "max"}) out += fmt::format("{}_{}_s,", l->key, s);
  }
  out += "kv_pool_bytes,peak_held_bytes,peak_live_bytes,";
  for (const auto part : part_names) out += fmt::format("{}_mean_fraction,", part);
  out += "pages_mapped,pages_unmapped,stall_s,stall_max_s\n";
  for (const RunResult& r : input.runs) {
    const ManagerRow* const row = find_manager(r.manager.kind);
    out += fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},", csv_field(r.name), csv_field(r.manager.kind),
                       csv_field(row != nullptr ? row->deployable : ""), evidence_name(input.evidence),
                       input.slo.empty()       ? ""
                       : slo_met(input.slo, r) ? "true"
                                               : "false",
                       r.submitted, r.completed, r.rejected, r.unfinished, r.preemptions,
                       exact(r.makespan() / 1e9), exact(rate_or_nothing(r, r.requests_per_s())),
                       exact(rate_or_nothing(r, r.output_tokens_per_s())),
                       exact(rate_or_nothing(r, r.prompt_tokens_per_s())), exact(r.batch_mean), r.batch_max);
    for (const Latency* l : latencies) {
      const Summary s = l->of(r).summary();
      for (const double v : {s.mean, s.p50, s.p90, s.p95, s.p99, s.max}) {
        out += exact(v / l->units_per_s) + ",";
      }
    }
    out += fmt::format("{},{},{},", r.pool_bytes, r.peak_committed_bytes, r.peak_live_bytes);
    for (const double f : r.mean_fraction) out += exact(f) + ",";
    out += fmt::format("{},{},{},{}\n", r.vmm.map_calls, r.vmm.unmap_calls, exact(double(r.vmm.stall_ns) / 1e9),
                       exact(double(r.vmm.stall_max_ns) / 1e9));
  }
  return out;
}

std::string to_markdown(const ReportInput& input) {
  const words::Headline headline = words::headline(input);
  std::string out = fmt::format("**{}**\n", markdown(headline.sentence));
  for (const std::string& reason : headline.reasons) out += markdown(reason) + "\n";
  out += fmt::format("\n{}; evidence: {} ({})\n\n", markdown(input.title), evidence_name(input.evidence),
                     markdown(input.cost_source));
  if (input.runs.empty()) return out;
  std::string line = "| |", rule = "|:--|", ships = "| ships in |";
  for (const RunResult& run : input.runs) {
    const ManagerRow* const row = find_manager(run.manager.kind);
    line += fmt::format(" {} |", markdown(run.name));
    rule += "--:|";
    ships += fmt::format(" {} |", row != nullptr ? row->deployable : "–");
  }
  out += line + "\n" + rule + "\n" + ships + "\n";
  for (std::size_t t = 0; t < input.slo.size(); ++t) {
    out += fmt::format("| {} ≤ {} |", markdown(input.slo[t].key), text::duration(input.slo[t].limit_ns));
    for (const RunResult& run : input.runs) {
      const SloCheck c = check_slo(input.slo, run)[t];
      out += fmt::format(" {} {} |", c.achieved_ns  ? text::duration(*c.achieved_ns)
                         : c.unserved   ? "too many not served"
                                        : "nothing measured",
                         c.met ? "✓" : "✗");
    }
    out += "\n";
  }
  for (const MetricRow& metric : metric_rows(input.runs)) {
    std::vector<double> values;
    for (const RunResult& run : input.runs) values.push_back(metric.value(run));
    const Ranking ranking = rank(values, metric.better);
    out += fmt::format("| {} |", markdown(metric.label));
    for (std::size_t i = 0; i < values.size(); ++i) {
      const bool best = !ranking.alike && std::ranges::find(ranking.best_runs, i) != ranking.best_runs.end();
      const std::string shown = std::isfinite(values[i]) ? markdown(metric.show(values[i])) : "–";
      out += best ? " **" + shown + "** |" : " " + shown + " |";
    }
    out += "\n";
  }
  if (const std::string why = words::two_percentiles(input); !why.empty()) out += "\n" + markdown(why) + "\n";
  return out;
}
}  // namespace stowage
