// What a probe says of requests whose latencies are known, and what draws of prices are.
#include "planner/probe.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "planner/cost_draws.hpp"
#include "planner/difference.hpp"
#include "tests/unit/planner/helpers.hpp"

namespace stowage {
namespace {
using testing::TempFolder;

/// 200 requests a second apart, one at a time, 10 ms a step: the first token after 10 ms, each further one after 10
/// more. `requests`: prompt and output, in turn.
Workbench one_at_a_time(const TempFolder& folder, const std::string& slo,
                        const std::vector<std::pair<int, int>>& requests) {
  std::string list;
  for (int i = 0; i < 200; ++i) {
    const auto& [prompt, output] = requests[static_cast<std::size_t>(i) % requests.size()];
    list += fmt::format("{}{{at: {}s, prompt: {}, output: {}}}", i == 0 ? "" : ", ", i, prompt, output);
  }
  return set_up(testing::study_of(folder, R"(
scenario:
  model: llama-3-8b
  hardware: h100-sxm-80gb
  memory: {kv_tokens: 256}
  workload: {requests: [)" + list + R"(]}
  scheduler: {max_batch: 1, max_model_len: 1000}
  cost: {source: linear, base: 10ms}
  managers: [{kind: paged}]
slo: {)" + slo + R"(}
probe: {requests: 200}
)"),
                1);
}
bool met(const Workbench& bench) {
  return run_probe(bench.candidates[0].config(), bench.requests, 1, bench.study.plan.slo, {}).met;
}

TEST(Probe, EachLatencyIsTheOneItNames) {
  const TempFolder folder;
  // An answer of 5 tokens: first token 10 ms, end 50 ms, 10 ms a token from the second on; nobody waits.
  for (const auto& [key, ms] : {std::pair{"ttft", 10.0}, {"e2e", 50.0}, {"tpot", 10.0}, {"tbt", 10.0}})
    for (const char* statistic : {"mean", "max", "p50", "p99"}) {
      const auto target = [&](double limit) { return fmt::format("{}_{}: {:.3f}ms", key, statistic, limit); };
      EXPECT_TRUE(met(one_at_a_time(folder, target(ms * 1.01), {{3, 5}}))) << key << " " << statistic;
      EXPECT_FALSE(met(one_at_a_time(folder, target(ms * 0.98), {{3, 5}}))) << key << " " << statistic;
    }
}

TEST(Probe, WhoCannotBeServedHasMissedEveryTarget) {
  const TempFolder folder;
  // Every fourth request is larger than the pool of 256 tokens: a quarter has no first token, ever.
  const std::vector<std::pair<int, int>> some = {{3, 5}, {3, 5}, {400, 5}, {3, 5}};
  EXPECT_TRUE(met(one_at_a_time(folder, "ttft_p50: 1s", some)));
  EXPECT_TRUE(met(one_at_a_time(folder, "ttft_p70: 1s", some)));
  EXPECT_FALSE(met(one_at_a_time(folder, "ttft_p80: 1h", some)));
  EXPECT_FALSE(met(one_at_a_time(folder, "e2e_max: 1h", some)));
  EXPECT_FALSE(met(one_at_a_time(folder, "ttft_mean: 1h", some)));
  EXPECT_TRUE(met(one_at_a_time(folder, "goodput: {share: 70%, ttft: 1s}", some)));
  EXPECT_FALSE(met(one_at_a_time(folder, "goodput: {share: 80%, ttft: 1h}", some)));
}

TEST(Draws, OfASpecSheetDifferAndComeAgain) {
  const TempFolder folder;
  const Workbench bench = set_up(testing::study_of(folder, R"(
scenario:
  model: llama-3-8b
  hardware: l40s
  workload: {synthetic: {rate: 5/s, count: 10, prompt: 10, output: 5}}
  scheduler: {max_batch: 8, max_batched_tokens: 64}
  cost: {source: roofline}
  managers: [{kind: paged}]
slo: {ttft_p99: 1s}
)"),
                                 1);
  const Candidate& c = bench.candidates[0];
  std::set<double> ns;
  double logs = 0;
  for (std::uint64_t i = 0; i < 200; ++i) {
    const StepShape shape{0, 8, 8000};
    const double drawn = draw_cost(c, 1, i).ns(shape);
    EXPECT_EQ(drawn, draw_cost(c, 1, i).ns(shape));
    EXPECT_GT(drawn, 0.5 * c.config().cost.ns(shape));
    EXPECT_LT(drawn, 2 * c.config().cost.ns(shape));
    logs += std::log(drawn / c.config().cost.ns(shape)) / 200;
    ns.insert(drawn);
  }
  EXPECT_EQ(ns.size(), 200U);
  EXPECT_NEAR(logs, 0, 0.04);  // about the price itself: no draw's standard deviation is above 13 %
  EXPECT_NE(draw_cost(c, 2, 0).ns({0, 8, 8000}), draw_cost(c, 1, 0).ns({0, 8, 8000}));
}

/// Which of two runs is called the first does not matter: the interval is mirrored.
TEST(Difference, OfSwappedRunsIsItsMirrorImage) {
  Rng rng(9, "mirror");
  std::vector<double> a, b;
  for (int i = 0; i < 900; ++i) a.push_back(rng.exponential(1)), b.push_back(a.back() * (0.8 + 0.6 * rng.uniform()));
  for (const auto q : {std::optional<double>{}, std::optional(0.5), std::optional(0.95)}) {
    const auto forth = difference_of(a, b, true, q, 3), back = difference_of(b, a, true, q, 3);
    ASSERT_TRUE(forth && back);
    EXPECT_DOUBLE_EQ(forth->value, -back->value);
    EXPECT_DOUBLE_EQ(forth->low, -back->high);
    EXPECT_DOUBLE_EQ(forth->high, -back->low);
  }
}
}  // namespace
}  // namespace stowage
