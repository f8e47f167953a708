// What a manager that no engine ships would save: promised only of one that ranks before what is decided for.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/unit/planner/helpers.hpp"

namespace stowage {
namespace {
using testing::TempFolder;

/// Answers of 100 tokens to prompts of 100, 10 ms a step: a request lasts a second and stores 199 tokens. `small` has a
/// pool of 100 MiB (half of 2,252 less 1,024 of weights and 2 more): 800 tokens of 128 KiB. An h100 has room for more
/// than the 16 that are served at once.
Plan plan_of(const std::string& managers, const std::string& hardware, const std::string& rest) {
  const TempFolder folder;
  const std::string small = folder.file("small.yaml", R"(
name: small
memory: 4GiB
driver_memory: 2252MiB
memory_bandwidth: 864GB/s
bf16: 362TFLOP/s
fp8: 733TFLOP/s
l2: 96MiB
sms: 142
pcie: 32GB/s
node_gpus: 8
vmm: {create: 11us, map: 1us, set_access: 28us, unmap: 18us, release: 9us}
)");
  return make_plan(testing::study_of(folder, fmt::format(R"(
scenario:
  model: llama-3-8b
  hardware: h100-sxm-80gb
  memory: {{utilization: 0.5, weights: 1GiB, activations: 1MiB, overhead: 1MiB}}
  workload: {{synthetic: {{rate: 10/s, count: 1500, prompt: 100, output: 100}}}}
  scheduler: {{max_batch: 16, max_model_len: 200}}
  cost: {{source: linear, base: 10ms}}
  managers: [{}]
space: {{hardware: [{}]}}
slo: {{e2e_p90: 3s}}
probe: {{requests: 1500, precision: 2%}}
search: {{draws: 0}}
prices:
  small: {{usd_per_node_hour: 1, gpus_per_node: 1}}
  h100-sxm-80gb: {{usd_per_node_hour: 100, gpus_per_node: 1}}
{}
)",
                                                         managers, fmt::format(fmt::runtime(hardware), small), rest)),
                   2);
}

TEST(Savings, AreWhatIsBoughtLess) {
  // Blocks of 256: three requests at once in a small GPU's 800 tokens, where regions of 199 hold four.
  const std::string managers = "{kind: paged, block_size: 256}, {kind: reserve, length: oracle, space: first-fit}";
  const Plan plan = plan_of(managers, "{}", "demand: 100/s");
  ASSERT_TRUE(plan.decision.feasible);
  const auto& all = plan.bench.candidates;
  const Candidate &bought = all[*plan.decision.winner], &other = all[1 - *plan.decision.winner];
  ASSERT_EQ(bought.kind, "paged");
  ASSERT_LT(bought.capacity.rate_per_s, 3);
  ASSERT_GT(other.capacity.rate_per_s, 3);
  ASSERT_EQ(plan.decision.savings.size(), 1U);
  const auto& saving = plan.decision.savings[0];
  EXPECT_EQ(all[saving.candidate].kind, "reserve");
  EXPECT_EQ(saving.gpus, bought.sizing->gpus - other.sizing->gpus);
  EXPECT_GT(saving.gpus, 5);  // at least a quarter of 100 / (0.8 x 3)
  EXPECT_DOUBLE_EQ(saving.usd_per_hour, static_cast<double>(saving.gpus));  // each costs a dollar
}

TEST(Savings, FewerGpusForMoreMoneyAreNone) {
  // vattention maps 64 tensors by pages of 2 MiB: 128 MiB for the first token, more than a small GPU's pool. On one
  // h100 it serves what takes several small GPUs, for many times the money: no saving for who asks for the least cost.
  const std::string managers = "{kind: paged}, {kind: vattention}", both = "{}, h100-sxm-80gb";
  const Plan plan = plan_of(managers, both, "demand: 10/s\nobjective: cost");
  ASSERT_TRUE(plan.decision.feasible);
  const auto& all = plan.bench.candidates;
  const Candidate& bought = all[*plan.decision.winner];
  ASSERT_EQ(bought.hardware, "small");
  bool tempting = false;
  for (const std::size_t i : plan.found.best_of_kind) {
    const Candidate& c = all[i];
    tempting = tempting || (!c.can_deploy() && c.sizing->gpus < bought.sizing->gpus);
    EXPECT_TRUE(c.can_deploy() || c.sizing->usd_per_hour > bought.sizing->usd_per_hour) << c.name;
  }
  EXPECT_TRUE(tempting) << "no manager would do with fewer GPUs: the test shows nothing";
  EXPECT_TRUE(plan.decision.savings.empty());
}
}  // namespace
}  // namespace stowage
