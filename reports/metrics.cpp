#include "reports/metrics.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "sim/latency.hpp"
#include "reports/text.hpp"

namespace stowage {
namespace {
using Run = const RunResult&;
constexpr double nothing = std::numeric_limits<double>::quiet_NaN();

double part(Run r, Part p) { return r.mean_fraction[static_cast<std::size_t>(p)]; }
std::string whole(double x) { return text::count(static_cast<std::uint64_t>(x)); }

constexpr std::string_view served = "Served", delay = "Latency", memory = "KV memory", mapping = "Memory mapping",
                           fleet = "Fleet";

constexpr std::array rows = {
    MetricRow{served, "requests completed", [](Run r) { return double(r.completed); }, whole, Better::higher},
    MetricRow{served, "rejected", [](Run r) { return double(r.rejected); }, whole, Better::lower},
    MetricRow{served, "unfinished", [](Run r) { return double(r.unfinished); }, whole, Better::lower},
    MetricRow{served, "preemptions", [](Run r) { return double(r.preemptions); }, whole, Better::lower},
    MetricRow{served, "requests/s", [](Run r) { return rate_or_nothing(r, r.requests_per_s()); },
              text::number, Better::higher},
    MetricRow{served, "output tokens/s", [](Run r) { return rate_or_nothing(r, r.output_tokens_per_s()); },
              text::number, Better::higher},
    MetricRow{served, "prompt tokens/s", [](Run r) { return rate_or_nothing(r, r.prompt_tokens_per_s()); },
              text::number, Better::higher},
    MetricRow{served, "makespan", [](Run r) { return r.makespan(); }, text::duration, Better::lower},
    MetricRow{served, "iterations", [](Run r) { return double(r.iterations); }, whole, Better::neither},
    MetricRow{served, "running requests, mean", [](Run r) { return r.batch_mean; }, text::number, Better::neither},
    MetricRow{served, "running requests, max", [](Run r) { return double(r.batch_max); }, whole, Better::neither},

    MetricRow{delay, "TTFT p50", [](Run r) { return ttft.quantile_ns(r, 0.50); }, text::duration, Better::lower},
    MetricRow{delay, "TTFT p99", [](Run r) { return ttft.quantile_ns(r, 0.99); }, text::duration, Better::lower},
    MetricRow{delay, "TBT p50", [](Run r) { return tbt.quantile_ns(r, 0.50); }, text::duration, Better::lower},
    MetricRow{delay, "TBT p99", [](Run r) { return tbt.quantile_ns(r, 0.99); }, text::duration, Better::lower},
    MetricRow{delay, "TPOT p50", [](Run r) { return tpot.quantile_ns(r, 0.50); }, text::duration, Better::lower},
    MetricRow{delay, "TPOT p99", [](Run r) { return tpot.quantile_ns(r, 0.99); }, text::duration, Better::lower},
    MetricRow{delay, "E2E p50", [](Run r) { return e2e.quantile_ns(r, 0.50); }, text::duration, Better::lower},
    MetricRow{delay, "E2E p99", [](Run r) { return e2e.quantile_ns(r, 0.99); }, text::duration, Better::lower},
    MetricRow{delay, "queueing p50", [](Run r) { return queueing.quantile_ns(r, 0.50); }, text::duration,
              Better::lower},
    MetricRow{delay, "queueing p99", [](Run r) { return queueing.quantile_ns(r, 0.99); }, text::duration,
              Better::lower},

    MetricRow{delay, "client TTFT p50", [](Run r) { return client_ttft.quantile_ns(r, 0.50); }, text::duration,
              Better::lower},
    MetricRow{delay, "client TTFT p99", [](Run r) { return client_ttft.quantile_ns(r, 0.99); }, text::duration,
              Better::lower},
    MetricRow{delay, "client E2E p50", [](Run r) { return client_e2e.quantile_ns(r, 0.50); }, text::duration,
              Better::lower},
    MetricRow{delay, "client E2E p99", [](Run r) { return client_e2e.quantile_ns(r, 0.99); }, text::duration,
              Better::lower},

    MetricRow{fleet, "replicas", [](Run r) { return double(r.replicas.size()); }, whole, Better::neither},
    MetricRow{fleet, "busy time, max / mean", [](Run r) { return r.busy_imbalance.max_over_mean; }, text::number,
              Better::lower},
    MetricRow{fleet, "tokens, max / mean", [](Run r) { return r.tokens_imbalance.max_over_mean; }, text::number,
              Better::lower},
    MetricRow{fleet, "requests, max / mean", [](Run r) { return r.requests_imbalance.max_over_mean; }, text::number,
              Better::lower},

    MetricRow{memory, "KV pool", [](Run r) { return double(r.pool_bytes); }, text::bytes, Better::neither},
    MetricRow{memory, "peak held by requests", [](Run r) { return double(r.peak_committed_bytes); }, text::bytes,
              Better::lower},
    MetricRow{memory, "peak live", [](Run r) { return double(r.peak_live_bytes); }, text::bytes, Better::neither},
    MetricRow{memory, "lost, mean of the pool", lost_fraction, text::percent, Better::lower},

    MetricRow{mapping, "pages mapped", [](Run r) { return double(r.vmm.map_calls); }, whole, Better::neither},
    MetricRow{mapping, "pages unmapped", [](Run r) { return double(r.vmm.unmap_calls); }, whole, Better::neither},
    MetricRow{mapping, "driver busy", [](Run r) { return r.vmm.busy_ns; }, text::duration, Better::neither},
    MetricRow{mapping, "stall, total", [](Run r) { return double(r.vmm.stall_ns); }, text::duration, Better::neither},
    MetricRow{mapping, "stall, longest", [](Run r) { return double(r.vmm.stall_max_ns); }, text::duration,
              Better::neither},
    MetricRow{mapping, "stalled iterations", [](Run r) { return double(r.vmm.stalled_iterations); }, whole,
              Better::neither},
};
}  // namespace

std::vector<MetricRow> metric_rows(std::span<const RunResult> runs) {
  const auto any = [&](auto&& test) { return std::ranges::any_of(runs, test); };
  const bool rejected = any([](Run r) { return r.rejected > 0; });
  const bool unfinished = any([](Run r) { return r.unfinished > 0; });
  const bool maps = any([](Run r) { return r.vmm.map_calls > 0 || r.vmm.unmap_calls > 0; });
  const bool clients = any([](Run r) { return r.client_ttft_ns.count() > 0; });
  const bool fleets = any([](Run r) { return !r.replicas.empty(); });
  std::vector<MetricRow> out;
  for (const MetricRow& row : rows) {
    const bool quiet = (row.label == "rejected" && !rejected) || (row.label == "unfinished" && !unfinished) ||
                       (row.group == mapping && !maps) || (row.group == fleet && !fleets) ||
                       (row.label.starts_with("client") && !clients);
    if (!quiet) out.push_back(row);
  }
  return out;
}

double rate_or_nothing(const RunResult& run, double rate) {
  return run.makespan_ns > 0 || run.completed == 0 ? rate : nothing;
}

double lost_fraction(const RunResult& run) {
  return part(run, Part::reserved) + part(run, Part::internal) + part(run, Part::external);
}

Ranking rank(std::span<const double> values, Better better, double tolerance) {
  Ranking out;
  std::vector<double> known;
  std::ranges::copy_if(values, std::back_inserter(known), [](double v) { return std::isfinite(v); });
  if (known.empty() || better == Better::neither) return out;
  const auto [low, high] = std::ranges::minmax(known);
  out.best = better == Better::lower ? low : high;
  out.worst = better == Better::lower ? high : low;
  const auto near = [tolerance](double a, double b) {
    return std::abs(a - b) <= tolerance * std::max(std::abs(a), std::abs(b));
  };
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (near(values[i], out.best)) out.best_runs.push_back(i);
    if (near(values[i], out.worst)) out.worst_runs.push_back(i);
  }
  out.alike = near(low, high) && known.size() == values.size();
  return out;
}
}  // namespace stowage
