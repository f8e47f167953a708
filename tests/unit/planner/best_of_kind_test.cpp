// The best of each kind, by brute force: a manager under a schedule that nobody ships any more is another kind than the
// same one as it ships.
#include <gtest/gtest.h>

#include <map>

#include "tests/unit/planner/helpers.hpp"

namespace stowage {
namespace {
TEST(BestOfKind, IsTheLeastKeyOfEachManagerAsItShipsAndAsItDoesNot) {
  const testing::TempFolder folder;
  const Plan plan = make_plan(testing::study_of(folder, R"(
scenario:
  model: llama-3-8b
  hardware: h100-sxm-80gb
  memory: {kv_tokens: 20000}
  workload: {synthetic: {rate: 10/s, count: 600, prompt: {uniform: {min: 10, max: 400}}, output: 20}}
  scheduler: {max_batch: 8, max_batched_tokens: 1024, max_model_len: 1024}
  cost: {source: linear, base: 10ms, per_prefill_token: 20us}
  managers: [{kind: paged}, {kind: reserve}]
space: {scheduler.policy: [vllm, prefill-first], scheduler.max_batch: [4, 8]}
slo: {ttft_p90: 500ms}
demand: 50/s
probe: {requests: 600, precision: 2%}
search: {draws: 0, exhaustive: true}
)"),
                              2);
  std::map<std::pair<std::string, bool>, RankKey> best;
  for (const Candidate& c : plan.bench.candidates) {
    if (!c.sizing) continue;
    const auto [at, first] = best.emplace(std::pair(c.kind, c.can_deploy()), c.key);
    if (!first) at->second = std::min(at->second, c.key);
  }
  ASSERT_EQ(best.size(), 3U);  // paged as it ships and as it did, and reserve
  ASSERT_EQ(plan.found.best_of_kind.size(), best.size());
  for (const std::size_t i : plan.found.best_of_kind) {
    const Candidate& c = plan.bench.candidates[i];
    EXPECT_EQ(c.key, best.at({c.kind, c.can_deploy()})) << c.name;
    best.erase({c.kind, c.can_deploy()});
  }
  EXPECT_TRUE(best.empty());
}
}  // namespace
}  // namespace stowage
