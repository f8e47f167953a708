#pragma once
// How sure a difference between two runs is.
#include <cstdint>
#include <optional>
#include <span>

namespace stowage {

struct Difference {
  double value = 0;          // of the values as they are
  double low = 0, high = 0;  // its 95 % interval
};

/// statistic(b) - statistic(a) with its interval, where the statistic is quantile `q` of the values (the mean when q
/// is nothing), by moving-block bootstrap (Künsch, Annals of Statistics 17(3), 1989): blocks of the square root of n
/// consecutive requests, 200 draws, percentile method. `paired`: value i of both is of the same request, so that both
/// draw the same blocks and what requests differ by is no noise. Nothing for fewer than 100 values on a side: too few
/// to say. Same seed, same interval.
[[nodiscard]] std::optional<Difference> difference_of(std::span<const double> a, std::span<const double> b, bool paired,
                                                      std::optional<double> q, std::uint64_t seed);
}  // namespace stowage
