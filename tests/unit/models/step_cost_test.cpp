// Linear prices and the table's arithmetic.
#include "models/cost/step_cost.hpp"

#include <gtest/gtest.h>

namespace stowage {
namespace {
// S5.2
TEST(LinearCost, AddsItsTerms) {
  const StepCost cost(StepCost::Linear{5e6, 20e3, 50e3, 1});
  // 5 ms + 20 us x 100 + 50 us x 3 + 1 ns x 4,000 = 7.154 ms; chunks add nothing of their own.
  EXPECT_DOUBLE_EQ(cost.ns({100, 3, 4000, cost.chunk_ns(100, 0)}), 7'154'000);
  EXPECT_DOUBLE_EQ(cost.ns({0, 3, 4000, 0}), 5'154'000);
  EXPECT_EQ(cost.decode_line(3).ns(4000), cost.ns({0, 3, 4000, 0}));
}

// S1.5: 0.1 x 3 rounds up to 0.30000000000000004. Fused with the sum it would not, and -2.8e-17 would be left.
TEST(LinearCost, IsNotFused) {
  volatile double tenth = 0.1, three = 3;
  const double product = tenth * three;
  EXPECT_EQ(StepCost(StepCost::Linear{-product, tenth, 0, 0}).ns({3, 0, 0, 0}), 0.0);
}

// S5.3, S5.4
TEST(TableCost, ByHand) {
  StepCost::Table table;
  table.dense_ns = {0, 10, 20, 30, 40};
  table.decode_dense_ns = {0, 9, 18, 27, 36};
  table.decode = {1, 2, 0.5, 100, 0, 0};  // max(1 + 2 B + 0.5 S, 100)
  table.prefill.ns_per_pair = 2;
  table.prefill.ns_per_kv_token = 5;
  table.prefill.fixed_ns = 7;
  const StepCost cost(std::move(table));
  EXPECT_EQ(cost.ns({0, 2, 10, 0}), 18 + 100);    // 1 + 4 + 5 < 100
  EXPECT_EQ(cost.ns({0, 2, 1000, 0}), 18 + 505);  // 1 + 4 + 500
  EXPECT_EQ(cost.decode_line(2).ns(1000), cost.ns({0, 2, 1000, 0}));
  EXPECT_EQ(cost.chunk_ns(3, 4), 7 + 2 * (3 * 4 + 6));  // 18 pairs at 2 ns; the floor is 7 x 5 = 35
  EXPECT_EQ(cost.chunk_ns(1, 20), 7 + 5 * 21);          // 21 pairs, 42 ns, under the floor of 105
  EXPECT_EQ(cost.ns({2, 2, 1000, 50}), 40 + 505 + 50);
  EXPECT_EQ(cost.ns({2, 0, 0, 50}), 20 + 50);
}

TEST(TableCost, UtilisationIsInterpolatedInLogarithms) {
  StepCost::Table table;
  table.dense_ns = {0};
  table.prefill.ns_per_pair = 1;
  table.prefill.log2_q = {2, 4};  // 4 and 16 new tokens
  table.prefill.log2_kv = {4};    // one column: constant in kv
  table.prefill.utilisation = {0.25, 0.75};
  const StepCost cost(std::move(table));
  EXPECT_DOUBLE_EQ(cost.chunk_ns(4, 0), 10 / 0.25);
  EXPECT_DOUBLE_EQ(cost.chunk_ns(8, 0), 36 / 0.5);  // halfway in log2
  EXPECT_DOUBLE_EQ(cost.chunk_ns(16, 0), 136 / 0.75);
  EXPECT_DOUBLE_EQ(cost.chunk_ns(2, 0), 3 / 0.25);  // held outside the grid
  EXPECT_DOUBLE_EQ(cost.chunk_ns(64, 0), 2080 / 0.75);
}

// S1.2
TEST(RoundNs, HalvesAwayFromZero) {
  EXPECT_EQ(round_ns(0.0), 0);
  EXPECT_EQ(round_ns(0.49999999999999994), 0);
  EXPECT_EQ(round_ns(0.5), 1);
  EXPECT_EQ(round_ns(2.5), 3);
  EXPECT_EQ(round_ns(1e15 + 0.5), 1'000'000'000'000'001);
}
}  // namespace
}  // namespace stowage
