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
