#include "planner/slo.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "planner/batch_means.hpp"

namespace stowage {
namespace {
constexpr std::size_t batches = 20;

double tbt_ns(const RunResult& run, const PlanTarget& t) {
  if (t.statistic == PlanTarget::Statistic::mean) return run.tbt_ns.mean();
  if (t.statistic == PlanTarget::Statistic::max) return static_cast<double>(run.tbt_ns.max());
  return run.tbt_ns.quantile(t.q);
}

/// Nearest rank: the value at rank ceil(q n).
double quantile_of(std::vector<double>& values, double q) {
  const auto n = static_cast<double>(values.size());
  const auto rank = static_cast<std::size_t>(std::max(1.0, std::ceil(q * n - 1e-9)));
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(std::min(rank, values.size()) - 1);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

TargetResult check_latency(const PlanTarget& t, std::span<const Sample> samples) {
  TargetResult out;
  out.limit = t.limit_ns;
  std::vector<double> values(samples.size());
  std::transform(samples.begin(), samples.end(), values.begin(),
                 [&](const Sample& s) { return latency_ns(s, t.metric); });
  if (values.empty()) return out;
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
  out.met = out.achieved <= t.limit_ns;
  out.margin = (t.limit_ns - out.achieved) / t.limit_ns;
  return out;
}

TargetResult check_goodput(const Goodput& goodput, std::span<const Sample> samples) {
  TargetResult out;
  out.limit = goodput.share;
  std::vector<double> bad(samples.size());
  std::transform(samples.begin(), samples.end(), bad.begin(),
                 [&](const Sample& s) { return is_good(s, goodput) ? 0.0 : 1.0; });
  if (bad.empty()) return out;
  const BatchMeans means = batch_means(bad, batches);
  out.over = means.mean;
  out.over_half = means.half_width;
  out.achieved = 1 - means.mean;
  out.met = out.achieved >= goodput.share;
  out.margin = (out.achieved - goodput.share) / goodput.share;
  return out;
}
}  // namespace

double latency_ns(const Sample& s, LatencyKind metric) {
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
  STOWAGE_ASSERT(metric != LatencyKind::tbt);
  return 0;
}

bool is_good(const Sample& s, const Goodput& g) {
  return (!g.ttft_ns || static_cast<double>(s.ttft_ns) <= *g.ttft_ns) && (!g.tpot_ns || s.tpot_ns <= *g.tpot_ns) &&
         (!g.e2e_ns || static_cast<double>(s.e2e_ns) <= *g.e2e_ns);
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
    for (const PlanTarget& t : set.targets) {
      if (t.metric != LatencyKind::tbt) {
        add(check_latency(t, mine), t.key);
        continue;
      }
      TargetResult result;
      result.limit = t.limit_ns;
      result.achieved = tbt_ns(run, t);
      result.met = !samples.empty() && result.achieved <= t.limit_ns;
      result.margin = (t.limit_ns - result.achieved) / t.limit_ns;
      add(result, t.key);
    }
    if (set.goodput) add(check_goodput(*set.goodput, mine), "goodput");
  }
  return out;
}
}  // namespace stowage
