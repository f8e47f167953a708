// The fits on data whose answer is known.
#include "calibrate/fit.hpp"

#include <gtest/gtest.h>

namespace stowage {
namespace {
TEST(Fit, FindsTheCoefficientsOfCleanData) {
  std::vector<Equation> equations;
  for (double x = 1; x <= 20; ++x) equations.push_back({{1, x, x * x}, 5 + 2 * x + 0.5 * x * x});
  const auto c = fit_nonnegative(equations);
  EXPECT_NEAR(c[0], 5, 1e-6);
  EXPECT_NEAR(c[1], 2, 1e-6);
  EXPECT_NEAR(c[2], 0.5, 1e-6);
}

TEST(Fit, ATermThatWouldBeNegativeIsZero) {
  std::vector<Equation> equations;  // 3 x - 1: the constant wants to be negative
  for (double x = 1; x <= 20; ++x) equations.push_back({{1, x}, 3 * x - 1});
  const auto c = fit_nonnegative(equations);
  EXPECT_EQ(c[0], 0);
  EXPECT_NEAR(c[1], 2.9, 0.15);
}

TEST(Fit, OneWildPointMovesNothing) {
  std::vector<Equation> equations;
  for (double x = 1; x <= 40; ++x) equations.push_back({{1, x}, (10 + x) * (x == 7 ? 3 : 1)});
  const auto c = fit_nonnegative(equations);
  EXPECT_NEAR(c[0], 10, 0.1);
  EXPECT_NEAR(c[1], 1, 0.01);
}

TEST(Fit, TooFewPointsAreAnError) {
  const std::vector<Equation> one = {{{1, 2}, 3}};
  EXPECT_THROW((void)fit_nonnegative(one), InputError);
}

TEST(Monotone, LeavesARisingSequenceAsItIs) {
  EXPECT_EQ(monotone(std::vector<double>{1, 2, 2, 5}), (std::vector<double>{1, 2, 2, 5}));
}

TEST(Monotone, AWildValueDoesNotDragItsNeighboursAlong) {
  // 288 before 158: their pool's median, weighted by 1 / v, is 158, for 1/158 is more than half of 1/158 + 1/288. The
  // pool lies below 199 then, which stays as it is.
  EXPECT_EQ(monotone(std::vector<double>{128, 288, 158, 199, 205}), (std::vector<double>{128, 158, 158, 199, 205}));
}

TEST(Error, MeanBiasAndPercentile) {
  std::vector<double> residuals(19, 0.01);
  residuals.push_back(-0.21);
  const PartError e = error_of("x", residuals, "");
  EXPECT_NEAR(e.mape, (19 * 0.01 + 0.21) / 20, 1e-12);
  EXPECT_NEAR(e.bias, (19 * 0.01 - 0.21) / 20, 1e-12);
  EXPECT_DOUBLE_EQ(e.p95, 0.01);  // rank 19 of 20
  EXPECT_EQ(e.points, 20);
}
}  // namespace
}  // namespace stowage
