#include "planner/slo.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/quantile.hpp"
#include "planner/batch_means.hpp"

namespace stowage {
namespace {
constexpr std::size_t batches = 20;

constexpr double never = std::numeric_limits<double>::infinity();

void judge(TargetResult& result) {
  result.met = result.achieved <= result.limit;
  result.margin = (result.limit - result.achieved) / result.limit;
}

/// Gaps are of served requests only, and counted by token: the rule asks how many requests were served at all.
TargetResult check_gaps(const PlanTarget& t, const RunResult& run) {
  TargetResult out;
  out.limit = t.limit_ns;
  if (run.completed + run.unserved() == 0) {  // nothing ran, or the run was cut short
    out.margin = 1;
    return out;
  }
  const bool mean = t.statistic == PlanTarget::Statistic::mean;
  const double q = t.statistic == PlanTarget::Statistic::quantile ? t.q : 1;
  const bool of_unserved = !rank_among_served(q, run.completed, run.unserved()) || (mean && run.unserved() > 0);
  out.achieved = of_unserved ? never : mean ? run.tbt_ns.mean() : run.tbt_ns.quantile(q);
  judge(out);
  // Requests of one token have no gap: nothing was late.
  if (!of_unserved && run.tbt_ns.count() == 0) out.met = true, out.margin = 1;
  return out;
}

double quantile_of(std::vector<double>& values, double q) {
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(nearest_rank(q, values.size()) - 1);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

TargetResult check_latency(const PlanTarget& t, std::span<const Sample> samples) {
  TargetResult out;
  out.limit = t.limit_ns;
  std::vector<double> values;
  values.reserve(samples.size());
  for (const Sample& s : samples)  // a request of one token has no time per output token
    if (t.metric != LatencyKind::tpot || s.output > 1 || !s.served) values.push_back(latency_ns(s, t.metric));
  if (values.empty()) {
    out.met = !samples.empty();
    return out;
  }
  if (t.statistic == PlanTarget::Statistic::quantile) {
    std::vector<double> over(values.size());
    std::transform(values.begin(), values.end(), over.begin(), [&](double x) { return x > t.limit_ns ? 1.0 : 0.0; });
    const BatchMeans means = batch_means(over, batches);
    out.over = means.mean;
    out.over_half = means.half_width;
    out.achieved = quantile_of(values, t.q);
  } else if (t.statistic == PlanTarget::Statistic::max) {
    out.achieved = *std::max_element(values.begin(), values.end());
  } else {
    double sum = 0;
    for (const double x : values) sum += x;
    out.achieved = sum / static_cast<double>(values.size());
  }
  judge(out);
  return out;
}

TargetResult check_goodput(const Goodput& goodput, std::span<const Sample> samples) {
  TargetResult out;
  out.limit = goodput.share;
  std::vector<double> bad(samples.size());
  std::transform(samples.begin(), samples.end(), bad.begin(),
                 [&](const Sample& s) { return is_good(s, goodput) ? 0.0 : 1.0; });
  if (bad.empty()) return out;
  const auto good = static_cast<std::uint64_t>(std::count(bad.begin(), bad.end(), 0.0));
  const BatchMeans means = batch_means(bad, batches);
  out.over = means.mean;
  out.over_half = means.half_width;
  out.achieved = static_cast<double>(good) / static_cast<double>(bad.size());
  out.met = good >= nearest_rank(goodput.share, bad.size());
  out.margin = (out.achieved - goodput.share) / goodput.share;
  return out;
}
}  // namespace

double latency_ns(const Sample& s, LatencyKind metric) {
  STOWAGE_ASSERT(metric != LatencyKind::tbt);
  if (!s.served) return never;
  switch (metric) {
    case LatencyKind::ttft:
      return static_cast<double>(s.ttft_ns);
    case LatencyKind::tpot:
      return s.tpot_ns;
    case LatencyKind::e2e:
      return static_cast<double>(s.e2e_ns);
    case LatencyKind::queue:
      return static_cast<double>(s.queue_ns);
    case LatencyKind::tbt:
      break;
  }
  return 0;
}

bool is_good(const Sample& s, const Goodput& g) {
  return s.served && (!g.ttft_ns || static_cast<double>(s.ttft_ns) <= *g.ttft_ns) &&
         (!g.tpot_ns || s.tpot_ns <= *g.tpot_ns) && (!g.e2e_ns || static_cast<double>(s.e2e_ns) <= *g.e2e_ns);
}

std::vector<TargetResult> check_plan_slo(std::span<const SloSet> sets, std::span<const Sample> samples,
                                         const RunResult& run) {
  std::vector<TargetResult> out;
  for (const SloSet& set : sets) {
    std::vector<Sample> own;
    if (!set.whole())
      std::copy_if(samples.begin(), samples.end(), std::back_inserter(own), [&](const Sample& s) {
        return s.prompt >= set.prompt_min && s.prompt <= set.prompt_max && s.output >= set.output_min &&
               s.output <= set.output_max;
      });
    const std::span<const Sample> mine = set.whole() ? samples : std::span<const Sample>(own);
    const std::string suffix = sets.size() > 1 ? fmt::format(" ({})", set.name) : "";
    const auto add = [&](TargetResult result, const std::string& key) {
      result.key = key + suffix;
      // No request of the class in the workload: nothing of it can be late. No request at all proves nothing.
      if (mine.empty() && !samples.empty()) result.met = true;
      out.push_back(std::move(result));
    };
    for (const PlanTarget& t : set.targets)
      add(t.metric == LatencyKind::tbt ? check_gaps(t, run) : check_latency(t, mine), t.key);
    if (set.goodput) add(check_goodput(*set.goodput, mine), "goodput");
  }
  return out;
}
}  // namespace stowage
