// Families of models, read from the sizes of their published files: parameters, and what is kept of a token and of a
// sequence. Totals are those of the published checkpoints (safetensors indices and model cards) unless a sum stands
// beside them.
#include <gtest/gtest.h>

#include <string>

#include "models/llm/model.hpp"

namespace stowage {
namespace {
struct Row {
  const char* name;
  const char* config;  // without the braces
  std::int64_t parameters, token, window, sequence;
};

const Row rows[] = {
    {"gpt2", R"("model_type": "gpt2", "n_embd": 768, "n_layer": 12, "n_head": 12, "n_positions": 1024,
      "vocab_size": 50257)",
     124'439'808, 36'864, 0, 0},  // 2 x 12 x 768 x 2
    {"bloom", R"("model_type": "bloom", "n_embed": 4096, "n_layer": 30, "num_attention_heads": 32,
      "vocab_size": 250880)",
     7'069'016'064, 491'520, 0, 0},
    {"falcon_40b", R"("model_type": "falcon", "hidden_size": 8192, "num_hidden_layers": 60, "num_attention_heads": 128,
      "num_kv_heads": 8, "new_decoder_architecture": true, "bias": false, "vocab_size": 65024)",
     41'303'293'952, 122'880, 0, 0},
    // The head is the embedding, one norm a layer, one KV head: 65,024 x 4,544 + 32 x (4,544 x 4,672 + 4,544^2 +
    // 8 x 4,544^2 + 2 x 4,544) + 2 x 4,544
    {"falcon_7b", R"("model_type": "falcon", "hidden_size": 4544, "num_hidden_layers": 32, "num_attention_heads": 71,
      "multi_query": true, "parallel_attn": true, "bias": false, "vocab_size": 65024)",
     6'921'720'704, 8'192, 0, 0},
    {"mpt", R"("model_type": "mpt", "d_model": 4096, "n_heads": 32, "n_layers": 32, "max_seq_len": 2048,
      "vocab_size": 50432)",
     6'649'286'656, 524'288, 0, 0},
    {"gpt_neox", R"("model_type": "gpt_neox", "hidden_size": 6144, "intermediate_size": 24576,
      "num_attention_heads": 64, "num_hidden_layers": 44, "vocab_size": 50432)",
     20'554'567'680, 1'081'344, 0, 0},
    {"gptj", R"("model_type": "gptj", "n_embd": 4096, "n_layer": 28, "n_head": 16, "n_positions": 2048,
      "vocab_size": 50400)",
     6'050'882'784, 458'752, 0, 0},
    {"phi_2", R"("model_type": "phi", "hidden_size": 2560, "num_hidden_layers": 32, "num_attention_heads": 32,
      "intermediate_size": 10240, "vocab_size": 51200)",
     2'779'683'840, 327'680, 0, 0},
    {"phi_3_5_moe", R"("model_type": "phimoe", "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32,
      "num_key_value_heads": 8, "intermediate_size": 6400, "vocab_size": 32064, "max_position_embeddings": 131072,
      "num_local_experts": 16, "num_experts_per_tok": 2, "attention_bias": true, "lm_head_bias": true,
      "sliding_window": 131072)",
     41'873'153'344, 131'072, 0, 0},
    {"starcoder2_3b", R"("model_type": "starcoder2", "hidden_size": 3072, "num_hidden_layers": 30,
      "num_attention_heads": 24, "num_key_value_heads": 2, "intermediate_size": 12288, "vocab_size": 49152,
      "max_position_embeddings": 16384, "sliding_window": 4096)",
     3'030'371'328, 30'720, 30'720, 0},
    {"internlm2", R"("model_type": "internlm2", "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32,
      "num_key_value_heads": 8, "intermediate_size": 14336, "vocab_size": 92544, "max_position_embeddings": 32768,
      "bias": false)",
     7'737'708'544, 131'072, 0, 0},
    {"baichuan2", R"("model_type": "baichuan", "hidden_size": 5120, "num_hidden_layers": 40, "num_attention_heads": 40,
      "intermediate_size": 13696, "vocab_size": 125696, "model_max_length": 4096)",
     13'896'668'160, 819'200, 0, 0},
    {"olmo2", R"("model_type": "olmo2", "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32,
      "intermediate_size": 11008, "vocab_size": 100352, "max_position_embeddings": 4096)",
     7'298'617'344, 524'288, 0, 0},
    {"command_r_plus", R"("model_type": "cohere", "hidden_size": 12288, "num_hidden_layers": 64,
      "num_attention_heads": 96, "num_key_value_heads": 8, "intermediate_size": 33792, "vocab_size": 256000,
      "max_position_embeddings": 131072, "use_qk_norm": true)",
     103'810'674'688, 262'144, 0, 0},
    {"ernie_moe", R"("model_type": "ernie4_5_moe", "hidden_size": 2560, "num_hidden_layers": 28,
      "num_attention_heads": 20, "num_key_value_heads": 4, "intermediate_size": 12288, "vocab_size": 103424,
      "max_position_embeddings": 131072, "moe_num_experts": 64, "moe_intermediate_size": 1536,
      "moe_num_shared_experts": 2, "moe_layer_start_index": 1, "moe_layer_end_index": 27, "moe_k": 6)",
     21'825'437'888, 57'344, 0, 0},
    {"hunyuan_moe", R"("model_type": "hunyuan_v1_moe", "hidden_size": 4096, "num_hidden_layers": 4,
      "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128, "intermediate_size": 3072,
      "vocab_size": 128167, "max_position_embeddings": 32768, "num_experts": 64, "moe_topk": [8, 8, 8, 8],
      "num_shared_expert": [1, 1, 1, 1], "moe_intermediate_size": [3072, 3072, 3072, 3072],
      "tie_word_embeddings": true)",
     // 128,167 x 4,096 + 4,096 + 4 x (2 x 4,096 x (4,096 + 1,024) + 256 + 8,192 + 64 x 4,096 + 65 x 3 x 4,096 x 3,072)
     128'167LL * 4'096 + 4'096 + 4LL * (2 * 4'096 * 5'120 + 256 + 8'192 + 64 * 4'096 + 65LL * 3 * 4'096 * 3'072),
     16'384, 0, 0},
    {"minimax_01", R"("model_type": "minimax_text_01", "hidden_size": 6144, "num_hidden_layers": 8,
      "num_attention_heads": 64, "num_key_value_heads": 8, "head_dim": 128, "intermediate_size": 9216,
      "vocab_size": 200064, "max_position_embeddings": 10240000, "num_local_experts": 32, "num_experts_per_tok": 2,
      "attn_type_list": [0, 0, 0, 0, 0, 0, 0, 1])",
     // A tenth of the published 456,089,655,296 without embedding, head and last norm, which all have once.
     (456'089'655'296 - 2LL * 200'064 * 6'144 - 6'144) / 10 + 2LL * 200'064 * 6'144 + 6'144, 4'096, 0,
     7LL * 64 * 128 * 128 * 4},
    {"kimi_linear", R"("model_type": "kimi_linear", "hidden_size": 2304, "num_hidden_layers": 27,
      "num_attention_heads": 32, "intermediate_size": 9216, "vocab_size": 163840, "max_position_embeddings": 1048576,
      "kv_lora_rank": 512, "q_lora_rank": null, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128,
      "first_k_dense_replace": 1, "num_experts": 256, "num_experts_per_token": 8, "num_shared_experts": 1,
      "moe_intermediate_size": 1024, "linear_attn_config": {"head_dim": 128, "num_heads": 32,
      "short_conv_kernel_size": 4, "kda_layers": [1, 2, 3, 5, 6, 7, 9, 10, 11, 13, 14, 15, 17, 18, 19, 21, 22, 23, 25,
      26]})",
     49'122'681'728, 7 * 576 * 2, 0,
     20LL * (3 * 4'096 * 3 * 2 + 4'096 * 128 * 4)},  // three convolutions and a float32 state a layer
    {"qwen3_next", R"("model_type": "qwen3_next", "hidden_size": 2048, "num_hidden_layers": 48,
      "num_attention_heads": 16, "num_key_value_heads": 2, "head_dim": 256, "intermediate_size": 5120,
      "moe_intermediate_size": 512, "shared_expert_intermediate_size": 512, "num_experts": 512,
      "num_experts_per_tok": 10, "vocab_size": 151936, "max_position_embeddings": 262144)",
     79'674'391'296, 12 * 2'048, 0, 36LL * (8'192 * 3 * 2 + 32 * 128 * 128 * 2)},
    {"nemotron_h", R"("model_type": "nemotron_h", "hidden_size": 4480, "num_attention_heads": 40,
      "num_key_value_heads": 8, "head_dim": 128, "intermediate_size": 15680, "vocab_size": 131072,
      "max_position_embeddings": 131072, "mamba_num_heads": 128, "mamba_head_dim": 80, "ssm_state_size": 128,
      "n_groups": 8, "conv_kernel": 4,
      "hybrid_override_pattern": "M-M-M-MM-M-M-M*-M-M-M*-M-M-M-M*-M-M-M-M*-M-MM-M-M-M-M-M-")",
     8'888'227'328, 4 * 4'096, 0, 27LL * (12'288 * 3 * 2 + 10'240 * 128 * 4)},
    {"falcon_h1", R"("model_type": "falcon_h1", "hidden_size": 1024, "num_hidden_layers": 36, "num_attention_heads": 8,
      "num_key_value_heads": 2, "head_dim": 64, "intermediate_size": 2048, "vocab_size": 32784,
      "max_position_embeddings": 16384, "mamba_d_ssm": 1536, "mamba_n_heads": 24, "mamba_d_head": 64,
      "mamba_d_state": 128, "mamba_n_groups": 1, "mamba_d_conv": 4, "mamba_rms_norm": false,
      "tie_word_embeddings": false)",
     521'411'104, 36 * 512, 0, 36LL * (1'792 * 3 * 2 + 1'536 * 128 * 2)},
    {"jamba", R"("model_type": "jamba", "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
      "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 65536, "max_position_embeddings": 262144)",
     51'570'323'328, 4 * 4'096, 0, 28LL * (8'192 * 3 * 2 + 8'192 * 16 * 2)},
    {"lfm2", R"("model_type": "lfm2", "hidden_size": 2048, "num_hidden_layers": 16, "num_attention_heads": 32,
      "num_key_value_heads": 8, "intermediate_size": 8192, "vocab_size": 65536, "max_position_embeddings": 128000,
      "full_attn_idxs": [2, 5, 8, 10, 12, 14])",
     1'170'340'608, 6 * 2'048, 0, 10LL * 2'048 * 2 * 2},
    {"scout", R"("model_type": "llama4", "text_config": {"model_type": "llama4_text", "hidden_size": 5120,
      "num_hidden_layers": 48, "num_attention_heads": 40, "intermediate_size": 8192, "intermediate_size_mlp": 16384,
      "num_local_experts": 16, "num_experts_per_tok": 1, "vocab_size": 202048, "max_position_embeddings": 10485760})",
     108'641'793'536, 48 * 4'096, 36 * 4'096, 0},
    {"qwen2_5_vl", R"("model_type": "qwen2_5_vl", "hidden_size": 3584, "num_hidden_layers": 28,
      "num_attention_heads": 28, "num_key_value_heads": 4, "intermediate_size": 18944, "vocab_size": 152064,
      "max_position_embeddings": 128000, "vision_config": {"depth": 32, "hidden_size": 1280, "intermediate_size": 3420,
      "in_chans": 3, "out_hidden_size": 3584, "patch_size": 14})",
     8'292'166'656, 57'344, 0, 0},
};

class Families : public testing::TestWithParam<Row> {};

ModelSpec read(const std::string& keys) { return parse_model("{" + keys + "}", "config.json"); }

TEST_P(Families, HaveThePublishedParametersAndKeepWhatTheirLayersKeep) {
  const Row& row = GetParam();
  const ModelSpec m = read(row.config);
  EXPECT_EQ(m.parameters(), row.parameters);
  EXPECT_EQ(m.kv_bytes_per_token().count(), row.token);
  EXPECT_EQ(m.kv_window_bytes_per_token().count(), row.window);
  EXPECT_EQ(m.state_bytes_per_sequence().count(), row.sequence);
  EXPECT_EQ(m.weights_bytes().count(), 2 * row.parameters);
  EXPECT_EQ(m.unsimulated().empty(), row.sequence == 0);
  std::int64_t in_stages = 0;
  for (int stage = 0; stage < 4; ++stage) in_stages += m.kv_bytes_per_token_stage(1, 4, stage).count();
  EXPECT_EQ(in_stages, row.token);
}
INSTANTIATE_TEST_SUITE_P(All, Families, testing::ValuesIn(rows),
                         [](const auto& row) { return std::string(row.param.name); });

const std::string small_llama = R"("hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "intermediate_size": 128, "vocab_size": 100, "max_position_embeddings": 512)";

TEST(UnknownFamily, IsReadByItsGeneralKeysAndSaysSo) {
  const ModelSpec m = read(R"("model_type": "brandnew", )" + small_llama);
  EXPECT_EQ(m.parameters(), read(R"("model_type": "llama", )" + small_llama).parameters());
  ASSERT_EQ(m.assumed.size(), 1U);
  EXPECT_NE(m.assumed[0].find("'brandnew' is not known"), std::string::npos);
  EXPECT_TRUE(read(R"("model_type": "llama", )" + small_llama).assumed.empty());
}

std::string refused(const std::string& keys) {
  try {
    (void)read(keys);
  } catch (const InputError& error) { return error.what(); }
  return "";
}

TEST(UnknownFamily, IsRefusedWhereItsKeysSayMoreThanIsKnown) {
  const auto with = [](const std::string& more) {
    return refused(R"("model_type": "brandnew", )" + small_llama + ", " + more);
  };
  EXPECT_NE(with(R"("mamba_d_state": 16)").find("'mamba_d_state'"), std::string::npos);
  EXPECT_NE(with(R"("cross_attention_layers": [1])").find("'cross_attention_layers'"), std::string::npos);
  EXPECT_NE(
      with(R"("layer_types": ["full_attention", "linear_attention"])").find("'linear_attention' layers are not known"),
      std::string::npos);
  EXPECT_NE(with(R"("architectures": ["BertModel"])").find("whether it is a decoder"), std::string::npos);
  EXPECT_NE(refused(R"("model_type": "unet", "sample_size": 64)").find("hidden_size"), std::string::npos);
}

TEST(Families, NoneIsSilentlyReadWithoutWhatItsFileHas) {
  const std::string llama = R"("model_type": "llama", )" + small_llama;
  EXPECT_NE(refused(llama + R"(, "num_local_experts": 8)").find("a mixture of experts"), std::string::npos);
  EXPECT_NE(refused(llama + R"(, "kv_lora_rank": 8)").find("latent attention"), std::string::npos);
  EXPECT_NE(refused(llama + R"(, "sliding_window": 64)").find("which layers have it"), std::string::npos);
  EXPECT_NE(refused(R"("model_type": "jamba2", "attn_layer_period": 8, )" + small_llama).find("'attn_layer_period'"),
            std::string::npos);
}

TEST(Families, AbsurdSizesAreOneClearLine) {
  EXPECT_NE(refused(R"("model_type": "llama", "hidden_size": 64, "num_hidden_layers": 65000, "num_attention_heads": 4,
    "intermediate_size": 128, "vocab_size": 100, "max_position_embeddings": 512)")
                .find("at most 4096"),
            std::string::npos);
  EXPECT_NE(
      refused(R"("model_type": "mixtral", "num_local_experts": 1000000000, )" + small_llama).find("num_local_experts"),
      std::string::npos);
  EXPECT_NE(refused(R"("model_type": "mixtral", "num_local_experts": 16000000, "num_experts_per_tok": 2,
    "hidden_size": 16000000, "num_hidden_layers": 4000, "num_attention_heads": 4, "intermediate_size": 16000000,
    "vocab_size": 100, "max_position_embeddings": 512)")
                .find("10^15"),
            std::string::npos);
  EXPECT_NE(refused(R"("model_type": "llama", "hidden_size": 64, "num_hidden_layers": -2, "num_attention_heads": 4,
    "intermediate_size": 128, "vocab_size": 100, "max_position_embeddings": 512)")
                .find("num_hidden_layers"),
            std::string::npos);
}

/// A layer's own list decides: experts, indexers and compressed caches by layer.
TEST(LayerLists, SayWhichLayersHaveWhat) {
  const std::string latent = R"("hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 2, "vocab_size": 100,
    "intermediate_size": 96, "moe_intermediate_size": 16, "n_routed_experts": 8, "n_shared_experts": 1,
    "num_experts_per_tok": 2, "first_k_dense_replace": 1, "kv_lora_rank": 32, "q_lora_rank": 24,
    "qk_nope_head_dim": 16, "qk_rope_head_dim": 8, "v_head_dim": 16, "max_position_embeddings": 4096)";
  // (32 + 8) x 2 a layer.
  EXPECT_EQ(read(R"("model_type": "deepseek_v3", )" + latent).kv_bytes_per_token().count(), 4 * 80);
  const std::string indexer = R"(, "index_n_heads": 2, "index_head_dim": 128, "index_topk": 64)";
  const ModelSpec all = read(R"("model_type": "deepseek_v32", )" + latent + indexer);
  EXPECT_EQ(all.kv_bytes_per_token().count(), 4 * (80 + 132));  // 128 of 8 bits and a float32
  EXPECT_FALSE(all.unsimulated().empty());
  const ModelSpec some = read(R"("model_type": "glm_moe_dsa", )" + latent + indexer +
                              R"(, "indexer_types": ["full", "shared", "full", "shared"])");
  EXPECT_EQ(some.kv_bytes_per_token().count(), 4 * 80 + 2 * 132);
  // An indexer: 24 x 256 + 64 x 128 + 64 x 2 + 2 x 128.
  EXPECT_EQ(all.parameters() - some.parameters(), 2 * (24 * 256 + 64 * 128 + 64 * 2 + 256));
}

TEST(LayerLists, CompressedCachesGrowByTheWindowAndTheFraction) {
  const ModelSpec m = read(R"("model_type": "deepseek_v4", "hidden_size": 64, "num_hidden_layers": 3,
    "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 512, "vocab_size": 100, "moe_intermediate_size": 16,
    "n_routed_experts": 8, "n_shared_experts": 1, "num_experts_per_tok": 2, "q_lora_rank": 24, "o_groups": 2,
    "o_lora_rank": 8, "index_head_dim": 128, "index_n_heads": 2, "index_topk": 64, "sliding_window": 128,
    "max_position_embeddings": 4096, "compress_ratios": [0, 4, 128, 0])");
  // Windows 3 x 512 x 2; every fourth token 1,024 / 4 + 132 / 4; every 128th 1,024 / 128.
  EXPECT_EQ(m.kv_window_bytes_per_token().count(), 3 * 1'024);
  EXPECT_EQ(m.kv_bytes_per_token().count(), 3 * 1'024 + 256 + 33 + 8);
  // Compressors in float32: 8 tokens x 2 x 1,024 x 4 and 8 x 2 x 256 x 4 of the indexer; 128 x 2 x 512 x 4.
  EXPECT_EQ(m.state_bytes_per_sequence().count(), 65'536 + 16'384 + 524'288);
}

TEST(Towers, AreWeightsButNotOfTheText) {
  const ModelSpec m = read(R"("model_type": "qwen2_5_vl", "vision_config": {"depth": 2, "hidden_size": 32,
    "intermediate_size": 48, "out_hidden_size": 64, "patch_size": 14}, )" +
                           small_llama);
  const ModelSpec text = read(R"("model_type": "qwen2", )" + small_llama);
  EXPECT_EQ(m.parameters() - m.tower_parameters(), text.parameters());
  EXPECT_EQ(m.active_parameters(), text.active_parameters());
  EXPECT_EQ(m.kv_bytes_per_token(), text.kv_bytes_per_token());
  EXPECT_FALSE(m.layers_differ());
  EXPECT_EQ(m.unsimulated(), "");
}
}  // namespace
}  // namespace stowage
