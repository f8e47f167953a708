#include "reports/slo.hpp"

#include <gtest/gtest.h>

#include "sample.hpp"

namespace stowage {
namespace {

TEST(Slo, Keys) {
  for (const auto key : common_slo_keys()) EXPECT_TRUE(is_slo_key(key)) << key;
  for (const auto key : {"ttft_mean", "tbt_max", "tpot_p99.9", "queue_p100"}) EXPECT_TRUE(is_slo_key(key)) << key;
  for (const auto key :
       {"", "ttft", "ttft_", "ttft_p", "ttft_p0", "ttft_p101", "ttft_p1e1", "ttft_p99x", "x_p99", "_p99"}) {
    EXPECT_FALSE(is_slo_key(key)) << key;
  }
}

TEST(Slo, AchievedAgainstLimit) {
  const RunResult run = sample_run("a");  // TTFT 10 ms, TBT 10 ms, TPOT 10 ms
  const std::vector<LatencyLimit> targets = {
      {"ttft_max", 20e6}, {"tbt_mean", 10e6}, {"tpot_mean", 8e6}, {"e2e_p99", 0}};
  const auto checks = check_slo(targets, run);
  ASSERT_EQ(checks.size(), 4U);
  EXPECT_DOUBLE_EQ(*checks[0].achieved_ns, 10e6);
  EXPECT_TRUE(checks[0].met);
  EXPECT_DOUBLE_EQ(checks[0].margin, 0.5);  // (20 - 10) / 20
  EXPECT_TRUE(checks[1].met);               // at the limit is within it
  EXPECT_DOUBLE_EQ(*checks[2].achieved_ns, 10e6);
  EXPECT_FALSE(checks[2].met);
  EXPECT_DOUBLE_EQ(checks[2].margin, -0.25);  // (8 - 10) / 8
  EXPECT_FALSE(checks[3].met);
  EXPECT_FALSE(slo_met(targets, run));
  EXPECT_TRUE(slo_met(std::vector<LatencyLimit>{{"ttft_max", 20e6}}, run));
}

// 99 requests of 1 ... 99 ms and `rejected` others, which stand behind them all.
TEST(Slo, ARejectedRequestHasNotMetIt) {
  RunResult run;
  for (int i = 1; i <= 99; ++i) run.ttft_ns.add(i);  // below 256 every value has a bucket of its own
  run.tbt_ns.add(5, 99);
  run.completed = 99;
  const auto check = [&](const char* key, double limit) {
    return check_slo(std::vector<LatencyLimit>{{key, limit}}, run).front();
  };
  EXPECT_DOUBLE_EQ(*check("ttft_p90", 200).achieved_ns, 90);  // rank ceil(0.9 x 99) = 90
  run.rejected = 1;
  EXPECT_DOUBLE_EQ(*check("ttft_p50", 200).achieved_ns, 50);  // rank 50 of 100
  EXPECT_DOUBLE_EQ(*check("ttft_p99", 200).achieved_ns, 99);  // rank 99 of 100: the last one served
  EXPECT_TRUE(check("ttft_p99", 200).met);
  for (const char* key : {"ttft_max", "ttft_mean", "ttft_p99.5", "tbt_p99.9"}) {
    EXPECT_FALSE(check(key, 200).met) << key;
    EXPECT_TRUE(check(key, 200).rejections) << key;
    EXPECT_FALSE(check(key, 200).achieved_ns) << key;
  }
  EXPECT_TRUE(check("tbt_p99", 200).met);
  run.rejected = 300;
  EXPECT_FALSE(check("tbt_p50", 200).met);
  EXPECT_FALSE(slo_met(std::vector<LatencyLimit>{{"ttft_p50", 200}}, run));
}

TEST(Slo, NothingToMeasure) {
  const std::vector<LatencyLimit> tbt_limit = {{"tbt_p99", 1e6}};
  RunResult run;
  EXPECT_FALSE(slo_met(tbt_limit, run)) << "no request completed";
  run.completed = 1;  // one token, hence no gap
  EXPECT_TRUE(slo_met(tbt_limit, run));
  run.unfinished = 1;
  EXPECT_FALSE(slo_met(tbt_limit, run));
  EXPECT_TRUE(slo_met({}, run));
}
}  // namespace
}  // namespace stowage
