// Targets against numbers counted by hand.
#include "planner/slo.hpp"

#include <gtest/gtest.h>

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
