#include "tests/differential/compare.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <string_view>
#include <vector>

#include "sim/serve/simulate.hpp"
#include "tests/differential/differ.hpp"

namespace stowage {

void compare_iterations(Differ& d, const std::vector<IterationRecord>& e, const std::vector<IterationRecord>& o) {
  for (std::size_t i = 0; i < std::min(e.size(), o.size()) && !d.found(); ++i) {
    d.where(fmt::format("iteration {} (oracle: start {} ns)", i, o[i].start_ns));
    d.same("index", e[i].index, o[i].index);
    d.same("start_ns", e[i].start_ns, o[i].start_ns);
    d.same("prefill_tokens", e[i].prefill_tokens, o[i].prefill_tokens);
    d.same("decode_seqs", e[i].decode_seqs, o[i].decode_seqs);
    d.same("decode_kv_tokens", e[i].decode_kv_tokens, o[i].decode_kv_tokens);
    d.same("running", e[i].running, o[i].running);
    d.same("waiting", e[i].waiting, o[i].waiting);
    d.same("stall_ns", e[i].stall_ns, o[i].stall_ns);
    d.same("step_ns", e[i].step_ns, o[i].step_ns);
    d.same("live_bytes", e[i].live_bytes, o[i].live_bytes);
    d.same("held_bytes", e[i].held_bytes, o[i].held_bytes);
    d.same("cached_bytes", e[i].cached_bytes, o[i].cached_bytes);
    d.same("external_bytes", e[i].external_bytes, o[i].external_bytes);
    d.same("free_bytes", e[i].free_bytes, o[i].free_bytes);
  }
  d.where("run with hooks");
  d.same("iterations recorded", e.size(), o.size());
}

void compare_requests(Differ& d, const std::vector<RequestRecord>& e, const std::vector<RequestRecord>& o) {
  for (std::size_t i = 0; i < std::min(e.size(), o.size()) && !d.found(); ++i) {
    d.where(fmt::format("completion {} (oracle: request {})", i, o[i].id));
    d.same("id", e[i].id, o[i].id);
    d.same("arrival_ns", e[i].arrival_ns, o[i].arrival_ns);
    d.same("first_scheduled_ns", e[i].first_scheduled_ns, o[i].first_scheduled_ns);
    d.same("first_token_ns", e[i].first_token_ns, o[i].first_token_ns);
    d.same("finished_ns", e[i].finished_ns, o[i].finished_ns);
    d.same("prompt_tokens", e[i].prompt_tokens, o[i].prompt_tokens);
    d.same("output_tokens", e[i].output_tokens, o[i].output_tokens);
    d.same("preemptions", e[i].preemptions, o[i].preemptions);
    d.same("hit_tokens", e[i].hit_tokens, o[i].hit_tokens);
    d.same("client_arrival_ns", e[i].client_arrival_ns, o[i].client_arrival_ns);
    d.same("client_first_token_ns", e[i].client_first_token_ns, o[i].client_first_token_ns);
    d.same("client_finished_ns", e[i].client_finished_ns, o[i].client_finished_ns);
  }
  d.where("run with hooks");
  d.same("requests recorded", e.size(), o.size());
}

void compare_metric(Differ& d, std::string_view name, const LogHistogram& e, double unit_ns,
                    const OracleDistribution& o) {
  // In the engine a value is a whole number of units: where the true one is a quotient it is off by up to a unit.
  const double rounding = unit_ns == 1.0 ? 0.0 : unit_ns;
  const Summary s = e.summary(unit_ns);
  d.same(fmt::format("{}.count", name), s.count, o.values.size());
  d.near(fmt::format("{}.mean", name), s.mean, o.mean, 1e-9, rounding);
  d.near(fmt::format("{}.max", name), s.max, o.max, 1e-15, rounding);
  d.near(fmt::format("{}.p50", name), s.p50, o.percentile(500), 0.01, rounding);
  d.near(fmt::format("{}.p90", name), s.p90, o.percentile(900), 0.01, rounding);
  d.near(fmt::format("{}.p95", name), s.p95, o.percentile(950), 0.01, rounding);
  d.near(fmt::format("{}.p99", name), s.p99, o.percentile(990), 0.01, rounding);
}

namespace {
/// Every bin against the oracle's segments that overlap it.
void compare_series(Differ& d, const RunConfig& config, const RunResult& e, const OracleResult& o) {
  if (o.makespan_ns == 0) return;
  const auto pool = static_cast<double>(config.kv.pool.count());
  d.same("series has bins", !e.series.empty() && e.series.size() <= 1024, true);
  std::int64_t reached = 0;
  std::size_t segment = 0;
  for (std::size_t i = 0; i < e.series.size() && !d.found(); ++i) {
    const SeriesPoint& bin = e.series[i];
    d.where(fmt::format("series bin {} [{}, {}) of {} ns", i, bin.start_ns, bin.end_ns, o.makespan_ns));
    d.same("start_ns", bin.start_ns, reached);
    d.same("is not empty", bin.end_ns > bin.start_ns, true);
    if (d.found()) return;
    reached = bin.end_ns;
    std::array<double, part_count> bytes{};
    double running = 0, waiting = 0;
    const auto width = static_cast<double>(bin.end_ns - bin.start_ns);
    for (; segment < o.segments.size(); ++segment) {
      const auto& s = o.segments[segment];
      const std::int64_t start = s.start_ns - o.first_arrival_ns, end = s.end_ns - o.first_arrival_ns;
      const double share = static_cast<double>(std::min(end, bin.end_ns) - std::max(start, bin.start_ns)) / width;
      if (share > 0) {
        for (std::size_t p = 0; p < part_count; ++p) bytes[p] += share * static_cast<double>(s.bytes[p]);
        running += share * static_cast<double>(s.running);
        waiting += share * static_cast<double>(s.waiting);
      }
      if (end >= bin.end_ns) break;  // it may reach into the next bin
    }
    for (std::size_t p = 0; p < part_count; ++p) d.near(part_names[p], bin.bytes[p], bytes[p], 1e-9, 1e-9 * pool);
    d.near("running", bin.running, running, 1e-9, 1e-9);
    d.near("waiting", bin.waiting, waiting, 1e-9, 1e-9);
  }
  d.where("series");
  d.same("end", reached, o.makespan_ns);
}

void compare_result(Differ& d, const RunConfig& config, const RunResult& e, const OracleResult& o) {
  d.same("submitted", e.submitted, o.submitted);
  d.same("completed", e.completed, o.completed);
  d.same("rejected", e.rejected, o.rejected);
  d.same("unfinished", e.unfinished, o.unfinished);
  d.same("preemptions", e.preemptions, o.preemptions);
  d.same("first_rejected.size", e.first_rejected.size(), std::min<std::size_t>(100, o.rejected_requests.size()));
  for (std::size_t i = 0; i < e.first_rejected.size() && !d.found(); ++i) {
    d.same("first_rejected.id", e.first_rejected[i].id, o.rejected_requests[i].id);
    d.same("first_rejected.prompt_tokens", e.first_rejected[i].prompt_tokens, o.rejected_requests[i].prompt_tokens);
    d.same("first_rejected.output_tokens", e.first_rejected[i].output_tokens, o.rejected_requests[i].output_tokens);
    d.same("first_rejected.reason", e.first_rejected[i].reason, o.rejected_requests[i].reason);
  }
  d.same("first_arrival_ns", e.first_arrival_ns, o.first_arrival_ns);
  d.same("makespan_ns", e.makespan_ns, o.makespan_ns);
  d.same("iterations", e.iterations, o.iterations.size());
  d.same("prompt_tokens", e.prompt_tokens, o.prompt_tokens);
  d.same("output_tokens", e.output_tokens, o.output_tokens);
  compare_metric(d, "ttft", e.ttft_ns, 1.0, o.ttft_ns);
  compare_metric(d, "tbt", e.tbt_ns, 1.0, o.tbt_ns);
  compare_metric(d, "e2e", e.e2e_ns, 1.0, o.e2e_ns);
  compare_metric(d, "queue", e.queue_ns, 1.0, o.queue_ns);
  compare_metric(d, "tpot", e.tpot_ps, 1e-3, o.tpot_ns);
  d.near("batch_mean", e.batch_mean, o.batch_mean, 1e-9);
  d.same("batch_max", e.batch_max, o.batch_max);
  d.same("pool_bytes", e.pool_bytes, config.kv.pool.count());
  d.same("bytes_per_token", e.bytes_per_token, config.kv.bytes_per_token.count());
  d.same("peak_committed_bytes", e.peak_committed_bytes, o.peak_committed_bytes);
  d.same("peak_live_bytes", e.peak_live_bytes, o.peak_live_bytes);
  d.same("vmm.map_calls", e.vmm.map_calls, o.vmm.map_calls);
  d.same("vmm.unmap_calls", e.vmm.unmap_calls, o.vmm.unmap_calls);
  d.near("vmm.busy_ns", e.vmm.busy_ns, o.vmm.busy_ns, 1e-9);
  d.same("vmm.stall_ns", e.vmm.stall_ns, o.vmm.stall_ns);
  d.same("vmm.stall_max_ns", e.vmm.stall_max_ns, o.vmm.stall_max_ns);
  d.same("vmm.stalled_iterations", e.vmm.stalled_iterations, o.vmm.stalled_iterations);
  for (std::size_t p = 0; p < part_count; ++p)
    d.near(fmt::format("mean_fraction.{}", part_names[p]), e.mean_fraction[p], o.mean_fraction[p], 1e-9, 1e-15);
  compare_series(d, config, e, o);
}
}  // namespace

void compare_histogram(Differ& d, std::string_view name, const LogHistogram& bare, const LogHistogram& hooked) {
  d.same(fmt::format("{}.count", name), bare.count(), hooked.count());
  d.same(fmt::format("{}.max", name), bare.max(), hooked.max());
  d.near(fmt::format("{}.mean", name), bare.mean(), hooked.mean(), 0);
  const auto a = bare.cdf(100), b = hooked.cdf(100);
  d.same(fmt::format("{}.cdf.size", name), a.size(), b.size());
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    d.same(fmt::format("{}.cdf[{}].value", name, i), a[i].value, b[i].value);
    d.same(fmt::format("{}.cdf[{}].cumulative", name, i), a[i].cumulative, b[i].cumulative);
  }
}

static std::optional<std::string> difference(const Case& c) {
  const OracleResult oracle = oracle_run(c.config, c.requests, c.contents(), c.follows);

  std::vector<IterationRecord> iterations;
  std::vector<RequestRecord> requests;
  RunHooks hooks;
  hooks.on_iteration = [&](const IterationRecord& r) { iterations.push_back(r); };
  hooks.on_request = [&](const RequestRecord& r) { requests.push_back(r); };
  const RunResult hooked = simulate(c.config, hooks);

  Differ d;
  compare_iterations(d, iterations, oracle.iterations);
  compare_requests(d, requests, oracle.requests);
  d.where("result with hooks");
  compare_result(d, c.config, hooked, oracle);

  const RunResult bare = simulate(c.config, {});
  d.where("result without hooks");
  compare_result(d, c.config, bare, oracle);
  d.where("result without hooks against with hooks (as oracle)");
  compare_histogram(d, "ttft", bare.ttft_ns, hooked.ttft_ns);
  compare_histogram(d, "tbt", bare.tbt_ns, hooked.tbt_ns);
  compare_histogram(d, "e2e", bare.e2e_ns, hooked.e2e_ns);
  compare_histogram(d, "queue", bare.queue_ns, hooked.queue_ns);
  compare_histogram(d, "tpot", bare.tpot_ps, hooked.tpot_ps);
  d.same("series.size", bare.series.size(), hooked.series.size());
  return d.take();
}

std::optional<std::string> first_difference(const Case& c) {
  try {
    const bool fleet = !c.config.fleet.groups.empty() || c.config.frontend.any();
    return fleet ? fleet_difference(c) : difference(c);
  } catch (const std::exception& e) { return fmt::format("exception: {}", e.what()); }
}
}  // namespace stowage
