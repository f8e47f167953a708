// Eighteen models, read from Hugging Face's config.json and from the zoo, to the byte.
#include <gtest/gtest.h>

#include <algorithm>

#include "models/llm/model.hpp"
#include "tests/support/source_dir.hpp"

namespace stowage {
namespace {
struct Row {
  const char *folder, *zoo;
  std::int64_t parameters, full, window;  // KV bytes a token of full and of window layers
  double active;                          // billions, with the head, without the embedding; 0.5 % of rounding
  std::int64_t weights;                   // as stored
};
// Parameters and bytes: total_size of the published checkpoints' safetensors indices, or published counts.
// 8-bit models: every matrix of the layers 1 + 4 / 128^2 bytes, router, norms and tables 2 (WeightsInEightBits).
const Row rows[] = {
    {"Llama-2-7B", "llama-2-7b", 6'738'415'616, 524'288, 0, 6.61, 13'476'831'232},
    {"Mistral-7B-v0.1", "mistral-7b-v0.1", 7'241'732'096, 0, 131'072, 7.11, 14'483'464'192},
    {"Llama-3.1-8B", "llama-3.1-8b", 8'030'261'248, 131'072, 0, 7.50, 16'060'522'496},
    {"Llama-3.1-70B", "llama-3.1-70b", 70'553'706'496, 327'680, 0, 69.5, 141'107'412'992},
    {"Llama-3.1-405B", "llama-3.1-405b", 405'853'388'800, 516'096, 0, 403.8, 811'706'777'600},
    {"Qwen2.5-7B", "qwen2.5-7b", 7'615'616'512, 57'344, 0, 7.07, 15'231'233'024},
    {"Qwen3-8B", "qwen3-8b", 8'190'735'360, 147'456, 0, 7.57, 16'381'470'720},
    {"Qwen3-32B", "qwen3-32b", 32'762'123'264, 262'144, 0, 32.0, 65'524'246'528},
    {"Qwen3-30B-A3B", "qwen3-30b-a3b", 30'532'122'624, 98'304, 0, 3.04, 61'064'245'248},
    {"Qwen3-235B-A22B", "qwen3-235b-a22b", 235'093'634'560, 192'512, 0, 21.6, 470'187'269'120},
    {"Mixtral-8x7B", "mixtral-8x7b", 46'702'792'704, 131'072, 0, 12.7, 93'405'585'408},
    {"Mixtral-8x22B", "mixtral-8x22b", 140'620'634'112, 229'376, 0, 39.0, 281'241'268'224},
    {"DeepSeek-V3", "deepseek-v3", 671'026'419'200, 70'272, 0, 36.6, 0},
    {"Kimi-K2", "kimi-k2", 1'026'408'232'448, 70'272, 0, 31.7, 0},
    {"Gemma-2-27B", "gemma-2-27b", 27'227'128'320, 188'416, 188'416, 27.2, 54'454'256'640},
    {"Gemma-3-27B", "gemma-3-27b", 27'009'002'240, 81'920, 425'984, 27.0, 54'018'004'480},
    {"gpt-oss-20b", "gpt-oss-20b", 20'914'757'184, 24'576, 24'576, 3.61, 13'761'264'768},
    {"gpt-oss-120b", "gpt-oss-120b", 116'829'156'672, 36'864, 36'864, 5.13, 65'248'815'744},
};

class ConfigJson : public testing::TestWithParam<Row> {};

TEST_P(ConfigJson, EqualsThePublishedTotals) {
  const auto& row = GetParam();
  const std::string path = source_dir() + "/tests/unit/models/configs/" + row.folder + "/config.json";
  for (const auto& m : {load_model(path), load_model(row.zoo)}) {
    const std::int64_t tower = m.tower_parameters();  // of pictures: Gemma 3's file has one, the zoo's is of text
    EXPECT_EQ(m.parameters() - tower, row.parameters) << m.name;
    EXPECT_EQ(m.kv_bytes_per_token().count(), row.full + row.window) << m.name;
    EXPECT_EQ(m.kv_window_bytes_per_token().count(), row.window) << m.name;
    EXPECT_NEAR(static_cast<double>(m.active_parameters()) / 1e9, row.active, 0.005 * row.active) << m.name;
    if (row.weights > 0) { EXPECT_EQ(m.weights_bytes().count() - 2 * tower, row.weights) << m.name; }
  }
  EXPECT_EQ(load_model(path).name, row.folder);
  EXPECT_EQ(load_model(path).weights_bytes().count() - 2 * load_model(path).tower_parameters(),
            load_model(row.zoo).weights_bytes().count());
  EXPECT_EQ(load_model(path).max_positions, load_model(row.zoo).max_positions);
}
INSTANTIATE_TEST_SUITE_P(All, ConfigJson, testing::ValuesIn(rows), [](const auto& row) {
  std::string name = row.param.folder;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == '-' || c == '.'; }, '_');
  return name;
});

TEST(WeightsInEightBits, DeepSeekV3ByHand) {
  // 16-bit: embedding and head 2 x 129,280 x 7,168 = 1,853,358,080; last norm 7,168; a layer's norms 2 x 7,168 + 1,536
  // + 512 = 16,384, x 61 = 999,424; router (7,168 + 1) x 256 = 1,835,264, x 58 = 106,445,312.
  const std::int64_t plain = 1'853'358'080 + 7'168 + 999'424 + 106'445'312;
  const std::int64_t matrices = 671'026'419'200 - plain;
  const auto bytes = load_model("deepseek-v3").weights_bytes().count();
  // A quarter of a thousandth more than a byte each, rounded up in 61 + 58 places.
  EXPECT_NEAR(static_cast<double>(bytes),
              2.0 * static_cast<double>(plain) + static_cast<double>(matrices) * (1 + 4.0 / 16384), 256);
}

TEST(KvOfARequest, WindowsForget) {
  // 131,072 tokens: Gemma-3-27B 131,072 x 81,920 + 1,024 x 425,984 = 10.41 GiB; all layers whole would be 62 GiB.
  const auto gemma = load_model("gemma-3-27b");
  EXPECT_EQ(gemma.kv_bytes_of_request(131'072).count(), 131'072LL * 81'920 + 1'024LL * 425'984);
  EXPECT_NEAR(static_cast<double>(gemma.kv_bytes_of_request(131'072).count()) / 1073741824.0, 10.41, 0.005);
  EXPECT_EQ(gemma.kv_bytes_of_request(1'000).count(), 1'000 * 507'904);
  const auto gib = [](const char* name) {
    return static_cast<double>(load_model(name).kv_bytes_of_request(131'072).count()) / 1073741824.0;
  };
  EXPECT_NEAR(gib("mistral-7b-v0.1"), 0.50, 0.005);
  EXPECT_NEAR(gib("gpt-oss-120b"), 4.50, 0.01);
  EXPECT_NEAR(gib("deepseek-v3"), 8.58, 0.005);
  EXPECT_NEAR(gib("llama-3.1-70b"), 40.0, 0.005);
}

TEST(LatentAttention, EveryGpuKeepsTheWholeCache) {
  const auto m = load_model("deepseek-v3");  // (512 + 64) x 2 bytes x 61
  EXPECT_EQ(m.kv_bytes_per_token_per_gpu(8).count(), 70'272);
  EXPECT_EQ(m.kv_bytes_per_token_replica(8).count(), 8 * 70'272);
}
}  // namespace
}  // namespace stowage
