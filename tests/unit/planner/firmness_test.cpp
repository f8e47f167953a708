// How sure a plan calls itself, and what counts as another decision.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/planner/helpers.hpp"

namespace stowage {
namespace {
using testing::TempFolder;

Plan plan_of(const TempFolder& folder, const std::string& batched_tokens, const std::string& rest) {
  return make_plan(testing::study_of(folder, fmt::format(R"(
scenario:
  model: llama-3-8b
  hardware: h100-sxm-80gb
  seed: 3
  workload:
    synthetic: {{rate: 20/s, count: 1500, prompt: {{uniform: {{min: 100, max: 900}}}},
                 output: {{uniform: {{min: 10, max: 90}}}}}}
  scheduler: {{max_batch: 16, max_batched_tokens: 1024, max_model_len: 2048}}
  memory: {{kv_pool: 4GiB}}
  cost: {{source: linear, base: 8ms, per_prefill_token: 10us, per_decode_seq: 100us}}
  managers: [{{kind: paged}}]
space:
  scheduler.max_batched_tokens: {}
slo: {{ttft_mean: 50ms}}
probe: {{requests: 1500, precision: 1%}}
search: {{draws: 20}}
prices:
  h100-sxm-80gb: {{usd_per_node_hour: 4, gpus_per_node: 1}}
{}
)",
                                                          batched_tokens, rest)),
                   2);
}

/// The word for a share of draws (docs/planning.md): firm from 90 %, likely from 70 %.
std::string word_of(double share) { return share >= 0.9 ? "firm" : share >= 0.7 ? "likely" : "a coin flip"; }

// A decision is as sure as the less sure of its two shares: the GPUs suffice, and no other purchase is better.
TEST(Firmness, BothSharesMustPass) {
  const TempFolder folder;
  struct Asked {
    const char *space, *rest;
    bool suffices, wins;  // which of the two passes
  };
  for (const Asked& asked :
       {Asked{"[1024]", "demand: 10/s", true, true},
        Asked{"[1024]", "demand: 22.5/s\nknee: 1", false, true},  // all of a replica's rate: too much in some draws
        Asked{"[1024]", "demand: 23/s\nknee: 1", false, true},
        Asked{"[1024, 2048]", "demand: 600/s\nobjective: gpus", true, false}}) {  // of so many each per cent is a GPU
    const std::string rest = asked.rest;
    const Plan plan = plan_of(folder, asked.space, rest);
    const Uncertainty& u = plan.uncertainty;
    EXPECT_EQ(u.suffices >= 0.9, asked.suffices) << rest << ": " << u.suffices;
    EXPECT_EQ(u.wins >= 0.9, asked.wins) << rest << ": " << u.wins;
    EXPECT_EQ(plan.decision.firmness, word_of(std::min(u.suffices, u.wins)) + " (given your coefficients)") << rest;
  }
}

// Where every contender is of the same GPUs, and each draw asks for as many of them, all draws buy the same: whichever
// settings come out best, the purchase wins in all.
TEST(Firmness, OtherSettingsOfTheSameGpusAreTheSamePurchase) {
  const TempFolder folder;
  const Plan plan = plan_of(folder, "[1024, 2048]", "demand: 1/s\nobjective: rate_per_dollar");
  EXPECT_EQ(plan.uncertainty.contenders, 2U);
  EXPECT_LT(plan.uncertainty.best_settings, 1);  // in some draws the other settings are better
  EXPECT_GT(plan.uncertainty.rate_low, 1);       // and one GPU is enough in all
  EXPECT_EQ(plan.uncertainty.wins, 1);
}
}  // namespace
}  // namespace stowage
