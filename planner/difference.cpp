#include "planner/difference.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "base/rng.hpp"

namespace stowage {
namespace {
constexpr std::size_t least_values = 100, draws = 200;

double statistic(std::vector<double>& values, std::optional<double> q) {
  if (!q) return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
  // The rank that LogHistogram takes: the smallest value with at least q of all at or below it.
  const auto rank = static_cast<std::ptrdiff_t>(std::ceil(*q * static_cast<double>(values.size()))) - 1;
  const auto at = values.begin() + std::clamp<std::ptrdiff_t>(rank, 0, static_cast<std::ptrdiff_t>(values.size()) - 1);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

/// Beginnings of as many blocks as fill n values.
std::vector<std::size_t> draw_blocks(std::size_t n, std::size_t block, Rng& rng) {
  std::vector<std::size_t> out((n + block - 1) / block);
  for (auto& begin : out) begin = rng.below(n - block + 1);
  return out;
}

void fill(std::span<const double> from, const std::vector<std::size_t>& blocks, std::size_t block,
          std::vector<double>& out) {
  out.clear();
  for (const std::size_t begin : blocks)
    for (std::size_t i = 0; i < block && out.size() < from.size(); ++i) out.push_back(from[begin + i]);
}
}  // namespace

std::optional<Difference> difference_of(std::span<const double> a, std::span<const double> b, bool paired,
                                            std::optional<double> q, std::uint64_t seed) {
  if (std::min(a.size(), b.size()) < least_values || (paired && a.size() != b.size())) return {};
  Rng rng(seed, "difference of two runs");
  const auto block_of = [](std::size_t n) { return static_cast<std::size_t>(std::sqrt(static_cast<double>(n))); };
  std::vector<double> differences, left, right;
  for (std::size_t d = 0; d < draws; ++d) {
    const auto blocks = draw_blocks(a.size(), block_of(a.size()), rng);
    fill(a, blocks, block_of(a.size()), left);
    if (paired)
      fill(b, blocks, block_of(b.size()), right);
    else
      fill(b, draw_blocks(b.size(), block_of(b.size()), rng), block_of(b.size()), right);
    differences.push_back(statistic(right, q) - statistic(left, q));
  }
  std::sort(differences.begin(), differences.end());
  left.assign(a.begin(), a.end());
  right.assign(b.begin(), b.end());
  return Difference{statistic(right, q) - statistic(left, q), differences[draws * 25 / 1000],
                    differences[draws - 1 - draws * 25 / 1000]};
}
}  // namespace stowage
