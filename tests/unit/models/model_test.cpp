// Shapes and sums of the zoo, against published totals.
#include "models/llm/model.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace stowage {
namespace {
using namespace literals;

struct Row {
  const char* name;
  std::int64_t parameters, active, kv_bytes_per_token, weights;
};
// Parameters and weights: tensor sizes of the published checkpoints (model.safetensors.index.json total_size / 2), or
// published counts. Active: parameters - vocab x hidden, e.g. Llama-3.1-8B 8,030,261,248 - 128,256 x 4,096.
// KV: layers x 2 x kv_heads x head_dim x 2 bytes, e.g. 32 x 2 x 8 x 128 x 2 = 131,072.
const Row rows[] = {
    {"llama-2-7b", 6'738'415'616, 6'607'343'616, 524'288, 13'476'831'232},
    {"llama-2-13b", 13'015'864'320, 12'852'024'320, 819'200, 26'031'728'640},
    {"llama-2-70b", 68'976'648'192, 68'714'504'192, 327'680, 137'953'296'384},
    {"llama-3-8b", 8'030'261'248, 7'504'924'672, 131'072, 16'060'522'496},
    {"llama-3.1-8b", 8'030'261'248, 7'504'924'672, 131'072, 16'060'522'496},
    {"llama-3-70b", 70'553'706'496, 69'503'033'344, 327'680, 141'107'412'992},
    {"llama-3.1-70b", 70'553'706'496, 69'503'033'344, 327'680, 141'107'412'992},
    {"yi-6b", 6'061'035'520, 5'798'891'520, 65'536, 12'122'071'040},
    {"yi-34b", 34'388'917'248, 33'930'165'248, 245'760, 68'777'834'496},
    {"mistral-7b", 7'241'732'096, 7'110'660'096, 131'072, 14'483'464'192},
    {"qwen2.5-7b", 7'615'616'512, 7'070'619'136, 57'344, 15'231'233'024},
    {"qwen3-8b", 8'190'735'360, 7'568'405'504, 147'456, 16'381'470'720},
    {"qwen3-32b", 32'762'123'264, 31'984'210'944, 262'144, 65'524'246'528},
    // OPT: 12 h^2 + 13 h a layer, 50,272 h tied embedding, 2,050 h positions, 2 h last norm.
    {"opt-13b", 12'853'473'280, 12'853'473'280, 819'200, 25'706'946'560},
    {"opt-66b", 65'719'701'504, 65'719'701'504, 2'359'296, 131'439'403'008},
    {"opt-175b", 174'604'468'224, 174'604'468'224, 4'718'592, 349'208'936'448},
    {"qwen3-14b", 14'768'307'200, 13'990'394'880, 163'840, 29'536'614'400},
};

class Zoo : public testing::TestWithParam<Row> {};

TEST_P(Zoo, MatchesPublishedTotals) {
  const auto& row = GetParam();
  const auto m = load_model(row.name);
  EXPECT_EQ(m.name, row.name);
  EXPECT_FALSE(m.source.empty());
  EXPECT_EQ(m.parameters(), row.parameters);
  EXPECT_EQ(m.active_parameters(), row.active);
  EXPECT_EQ(m.kv_bytes_per_token().count(), row.kv_bytes_per_token);
  EXPECT_EQ(m.weights_bytes().count(), row.weights);
  EXPECT_EQ(m.weights_bytes_per_gpu(1), m.weights_bytes());
  EXPECT_EQ(m.kv_bytes_per_token_per_gpu(1), m.kv_bytes_per_token());
}
INSTANTIATE_TEST_SUITE_P(All, Zoo, testing::ValuesIn(rows), [](const auto& row) {
  std::string name = row.param.name;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == '-' || c == '.'; }, '_');
  return name;
});

TEST(ModelNames, AreExactlyTheRowsAboveAndThoseOfConfigJson) {
  std::vector<std::string> expected = {"deepseek-r1",     "deepseek-v3",   "gemma-2-27b",  "gemma-3-27b",
                                       "gpt-oss-120b",    "gpt-oss-20b",   "kimi-k2",      "llama-3.1-405b",
                                       "mistral-7b-v0.1", "mixtral-8x22b", "mixtral-8x7b", "qwen3-235b-a22b",
                                       "qwen3-30b-a3b"};
  for (const auto& row : rows) expected.emplace_back(row.name);
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(model_names(), expected);
}

TEST(Model, OptWeightsAsThePagedAttentionPaperRoundsThem) {
  // SOSP '23, Table 1: 26, 132 and 346 GB. The last is 0.9 % under 12 h^2 x 96 x 2 bytes alone.
  EXPECT_NEAR(static_cast<double>(load_model("opt-13b").weights_bytes().count()) / 1e9, 26, 0.5);
  EXPECT_NEAR(static_cast<double>(load_model("opt-66b").weights_bytes().count()) / 1e9, 132, 1);
  EXPECT_NEAR(static_cast<double>(load_model("opt-175b").weights_bytes().count()) / 1e9, 346, 3.5);
}

TEST(Model, OptSlotsOfThePagedAttentionPaper) {
  // 12 GiB / 819,200 B = 15,728.6 tokens; / 2,048 = 7 slots; 1 - 7 x 2,048 / 15,728.64 = 8.85 % left over.
  const auto token = load_model("opt-13b").kv_bytes_per_token();
  EXPECT_EQ(floor_div(12_GiB, token * 2048), 7);
  EXPECT_NEAR(1 - ratio(token * 2048 * 7, 12_GiB), 0.0885, 0.0001);
}

// vAttention (ASPLOS '25) Table 8: tokens one page holds in one of the 2 x layers tensors of one GPU.
struct PageRow {
  const char* name;
  int tensor;
  std::int64_t tokens[4];  // 64 KiB, 128 KiB, 256 KiB, 2 MiB
  std::int64_t sliced;     // Table 10: 2 MiB page, one tensor for all layers
};
const PageRow pages[] = {
    {"yi-6b", 1, {64, 128, 256, 2048}, 64},     {"yi-6b", 2, {128, 256, 512, 4096}, 128},
    {"llama-3-8b", 1, {32, 64, 128, 1024}, 32}, {"llama-3-8b", 2, {64, 128, 256, 2048}, 64},
    {"yi-34b", 1, {32, 64, 128, 1024}, 17},     {"yi-34b", 2, {64, 128, 256, 2048}, 34},
};

// S9.4
TEST(Model, TokensPerPageAsInVAttention) {
  for (const auto& row : pages) {
    const auto m = load_model(row.name);
    const auto token = m.kv_bytes_per_token_per_gpu(row.tensor);
    const Bytes sizes[] = {64_KiB, 128_KiB, 256_KiB, 2_MiB};
    for (int i = 0; i < 4; ++i)
      EXPECT_EQ(floor_div(sizes[i] * (2 * m.layers), token), row.tokens[i]) << row.name << " " << row.tensor;
    // The paper prints 18 and 36 for Yi-34B; its code floors 2 MiB x 2 / 245,760 = 17.07.
    EXPECT_EQ(floor_div(2_MiB * 2, token), row.sliced) << row.name << " " << row.tensor;
  }
}

TEST(TensorParallel, SplitsWeightsAndReplicatesNorms) {
  const auto m = load_model("llama-3-8b");
  // A layer's matrices: 4096 x (4096 + 2 x 1024) + 4096^2 + 3 x 4096 x 14336 = 218,103,808, halved; norms 8,192, whole.
  // Embedding and head: 128,256 x 4,096 = 525,336,576 each, halved; last norm 4,096.
  const std::int64_t layer = 218'103'808 / 2 + 8'192;
  EXPECT_EQ(m.weights_bytes_per_gpu(2).count(), 2 * (32 * layer + 525'336'576 + 4'096));
}

TEST(TensorParallel, ReplicatesKvHeadsBeyondTheirNumber) {
  const auto m = load_model("yi-6b");  // 4 KV heads, 64 KiB a token
  EXPECT_EQ(m.kv_bytes_per_token_per_gpu(2), 32_KiB);
  EXPECT_EQ(m.kv_bytes_per_token_per_gpu(4), 16_KiB);
  EXPECT_EQ(m.kv_bytes_per_token_per_gpu(8), 16_KiB);
  EXPECT_EQ(m.kv_bytes_per_token_replica(4), 64_KiB);
  EXPECT_EQ(m.kv_bytes_per_token_replica(8), 128_KiB);
}

TEST(TensorParallel, SaysWhatWouldWork) {
  const auto m = load_model("yi-34b");  // 56 heads, 8 KV heads, 20,480
  EXPECT_FALSE(parallel_problem(m, 1, 1));
  EXPECT_FALSE(parallel_problem(m, 8, 2));
  EXPECT_EQ(parallel_problem(m, 16, 1).value(),  // 56 / 16 is not whole
            "tensor 16 does not divide yi-34b (56 heads, 8 KV heads, intermediate 20480); use one of 1, 2, 4, 8");
  EXPECT_TRUE(parallel_problem(m, 1, 61));
  EXPECT_TRUE(parallel_problem(m, 0, 1));
}

TEST(ExpertParallel, SplitsOrSpreads) {
  const auto m = load_model("mixtral-8x7b");
  // 8 experts of 3 x 4,096 x 14,336 = 176,160,768: two GPUs hold a half of each, or four whole; the same bytes.
  EXPECT_EQ(m.layer_on_gpu(2, 0, 1).experts, 4 * 176'160'768LL);
  EXPECT_EQ(m.layer_on_gpu(2, 0, 2).experts, 4 * 176'160'768LL);
  EXPECT_EQ(m.layer_on_gpu(2, 0, 2).router, 4'096 * 8);
  EXPECT_EQ(m.weights_bytes_per_gpu(2, 1, 0, 2), m.weights_bytes_per_gpu(2));
  // gpt-oss has a bias of hidden at each expert's down: whole on every GPU that holds a part of the expert.
  const auto oss = load_model("gpt-oss-20b");
  EXPECT_EQ(oss.layer_on_gpu(2, 0, 1).experts - oss.layer_on_gpu(2, 0, 2).experts, 16 * 2'880);
}

TEST(ExpertParallel, SaysWhatWouldWork) {
  const auto m = load_model("qwen3-30b-a3b");  // 128 experts
  EXPECT_FALSE(layout_problem(m, {4, 1, 4, 1}));
  EXPECT_FALSE(layout_problem(m, {1, 1, 8, 8}));
  EXPECT_EQ(layout_problem(m, {2, 1, 4, 1})->why,
            "experts are spread over tensor x data = 2 GPUs; write 2, or 1 to split each by tensor");
  EXPECT_EQ(layout_problem(m, {1, 1, 3, 3})->key, "expert");
  EXPECT_NE(layout_problem(m, {1, 1, 3, 3})->why.find("cannot be spread over 3 GPUs evenly"), std::string::npos);
  EXPECT_NE(layout_problem(load_model("llama-3-8b"), {2, 1, 2, 1})->why.find("no experts"), std::string::npos);
  EXPECT_EQ(layout_problem(m, {1, 49, 1, 1})->key, "pipeline");
}

TEST(Pipeline, LayersGoToTheLastStagesButOne) {
  EXPECT_EQ(pipeline_layers(32, 4), (std::vector<std::int64_t>{8, 8, 8, 8}));
  EXPECT_EQ(pipeline_layers(10, 4), (std::vector<std::int64_t>{2, 3, 3, 2}));
  EXPECT_EQ(pipeline_layers(11, 4), (std::vector<std::int64_t>{3, 3, 3, 2}));
}

TEST(Pipeline, StagesSumToTheModel) {
  const auto m = load_model("llama-3-8b");
  Bytes sum;
  for (int stage = 0; stage < 3; ++stage) sum += m.weights_bytes_per_gpu(1, 3, stage);
  EXPECT_EQ(sum, m.weights_bytes());
  const auto deepseek = load_model("deepseek-v3");  // the first stage has the three dense layers
  sum = Bytes{};
  for (int stage = 0; stage < 4; ++stage) sum += deepseek.weights_bytes_per_gpu(1, 4, stage);
  EXPECT_EQ(sum, deepseek.weights_bytes());
  // A tied head on another stage is a second copy: + 50,272 x 5,120 x 2 bytes.
  const auto opt = load_model("opt-13b");
  EXPECT_EQ(opt.weights_bytes_per_gpu(1, 2, 0) + opt.weights_bytes_per_gpu(1, 2, 1),
            opt.weights_bytes() + Bytes{50'272LL * 5'120 * 2});
}
}  // namespace
}  // namespace stowage
