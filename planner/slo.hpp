#pragma once
// What a study asks of latencies, and whether one run gave it. A percentile target "p99 <= L" is the same as "at most
// 1 % of requests take longer than L", a mean of zeros and ones: so that batch means give it an interval.
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/config.hpp"
#include "sim/result.hpp"

namespace stowage {

enum class LatencyKind : std::uint8_t { ttft, tbt, tpot, e2e, queue };

/// `ttft_p99.9: 1s`.
struct PlanTarget {
  enum class Statistic : std::uint8_t { mean, max, quantile };
  std::string key;
  LatencyKind metric = LatencyKind::ttft;
  Statistic statistic = Statistic::quantile;
  double q = 0;  // 0.99
  double limit_ns = 0;
};

/// `goodput: {share: 95%, ttft: 1s, tpot: 50ms, e2e: 30s}`: the share of requests that meet all three jointly.
struct Goodput {
  double share = 0;
  std::optional<double> ttft_ns, tpot_ns, e2e_ns;
};

/// One set of targets, for all requests or for a class of them by length.
struct SloSet {
  std::string name;  // "all requests", or as the study calls it
  std::int64_t prompt_min = 0, prompt_max = INT64_MAX, output_min = 0, output_max = INT64_MAX;
  std::vector<PlanTarget> targets;
  std::optional<Goodput> goodput;
  [[nodiscard]] bool whole() const {
    return prompt_min == 0 && prompt_max == INT64_MAX && output_min == 0 && output_max == INT64_MAX;
  }
};

/// A map of targets, or a list of maps with `for: {name, prompt: 1..2000, output: 1..500}`. Refuses targets that
/// contradict each other: a p50 looser than the p99, an end-to-end limit below the one of the first token.
[[nodiscard]] std::vector<SloSet> read_plan_slo(const ConfigNode& node, Problems& problems);

/// One request, as the checks need it.
struct Sample {
  std::int64_t arrival_ns = 0, ttft_ns = 0, e2e_ns = 0, queue_ns = 0;
  double tpot_ns = 0;  // 0 for one output token: nothing to be late
  std::int32_t prompt = 0, output = 0;
  bool served = true;  // else the times mean nothing
};
/// Infinite for a request that was not served. Not of tbt.
[[nodiscard]] double latency_ns(const Sample& sample, LatencyKind metric);
[[nodiscard]] bool is_good(const Sample& sample, const Goodput& goodput);

/// What became of one target in one run.
struct TargetResult {
  std::string key;                 // "ttft_p99", "goodput"; with the class's name where there are several
  /// ns, shares for goodput. Infinite where it is the latency of a request that was not served; NaN of no request.
  double limit = 0, achieved = std::numeric_limits<double>::quiet_NaN();
  bool met = false;
  double margin = 0;  // (limit - achieved) / limit; of goodput (achieved - limit) / limit
  /// Share of requests over the limit, and half of its 95 % interval from batch means; not for means, maxima and tbt.
  std::optional<double> over, over_half;
};

/// `samples` in order of arrival, warm-up cut, those not served among them: S11.13 to S11.20, as in
/// sim/slo.hpp. tbt comes from `run`, which keeps it as a histogram of all gaps.
[[nodiscard]] std::vector<TargetResult> check_plan_slo(std::span<const SloSet> sets, std::span<const Sample> samples,
                                                       const RunResult& run);
}  // namespace stowage
