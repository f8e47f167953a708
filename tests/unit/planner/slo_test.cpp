// Targets against numbers counted by hand.
#include "planner/slo.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/rng.hpp"
#include "sim/slo.hpp"

namespace stowage {
namespace {
constexpr std::int64_t ms = 1'000'000;

std::vector<SloSet> sets_of(const std::string& text) {
  Problems problems;
  auto out = read_plan_slo(ConfigDocument::parse(text, "slo.yaml").root(), problems);
  problems.throw_if_any();
  return out;
}

/// 100 requests: number i has its first token after i ms, ends 100 ms later; even ones have short prompts.
std::vector<Sample> hundred() {
  std::vector<Sample> out;
  for (int i = 1; i <= 100; ++i) {
    Sample s;
    s.arrival_ns = i * ms;
    s.ttft_ns = i * ms;
    s.e2e_ns = (i + 100) * ms;
    s.tpot_ns = 2.0 * ms;
    s.prompt = i % 2 == 0 ? 10 : 5000;
    s.output = 51;
    out.push_back(s);
  }
  return out;
}

TEST(PlanSlo, PercentilesAreNearestRankAndTheSameAsSharesOverTheLimit) {
  const auto samples = hundred();
  // p90 of 1 ... 100 is 90; 10 of 100 lie above 90 ms.
  const auto met = check_plan_slo(sets_of("{ttft_p90: 90ms}"), samples, {});
  EXPECT_TRUE(met[0].met);
  EXPECT_EQ(met[0].achieved, 90.0 * ms);
  EXPECT_DOUBLE_EQ(*met[0].over, 0.10);
  EXPECT_DOUBLE_EQ(met[0].margin, 0);
  const auto missed = check_plan_slo(sets_of("{ttft_p90: 89ms}"), samples, {});
  EXPECT_FALSE(missed[0].met);
  EXPECT_DOUBLE_EQ(*missed[0].over, 0.11);
  // Mean 50.5, maximum 100; the end-to-end p99.5 is rank 100: 200 ms.
  const auto rest = check_plan_slo(sets_of("{ttft_mean: 50.5ms, ttft_max: 99ms, e2e_p99.5: 200ms}"), samples, {});
  EXPECT_TRUE(rest[0].met);
  EXPECT_FALSE(rest[1].met);
  EXPECT_TRUE(rest[2].met);
}

// q n is not whole: p95 of 1 ... 30 is rank ceil(28.5) = 29, p33 is rank ceil(9.9) = 10, p50 of 1 ... 5 is rank 3.
TEST(PlanSlo, RanksThatAreNotWholeAreRoundedUp) {
  const auto all = hundred();
  const std::span<const Sample> first(all);
  EXPECT_EQ(check_plan_slo(sets_of("{ttft_p95: 1s}"), first.first(30), {})[0].achieved, 29.0 * ms);
  EXPECT_EQ(check_plan_slo(sets_of("{ttft_p33: 1s}"), first.first(30), {})[0].achieved, 10.0 * ms);
  EXPECT_EQ(check_plan_slo(sets_of("{ttft_p50: 1s}"), first.first(5), {})[0].achieved, 3.0 * ms);
  EXPECT_EQ(check_plan_slo(sets_of("{ttft_p99.9: 1s}"), first.first(7), {})[0].achieved, 7.0 * ms);
  // So a limit between the two ranks is missed: 28 of 30 are within 28 ms, which is less than 95 %.
  EXPECT_FALSE(check_plan_slo(sets_of("{ttft_p95: 28ms}"), first.first(30), {})[0].met);
}

// A plan and a run judge the same requests alike, by the value at rank ceil(p n / 1000) of all in order, where a
// request that was not served is later than any limit.
TEST(PlanSlo, EqualsBruteForceAndTheRuleOfARun) {
  Rng rng(16, "plan slo");
  for (int round = 0; round < 1000; ++round) {
    std::vector<Sample> samples(1 + rng.below(150));
    std::vector<double> values;
    RunResult run;
    run.submitted = samples.size();
    const std::uint64_t chance = 2 + rng.below(100);
    for (Sample& s : samples) {
      s.served = rng.below(chance) != 0;
      s.ttft_ns = s.e2e_ns = s.queue_ns = static_cast<std::int64_t>(rng.below(250));
      s.prompt = s.output = 10;
      values.push_back(s.served ? static_cast<double>(s.ttft_ns) : std::numeric_limits<double>::infinity());
      if (s.served) run.ttft_ns.add(s.ttft_ns);
      ++(s.served ? run.completed : run.rejected);
    }
    std::sort(values.begin(), values.end());
    const std::uint64_t p = 1 + rng.below(1000), n = values.size(), limit = 1 + rng.below(250);
    const std::string key = fmt::format("ttft_p{}.{}", p / 10, p % 10);
    const double truth = values[(p * n + 999) / 1000 - 1];
    const bool met = truth <= static_cast<double>(limit);
    const auto plan = check_plan_slo(sets_of(fmt::format("{{{}: {}ns}}", key, limit)), samples, run)[0];
    EXPECT_EQ(plan.achieved, truth) << key << " of " << n;
    EXPECT_EQ(plan.met, met);
    EXPECT_EQ(slo_met(std::vector<LatencyLimit>{{key, static_cast<double>(limit)}}, run), met);
    // Goodput and the share over the limit are counts.
    const auto good = static_cast<double>(
        std::count_if(values.begin(), values.end(), [&](double x) { return x <= static_cast<double>(limit); }));
    EXPECT_NEAR(*plan.over, 1 - good / static_cast<double>(n), 1e-12);
    const auto goodput = sets_of(fmt::format("{{goodput: {{share: 50%, ttft: {}ns}}}}", limit));
    const auto share = check_plan_slo(goodput, samples, run);
    EXPECT_NEAR(share[0].achieved, good / static_cast<double>(n), 1e-12);
    EXPECT_EQ(share[0].met, 2 * good >= static_cast<double>(n));
  }
}

// Exactly the share that is asked is enough: 93 of 100, though 1 - 0.07 is less than 0.93 in doubles.
TEST(PlanSlo, ExactlyTheShareAskedIsEnough) {
  for (int good = 1; good < 100; ++good) {
    const auto at = [&](int share) {
      const auto goodput = sets_of(fmt::format("{{goodput: {{share: {}%, ttft: {}ms}}}}", share, good));
      return check_plan_slo(goodput, hundred(), {})[0];
    };
    EXPECT_TRUE(at(good).met) << good;
    EXPECT_FALSE(at(good + 1).met) << good;
  }
}

// S11.15, S11.17, S11.18, S11.19
TEST(PlanSlo, ARequestThatWasNotServedMissesEveryObjective) {
  auto samples = hundred();
  samples[10].served = false;  // number 11 of 100, which would have been early
  RunResult run;
  run.submitted = 100, run.completed = 99, run.rejected = 1;
  run.tbt_ns.add(5, 99 * 50);
  const auto results = check_plan_slo(
      sets_of("{ttft_mean: 1s, e2e_max: 10s, queue_p99.5: 1s, tpot_p99.5: 1s, tbt_mean: 1s, tbt_p99.5: 1s}"), samples,
      run);
  for (const TargetResult& t : results) {
    EXPECT_FALSE(t.met) << t.key;
    EXPECT_TRUE(std::isinf(t.achieved)) << t.key;
  }
  for (const TargetResult& t : check_plan_slo(sets_of("{ttft_p99: 100ms, tbt_p99: 6ns, tpot_p99: 2ms}"), samples, run))
    EXPECT_TRUE(t.met) << t.key;
  EXPECT_FALSE(check_plan_slo(sets_of("{goodput: {share: 100%, ttft: 1s}}"), samples, run)[0].met);
  // It counts in its own class of lengths: number 11 had a long prompt.
  const auto classes = check_plan_slo(
      sets_of("[{for: {name: short, prompt: ..100}, ttft_max: 1s}, {for: {name: long, prompt: 101..}, ttft_max: 1s}]"),
      samples, run);
  EXPECT_TRUE(classes[0].met);
  EXPECT_FALSE(classes[1].met);
}

// S11.16. A request of one token has no time per output token, in a plan as in a run:
// p50 of 2 ms and 99 without is 2 ms.
TEST(PlanSlo, OneTokenHasNoTimePerToken) {
  auto samples = hundred();
  for (std::size_t i = 1; i < samples.size(); ++i) samples[i].output = 1, samples[i].tpot_ns = 0;
  EXPECT_EQ(check_plan_slo(sets_of("{tpot_p50: 1ms}"), samples, {})[0].achieved, 2.0 * ms);
  samples[0].output = 1;
  EXPECT_TRUE(check_plan_slo(sets_of("{tpot_p50: 1ms}"), samples, {})[0].met);
}

TEST(PlanSlo, GoodputIsTheShareThatMeetsAllJointly) {
  // ttft <= 80 ms: 1 ... 80; e2e <= 150 ms: 1 ... 50; both: 50 of 100.
  const auto result = check_plan_slo(sets_of("{goodput: {share: 50%, ttft: 80ms, e2e: 150ms}}"), hundred(), {});
  EXPECT_TRUE(result[0].met);
  EXPECT_DOUBLE_EQ(result[0].achieved, 0.5);
  EXPECT_FALSE(check_plan_slo(sets_of("{goodput: {share: 51%, ttft: 80ms, e2e: 150ms}}"), hundred(), {})[0].met);
  EXPECT_FALSE(check_plan_slo(sets_of("{goodput: {share: 1%, tpot: 1ms}}"), hundred(), {})[0].met);
}

TEST(PlanSlo, ClassesOfRequestsAreJudgedApart) {
  const auto sets = sets_of(
      "[{for: {name: short, prompt: ..100}, ttft_max: 100ms}, {for: {prompt: 101..}, ttft_max: 98ms}, "
      "{for: {name: none, output: 900..}, ttft_max: 1ms}]");
  const auto result = check_plan_slo(sets, hundred(), {});
  ASSERT_EQ(result.size(), 3U);
  EXPECT_TRUE(result[0].met);   // the slowest short one: number 100
  EXPECT_FALSE(result[1].met);  // the slowest long one: number 99
  EXPECT_TRUE(result[2].met);   // there is none
  EXPECT_EQ(result[0].key, "ttft_max (short)");
}

TEST(PlanSlo, NothingServedProvesNothing) {
  EXPECT_FALSE(check_plan_slo(sets_of("{ttft_p99: 1s}"), {}, {})[0].met);
  EXPECT_FALSE(check_plan_slo(sets_of("{tbt_p99: 1s}"), {}, {})[0].met);
}

TEST(PlanSlo, BadTargetsAreRefused) {
  for (const auto* text :
       {"{ttft_p0: 1s}", "{ttft_p101: 1s}", "{ttft: 1s}", "{ttft_p99: 5}", "{ttft_p99: 0s}", "{goodput: {share: 50%}}",
        "{goodput: {share: 2, ttft: 1s}}", "{goodput: {share: 50%, ttft: 2s, e2e: 1s}}", "{ttft_max: 1s, ttft_p50: 2s}",
        "[{for: {prompt: 5..1}, ttft_p50: 1s}]", "[1]", "{}", "7"})
    EXPECT_THROW((void)sets_of(text), InputError) << text;
}
}  // namespace
}  // namespace stowage
