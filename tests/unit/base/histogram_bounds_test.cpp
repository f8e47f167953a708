#include <gtest/gtest.h>

#include "base/histogram.hpp"

namespace stowage {
namespace {
// Buckets are 0.8 % wide here; what is known exactly (count, sum, maximum) must not be contradicted by their middles.
TEST(HistogramBounds, OneValueAndEqualValuesAreThemselves) {
  LogHistogram h;
  h.add(10'000'000);
  for (const double q : {0.01, 0.5, 0.99, 1.0}) EXPECT_EQ(h.quantile(q), 10'000'000) << q;
  h.add(10'000'000, 23);
  for (const double q : {0.01, 0.5, 0.99, 1.0}) EXPECT_EQ(h.quantile(q), 10'000'000) << q;
}

TEST(HistogramBounds, TheLesserOfTwoIsWhatTheSumLeaves) {
  LogHistogram h;
  h.add(1'000'001);
  h.add(9'000'000);
  // The sum less the maximum is 1,000,001: no value is less, so the middle is of what lies above it in its bucket.
  const auto top = static_cast<double>(LogHistogram::upper(LogHistogram::index(1'000'001)) - 1);
  EXPECT_DOUBLE_EQ(h.quantile(0.5), (1'000'001 + top) / 2);
  EXPECT_EQ(h.quantile(1), 9'000'000);
}

TEST(HistogramBounds, ManyValuesAreNotMoved) {
  LogHistogram h;
  for (int i = 1; i <= 1000; ++i) h.add(i * 1'000'003LL);
  const auto i = LogHistogram::index(500 * 1'000'003LL);
  EXPECT_DOUBLE_EQ(h.quantile(0.5),
                   static_cast<double>(LogHistogram::lower(i) + LogHistogram::upper(i) - 1) / 2);
}
}  // namespace
}  // namespace stowage
