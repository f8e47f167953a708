#include "sim/slo.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "base/rng.hpp"

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
  RunResult run;  // four requests of 25 tokens: TTFT, TBT and TPOT 10 ms, 250 ms in all
  run.completed = run.submitted = 4;
  run.ttft_ns.add(10'000'000, 4), run.tbt_ns.add(10'000'000, 96), run.tpot_ps.add(10'000'000'000, 4);
  run.e2e_ns.add(250'000'000, 4), run.queue_ns.add(0, 4);
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

// 99 requests of 1 ... 99 ns and `rejected` others, which stand behind them all.
TEST(Slo, ARequestThatWasNotServedHasNotMetIt) {
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
    EXPECT_TRUE(check(key, 200).unserved) << key;
    EXPECT_FALSE(check(key, 200).achieved_ns) << key;
  }
  EXPECT_TRUE(check("tbt_p99", 200).met);
  run.rejected = 300;
  EXPECT_FALSE(check("tbt_p50", 200).met);
  EXPECT_FALSE(slo_met(std::vector<LatencyLimit>{{"ttft_p50", 200}}, run));
  run.rejected = 0, run.unfinished = 1;  // cut off before its end: no better
  EXPECT_TRUE(check("ttft_p99", 200).met);
  EXPECT_FALSE(check("ttft_max", 200).met);
}

// S11.14, S11.15. 19,365 served and one not. p99 is rank ceil(0.99 x 19,366) = 19,173, which was served; p99.99 is rank
// ceil(19,364.06) = 19,365, the last that was served; p99.999 is rank 19,366: the one that was not.
TEST(Slo, OneOfManyUnservedCountsWhereItStands) {
  RunResult run;
  run.submitted = 19'366, run.completed = 19'365, run.rejected = 1;
  run.ttft_ns.add(100, 19'365);
  const auto met = [&](const char* key) { return slo_met(std::vector<LatencyLimit>{{key, 200}}, run); };
  EXPECT_TRUE(met("ttft_p99"));
  EXPECT_TRUE(met("ttft_p99.99"));
  EXPECT_FALSE(met("ttft_p99.999"));
  EXPECT_FALSE(met("ttft_max"));
  EXPECT_FALSE(met("ttft_mean"));
}

// S11.13, S11.14. Any percentile of any run: the value at rank ceil(p n / 1000), in whole numbers, of all latencies in
// order, those of
// requests that were not served infinite.
TEST(Slo, EqualsBruteForceOverAllRequests) {
  Rng rng(16, "slo");
  for (int round = 0; round < 2000; ++round) {
    RunResult run;
    const std::uint64_t served = rng.below(120), rejected = rng.below(4) == 0 ? rng.below(30) : rng.below(3);
    run.completed = served, run.rejected = rejected, run.submitted = served + rejected;
    std::vector<double> all(rejected, std::numeric_limits<double>::infinity());
    for (std::uint64_t i = 0; i < served; ++i) {
      const auto ns = static_cast<std::int64_t>(rng.below(250));  // exact in the histogram
      run.e2e_ns.add(ns);
      all.push_back(static_cast<double>(ns));
    }
    std::sort(all.begin(), all.end());
    const std::uint64_t p = 1 + rng.below(1000), n = all.size();
    const double limit = static_cast<double>(rng.below(250));
    const SloCheck check =
        check_slo(std::vector<LatencyLimit>{{fmt::format("e2e_p{}.{}", p / 10, p % 10), limit}}, run).front();
    if (n == 0) {
      EXPECT_FALSE(check.met);
      continue;
    }
    const double truth = all[(p * n + 999) / 1000 - 1];
    EXPECT_EQ(check.met, truth <= limit) << p << " of " << served << " + " << rejected;
    EXPECT_EQ(check.unserved, std::isinf(truth)) << p << " of " << served << " + " << rejected;
    if (std::isfinite(truth)) {
      EXPECT_EQ(*check.achieved_ns, truth);
    }
  }
}

// S11.20
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
