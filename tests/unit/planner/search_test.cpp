// The plan against brute force: what is pruned could not have won.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/rng.hpp"
#include "planner/bound.hpp"
#include "tests/unit/planner/helpers.hpp"

namespace stowage {
namespace {
using testing::TempFolder;

/// A study of 72 candidates with prices, loads and memory drawn from `seed`: of every other one so little that
/// the pool decides what a replica serves.
std::string random_study(std::uint64_t seed) {
  Rng rng(seed, "study");
  const auto pick = [&](double low, double high) { return low + (high - low) * rng.uniform(); };
  return fmt::format(R"(
scenario:
  model: llama-3-8b
  hardware: h100-sxm-80gb
  seed: {}
  workload: {{synthetic: {{rate: 10/s, count: 1500, prompt: {{uniform: {{min: 10, max: 2000}}}},
                           output: {{uniform: {{min: 1, max: 200}}}}}}}}
  managers: [{{kind: reserve{}}}, {{kind: paged}}, {{kind: vattention}}]
  memory: {{{}}}
  scheduler: {{max_model_len: 2200, max_batched_tokens: 2304}}
space:
  hardware: [h100-sxm-80gb, a100-80gb, l40s]
  cluster.tensor: [1, 2]
  cluster.pipeline: [1, 2]
  scheduler.max_batch: [8, 64]
slo: {{ttft_p99: {:.3f}s, tbt_p99: {:.0f}ms}}
demand: {:.1f}/s
spare: {}
objective: {}
probe: {{requests: 1500, precision: 2%}}
search: {{draws: 0}}
prices:
  h100-sxm-80gb: {{usd_per_node_hour: {:.2f}}}
  a100-80gb: {{usd_per_node_hour: {:.2f}}}
  l40s: {{usd_per_node_hour: {:.2f}, gpus_per_node: 4}}
)",
                     seed, seed % 3 == 0 ? ", length: pow2" : "",
                     seed % 2 == 0 ? "kv_tokens: 12000" : "utilization: 0.9", pick(0.2, 3), pick(40, 200),
                     pick(5, 400), rng.below(2) == 0 ? "0" : "N+1", objective_names[rng.below(objective_names.size())],
                     pick(20, 40), pick(10, 25), pick(3, 10));
}

TEST(Search, EqualsBruteForce) {
  const TempFolder folder;
  std::uint64_t skipped = 0;
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    const Study study = testing::study_of(folder, random_study(seed));
    Workbench pruned = set_up(study, 2), whole = set_up(study, 2);
    const SearchResult some = search(pruned, false, 2), all = search(whole, true, 2);
    ASSERT_EQ(all.counts.bounded + all.counts.dropped, 0U);
    skipped += some.counts.bounded + some.counts.dropped;
    EXPECT_EQ(some.counts.bounded + some.counts.dropped + some.counts.searched + some.counts.impossible, 72U);
    // Brute force: every candidate searched to the end, sorted.
    auto expected = all.ranking;
    expected.resize(std::min<std::size_t>(expected.size(), ranked_max));
    ASSERT_GE(some.ranking.size(), expected.size()) << "seed " << seed;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_EQ(some.ranking[i], expected[i]) << "seed " << seed << ", place " << i;
      EXPECT_EQ(pruned.candidates[some.ranking[i]].key, whole.candidates[expected[i]].key);
    }
    EXPECT_EQ(some.best_of_kind, all.best_of_kind) << "seed " << seed;
  }
  EXPECT_GT(skipped, 30U) << "nothing was pruned: the test shows nothing";
}

TEST(Search, NoSustainedRateIsAboveItsBound) {
  const TempFolder folder;
  for (std::uint64_t seed = 20; seed < 23; ++seed) {
    const std::string policy = seed == 22 ? "prefill-first" : "vllm";
    Workbench bench = set_up(testing::study_of(folder, random_study(seed), {"scheduler.policy=" + policy}), 2);
    // Even with no SLO to speak of: only saturation limits.
    bench.study.plan.slo[0].targets.clear();
    for (const auto& c : bench.candidates) {
      const double above = rate_bound(c.config(), bench.requests) * 1.05;
      EXPECT_FALSE(run_probe(c.config(), bench.requests, above, bench.study.plan.slo, {}).met) << c.name;
    }
  }
}

TEST(Plan, SameBytesForAnyJobsAndAgain) {
  const TempFolder folder;
  const Study study = testing::study_of(folder, random_study(3), {"search.draws=3"});
  const Plan one = make_plan(study, 1), two = make_plan(study, 2);
  EXPECT_EQ(plan_json(one), plan_json(two));
  EXPECT_EQ(plan_csv(one), plan_csv(two));
  EXPECT_TRUE(one.decision.feasible);
  EXPECT_EQ(one.uncertainty.draws, 3U);
}

TEST(Plan, RooflineIsNeverFirm) {
  const TempFolder folder;
  const Plan plan =
      make_plan(testing::study_of(folder, random_study(4), {"search.draws=3", "cost={source: roofline}"}), 2);
  ASSERT_TRUE(plan.decision.feasible);
  EXPECT_EQ(plan.decision.firmness, "unproven (roofline)");
  EXPECT_NE(plan.decision.text.find("unproven"), std::string::npos);
}

TEST(Plan, ManagersThatNobodyShipsAreNotDecidedFor) {
  const TempFolder folder;
  const Plan plan = make_plan(testing::study_of(folder, random_study(5)), 2);
  for (const std::size_t i : plan.found.ranking) EXPECT_NE(plan.bench.candidates[i].deployable, "none");
  EXPECT_EQ(plan.found.best_of_kind.size(), 3U);
}

TEST(Plan, SchedulesThatNobodyShipsAreNotDecidedFor) {
  const TempFolder folder;
  const Plan plan = make_plan(
      testing::study_of(folder, random_study(5), {"space={scheduler.policy: [vllm, prefill-first]}"}), 2);
  ASSERT_EQ(plan.bench.candidates.size(), 6U);
  for (const Candidate& c : plan.bench.candidates) {
    const bool today = c.config().scheduler.policy == "vllm";
    EXPECT_EQ(c.can_deploy(), today && c.kind == "paged") << c.name;
    EXPECT_EQ(vllm_command(c).empty(), !c.can_deploy()) << c.name;
  }
  ASSERT_EQ(plan.found.ranking.size(), 1U);
  EXPECT_EQ(plan.bench.candidates[plan.found.ranking[0]].deployable, "vllm, trt-llm");
}

TEST(Plan, WhatNoEngineShipsIsSaidToBeThat) {
  const TempFolder folder;
  const Study study = testing::study_of(folder, random_study(5), {"managers=[{kind: reserve}, {kind: vattention}]"});
  const Plan plan = make_plan(study, 2);
  EXPECT_FALSE(plan.decision.feasible);
  EXPECT_EQ(plan.decision.binding, "deployable");
  EXPECT_NE(plan.decision.text.find("No engine ships"), std::string::npos) << plan.decision.text;
  EXPECT_EQ(plan.found.best_of_kind.size(), 2U);
}

TEST(Plan, FewDrawsAreNotCalledFirm) {
  const TempFolder folder;
  const Plan plan = make_plan(testing::study_of(folder, random_study(3), {"search.draws=3"}), 2);
  ASSERT_TRUE(plan.decision.feasible);
  ASSERT_NE(plan.bench.candidates[*plan.decision.winner].grounds, Grounds::roofline);
  EXPECT_EQ(plan.decision.firmness, "too few draws to say (3)");
}

TEST(Plan, AxesThatDecideNothingAreRefused) {
  const TempFolder folder;
  for (const char* space : {"space={slo.ttft_p99: [1s, 2s]}", "space={name: [a, b]}",
                            "space={cluster.router: [random, least-kv]}"})
    EXPECT_THROW((void)set_up(testing::study_of(folder, random_study(5), {space}), 1), InputError) << space;
}

/// Rows of a repeated workload must not always come to the same replica.
TEST(Plan, AFleetThatDividesTheWorkloadIsJudgedLikeTheNext) {
  const TempFolder folder;
  const Plan plan = make_plan(testing::study_of(folder, R"(
scenario:
  model: llama-3-8b
  hardware: h100-sxm-80gb
  workload: {synthetic: {rate: 10/s, count: 200, prompt: {uniform: {min: 10, max: 2000}},
                         output: {uniform: {min: 1, max: 200}}}}
  cost: {source: linear, base: 10ms, per_prefill_token: 20us}
  managers: [{kind: paged}]
slo: {ttft_p99: 300ms}
demand: 2360/s
probe: {requests: 1000, precision: 2%}
search: {draws: 0}
)"),
                              2);
  ASSERT_TRUE(plan.decision.feasible);
  ASSERT_TRUE(plan.decision.one_less);
  const double now = plan.decision.checked->targets[0].achieved, less = plan.decision.one_less->targets[0].achieved;
  EXPECT_LT(now, 1.3 * less);
  EXPECT_LT(less, 1.5 * now);
}

TEST(Plan, SaysWhatBindsWhenNothingWillDo) {
  const TempFolder folder;
  const Plan slo = make_plan(testing::study_of(folder, random_study(6), {"slo={ttft_p50: 1us}"}), 2);
  EXPECT_FALSE(slo.decision.feasible);
  EXPECT_EQ(slo.decision.binding, "ttft_p50");
  EXPECT_NE(slo.decision.text.find("instead of 1us"), std::string::npos) << slo.decision.text;
  const Plan limit =
      make_plan(testing::study_of(folder, random_study(6), {"limits={gpus: 8}", "demand=5000/s"}), 2);
  EXPECT_FALSE(limit.decision.feasible);
  EXPECT_EQ(limit.decision.binding, "limits.gpus");
  EXPECT_NE(limit.decision.text.find("times the limit"), std::string::npos) << limit.decision.text;
}

TEST(Study, BadInputIsRefusedWithItsPlace) {
  const TempFolder folder;
  const std::string head =
      "scenario: {model: llama-3-8b, hardware: h100-sxm-80gb, workload: {synthetic: {rate: 5/s, "
      "count: 200, prompt: 10, output: 5}}, managers: [{kind: paged}]}\n";
  const auto message = [&](const std::string& rest) -> std::string {
    try {
      (void)set_up(testing::study_of(folder, head + rest), 1);
    } catch (const InputError& error) { return error.problems().front().str(); }
    return "accepted";
  };
  EXPECT_NE(message("space: {cluster.tensor: []}\nslo: {ttft_p99: 1s}\n").find(":2:"), std::string::npos);
  EXPECT_NE(message("space: {cluster.tensor: []}\nslo: {ttft_p99: 1s}\n").find("the space is empty"),
            std::string::npos);
  EXPECT_NE(message("slo: {ttft_p50: 2s, ttft_p99: 1s}\n").find("contradicts"), std::string::npos);
  EXPECT_NE(message("slo: {ttft_p99: 2s, e2e_p99: 1s}\n").find("contradicts"), std::string::npos);
  EXPECT_NE(message("slo: {tfft_p99: 2s}\n").find("did you mean 'ttft_p99'"), std::string::npos);
  EXPECT_NE(message("slo: {ttft_p99: 2s}\nprices: {a100-80gb: {usd_per_node_hour: 3}}\n").find("no price for h100"),
            std::string::npos);
  EXPECT_NE(message("slo: {ttft_p99: 2s}\ngrowht: 2\n").find("did you mean 'growth'"), std::string::npos);
  EXPECT_NE(message("growth: 2\n").find("slo"), std::string::npos);
  EXPECT_NE(message("slo: [{for: {prompt: ..100}, tbt_p99: 1s}]\n").find("use tpot"), std::string::npos);
  EXPECT_EQ(message("slo: {ttft_p99.9: 2s, goodput: {share: 90%, ttft: 1s}}\n"), "accepted");
}
}  // namespace
}  // namespace stowage
