#pragma once
// Service-level objectives: what was asked, what each run achieved. `stowage run --assert-slo` and every report
// ask here, so that they cannot disagree.
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
  /// nullopt when there was nothing to measure: fails when no request completed, is met when requests of one token
  /// had no gap to measure. Also when rejections decide: then it is not met.
  std::optional<double> achieved_ns;
  bool rejections = false;  // too many requests were rejected, however fast the others were
  bool met = false;
  double margin = 0;  // (limit - achieved) / limit: 0.2 = a fifth to spare, -1 = twice the limit
};

/// One row per target, in order. A rejected request has not met its target: a percentile is one of all requests, with
/// the rejected behind all others, so that p99 stands at most 1 % of them, and a mean or a maximum none. Gaps between
/// tokens are of completed requests only; their p99 too stands at most 1 % of requests rejected.
/// Throws nothing; a key that is not one (`is_slo_key`) is a programmer's error.
[[nodiscard]] std::vector<SloCheck> check_slo(std::span<const LatencyLimit> targets, const RunResult& run);
/// Every target met and no request left unfinished (a run cut off has not shown its worst). True without targets.
[[nodiscard]] bool slo_met(std::span<const LatencyLimit> targets, const RunResult& run);
}  // namespace stowage
