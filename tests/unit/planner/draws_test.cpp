// What a plan draws follows its seed, and nothing else does.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/unit/planner/helpers.hpp"

namespace stowage {
namespace {
using testing::TempFolder;

/// Requests written out: of the seed only the draws of the workload depend.
std::vector<double> rates(const TempFolder& folder, int seed) {
  std::string requests;
  for (int i = 0; i < 400; ++i)
    requests += fmt::format("{}{{at: {}ms, prompt: 1, output: {}}}", i == 0 ? "" : ", ", 100 * i, i % 7 == 3 ? 20 : 2);
  return make_plan(testing::study_of(folder, fmt::format(R"(
scenario:
  model: llama-3-8b
  hardware: h100-sxm-80gb
  seed: {}
  memory: {{kv_tokens: 1600}}
  workload: {{requests: [{}]}}
  scheduler: {{max_batch: 4, max_model_len: 100}}
  cost: {{source: linear, base: 10ms}}
  managers: [{{kind: paged}}]
slo: {{e2e_p90: 300ms}}
demand: 20/s
probe: {{requests: 400, precision: 1%}}
search: {{draws: 6}}
)",
                                                         seed, requests)),
                   2)
      .uncertainty.rates;
}

TEST(PlanDraws, FollowTheSeed) {
  const TempFolder folder;
  const auto one = rates(folder, 1);
  ASSERT_EQ(one.size(), 6U);
  EXPECT_EQ(rates(folder, 1), one);
  EXPECT_NE(rates(folder, 2), one);
}
}  // namespace
}  // namespace stowage
