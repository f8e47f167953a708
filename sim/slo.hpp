#pragma once
// Service-level objectives: what was asked, what each run achieved. `stowage run --assert-slo`, sweeps and every
// report ask here, so that they cannot disagree; a plan's targets (planner/slo.hpp) rest on the same rule.
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/result.hpp"

namespace stowage {

/// "ttft_p99: 1s": the 99th percentile of ttft must not exceed 1e9 ns.
struct LatencyLimit {
  std::string key;  // "ttft_p99"
  double limit_ns = 0;
};

/// True for <metric>_<statistic>: ttft, tbt, tpot, e2e, queue; mean, max, or p with a percentile in (0, 100]
/// ("p50", "p99.9").
[[nodiscard]] bool is_slo_key(std::string_view key);
/// Ready-made keys, for "did you mean" and the docs.
[[nodiscard]] std::span<const std::string_view> common_slo_keys();

struct SloCheck {
  LatencyLimit target;
  /// nullopt when there was nothing to measure: fails when no request was served, is met when requests of one token
  /// had no gap to measure. Also when unserved requests decide: then it is not met.
  std::optional<double> achieved_ns;
  bool unserved = false;  // the statistic is that of a request that was not served, however fast the others were
  bool met = false;
  double margin = 0;  // (limit - achieved) / limit: 0.2 = a fifth to spare, -1 = twice the limit
};

/// One row per target, in order, by S11.13 to S11.20: a request that was not served takes longer than any limit. So
/// p99 stands at most 1 % of them, a mean or a maximum none; the p99 of the gaps between tokens, which are of served
/// requests only, asks for the same 99 % of requests.
/// Throws nothing; a key that is not one (`is_slo_key`) is a programmer's error.
[[nodiscard]] std::vector<SloCheck> check_slo(std::span<const LatencyLimit> targets, const RunResult& run);
/// Every target met. True without targets.
[[nodiscard]] bool slo_met(std::span<const LatencyLimit> targets, const RunResult& run);
}  // namespace stowage
