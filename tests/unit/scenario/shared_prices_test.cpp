// Price tables of a study with many points reach further than each point asks, so that points share them: the same
// prices to the bit, whatever prices the steps.
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "base/config.hpp"
#include "scenario/cache.hpp"
#include "scenario/scenario.hpp"

namespace stowage {
namespace {
const std::string text =
    "model: llama-3-8b\nhardware: h100-sxm-80gb\nworkload: {requests: [{prompt: 1000, output: 25}]}\n"
    "scheduler: {max_batch: 48, max_batched_tokens: 640}\n"
    "managers: [{kind: paged}, {kind: reserve}, {kind: vattention}]\n";

void expect_same_prices(const StepCost& own, const StepCost& shared, const std::string& what) {
  EXPECT_LT(own.table().dense_ns.size(), shared.table().dense_ns.size()) << what;
  EXPECT_EQ(own.has_boost(), shared.has_boost()) << what;
  for (const std::int64_t q : {0, 1, 100, 448, 592})
    for (const std::int64_t seqs : {0, 1, 47, 48}) {
      if (q + seqs == 0) continue;
      StepShape a{q, seqs, seqs * 700}, b = a;
      if (q > 0) {
        own.add_chunk(a, q, 300);
        shared.add_chunk(b, q, 300);
      }
      EXPECT_EQ(own.ns(a), shared.ns(b)) << what << ", " << q << " prompt tokens, " << seqs << " requests";
    }
}

TEST(SharedPrices, HoldThoseOfAPointAlone) {
  for (const char* set : {"cost={source: profile}", "cost={source: roofline}", "cluster={tensor: 1, pipeline: 2}",
                          "model=qwen3-30b-a3b", "host={per_step: 100us}"}) {
    auto document = ConfigDocument::parse(text, "s.yaml");
    document.set(set, 1);
    ScenarioCache alone, many;
    many.many_points = true;
    const Scenario own = resolve_scenario(document, {}, alone), shared = resolve_scenario(document, {}, many);
    EXPECT_EQ(own.notes, shared.notes) << set;
    ASSERT_EQ(own.runs.size(), shared.runs.size());
    for (std::size_t i = 0; i < own.runs.size(); ++i)
      expect_same_prices(own.runs[i].cost, shared.runs[i].cost, set);
  }
}

TEST(SharedPrices, PointsThatDifferByTheirLimitsShareOneTable) {
  ScenarioCache cache;
  cache.many_points = true;
  std::vector<const StepCost::Table*> tables;
  for (const char* set : {"scheduler={max_batch: 32, max_batched_tokens: 512}",
                          "scheduler={max_batch: 256, max_batched_tokens: 4096}"}) {
    auto document = ConfigDocument::parse(text, "s.yaml");
    document.set(set, 1);
    const Scenario s = resolve_scenario(document, {}, cache);
    tables.push_back(&s.runs.front().cost.table());
  }
  EXPECT_EQ(tables[0], tables[1]);
}
}  // namespace
}  // namespace stowage
