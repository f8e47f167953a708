// Quantized checkpoints: which matrix is stored how, and what that takes.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "models/llm/model.hpp"
#include "models/llm/quantization/patterns.hpp"
#include "models/llm/quantization/storage.hpp"

namespace stowage {
namespace {
TEST(Storage, BytesByHand) {
  const auto bytes = [](const char* name) { return storage_of(name)->bytes(256, 512, 2); };
  const std::int64_t n = 256 * 512;
  EXPECT_EQ(bytes("none"), 2 * n);
  EXPECT_EQ(bytes("fp8"), n + 8);                     // two float32 scales of the whole
  EXPECT_EQ(bytes("fp8-block"), n + 2 * 4 * 4);       // 2 x 4 blocks of 128 x 128, a float32 each
  EXPECT_EQ(bytes("int8"), n + 256 * 2);              // a 16-bit scale a channel
  EXPECT_EQ(bytes("awq"), n / 2 + 256 * 4 * 20 / 8);  // 4 groups a row: a 16-bit scale, a 4-bit zero
  EXPECT_EQ(bytes("NVFP4"), n / 2 + 256 * 32 + 8);
  EXPECT_EQ(bytes("mxfp4"), n / 2 + 256 * 16);
  EXPECT_EQ(bytes("nf4"), n / 2 + 256 * 8);
  EXPECT_FALSE(storage_of("fp3"));
  for (const auto q : {Quant::none, Quant::fp8, Quant::fp8_block, Quant::int4, Quant::mxfp4, Quant::nvfp4, Quant::int8})
    EXPECT_EQ(quant_of(storage_of(q)), q) << quant_name(q);
}

TEST(ModulePatterns, NameModulesAsEnginesTakeThem) {
  const auto named = [](const char* pattern, std::int64_t layer, const char* name) {
    ModulePatterns patterns;
    return patterns.add(pattern, 0) && patterns.find(layer, name).has_value();
  };
  EXPECT_TRUE(named("lm_head", -1, "lm_head"));
  EXPECT_TRUE(named("model.layers.3.self_attn.q_proj", 3, "self_attn.q_proj"));
  EXPECT_TRUE(named("model.language_model.layers.3.self_attn*", 3, "self_attn.q_proj"));
  EXPECT_TRUE(named("backbone.layers.3", 3, "mixer.in_proj"));
  EXPECT_FALSE(named("model.layers.3", 30, "mlp.up_proj"));
  EXPECT_TRUE(named("model.layers.3*", 30, "mlp.up_proj"));  // as fnmatch does
  EXPECT_TRUE(named("gate", 5, "mlp.gate"));
  EXPECT_FALSE(named("gate", 5, "mlp.gate_proj"));
  EXPECT_TRUE(named("*.mlp.shared_expert.*", 5, "mlp.shared_expert.up_proj"));
  EXPECT_FALSE(named("*.mlp.shared_expert.*", 5, "mlp.shared_experts.up_proj"));
  EXPECT_TRUE(named("model.layers.*.self_attn", 5, "self_attn.q_proj"));
  EXPECT_TRUE(named("re:.*self_attn.*", 5, "self_attn.q_proj"));
  EXPECT_TRUE(named("re:.*layers\\.(5|6)\\..*", 6, "mlp.up_proj"));
  EXPECT_FALSE(named("re:.*layers\\.(5|6)\\..*", 7, "mlp.up_proj"));
  EXPECT_FALSE(named("re:(", 5, "mlp.up_proj"));
}

const std::string shape =
    R"("model_type": "llama", "hidden_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4,
    "intermediate_size": 512, "vocab_size": 1000, "max_position_embeddings": 512, "torch_dtype": "bfloat16")";
constexpr std::int64_t attention = 4 * 256 * 256, mlp = 3 * 256 * 512, rest = 2 * 1000 * 256 + 5 * 256;

std::int64_t stored(const std::string& config) {
  return parse_model("{" + shape + ", \"quantization_config\": " + config + "}", "config.json").weights_bytes().count();
}

TEST(QuantizedFiles, EachMethodByHand) {
  EXPECT_EQ(stored(R"({"quant_method": "compressed-tensors", "format": "int-quantized", "ignore": ["lm_head"],
    "config_groups": {"group_0": {"targets": ["Linear"], "weights": {"num_bits": 8, "type": "int",
    "strategy": "channel"}}}})"),
            2 * (attention + mlp) + 2 * 2304 * 2 + 2 * rest);  // 4 x 256 + 2 x 512 + 256 channels
  // Attention alone in 8 bits: 2 x 4 matrices with two float32 scales.
  EXPECT_EQ(stored(R"({"quant_method": "modelopt", "quant_algo": "FP8", "ignore": ["*mlp*"]})"),
            2 * (attention + 4 * 8 + 2 * mlp) + 2 * rest);
  // By layer: the first as it is, the second in NVFP4; 7 matrices with two scales each.
  EXPECT_EQ(stored(R"({"quant_method": "modelopt", "quant_algo": "NVFP4", "ignore": ["model.layers.0*"]})"),
            2 * (attention + mlp) + (attention + mlp) * 9 / 16 + 7 * 8 + 2 * rest);
  // By name: each its own.
  EXPECT_EQ(stored(R"({"quant_method": "modelopt", "quant_algo": "MIXED_PRECISION", "quantized_layers": {
    "model.layers.0.self_attn.q_proj": {"quant_algo": "FP8"},
    "model.layers.1.mlp.up_proj": {"quant_algo": "W4A16_NVFP4", "group_size": 16}}})"),
            2 * 2 * (attention + mlp) + 2 * rest - 256 * 256 + 8 - 256 * 512 * 2 + 256 * 512 * 9 / 16 + 8);
  // GPTQ with 8 bits and groups of 64: a 16-bit scale and an 8-bit zero.
  EXPECT_EQ(stored(R"({"quant_method": "gptq", "bits": 8, "group_size": 64, "modules_to_not_convert": ["self_attn"]})"),
            2 * (2 * attention + mlp + mlp / 64 * 3) + 2 * rest);
}

TEST(QuantizedFiles, WhatIsNotKnownIsSaid) {
  const auto refused = [](const std::string& config) {
    try {
      (void)stored(config);
    } catch (const InputError& error) { return std::string(error.what()); }
    return std::string{};
  };
  EXPECT_NE(refused(R"({"quant_method": "aqlm"})").find("quantized weights by 'aqlm' are not known"),
            std::string::npos);
  EXPECT_NE(refused(R"({"quant_method": "modelopt", "quant_algo": "FP3"})").find("'FP3' is not known"),
            std::string::npos);
  EXPECT_NE(refused(R"({"quant_method": "gptq", "bits": 5})").find("'bits' of 2, 3, 4 or 8"), std::string::npos);
  EXPECT_NE(refused(R"({"quant_method": "fp8", "modules_to_not_convert": ["re:("]})").find("is no pattern"),
            std::string::npos);
}

TEST(QuantizedFiles, AFileBesideTheConfigSaysItToo) {
  const auto folder = std::filesystem::temp_directory_path() / "stowage-modelopt";
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "config.json") << "{" + shape + "}";
  std::ofstream(folder / "hf_quant_config.json")
      << R"({"quantization": {"quant_algo": "FP8", "kv_cache_quant_algo": "FP8",
      "exclude_modules": ["lm_head", "mlp"]}})";
  const ModelSpec m = load_model(folder.string());
  std::ofstream(folder / "as-int8.yaml") << "huggingface: config.json\nquantization: int8\n";
  const ModelSpec other = load_model((folder / "as-int8.yaml").string());
  std::filesystem::remove_all(folder);
  EXPECT_EQ(m.weights_bytes().count(), 2 * (attention + 4 * 8 + 2 * mlp) + 2 * rest);
  EXPECT_EQ(m.kv_bytes_per_token().count(), 2 * 2 * 256);  // a byte an element
  EXPECT_EQ(other.quant, Quant::int8);
  EXPECT_NEAR(static_cast<double>(other.weights_bytes().count()), 2.0 * (attention + mlp) + 2.0 * rest, 20'000);
}
}  // namespace
}  // namespace stowage
