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

/// Whatever two points differ by, none gets the prices of another that was there before it: all of them one after the
/// other out of one cache, each against itself alone.
TEST(SharedPrices, NoPointIsPricedAsAnother) {
  const std::vector<std::string> sets = {
      "seed=1",
      "host={per_step: 1us}",
      "host={per_step: 2us}",
      "host={per_layer: 1us}",
      "host={per_seq: 1us}",
      "host={per_seq: 2us}",
      "host={per_step: 0us}",
      "engine=vllm-0.19",
      "memory={kv_dtype: fp8}",
      "memory={kv_dtype: float16}",
      "memory={kv_tokens: 200000}",
      "hardware=a100-80gb",
      "model=llama-3.1-8b",
      "model=qwen3-8b",
      "cluster={tensor: 2}",
      "cluster={pipeline: 2}",
      "cluster={tensor: 2, pipeline: 2}",
      "model=qwen3-30b-a3b",
      "scheduler={max_batch: 48, max_batched_tokens: 640, max_model_len: 1024}",
      "scheduler={max_batch: 600, max_batched_tokens: 640}",
      "scheduler={max_batch: 48, max_batched_tokens: 5000}",
      "managers=[{kind: paged, block_size: 32}, {kind: reserve}, {kind: vattention}]",
      "managers=[{kind: vattention}, {kind: reserve}, {kind: paged, block_size: 256}]",
      "managers=[{kind: reserve}, {kind: vattention, mapping: sync}, {kind: paged}]",
      "cost={source: roofline}",
      "cost={source: linear, base: 5ms}",
      "cost={source: linear, base: 6ms}",
      "cost={vmm: {map: 5us}}"};
  const std::vector<std::string> sources = {"cost={source: profile}", "cost={source: roofline}"};
  ScenarioCache many;
  many.many_points = true;
  for (const std::string& source : sources)
    for (const std::string& set : sets) {
      ConfigDocument document = ConfigDocument::parse(text, "s.yaml");
      document.set(source, 1);
      document.set(set, 1);
      ScenarioCache alone;
      const Scenario own = resolve_scenario(document, {}, alone), shared = resolve_scenario(document, {}, many);
      EXPECT_EQ(own.notes, shared.notes) << set;
      EXPECT_EQ(own.profile_gaps, shared.profile_gaps) << set;
      EXPECT_EQ(own.kv.pool, shared.kv.pool) << set;
      ASSERT_EQ(own.runs.size(), shared.runs.size());
      for (std::size_t i = 0; i < own.runs.size(); ++i) {
        const StepCost &a = own.runs[i].cost, &b = shared.runs[i].cost;
        for (const auto& [q, seqs] : {std::pair<std::int64_t, std::int64_t>{0, 1}, {0, 48}, {592, 48}, {100, 0}}) {
          StepShape x{q, seqs, seqs * 700}, y = x;
          if (q > 0) {
            a.add_chunk(x, q, 300);
            b.add_chunk(y, q, 300);
          }
          EXPECT_EQ(a.ns(x), b.ns(y)) << source << ", " << set << ", " << own.runs[i].manager.name;
        }
        EXPECT_EQ(own.runs[i].vmm.map_ns, shared.runs[i].vmm.map_ns) << set;
      }
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
