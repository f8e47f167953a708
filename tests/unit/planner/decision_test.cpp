// The figures of a decision against sums by hand.
#include "planner/decision.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "planner/sweep_summary.hpp"
#include "planner/uncertainty.hpp"
#include "tests/unit/planner/helpers.hpp"

namespace stowage {
namespace {
using testing::TempFolder;

/// One server of 10 ms a step, answers of 4: at most 25 requests/s, and fewer so that the objective holds.
std::string served_one_by_one(const std::string& slo, const std::string& rest) {
  return R"(
scenario:
  model: llama-3-8b
  hardware: h100-sxm-80gb
  memory: {kv_pool: 8GiB}
  workload: {synthetic: {rate: 10/s, count: 2000, prompt: 1, output: 4}}
  scheduler: {max_batch: 1}
  cost: {source: linear, base: 10ms}
  managers: [{kind: paged}]
slo: {)" + slo + R"(}
probe: {requests: 2000, precision: 1%}
prices: {h100-sxm-80gb: {usd_per_node_hour: 12, gpus_per_node: 4, watts: 4000}}
)" + rest;
}

TEST(Decision, ItsFiguresByHand) {
  const TempFolder folder;
  const std::string text = served_one_by_one("e2e_p90: 200ms", "demand: 100/s\nspare: N+1\nsearch: {draws: 0}\n");
  const Plan plan = make_plan(testing::study_of(folder, text), 2);
  const Decision& d = plan.decision;
  ASSERT_TRUE(d.feasible);
  const Candidate& c = plan.bench.candidates[*d.winner];
  const double rate = c.capacity.rate_per_s;
  ASSERT_LT(rate, 25);
  ASSERT_GT(rate, 12.5);
  const auto needed = static_cast<std::int64_t>(std::ceil(100 / (0.8 * rate)));
  EXPECT_EQ(c.sizing->needed, needed);
  EXPECT_EQ(c.sizing->replicas, needed + 1);
  // The spare one stands by: what the others sustain is the room there is.
  EXPECT_DOUBLE_EQ(d.headroom_rate, static_cast<double>(needed) * rate / 100);
  // 400 output tokens a second; nodes of 4 GPUs at 12 USD and 4 kW.
  const auto nodes = static_cast<double>((needed + 1 + 3) / 4);
  EXPECT_DOUBLE_EQ(d.usd_per_million_output_tokens, 12 * nodes / (400 * 3600) * 1e6);
  EXPECT_DOUBLE_EQ(d.joules_per_output_token, 4000 * nodes / 400);
  // Of one GPU at 3 USD, at 0.8 of its rate: no spare one, no idle one.
  EXPECT_DOUBLE_EQ(unit_cost(plan.bench, c), 3 / (0.8 * rate * 4 * 3600) * 1e6);
  ASSERT_TRUE(d.checked);
  EXPECT_DOUBLE_EQ(d.checked->rate_per_s, 100);
  EXPECT_TRUE(d.checked->met);
}

TEST(Decision, OfAGreatFleetAPartIsSimulatedUnderItsShare) {
  const TempFolder folder;
  const std::string text = served_one_by_one("e2e_p90: 400ms", "demand: 6000/s\nsearch: {draws: 0}\n");
  const Plan plan = make_plan(testing::study_of(folder, text), 2);
  const std::int64_t needed = plan.bench.candidates[*plan.decision.winner].sizing->needed;
  ASSERT_GT(needed, 2 * fleet_simulated_max);
  EXPECT_DOUBLE_EQ(plan.decision.checked->rate_per_s, 6000.0 * fleet_simulated_max / static_cast<double>(needed));
  EXPECT_TRUE(plan.decision.checked->met);
}

TEST(Decision, ItsSharesAreThoseOfTheRatesDrawn) {
  const TempFolder folder;
  // No knee: the fleet is cut close, so that about every other draw of the workload asks for more.
  Study study = testing::study_of(
      folder, served_one_by_one("e2e_p99: 300ms", "demand: 400/s\nknee: 1\nsearch: {draws: 40}\n"));
  const Plan plan = make_plan(std::move(study), 2);
  const Uncertainty& u = plan.uncertainty;
  const std::int64_t needed = plan.bench.candidates[*plan.decision.winner].sizing->needed;
  std::map<std::int64_t, int> enough;
  int suffices = 0;
  for (const double rate : u.rates) {
    const auto replicas = static_cast<std::int64_t>(std::ceil(400 / rate));
    suffices += rate > 0 && replicas <= needed;
    if (rate > 0)
      for (const auto& [n, share] : u.suffice_by_replicas) enough[n] += replicas <= n;
  }
  ASSERT_EQ(u.rates.size(), 40U);
  EXPECT_GT(suffices, 0);
  EXPECT_LT(suffices, 40) << "every draw is alike: the test shows nothing";
  EXPECT_DOUBLE_EQ(u.suffices, suffices / 40.0);
  for (const auto& [n, share] : u.suffice_by_replicas) EXPECT_DOUBLE_EQ(share, enough[n] / 40.0) << n;
  EXPECT_DOUBLE_EQ(u.wins, 1);  // there is no other purchase
}

TEST(Decision, DrawsThatSustainNothingSufficeForNothing) {
  const TempFolder folder;
  // A tenth of the answers is so long that its request is late at any rate: nine of ten are to be in time. Draws of the
  // workload hold a bit more or a bit less of them.
  std::string requests;
  for (int i = 0; i < 1000; ++i)
    requests += fmt::format("{}{{at: {}ms, prompt: 1, output: {}}}", i == 0 ? "" : ", ", 100 * i, i % 10 == 3 ? 40 : 1);
  const Plan plan = make_plan(testing::study_of(folder, R"(
scenario:
  model: llama-3-8b
  hardware: h100-sxm-80gb
  memory: {kv_pool: 8GiB}
  workload: {requests: [)" + requests + R"(]}
  scheduler: {max_batch: 64}
  cost: {source: linear, base: 10ms}
  managers: [{kind: paged}]
slo: {e2e_p90: 300ms}
demand: 20/s
probe: {requests: 1000, precision: 5%}
search: {draws: 20}
)"),
                              2);
  ASSERT_TRUE(plan.decision.feasible);
  const auto none = std::count(plan.uncertainty.rates.begin(), plan.uncertainty.rates.end(), 0.0);
  ASSERT_GT(none, 0) << "every draw sustains something: the test shows nothing";
  ASSERT_LT(none, 20);
  EXPECT_LE(plan.uncertainty.suffices, 1 - static_cast<double>(none) / 20);
  EXPECT_LE(plan.uncertainty.wins, 1 - static_cast<double>(none) / 20);
}

TEST(Decision, WhatLoosensRaisesTheRateAndWhatTightensLowersIt) {
  const TempFolder folder;
  for (const char* slo :
       {"e2e_p90: 200ms", "goodput: {share: 90%, e2e: 200ms}", "goodput: {share: 90%, ttft: 150ms}"}) {
    const Plan plan = make_plan(
        testing::study_of(folder, served_one_by_one(slo, "demand: 100/s\nsearch: {draws: 0}\n")), 2);
    ASSERT_TRUE(plan.outlook);
    const auto of = [&](const char* what) -> const RateWhatIf& {
      for (const RateWhatIf& w : plan.outlook->what_if)
        if (w.what == what) return w;
      ADD_FAILURE() << what;
      return plan.outlook->what_if.front();
    };
    const double base = plan.outlook->base_per_s;
    const RateWhatIf &limits = of("limits of the SLO"), &lengths = of("prompt and output lengths");
    EXPECT_LT(*limits.low_per_s, 0.97 * base) << slo;    // 20 % tighter
    EXPECT_GT(*limits.high_per_s, 1.03 * base) << slo;   // 20 % looser
    EXPECT_GT(*lengths.low_per_s, 1.1 * base) << slo;    // answers of 3: a quarter less work
    EXPECT_LT(*lengths.high_per_s, 0.9 * base) << slo;   // answers of 5
  }
}

TEST(Pareto, NobodyOnTheFrontIsBeatenAndWhoIsNotOnItIs) {
  Plan plan;
  Rng rng(4, "front");
  for (std::size_t i = 0; i < 200; ++i) {
    Candidate c;
    c.capacity.at.emplace();
    c.bound_per_s = std::floor(12 * rng.uniform());  // two figures with many ties
    c.capacity.rate_per_s = std::floor(12 * rng.uniform());
    plan.bench.candidates.push_back(c);
    plan.found.searched.push_back(i);
  }
  const Figure first = [](const Candidate& c) { return c.bound_per_s; };
  const Figure second = [](const Candidate& c) { return c.capacity.rate_per_s; };
  const auto front = pareto_front(plan, first, second);
  const auto& all = plan.bench.candidates;
  std::set<std::pair<double, double>> on, expected;
  for (const std::size_t i : front)
    EXPECT_TRUE(on.emplace(first(all[i]), second(all[i])).second) << "two alike on the front";
  for (const Candidate& c : all)
    if (std::none_of(all.begin(), all.end(), [&](const Candidate& o) {
          return first(o) <= first(c) && second(o) <= second(c) && (first(o) < first(c) || second(o) < second(c));
        }))
      expected.emplace(first(c), second(c));
  EXPECT_EQ(on, expected);
}
}  // namespace
}  // namespace stowage
