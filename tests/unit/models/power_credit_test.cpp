// Full-clock time, by hand.
#include "models/cost/power_credit.hpp"

#include <gtest/gtest.h>

namespace stowage {
namespace {
/// Steps of 10 ns a token, 0.8 of that at full clock; alone 50 ns of full clock, earned at 0.5; beside two decoding
/// requests 30 ns, earned at 0.25.
StepCost rested_chip() {
  StepCost::Table table;
  table.dense_ns = {0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120};
  table.decode = {0, 5, 0, 0, 0, 0};  // 5 ns a decoding request
  table.prefill.ns_per_pair = 0;
  table.boost = {std::vector<double>(13, 0.8), {50, 40, 30}, {0.5, 0.5, 0.25}};
  return StepCost(std::move(table));
}
StepShape prompt(std::int64_t tokens, std::int64_t decodes = 0) {
  StepShape s;
  s.prefill_tokens = tokens;
  s.decode_seqs = decodes;
  return s;
}

// S14.4, S14.6, S14.7
TEST(PowerCredit, ARestedChipRunsAtFullClockUntilItIsSpent) {
  const StepCost cost = rested_chip();
  PowerCredit power;
  EXPECT_EQ(power.step_ns(cost, prompt(5), 0), 40);      // all of 50 x 0.8 at full clock; 10 ns of it left
  EXPECT_EQ(power.step_ns(cost, prompt(10), 40), 98);    // 10 ns at full clock do the work of 12.5: 100 - 2.5 = 97.5
  EXPECT_EQ(power.step_ns(cost, prompt(10), 138), 100);  // nothing left
}

// S14.3, S14.5
TEST(PowerCredit, RestEarnsTimeUpToTheCapacity) {
  const StepCost cost = rested_chip();
  PowerCredit power;
  EXPECT_EQ(power.step_ns(cost, prompt(12), 0), 108);       // 120 - 50 x 0.25 = 107.5; spent
  EXPECT_EQ(power.step_ns(cost, prompt(12), 128), 118);     // 20 ns of rest earn 10: 120 - 2.5 = 117.5
  EXPECT_EQ(power.step_ns(cost, prompt(12), 10'246), 108);  // 10,000 ns of rest earn no more than 50
}

// S14.2, S14.5, S14.6
TEST(PowerCredit, WhatDecodingRequestsReadIsNoWorkAtFullClockButRest) {
  const StepCost cost = rested_chip();
  PowerCredit power;
  (void)power.step_ns(cost, prompt(12), 0);  // spent at 108
  // 2 + 2 tokens: 40 ns dense and 10 ns of reading, which earn 0.25 x 10 = 2.5 ns; those save 2.5 x 0.25 = 0.625.
  EXPECT_EQ(power.step_ns(cost, prompt(2, 2), 108), 49);  // 50 - 0.625 = 49.375
  // Full credit again: at most 30 ns beside two decoding requests; 90 x 0.8 = 72 wanted. 100 - 30 x 0.25 = 92.5.
  EXPECT_EQ(power.step_ns(cost, prompt(7, 2), 100'000), 93);
}

// S14.1
TEST(PowerCredit, DecodeStepsNeitherSpendNorAsk) {
  const StepCost cost = rested_chip();
  PowerCredit power;
  EXPECT_EQ(power.step_ns(cost, prompt(0, 2), 0), 30);  // 20 + 10
  EXPECT_EQ(power.step_ns(cost, prompt(5), 30), 40);    // still rested
}

TEST(PowerCredit, WithoutABoostPricesAreAsTheyWere) {
  StepCost::Table table;
  table.dense_ns = {0, 10, 20};
  const StepCost cost(std::move(table));
  PowerCredit power;
  EXPECT_FALSE(cost.has_boost());
  EXPECT_EQ(power.step_ns(cost, prompt(2), 0), 20);
  EXPECT_EQ(power.step_ns(StepCost(StepCost::Linear{7, 1, 0, 0}), prompt(2), 0), 9);
}

TEST(PowerCredit, NoStepIsShorterThanTheLeast) {
  EXPECT_EQ(rested_chip().least_step_ns(), 0.0);  // of no token
  StepCost::Table table;
  table.dense_ns = {10, 10, 20};
  table.boost = {{0.5, 0.5, 0.9}, {50}, {1}};
  const StepCost cost(std::move(table));
  EXPECT_EQ(cost.least_step_ns(), 5);
  PowerCredit power;
  EXPECT_EQ(power.step_ns(cost, prompt(1), 0), 5);
}
}  // namespace
}  // namespace stowage
