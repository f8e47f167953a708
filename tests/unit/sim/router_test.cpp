// Routers by hand: whom they pick, given loads that are written down.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "sim/account/fleet_result.hpp"
#include "sim/serve/router.hpp"

namespace stowage {
namespace {

struct Fixed final : FleetView {
  std::vector<Load> loads;
  Load load(std::size_t i) override { return loads[i]; }
  std::vector<std::int64_t> hits;
  std::int64_t hit(std::size_t i) override { return hits[i]; }
  std::int64_t prompt_tokens() const override { return 576; }
  Load at_least(std::size_t i) override { return {loads[i].amount / 2, loads[i].capacity}; }
};

std::vector<std::size_t> picks(std::string_view router, std::vector<std::int64_t> weights, Fixed fleet, int count) {
  const auto r = find_router(router)->make(weights, 0);
  std::vector<std::size_t> out;
  for (int i = 0; i < count; ++i) out.push_back(r->pick(fleet));
  return out;
}

// S12.12, S12.14
TEST(Router, RoundRobinTurnsAndKeepsToWeights) {
  EXPECT_EQ(picks("round-robin", {1, 1, 1}, {}, 5), (std::vector<std::size_t>{0, 1, 2, 0, 1}));
  // Credits, sum 4: (3,1) -> 0: (-1,1); (2,2) -> 0, the first of equals: (-2,2); (1,3) -> 1: (1,-1); (4,0) -> 0: (0,0).
  EXPECT_EQ(picks("round-robin", {3, 1}, {}, 8), (std::vector<std::size_t>{0, 0, 1, 0, 0, 0, 1, 0}));
}

// S12.12, S12.16, S12.17, S12.20
TEST(Router, LeastGoesRoundAmongEquals) {
  Fixed even;
  even.loads = {{2, 1}, {2, 1}, {2, 1}};
  EXPECT_EQ(picks("least-outstanding", {1, 1, 1}, even, 4), (std::vector<std::size_t>{0, 1, 2, 0}));
  Fixed uneven;
  uneven.loads = {{2, 1}, {5, 3}, {2, 1}};  // 5/3 < 2
  EXPECT_EQ(picks("least-kv", {1, 3, 1}, uneven, 2), (std::vector<std::size_t>{1, 1}));
}

// S12.26, S12.27, S12.28, S12.29
TEST(Router, PrefixAffinityGoesToTheLongestHitUnlessTheFleetIsOutOfBalance) {
  Fixed fleet;
  fleet.loads = {{3, 1}, {0, 1}, {2, 1}};
  fleet.hits = {560, 0, 560};
  EXPECT_EQ(picks("prefix-affinity", {1, 1, 1}, fleet, 2), (std::vector<std::size_t>{2, 2}));
  fleet.hits = {160, 0, 0};  // 0.28 of 576
  EXPECT_EQ(picks("prefix-affinity", {1, 1, 1}, fleet, 1), (std::vector<std::size_t>{1}));
  fleet.hits = {176, 0, 0};  // 0.31
  EXPECT_EQ(picks("prefix-affinity", {1, 1, 1}, fleet, 1), (std::vector<std::size_t>{0}));
  fleet.loads = {{64, 1}, {0, 1}, {2, 1}};
  EXPECT_EQ(picks("prefix-affinity", {1, 1, 1}, fleet, 1), (std::vector<std::size_t>{0}));
  fleet.loads = {{65, 1}, {0, 1}, {2, 1}};
  EXPECT_EQ(picks("prefix-affinity", {1, 1, 1}, fleet, 1), (std::vector<std::size_t>{1}));
  fleet.loads = {{300, 1}, {200, 1}, {210, 1}};  // 100 more, and no more than 1.5 times
  EXPECT_EQ(picks("prefix-affinity", {1, 1, 1}, fleet, 1), (std::vector<std::size_t>{0}));
}

// S12.15
TEST(Router, RandomKeepsToWeights) {
  std::map<std::size_t, int> count;
  for (const std::size_t i : picks("random", {1, 3}, {}, 40'000)) ++count[i];
  EXPECT_NEAR(count[1], 30'000, 500);  // sigma = sqrt(40,000 x 3/16) = 87
}

// S12.18, S12.19
TEST(Router, PowerOfTwoNeverTakesTheFullestOfAll) {
  Fixed fleet;
  fleet.loads = {{1, 1}, {9, 1}, {3, 1}};
  std::map<std::size_t, int> count;
  for (const std::size_t i : picks("power-of-two", {1, 1, 1}, fleet, 30'000)) ++count[i];
  EXPECT_EQ(count[1], 0);
  EXPECT_NEAR(count[0], 20'000, 500);  // in two of the three pairs
  EXPECT_EQ(picks("power-of-two", {1}, {}, 2), (std::vector<std::size_t>{0, 0}));
}

// S12.24, S12.25
TEST(Imbalance, ByHand) {
  const std::vector<double> shares = {1, 3};  // mean 2; deviations 1, 1; (1 + 3)^2 / (2 x (1 + 9)) = 0.8
  const Imbalance i = imbalance(shares);
  EXPECT_DOUBLE_EQ(i.max_over_mean, 1.5);
  EXPECT_DOUBLE_EQ(i.cov, 0.5);
  EXPECT_DOUBLE_EQ(i.jain, 0.8);
  const std::vector<double> none = {0, 0};
  EXPECT_DOUBLE_EQ(imbalance(none).jain, 1);
}
}  // namespace
}  // namespace stowage
