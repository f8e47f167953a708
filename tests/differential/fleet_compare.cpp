// Fleets under the engine and under the oracle: every replica's iterations and requests, and the sums of all.
#include <algorithm>
#include <iterator>

#include "sim/serve/simulate.hpp"
#include "tests/differential/differ.hpp"
#include "tests/oracle/fleet.hpp"

namespace stowage {
namespace {

/// Everything the engine tells of a fleet with listeners, by replica.
struct Heard {
  std::vector<std::vector<IterationRecord>> iterations;
  std::vector<std::vector<RequestRecord>> requests;
  RunResult result;

  Heard(const RunConfig& config, std::size_t replicas)
      : iterations(replicas), requests(replicas) {
    const auto of = [](auto& lists, const auto& record) {
      lists.at(static_cast<std::size_t>(record.replica)).push_back(record);
    };
    RunHooks hooks;
    hooks.on_iteration = [&](const IterationRecord& r) { of(iterations, r); };
    hooks.on_request = [&](const RequestRecord& r) { of(requests, r); };
    result = simulate(config, hooks);
  }
};

OracleDistribution pooled(const std::vector<OracleResult>& all, OracleDistribution OracleResult::*metric) {
  OracleDistribution out;
  long double sum = 0;
  for (const auto& r : all)
    for (const double v : (r.*metric).values) {
      out.values.push_back(v);
      sum += v;
    }
  if (!out.values.empty()) out.mean = static_cast<double>(sum / static_cast<long double>(out.values.size()));
  out.sort();
  return out;
}

template <class Member>
auto summed(const std::vector<OracleResult>& all, Member member) {
  decltype(member(all.front())) sum = 0;
  for (const auto& r : all) sum += member(r);
  return sum;
}

void compare_client(Differ& d, const RunConfig& config, const RunResult& e, const std::vector<OracleResult>& o) {
  std::vector<std::int64_t> ttft, e2e;
  for (const auto& replica : o)
    for (const auto& r : replica.requests) {
      ttft.push_back(r.client_first_token_ns - r.client_arrival_ns);
      e2e.push_back(r.client_finished_ns - r.client_arrival_ns);
    }
  if (!config.frontend.any()) ttft = e2e = {};
  OracleDistribution first, last;
  first.take(ttft);
  last.take(e2e);
  first.sort();
  last.sort();
  compare_metric(d, "client_ttft", e.client_ttft_ns, 1.0, first);
  compare_metric(d, "client_e2e", e.client_e2e_ns, 1.0, last);
}

void compare_sums(Differ& d, const RunConfig& config, const RunResult& e, const std::vector<OracleResult>& o) {
  using R = const OracleResult&;
  d.same("submitted", e.submitted, summed(o, [](R r) { return r.submitted; }));
  d.same("completed", e.completed, summed(o, [](R r) { return r.completed; }));
  d.same("rejected", e.rejected, summed(o, [](R r) { return r.rejected; }));
  d.same("unfinished", e.unfinished, summed(o, [](R r) { return r.unfinished; }));
  d.same("preemptions", e.preemptions, summed(o, [](R r) { return r.preemptions; }));
  d.same("iterations", e.iterations, summed(o, [](R r) { return r.iterations.size(); }));
  d.same("output_tokens", e.output_tokens, summed(o, [](R r) { return r.output_tokens; }));
  d.same("peak_live_bytes", e.peak_live_bytes, summed(o, [](R r) { return r.peak_live_bytes; }));
  d.same("peak_committed_bytes", e.peak_committed_bytes, summed(o, [](R r) { return r.peak_committed_bytes; }));
  d.same("vmm.map_calls", e.vmm.map_calls, summed(o, [](R r) { return r.vmm.map_calls; }));
  d.same("vmm.unmap_calls", e.vmm.unmap_calls, summed(o, [](R r) { return r.vmm.unmap_calls; }));
  d.same("vmm.stall_ns", e.vmm.stall_ns, summed(o, [](R r) { return r.vmm.stall_ns; }));
  std::int64_t makespan = 0;
  __int128 pool_ns = 0;
  for (const auto& r : o) {
    makespan = std::max(makespan, r.makespan_ns);
    for (const __int128 part : r.byte_ns) pool_ns += part;
  }
  d.same("makespan_ns", e.makespan_ns, makespan);
  for (std::size_t p = 0; p < part_count && pool_ns > 0; ++p) {
    __int128 part = 0;
    for (const auto& r : o) part += r.byte_ns[p];
    d.near(fmt::format("mean_fraction.{}", part_names[p]), e.mean_fraction[p],
           static_cast<double>(part) / static_cast<double>(pool_ns), 1e-9, 1e-12);
  }
  compare_metric(d, "ttft", e.ttft_ns, 1.0, pooled(o, &OracleResult::ttft_ns));
  compare_metric(d, "tbt", e.tbt_ns, 1.0, pooled(o, &OracleResult::tbt_ns));
  compare_metric(d, "e2e", e.e2e_ns, 1.0, pooled(o, &OracleResult::e2e_ns));
  compare_metric(d, "queue", e.queue_ns, 1.0, pooled(o, &OracleResult::queue_ns));
  compare_metric(d, "tpot", e.tpot_ps, 1e-3, pooled(o, &OracleResult::tpot_ns));
  compare_client(d, config, e, o);
}

void compare_replicas(Differ& d, const RunResult& e, const std::vector<OracleResult>& o) {
  if (o.size() == 1) return d.same("replicas", e.replicas.size(), std::size_t{0});
  d.same("replicas", e.replicas.size(), o.size());
  for (std::size_t i = 0; i < o.size() && !d.found(); ++i) {
    const ReplicaSummary& s = e.replicas[i];
    d.where(fmt::format("summary of replica {}", i));
    d.same("submitted", s.submitted, o[i].submitted);
    d.same("completed", s.completed, o[i].completed);
    d.same("rejected", s.rejected, o[i].rejected);
    d.same("preemptions", s.preemptions, o[i].preemptions);
    d.same("iterations", s.iterations, o[i].iterations.size());
    d.same("batch_max", s.batch_max, o[i].batch_max);
    d.near("batch_mean", s.batch_mean, o[i].batch_mean, 1e-9);
    d.same("peak_committed_bytes", s.peak_committed_bytes, o[i].peak_committed_bytes);
    for (std::size_t p = 0; p < part_count; ++p)
      d.near(fmt::format("mean_fraction.{}", part_names[p]), s.mean_fraction[p], o[i].mean_fraction[p], 1e-9, 1e-15);
    d.near("ttft.mean", s.ttft_ns.mean, o[i].ttft_ns.mean, 1e-9);
    d.near("e2e.p50", s.e2e_ns.p50, o[i].e2e_ns.percentile(500), 0.01);
  }
}
}  // namespace

std::optional<std::string> fleet_difference(const Case& c) {
  const std::vector<OracleResult> oracle = oracle_fleet(c.config, c.requests, c.contents(), c.follows);
  const Heard heard(c.config, oracle.size());

  Differ d;
  for (std::size_t i = 0; i < oracle.size() && !d.found(); ++i) {
    compare_iterations(d, heard.iterations[i], oracle[i].iterations);
    compare_requests(d, heard.requests[i], oracle[i].requests);
    if (d.found()) return fmt::format("replica {} of {}: {}", i, oracle.size(), *d.take());
  }
  const RunResult bare = simulate(c.config, {});
  for (const RunResult* result : {&heard.result, &bare}) {
    d.where(result == &bare ? "result without hooks" : "result with hooks");
    compare_sums(d, c.config, *result, oracle);
    compare_replicas(d, *result, oracle);
  }
  d.where("result without hooks against with hooks (as oracle)");
  compare_histogram(d, "tbt", bare.tbt_ns, heard.result.tbt_ns);
  compare_histogram(d, "client_ttft", bare.client_ttft_ns, heard.result.client_ttft_ns);
  compare_histogram(d, "client_e2e", bare.client_e2e_ns, heard.result.client_e2e_ns);
  return d.take();
}
}  // namespace stowage
