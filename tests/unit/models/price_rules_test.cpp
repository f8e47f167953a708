// Rules of prices and of descriptions: by hand, by counting one by one, and by what must come out alike.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "models/cost/profile.hpp"
#include "models/cost/step_cost.hpp"
#include "models/llm/model.hpp"
#include "models/vllm_log.hpp"

namespace stowage {
namespace {
TEST(TiledPrompts, AStepTakesItsLongestChunkOrItsWorkAndTheSlackThatNobodyFills) {
  StepCost::Table table;
  table.dense_ns.assign(200, 1000);
  table.tiles.tile_tokens = 64;
  table.tiles.fixed_ns = 70;
  table.tiles.unfilled = 0.25;
  table.tiles.knots = 2;                                // on 0 and 256 stored tokens
  table.tiles.chunks = {{0, 0}, {0, 0}, {100, 400}, {300, 800}, {200, 500}, {500, 1000}};
  const StepCost cost(std::move(table));
  StepShape shape;
  shape.prefill_tokens = 192;
  cost.add_chunk(shape, 64, 0);     // a tile: 100 of work, 400 alone
  EXPECT_DOUBLE_EQ(cost.ns(shape), 1000 + 70 + 400);
  cost.add_chunk(shape, 128, 128);  // two tiles, halfway: 350 of work, 750 alone
  // Work of 450 and a quarter of the slack of 400 are 550: the longest alone decides.
  EXPECT_DOUBLE_EQ(cost.ns(shape), 1000 + 70 + 750);
  cost.add_chunk(shape, 128, 128);
  cost.add_chunk(shape, 128, 128);  // work 1,150 and 100
  EXPECT_DOUBLE_EQ(cost.ns(shape), 1000 + 70 + 1250);
}

TEST(SpecSheetPrices, EachNewTokenSeesItselfAndAllBeforeIt) {
  StepCost::Table table;
  table.dense_ns = {0};
  table.prefill.ns_per_pair = 1;
  const StepCost cost(std::move(table));
  for (std::int64_t q = 1; q <= 20; ++q)
    for (const std::int64_t stored : {0, 1, 7, 100}) {
      std::int64_t pairs = 0;
      for (std::int64_t token = 0; token < q; ++token) pairs += stored + token + 1;
      EXPECT_EQ(cost.chunk_ns(q, stored), static_cast<double>(pairs)) << q << " on " << stored;
    }
}

TEST(SpecSheetPrices, DecodeIsTheGreaterOfTwoLinesBothByRequests) {
  StepCost::Table table;
  table.dense_ns.assign(9, 0);
  table.decode = {10, 3, 0.5, 40, 7, 0.25};
  const StepCost cost(std::move(table));
  for (std::int64_t b = 1; b <= 8; ++b)
    for (const std::int64_t kv : {1, 50, 100, 1000}) {
      const auto n = static_cast<double>(b), s = static_cast<double>(kv);
      EXPECT_DOUBLE_EQ(cost.ns({0, b, kv, 0}), std::max(10 + 3 * n + 0.5 * s, 40 + 7 * n + 0.25 * s));
    }
}

/// What is read decides: heads of twice the width are the cache of twice the tokens.
TEST(ProfileRules, ACacheTwiceAsWideReadsAsTwiceTheTokens) {
  const Profile profile = *shipped_profile("h100-sxm-80gb");
  for (const double batch : {1.0, 8.0, 100.0})
    for (const double tokens : {5e3, 5e4, 5e5}) {
      EXPECT_NEAR(profile.decode_attention_ns(8, 256, batch, tokens, {}),
                  profile.decode_attention_ns(8, 128, batch, 2 * tokens, {}), 1e-6);
      EXPECT_GT(profile.decode_attention_ns(8, 128, batch, 20 * tokens, {}),
                profile.decode_attention_ns(8, 128, batch, tokens, {}));
    }
}

/// A machine on which the canary takes twice as long is twice as slow, at each end of what the canary shows.
TEST(ProfileRules, ASlowerMachineIsPredictedSlower) {
  Profile profile = *shipped_profile("h100-sxm-80gb");
  profile.canary = {100, 100, 100};
  const double fast = profile.decode_attention_ns(8, 128, 8, 50'000, {});
  const std::vector<double> ratios = profile.chain_eager.ratio;
  for (const double slower : {0.5, 2.0}) {
    const Profile there = profile.anchored({100 * slower, 100 * slower, 100 * slower});
    EXPECT_NEAR(there.decode_attention_ns(8, 128, 8, 50'000, {}), slower * fast, 1e-6 * fast);
    for (std::size_t i = 0; i < ratios.size(); ++i)
      EXPECT_NEAR(there.chain_eager.ratio[i], slower * ratios[i], 1e-9) << "row " << i;
  }
}

ModelSpec gemma(const std::string& type, int layers, const std::string& more = "") {
  return parse_model(R"({"model_type": ")" + type + R"(", "num_hidden_layers": )" + std::to_string(layers) +
                         R"(, "hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16,
      "intermediate_size": 128, "vocab_size": 100, "max_position_embeddings": 8192, "sliding_window": 512)" +
                         more + "}",
                     "config.json");
}

/// As transformers numbers them: Gemma 2's layer i has a window when i + 1 is odd, Gemma 3's unless it is a sixth.
TEST(Windows, AreOfTheLayersThatTransformersGivesThem) {
  for (int layers = 1; layers <= 31; ++layers) {
    int even = 0, five_of_six = 0, two_of_three = 0;
    for (int i = 0; i < layers; ++i) {
      even += (i + 1) % 2 != 0;
      five_of_six += (i + 1) % 6 != 0;
      two_of_three += (i + 1) % 3 != 0;
    }
    EXPECT_EQ(gemma("gemma2", layers).window_layers, even) << layers;
    EXPECT_EQ(gemma("gemma3_text", layers).window_layers, five_of_six) << layers;
    EXPECT_EQ(gemma("gemma3_text", layers, R"(, "sliding_window_pattern": 3)").window_layers, two_of_three) << layers;
  }
}

/// A log that was appended to holds two starts: the pool is that of the last.
TEST(VllmLog, OfSeveralStartsTheLastCounts) {
  const auto start = [](const std::string& gib, const std::string& tokens) {
    return "model weights take " + gib + "GiB; non_torch_memory takes " + gib + "GiB; PyTorch activation peak memory "
           "takes " + gib + "GiB\nGPU KV cache size: " + tokens + " tokens\n"
           "Maximum concurrency for 8,192 tokens per request: " + gib + "x\n";
  };
  const VllmLog log = parse_vllm_log(start("2", "111,104") + start("3", "222,208"), "vllm.log");
  EXPECT_EQ(log.kv_tokens, 222'208);
  EXPECT_EQ(log.weights->count(), std::int64_t{3} << 30);
  EXPECT_EQ(log.overhead->count(), std::int64_t{3} << 30);
  EXPECT_EQ(log.activations->count(), std::int64_t{3} << 30);
  EXPECT_EQ(log.concurrency, 3);
}
}  // namespace
}  // namespace stowage
