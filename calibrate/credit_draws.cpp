// What the credit of full-clock time may be besides its best fit. Rests tell a capacity and a recharge apart only so
// far, so a profile keeps draws of both, as likely as the rests make them:
//
//   weight = e^(-(error - least error) / scale) / recharge       scale = mean error of the best fit, or noise if more
//
// error is summed over the rests: Laplace's law, whose likeliest pair is the best fit. Divided by the recharge, for
// twice the rate is as likely beforehand as half of it. The grid of the search bounds both. Draw i takes the same share
// of the weight at every number of decoding requests, its pairs in ascending order of recharge: what errs in one of the
// fits (which cycles had settled, what a clock really follows) may err in all of them.
#include <algorithm>

#include "base/portable_math.hpp"
#include "base/rng.hpp"
#include "calibrate/parts.hpp"

namespace stowage::detail {
namespace {
constexpr double mean_of_normal = 0.798;  // E|z|: what a standard deviation makes of a mean absolute error
constexpr double resolution = 0.001;      // no fit is known better: steps of the grid, the timer

/// The shares at which draws are taken: one from the middle of each of `draw_count` equal parts, in random order, so
/// that few draws cover the whole range.
std::vector<double> shares(std::uint64_t seed) {
  std::vector<double> out(draw_count);
  for (std::size_t i = 0; i < draw_count; ++i)
    out[i] = (static_cast<double>(i) + 0.5) / static_cast<double>(draw_count);
  Rng rng(seed, "calibrate.rested");
  for (std::size_t i = draw_count; i > 1; --i) std::swap(out[i - 1], out[rng.below(i)]);
  return out;
}
}  // namespace

const Credit& CreditSearch::best() const {
  return *std::min_element(tried.begin(), tried.end(),
                           [](const Credit& a, const Credit& b) { return a.error < b.error; });
}

void draw_credit(std::span<const CreditSearch> searches, std::uint64_t seed, Profile::Rested& rested) {
  const std::vector<double> at = shares(seed);
  for (const CreditSearch& search : searches) {
    const double least = search.best().error;
    const double scale =
        std::max({least / static_cast<double>(search.rests), mean_of_normal * search.noise, resolution});
    std::vector<Credit> pairs = search.tried;
    std::stable_sort(pairs.begin(), pairs.end(),
                     [](const Credit& a, const Credit& b) { return a.recharge < b.recharge; });
    std::vector<double> below;  // weight of all pairs up to this one
    double all = 0;
    for (const Credit& c : pairs) below.push_back(all += portable_exp((least - c.error) / scale) / c.recharge);
    for (const double share : at) {
      const auto it = std::lower_bound(below.begin(), below.end(), share * all);
      const Credit& drawn = pairs[static_cast<std::size_t>(it - below.begin())];
      rested.drawn_capacity_ns.push_back(drawn.capacity_ns);
      rested.drawn_recharge.push_back(drawn.recharge);
    }
  }
}
}  // namespace stowage::detail
