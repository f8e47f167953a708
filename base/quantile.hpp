#pragma once
// Which of n values in order is a quantile, and where it stands when some of the n were never measured.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>

namespace stowage {

/// Nearest rank: the least k in 1 ... n with k >= q n; q in (0, 1], n > 0. A product that misses a whole number by
/// rounding alone is that number: 0.07 x 100 is 7, not 7.000000000000001.
[[nodiscard]] inline std::uint64_t nearest_rank(double q, std::uint64_t n) {
  constexpr double rounding = 1e-14;  // a few units in the last place of q and of the product
  const double exact = std::ceil(q * static_cast<double>(n) * (1 - rounding));
  return std::clamp<std::uint64_t>(static_cast<std::uint64_t>(std::max(exact, 1.0)), 1, n);
}

/// An unserved request takes longer than any limit, and stands behind all that were served (S11.14). Returns the rank
/// of quantile q of all among the served, 1 ... served; nothing where that is one of the unserved, or where there is
/// no request at all. q = 1 is the maximum.
[[nodiscard]] inline std::optional<std::uint64_t> rank_among_served(double q, std::uint64_t served,
                                                                    std::uint64_t unserved) {
  if (served == 0) return std::nullopt;
  const std::uint64_t rank = nearest_rank(q, served + unserved);
  return rank <= served ? std::optional(rank) : std::nullopt;
}
}  // namespace stowage
