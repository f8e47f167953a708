#include "planner/difference.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "base/rng.hpp"

namespace stowage {
namespace {
std::vector<double> draws(std::size_t n, std::string_view stream) {
  Rng rng(1, stream);
  std::vector<double> out;
  for (std::size_t i = 0; i < n; ++i) out.push_back(rng.exponential(1));
  return out;
}

TEST(Difference, OfTheSameRequestsShiftedIsTheShiftItself) {
  const std::vector<double> a = draws(1000, "a");
  std::vector<double> b = a;
  for (double& x : b) x += 0.25;
  for (const auto q : {std::optional<double>{}, std::optional(0.5), std::optional(0.99)}) {
    const auto d = difference_of(a, b, true, q, 0);
    ASSERT_TRUE(d);
    EXPECT_NEAR(d->value, 0.25, 1e-9);
    EXPECT_NEAR(d->low, 0.25, 1e-9);  // pair by pair the requests' own spread is no noise
    EXPECT_NEAR(d->high, 0.25, 1e-9);
  }
}

TEST(Difference, OfTwoSamplesOfOneKindHoldsZero) {
  const auto d = difference_of(draws(2000, "a"), draws(2000, "b"), false, std::nullopt, 0);
  ASSERT_TRUE(d);
  EXPECT_LT(d->low, 0);
  EXPECT_GT(d->high, 0);
  EXPECT_LE(d->low, d->value);
  EXPECT_GE(d->high, d->value);
  // Two means of 2,000 exponentials of variance 1 differ by N(0, 2/2000): 1.96 x 0.0316 = 0.062 to each side.
  EXPECT_NEAR(d->high - d->low, 2 * 0.062, 0.04);
}

TEST(Difference, ARealOneIsFound) {
  std::vector<double> b = draws(2000, "b");
  for (double& x : b) x *= 1.5;
  const auto d = difference_of(draws(2000, "a"), b, false, std::nullopt, 0);
  ASSERT_TRUE(d);
  EXPECT_GT(d->low, 0.3);
  EXPECT_LT(d->high, 0.7);
}

TEST(Difference, QuantilesAreRanks) {
  std::vector<double> a(100), b(100);
  for (int i = 0; i < 100; ++i) a[i] = i + 1, b[i] = 2 * (i + 1);
  EXPECT_EQ(difference_of(a, b, true, 0.99, 0)->value, 198 - 99);  // rank 99 of 100
  EXPECT_EQ(difference_of(a, b, true, 0.5, 0)->value, 100 - 50);
}

TEST(Difference, TooFewSayNothing) {
  EXPECT_FALSE(difference_of(draws(99, "a"), draws(500, "b"), false, 0.5, 0));
  EXPECT_FALSE(difference_of(draws(500, "a"), draws(400, "b"), true, 0.5, 0));
}

TEST(Difference, IsTheSameAgain) {
  const auto a = draws(500, "a"), b = draws(500, "b");
  EXPECT_EQ(difference_of(a, b, false, 0.99, 3)->low, difference_of(a, b, false, 0.99, 3)->low);
}
}  // namespace
}  // namespace stowage
