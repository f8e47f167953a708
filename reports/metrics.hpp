#pragma once
// The comparison table every report shows: which numbers, in which order, how they are written, which way is better.
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/result.hpp"

namespace stowage {

enum class Better : std::uint8_t { neither, lower, higher };

struct MetricRow {
  std::string_view group;  // "Served", "Latency", "KV pool, mean of the run", "Virtual-memory mapping"
  std::string_view label;
  double (*value)(const RunResult&);  // NaN when there is nothing to show
  std::string (*show)(double);
  Better better;
};
/// The rows that say something about these runs: mapping only when someone maps, rejections only when there are any.
[[nodiscard]] std::vector<MetricRow> metric_rows(std::span<const RunResult> runs);

/// `rate`, one of RunResult's; NaN when requests completed in no time, which has no rate.
[[nodiscard]] double rate_or_nothing(const RunResult& run, double rate);

/// Held but not by a token, on average: reserved + internal + external, a fraction of the pool.
[[nodiscard]] double lost_fraction(const RunResult& run);

/// Of several runs, which do best and worst in one number; two within `tolerance` of each other count as equal.
struct Ranking {
  bool alike = true;  // all within the tolerance
  double best = 0, worst = 0;
  std::vector<std::size_t> best_runs, worst_runs;  // indices
};
[[nodiscard]] Ranking rank(std::span<const double> values, Better better, double tolerance = 0.01);
}  // namespace stowage
