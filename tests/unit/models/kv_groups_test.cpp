// The concurrency that vLLM prints, by hand and against its logs.
#include "models/kv_groups.hpp"

#include <gtest/gtest.h>

namespace stowage {
namespace {
MemoryBudget pool(const ModelSpec& m, double gib, int tensor = 1) {
  MemoryBudget b;
  b.kv_pool = Bytes{static_cast<std::int64_t>(gib * 1073741824.0)};
  b.kv_bytes_per_token = m.kv_bytes_per_token_per_gpu(tensor);
  return b;
}

TEST(MaxConcurrency, OneKindIsThePoolOverTheRequest) {
  const auto m = load_model("llama-3.1-8b");  // 4 GiB / (16 x 131,072 B) = 2,048 blocks; 8,192 tokens are 512
  EXPECT_DOUBLE_EQ(*max_concurrency(m, pool(m, 4), 1, 8192, 8192), 4);
  EXPECT_DOUBLE_EQ(*max_concurrency(m, pool(m, 4), 1, 8190, 8192), 4);  // blocks are whole
}

/// vLLM 0.11 on an MI300X printed 109.86 GiB and 50.05x for 4,096 tokens: 10 full layers and 52 with windows are one
/// and six groups of ten. 89,997 blocks of 10 x 16 x 8,192 B; 256 + 6 x (256 + 1) blocks a request.
TEST(MaxConcurrency, WindowsAreGroupsOfTheirOwn) {
  const auto m = load_model("gemma-3-27b");
  EXPECT_NEAR(*max_concurrency(m, pool(m, 109.86), 1, 4096, 8192), 50.05, 0.005);
  // Long requests: a window holds 1,023 + 8,192 tokens, 576 blocks and one; 131,072 tokens are 8,192 blocks.
  EXPECT_NEAR(*max_concurrency(m, pool(m, 109.86), 1, 131'072, 8192), 89'997.0 / (8'192 + 6 * 577), 1e-9);
}

TEST(MaxConcurrency, IsNotSaidWhereTheRuleIsNotKnown) {
  const auto m = parse_model(R"({"model_type": "qwen3_5_text", "hidden_size": 256, "num_hidden_layers": 4,
    "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 512, "vocab_size": 1000,
    "max_position_embeddings": 4096})",
                             "config.json");
  EXPECT_FALSE(max_concurrency(m, pool(m, 4), 1, 4096, 2048));
}
}  // namespace
}  // namespace stowage
