#include "sim/account/fleet_result.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "base/error.hpp"

namespace stowage {
namespace {
ReplicaSummary summary(const RunResult& r, const std::string& group) {
  ReplicaSummary s;
  s.group = group;
  s.submitted = r.submitted;
  s.completed = r.completed;
  s.rejected = r.rejected;
  s.unfinished = r.unfinished;
  s.preemptions = r.preemptions;
  s.iterations = r.iterations;
  s.prompt_tokens = r.prompt_tokens;
  s.output_tokens = r.output_tokens;
  s.busy_ns = r.busy_ns;
  s.batch_mean = r.batch_mean;
  s.batch_max = r.batch_max;
  s.pool_bytes = r.pool_bytes;
  s.pool_tokens = r.pool_tokens;
  s.peak_committed_bytes = r.peak_committed_bytes;
  s.stall_ns = r.vmm.stall_ns;
  s.mean_fraction = r.mean_fraction;
  s.ttft_ns = r.ttft_ns.summary();
  s.tbt_ns = r.tbt_ns.summary();
  s.e2e_ns = r.e2e_ns.summary();
  return s;
}

/// The mean of two means with their weights; a mean of nothing, which has no weight, changes nothing.
double mean(double a, double weight_a, double b, double weight_b) {
  if (!(weight_b > 0)) return a;
  return weight_a > 0 ? (a * weight_a + b * weight_b) / (weight_a + weight_b) : b;
}

void add_series(std::vector<SeriesPoint>& all, const std::vector<SeriesPoint>& more) {
  STOWAGE_ASSERT(all.size() == more.size());  // bins depend on the span of time alone
  for (std::size_t i = 0; i < all.size(); ++i) {
    STOWAGE_ASSERT(all[i].end_ns == more[i].end_ns);
    for (std::size_t p = 0; p < part_count; ++p) all[i].bytes[p] += more[i].bytes[p];
    all[i].running += more[i].running;
    all[i].waiting += more[i].waiting;
  }
}
}  // namespace

Imbalance imbalance(std::span<const double> shares) {
  const auto n = static_cast<double>(shares.size());
  const double sum = std::accumulate(shares.begin(), shares.end(), 0.0);
  if (!(sum > 0)) return {};
  const double mean = sum / n;
  double most = 0, squares = 0, deviations = 0;
  for (const double x : shares) {
    most = std::max(most, x);
    squares += x * x;
    deviations += (x - mean) * (x - mean);
  }
  return {most / mean, std::sqrt(deviations / n) / mean, sum * sum / (n * squares)};
}

void FleetResult::add(RunResult r, const std::string& group) {
  replicas_.push_back(summary(r, group));
  if (r.completed > 0) end_ns_ = std::max(end_ns_, r.first_arrival_ns + r.makespan_ns);
  if (replicas_.size() == 1) {
    all_ = std::move(r);
    return;
  }
  // Means first, while the weights are those of the replicas so far.
  for (std::size_t p = 0; p < part_count; ++p)
    all_.mean_fraction[p] = mean(all_.mean_fraction[p], static_cast<double>(all_.pool_bytes), r.mean_fraction[p],
                                 static_cast<double>(r.pool_bytes));
  all_.batch_mean =
      mean(all_.batch_mean, static_cast<double>(all_.busy_ns), r.batch_mean, static_cast<double>(r.busy_ns));
  all_.batch_max = std::max(all_.batch_max, r.batch_max);
  all_.busy_ns += r.busy_ns;

  all_.submitted += r.submitted;
  all_.completed += r.completed;
  all_.rejected += r.rejected;
  all_.unfinished += r.unfinished;
  all_.preemptions += r.preemptions;
  all_.iterations += r.iterations;
  all_.prompt_tokens += r.prompt_tokens;
  all_.output_tokens += r.output_tokens;
  all_.prefix.queried_tokens += r.prefix.queried_tokens;
  all_.prefix.hit_tokens += r.prefix.hit_tokens;
  all_.prefix.resumed_tokens += r.prefix.resumed_tokens;
  all_.prefix.resumed_hit_tokens += r.prefix.resumed_hit_tokens;
  all_.first_rejected.insert(all_.first_rejected.end(), r.first_rejected.begin(), r.first_rejected.end());
  for (LogHistogram RunResult::*h : {&RunResult::ttft_ns, &RunResult::tbt_ns, &RunResult::tpot_ps, &RunResult::e2e_ns,
                                     &RunResult::queue_ns, &RunResult::client_ttft_ns, &RunResult::client_e2e_ns})
    (all_.*h).merge(r.*h);

  all_.pool_bytes += r.pool_bytes;
  all_.pool_tokens += r.pool_tokens;
  all_.peak_committed_bytes += r.peak_committed_bytes;
  all_.peak_live_bytes += r.peak_live_bytes;
  add_series(all_.series, r.series);
  all_.vmm.map_calls += r.vmm.map_calls;
  all_.vmm.unmap_calls += r.vmm.unmap_calls;
  all_.vmm.busy_ns += r.vmm.busy_ns;
  all_.vmm.stall_ns += r.vmm.stall_ns;
  all_.vmm.stall_max_ns = std::max(all_.vmm.stall_max_ns, r.vmm.stall_max_ns);
  all_.vmm.stalled_iterations += r.vmm.stalled_iterations;
}

RunResult FleetResult::take() {
  if (replicas_.size() == 1) return std::move(all_);
  all_.makespan_ns = all_.completed > 0 ? end_ns_ - all_.first_arrival_ns : 0;
  std::ranges::stable_sort(all_.first_rejected, {}, &RejectedRequest::id);
  constexpr std::size_t listed = 100;  // as RunResult says
  if (all_.first_rejected.size() > listed) all_.first_rejected.resize(listed);
  const auto spread = [&](auto share) {
    std::vector<double> shares;
    for (const ReplicaSummary& s : replicas_) shares.push_back(static_cast<double>(share(s)));
    return imbalance(shares);
  };
  all_.requests_imbalance = spread([](const ReplicaSummary& s) { return s.submitted; });
  all_.tokens_imbalance = spread([](const ReplicaSummary& s) { return s.prompt_tokens + s.output_tokens; });
  all_.busy_imbalance = spread([](const ReplicaSummary& s) { return s.busy_ns; });
  all_.replicas = std::move(replicas_);
  return std::move(all_);
}
}  // namespace stowage
