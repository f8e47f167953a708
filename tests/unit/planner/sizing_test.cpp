// From a rate to replicas, nodes and money, by hand, and what candidates are ranked by.
#include "planner/sizing.hpp"

#include <gtest/gtest.h>

namespace stowage {
namespace {
const NodePrice node_of_8{40, 8, 1000};

/// Replicas run at all they sustain.
PlanSpec without_knee() {
  PlanSpec plan;
  plan.knee = 1;
  return plan;
}

TEST(Sizing, WholeNodesAndStrandedGpus) {
  PlanSpec plan;
  plan.knee = 0.8;
  plan.spare = 1;
  // 40 / (0.8 x 10) = 5 replicas and a spare one: 6 of 3 GPUs; two fit a node of 8: 3 nodes, 24 GPUs, 6 idle.
  const Sizing s = size_fleet(40, 10, 3, plan, {30, 8, 1000});
  EXPECT_EQ(s.needed, 5);
  EXPECT_EQ(s.replicas, 6);
  EXPECT_EQ(s.nodes, 3);
  EXPECT_EQ(s.stranded, 6);
  EXPECT_DOUBLE_EQ(s.usd_per_hour, 90);
  // A replica of 16 spans two nodes.
  EXPECT_EQ(size_fleet(40, 10, 16, plan, {30, 8, 0}).nodes, 12);
}

TEST(Sizing, WhatAFleetMeetsExactlyNeedsNoFurtherReplica) {
  // The demand is n times what a replica is to serve; as the product rounds, the quotient may lie a bit above n.
  PlanSpec plan;
  int rounded_up = 0;
  for (const double knee : {0.7, 0.8, 0.9, 1.0})
    for (const double rate : {0.1, 1.1, 3.3, 9.7, 123.456})
      for (std::int64_t n = 1; n <= 400; ++n) {
        plan.knee = knee;
        const double demand = static_cast<double>(n) * knee * rate;
        rounded_up += demand / (knee * rate) > static_cast<double>(n);
        ASSERT_EQ(size_fleet(demand, rate, 1, plan, node_of_8).needed, n) << knee << " " << rate;
        ASSERT_EQ(size_fleet(demand * (1 + 1e-6), rate, 1, plan, node_of_8).needed, n + 1) << knee << " " << rate;
      }
  EXPECT_GT(rounded_up, 100) << "no quotient lies above its whole number: the test shows nothing";
}

TEST(Sizing, ALowerKneeNeedsMore) {
  PlanSpec plan;
  plan.knee = 0.5;
  EXPECT_EQ(size_fleet(100, 10, 1, plan, node_of_8).needed, 20);
  plan.knee = 1;
  EXPECT_EQ(size_fleet(100, 10, 1, plan, node_of_8).needed, 10);
}

TEST(Sizing, NodesAreTheFewestThatHoldTheReplicas) {
  // By putting replicas into nodes one after the other: as many as fit, or so many whole nodes for each.
  const PlanSpec plan = without_knee();
  for (std::int64_t node = 1; node <= 9; ++node)
    for (std::int64_t gpus = 1; gpus <= 30; ++gpus)
      for (std::int64_t replicas = 1; replicas <= 12; ++replicas) {
        std::int64_t nodes = 0, room = 0;
        for (std::int64_t r = 0; r < replicas; ++r) {
          if (room < gpus) {
            room = 0;  // what is left of a node holds no part of a replica
            while (room < gpus) room += node, ++nodes;
            if (gpus > node) room = gpus;  // and a replica of several shares none
          }
          room -= gpus;
        }
        const Sizing s = size_fleet(static_cast<double>(replicas), 1, gpus, plan, {7, node, 300});
        ASSERT_EQ(s.replicas, replicas);
        ASSERT_EQ(s.nodes, nodes) << replicas << " of " << gpus << " GPUs in nodes of " << node;
        ASSERT_EQ(s.stranded, nodes * node - replicas * gpus);
        ASSERT_DOUBLE_EQ(s.usd_per_hour, 7.0 * static_cast<double>(nodes));
        ASSERT_DOUBLE_EQ(s.watts, 300.0 * static_cast<double>(nodes));
      }
}

TEST(Sizing, ALimitMayBeReachedButNotPassed) {
  PlanSpec plan = without_knee();
  plan.gpus_max = 16;
  EXPECT_EQ(rank_key(16, 1, 1, plan, node_of_8)[0], 0);    // two nodes: 16 GPUs
  EXPECT_EQ(rank_key(17, 1, 1, plan, node_of_8)[0], 1.5);  // three: 24 of 16
  plan.gpus_max.reset();
  plan.usd_per_hour_max = 80;
  EXPECT_EQ(rank_key(16, 1, 1, plan, node_of_8)[0], 0);    // 80 USD
  EXPECT_EQ(rank_key(17, 1, 1, plan, node_of_8)[0], 1.5);  // 120
  plan.gpus_max = 12;
  EXPECT_EQ(rank_key(17, 1, 1, plan, node_of_8)[0], 2);  // the limit that is broken by more
}

TEST(Sizing, TheObjectiveComesFirstThenWhatIsLeftToPrefer) {
  const NodePrice cheap{10, 1, 0}, dear{25, 1, 0};
  PlanSpec plan = without_knee();
  plan.objective = Objective::cost;  // four cheap GPUs for 40 USD, two dear ones for 50
  EXPECT_LT(rank_key(4, 1, 1, plan, cheap), rank_key(4, 2, 1, plan, dear));
  plan.objective = Objective::gpus;
  EXPECT_GT(rank_key(4, 1, 1, plan, cheap), rank_key(4, 2, 1, plan, dear));
  // Of fleets that cost the same the one that could serve the most.
  for (const Objective objective : {Objective::cost, Objective::gpus, Objective::rate_per_dollar}) {
    plan.objective = objective;
    EXPECT_LT(rank_key(4, 1.2, 1, plan, cheap), rank_key(4, 1.1, 1, plan, cheap));
  }
}

TEST(Sizing, NoHigherRateRanksWorse) {
  for (const Objective objective : {Objective::cost, Objective::gpus, Objective::rate_per_dollar}) {
    PlanSpec plan;
    plan.objective = objective;
    plan.spare = 1;
    plan.gpus_max = 40;
    RankKey before = rank_key(100, 0.5, 3, plan, node_of_8);
    for (double rate = 0.5; rate < 200; rate *= 1.01) {
      const RankKey key = rank_key(100, rate, 3, plan, node_of_8);
      ASSERT_LE(key, before) << rate;
      before = key;
    }
  }
}
}  // namespace
}  // namespace stowage
