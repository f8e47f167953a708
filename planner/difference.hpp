#pragma once
// How sure a difference between two runs is.
#include <cstdint>
#include <optional>
#include <span>

namespace stowage {

struct Interval {
  double low = 0, high = 0;
};

/// A 95 % interval of statistic(b) - statistic(a), where the statistic is quantile `q` of the values (the mean when q
/// is nothing), by moving-block bootstrap (Künsch, Annals of Statistics 17(3), 1989): blocks of the square root of n
/// consecutive requests, 200 draws, percentile method. `paired`: value i of both is of the same request, so that both
/// draw the same blocks and what requests differ by is no noise. Nothing for fewer than 100 values on a side: too few
/// to say. Same seed, same interval.
[[nodiscard]] std::optional<Interval> difference_interval(std::span<const double> a, std::span<const double> b,
                                                          bool paired, std::optional<double> q, std::uint64_t seed);
}  // namespace stowage
