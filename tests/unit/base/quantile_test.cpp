// Ranks against whole-number arithmetic.
#include "base/quantile.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "base/histogram.hpp"

namespace stowage {
namespace {
// p per mille of n is rank ceil(p n / 1000) = (p n + 999) div 1000, whatever p / 1000 and its product round to:
// 0.07 x 100 is 7.000000000000001 in doubles, and 0.999 x 1000 may be 999.0000000000001.
TEST(NearestRank, IsTheCeilingInWholeNumbers) {
  for (std::uint64_t p = 1; p <= 1000; ++p)
    for (std::uint64_t n = 1; n <= 1100; n += n < 30 ? 1 : 7)
      ASSERT_EQ(nearest_rank(static_cast<double>(p) / 1000, n), (p * n + 999) / 1000) << p << " of " << n;
  EXPECT_EQ(nearest_rank(0.999, 1'000'000'000'000), 999'000'000'000U);
}

TEST(NearestRank, UnservedStandBehindTheServed) {
  EXPECT_EQ(rank_among_served(0.99, 99, 1), 99U);  // rank 99 of 100
  EXPECT_FALSE(rank_among_served(0.99, 98, 2));    // rank 99 of 100 is the first of the two
  EXPECT_EQ(rank_among_served(0.5, 3, 2), 3U);     // ceil(2.5)
  EXPECT_EQ(rank_among_served(1, 7, 0), 7U);
  EXPECT_FALSE(rank_among_served(1, 7, 1));
  EXPECT_FALSE(rank_among_served(0.5, 0, 0));
  EXPECT_FALSE(rank_among_served(0.5, 0, 3));
}

// Of 1 ... n the quantile is its rank: q n is whole for some of these and not for others.
TEST(HistogramQuantile, IsTheValueAtTheNearestRank) {
  for (const std::uint64_t n : {1U, 2U, 3U, 10U, 99U, 101U, 250U}) {
    LogHistogram h;  // values below 256 have buckets of their own
    for (std::uint64_t i = 1; i <= n; ++i) h.add(static_cast<std::int64_t>(i));
    for (std::uint64_t p = 1; p <= 100; ++p)
      EXPECT_EQ(h.quantile(static_cast<double>(p) / 100), static_cast<double>((p * n + 99) / 100)) << p << " of " << n;
  }
}

// S11.12
TEST(HistogramQuantile, NothingHasNoStatistics) {
  const LogHistogram h;
  const Summary s = h.summary();
  EXPECT_EQ(s.count, 0U);
  for (const double x : {s.mean, s.p50, s.p90, s.p95, s.p99, s.max, h.mean(), h.quantile(0.5), h.quantile(1)})
    EXPECT_TRUE(std::isnan(x));
}
}  // namespace
}  // namespace stowage
