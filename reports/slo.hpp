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
struct SloTarget {
  std::string key;     // "ttft_p99"
  double limit_ns = 0;
};

/// True for <metric>_<statistic>: ttft, tbt, tpot, e2e, queue; mean, max, or p with a percentile in (0, 100]
/// ("p50", "p99.9").
[[nodiscard]] bool is_slo_key(std::string_view key);
/// Ready-made keys, for "did you mean" and the docs.
[[nodiscard]] std::span<const std::string_view> common_slo_keys();

struct SloCheck {
  SloTarget target;
  /// nullopt when there was nothing to measure (no request completed): that fails.
  std::optional<double> achieved_ns;
  bool met = false;
  /// limit / achieved - 1 is not symmetric; this is (limit - achieved) / limit: 0.2 = a fifth to spare, -1 = twice over.
  double margin = 0;
};

/// One row per target, in order. A rejected or unfinished request has no latency and is not in the percentiles:
/// see `slo_met`.
[[nodiscard]] std::vector<SloCheck> check_slo(std::span<const SloTarget> targets, const RunResult& run);
/// Every target met, and no request left unfinished or rejected. True when there are no targets.
[[nodiscard]] bool slo_met(std::span<const SloTarget> targets, const RunResult& run);
}  // namespace stowage
