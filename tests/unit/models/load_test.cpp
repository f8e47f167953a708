// Descriptions from files, and what is said about bad ones.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "models/hardware/hardware.hpp"
#include "models/llm/model.hpp"

namespace stowage {
namespace {
template <class F>
std::vector<Problem> problems_of(F&& f) {
  try {
    f();
  } catch (const InputError& e) { return e.problems(); }
  ADD_FAILURE() << "no InputError";
  return {};
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST(LoadModel, UnknownNameGetsTheNearestOneAndThePlace) {
  const auto p = problems_of([] { (void)load_model("llama3-8b", {"s.yaml", 3, 8}); });
  ASSERT_EQ(p.size(), 1U);
  EXPECT_EQ(p[0].at.str(), "s.yaml:3:8");
  EXPECT_TRUE(has(p[0].message, "no model 'llama3-8b' in the zoo; did you mean 'llama-3-8b'?")) << p[0].message;
}

TEST(LoadModel, MissingFileNamesThePlaceThatAskedForIt) {
  const auto p = problems_of([] { (void)load_model("no/such.yaml", {"s.yaml", 3, 8}); });
  ASSERT_EQ(p.size(), 1U);
  EXPECT_EQ(p[0].at.str(), "s.yaml:3:8");
  EXPECT_TRUE(has(p[0].message, "'no/such.yaml' does not exist"));
}

TEST(LoadModel, ReadsAFileByItsPath) {
  const auto path = std::filesystem::temp_directory_path() / "stowage_load_test.yaml";
  std::ofstream(path) << "name: tiny\nlayers: 2\nhidden: 8\nheads: 4\nkv_heads: 2\nintermediate: 16\nvocab: 10\n"
                         "max_positions: 128\nkv_dtype: float8\n";
  const auto m = load_model(path.string());
  std::filesystem::remove(path);
  EXPECT_EQ(m.head_dim, 2);  // 8 / 4
  EXPECT_EQ(m.kv_bytes_per_token().count(), 2 * 2 * 2 * 2 * 1);
  // A layer: qkv 8 x (8 + 2 x 4) = 128, o 64, mlp 3 x 8 x 16 = 384, norms 16 = 592; 2 x 10 x 8 + 8 + 2 x 592 = 1,352.
  EXPECT_EQ(m.parameters(), 1'352);
}

TEST(ParseModel, ReportsEverythingAtOnce) {
  const auto p = problems_of([] {
    (void)parse_model("name: x\nlayer: 2\nhidden: 8\nheads: 0\nintermediate: 16\nvocab: 10\nmax_positions: 128\n",
                      "m.yaml");
  });
  ASSERT_EQ(p.size(), 3U);  // layers missing, heads out of range, unknown key 'layer'
  EXPECT_TRUE(std::any_of(p.begin(), p.end(),
                          [](const auto& e) { return e.at.line == 2 && has(e.message, "did you mean 'layers'?"); }));
  EXPECT_TRUE(std::any_of(p.begin(), p.end(), [](const auto& e) { return e.at.line == 4; }));
}

TEST(ParseModel, AbsurdShapesAreRefusedBeforeTheyOverflow) {
  const auto p = problems_of([] {
    (void)parse_model(
        "name: x\nlayers: 4096\nhidden: 16777216\nheads: 65536\nhead_dim: 65536\n"
        "intermediate: 16777216\nvocab: 16777216\nmax_positions: 128\n",
        "m.yaml");
  });
  ASSERT_EQ(p.size(), 1U);
  EXPECT_TRUE(has(p[0].message, "more than 10^15 parameters"));
}

TEST(ParseModel, KvHeadsMustDivideHeads) {
  const auto p = problems_of([] {
    (void)parse_model(
        "name: x\nlayers: 2\nhidden: 8\nheads: 4\nkv_heads: 3\nintermediate: 16\nvocab: 10\n"
        "max_positions: 128\n",
        "m.yaml");
  });
  ASSERT_EQ(p.size(), 1U);
  EXPECT_TRUE(has(p[0].message, "kv_heads must divide heads"));
}

// The fields of meta-llama/Llama-3.1-8B's config.json, with some that do not matter here.
constexpr const char* llama_json = R"({
  "architectures": ["LlamaForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "bos_token_id": 128000,
  "hidden_act": "silu", "hidden_size": 4096, "initializer_range": 0.02, "intermediate_size": 14336,
  "max_position_embeddings": 131072, "mlp_bias": false, "model_type": "llama", "num_attention_heads": 32,
  "num_hidden_layers": 32, "num_key_value_heads": 8, "pretraining_tp": 1, "rms_norm_eps": 1e-05,
  "rope_scaling": {"factor": 8.0, "rope_type": "llama3"}, "rope_theta": 500000.0, "tie_word_embeddings": false,
  "head_dim": null, "torch_dtype": "bfloat16", "use_cache": true, "vocab_size": 128256
})";

TEST(HuggingFace, ImportsLlamaAsTheZooHasIt) {
  const auto m = parse_model(llama_json, "Llama-3.1-8B/config.json");
  const auto zoo = load_model("llama-3.1-8b");
  EXPECT_EQ(m.name, "Llama-3.1-8B");
  EXPECT_EQ(m.parameters(), zoo.parameters());
  EXPECT_EQ(m.kv_bytes_per_token(), zoo.kv_bytes_per_token());
  EXPECT_EQ(m.head_dim, 128);
  EXPECT_EQ(m.max_positions, 131072);
  EXPECT_EQ(m.dtype, Dtype::bfloat16);
}

TEST(HuggingFace, ReadsACheckpointFolder) {
  const auto folder = std::filesystem::temp_directory_path() / "stowage-Llama-3.1-8B";
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "config.json") << llama_json;
  const auto m = load_model(folder.string());
  std::filesystem::remove_all(folder);
  EXPECT_EQ(m.name, "stowage-Llama-3.1-8B");
  EXPECT_EQ(m.layers, 32);
}

TEST(HuggingFace, ImportsQwenWithItsUnsaidBiasesAndNorms) {
  const auto qwen2 = parse_model(R"({"model_type": "qwen2", "hidden_size": 3584, "intermediate_size": 18944,
    "max_position_embeddings": 32768, "num_attention_heads": 28, "num_hidden_layers": 28, "num_key_value_heads": 4,
    "sliding_window": 131072, "use_sliding_window": false, "tie_word_embeddings": false, "torch_dtype": "bfloat16",
    "vocab_size": 152064})",
                                 "config.json");
  EXPECT_EQ(qwen2.parameters(), 7'615'616'512);
  const auto qwen3 = parse_model(R"({"model_type": "qwen3", "hidden_size": 5120, "intermediate_size": 25600,
    "max_position_embeddings": 40960, "num_attention_heads": 64, "num_hidden_layers": 64, "num_key_value_heads": 8,
    "head_dim": 128, "attention_bias": false, "sliding_window": null, "tie_word_embeddings": false,
    "torch_dtype": "bfloat16", "vocab_size": 151936})",
                                 "config.json");
  EXPECT_EQ(qwen3.parameters(), 32'762'123'264);
}

TEST(HuggingFace, ImportsOpt) {
  const auto m = parse_model(R"({"model_type": "opt", "hidden_size": 5120, "ffn_dim": 20480, "vocab_size": 50272,
    "max_position_embeddings": 2048, "num_attention_heads": 40, "num_hidden_layers": 40, "torch_dtype": "float16",
    "word_embed_proj_dim": 5120, "do_layer_norm_before": true})",
                             "config.json");
  EXPECT_EQ(m.parameters(), 12'853'473'280);
  EXPECT_EQ(m.active_parameters(), load_model("opt-13b").active_parameters());
}

TEST(HuggingFace, RefusesWhatItCannotDescribe) {
  const auto refused = [](const std::string& json) {
    const auto p = problems_of([&] { (void)parse_model(json, "config.json"); });
    return p.size() == 1 ? p[0].message : std::string{};
  };
  EXPECT_TRUE(has(refused(R"({"model_type": "llama", "num_local_experts": 8})"), "a mixture of experts"));
  EXPECT_TRUE(has(refused(R"({"model_type": "qwen3", "kv_lora_rank": 512, "n_routed_experts": 256})"),
                  "a mixture of experts ('n_routed_experts'), latent attention"));
  EXPECT_TRUE(has(refused(R"({"model_type": "llama", "sliding_window": 4096})"), "sliding-window attention"));
  const auto nobody = refused(R"({"model_type": "nobody", "hidden_size": 64})");
  EXPECT_TRUE(has(nobody, "model_type 'nobody' is not known; missing: hidden_size, num_hidden_layers"));
  EXPECT_TRUE(has(nobody, "'huggingface: config.json', 'family:'"));
}

/// llama_json with the text that `key` stands in replaced.
std::string changed(const std::string& from, const std::string& to) {
  std::string json = llama_json;
  json.replace(json.find(from), from.size(), to);
  return json;
}

TEST(HuggingFace, RefusesLayersAndQuantizationsItDoesNotKnow) {
  const auto refused = [](const std::string& json) {
    const auto p = problems_of([&] { (void)parse_model(json, "config.json"); });
    return p.size() == 1 ? p[0].message : std::string{};
  };
  EXPECT_TRUE(has(refused(changed("\"use_cache\": true", R"("quantization_config": {"quant_method": "aqlm"})")),
                  "quantized weights by 'aqlm' are not known"));
  const auto qwen = changed("\"llama\"", "\"qwen3\"");
  const auto with = [&](const std::string& keys) {
    std::string json = qwen;
    json.replace(json.find("\"use_cache\": true"), 17, keys);
    return json;
  };
  EXPECT_TRUE(has(refused(with(R"("sliding_window": 4096, "use_sliding_window": true)")), "which layers have it"));
  EXPECT_TRUE(has(refused(with(R"("sliding_window": 4096, "layer_types": ["linear_attention"])")),
                  "layer_types names 1 layers"));
  EXPECT_EQ(parse_model(changed("\"use_cache\": true", R"("quantization_config": {"quant_method": "awq", "bits": 4})"),
                        "config.json")
                .quant,
            Quant::int4);
}

TEST(HuggingFace, AnUnknownTypeIsAcceptedWithItsFactsStated) {
  const auto folder = std::filesystem::temp_directory_path() / "stowage-override";
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "config.json") << changed("\"llama\"", "\"newmodel\"");
  std::ofstream(folder / "newmodel.yaml") << "huggingface: config.json\nfamily: llama\nname: newmodel\nqk_norm: true\n"
                                             "kv_dtype: float8\n";
  const auto m = load_model((folder / "newmodel.yaml").string());
  EXPECT_EQ(m.name, "newmodel");
  EXPECT_EQ(m.parameters(), load_model("llama-3.1-8b").parameters() + 32 * 2 * 128);  // the norms
  EXPECT_EQ(m.kv_bytes_per_token().count(), 65'536);
  std::ofstream(folder / "wrong.yaml") << "huggingface: config.json\nfamily: lama\n";
  const auto p = problems_of([&] { (void)load_model((folder / "wrong.yaml").string()); });
  std::filesystem::remove_all(folder);
  ASSERT_EQ(p.size(), 1U);
  EXPECT_TRUE(has(p[0].message, "'lama' is not known"));
}

TEST(ParseModel, ExpertsLatentAttentionAndWindowsMustBeWhole) {
  const std::string shapes =
      "name: x\nlayers: 2\nhidden: 8\nheads: 4\nintermediate: 16\nvocab: 10\nmax_positions: 128\n";
  const auto refused = [&](const std::string& more) {
    const auto p = problems_of([&] { (void)parse_model(shapes + more, "m.yaml"); });
    return p.size() == 1 ? p[0].message : std::to_string(p.size()) + " problems";
  };
  EXPECT_TRUE(has(refused("experts: 8\n"), "experts_per_token must be 1 to 8"));
  EXPECT_TRUE(has(refused("experts: 8\nexperts_per_token: 9\n"), "experts_per_token must be 1 to 8"));
  EXPECT_TRUE(has(refused("experts_per_token: 2\n"), "go with 'experts'"));
  EXPECT_TRUE(has(refused("quantization: mxfp4\n"), "go with 'experts'"));
  EXPECT_TRUE(has(refused("experts: 8\nexperts_per_token: 2\ndense_layers: 2\n"), "leaves no layer"));
  EXPECT_TRUE(has(refused("kv_rank: 512\n"), "also needs nope_dim"));
  EXPECT_TRUE(has(refused("window: 512\n"), "go together"));
  EXPECT_TRUE(has(refused("window: 512\nwindow_layers: 3\n"), "at most 2 layers"));
  EXPECT_TRUE(has(refused("family: llama\n"), "goes with 'huggingface"));
}

TEST(HuggingFace, MissingShapesAreAllNamed) {
  const auto p = problems_of([] { (void)parse_model(R"({"model_type": "llama", "vocab_size": 1000})", "c.json"); });
  EXPECT_EQ(p.size(), 5U);  // layers, hidden, heads, positions, intermediate
}

TEST(Hardware, TheZooIsWholeAndSourced) {
  const auto names = hardware_names();
  for (const char* sold : {"a100-40gb", "a100-80gb", "a40", "b200", "h100-sxm-80gb", "h200", "l4", "l40s", "rtx-4090",
                           "rtx-a6000", "h100-nvl", "mi300x", "t4"})
    EXPECT_TRUE(std::ranges::find(names, sold) != names.end()) << sold;
  for (const auto& name : hardware_names()) {
    const auto h = load_hardware(name);
    EXPECT_EQ(h.name, name);
    EXPECT_LT(h.driver_memory, h.memory) << name;
    EXPECT_GT(ratio(h.driver_memory, h.memory), 0.9) << name;
    for (const auto key : {"memory", "driver_memory", "memory_bandwidth", "bf16", "l2", "sms", "pcie", "vmm"})
      EXPECT_FALSE(h.source_of(key).empty()) << name << " " << key;
    EXPECT_EQ(h.source_of("nvlink").empty(), h.nvlink_bytes_per_s == 0) << name;
    // FLOP a byte where compute and memory balance: least on an H20, most on a GB10, which has slow memory.
    const double ridge = h.bf16_flop_per_s / h.memory_bytes_per_s;
    EXPECT_GT(ridge, 35) << name;
    EXPECT_LT(ridge, 460) << name;
  }
}

TEST(Hardware, H100) {
  const auto h = load_hardware("h100-sxm-80gb");
  EXPECT_EQ(h.driver_memory.count(), 85'029'615'043);  // 79.19 x 2^30 = 85,029,615,042.6
  EXPECT_DOUBLE_EQ(h.memory_bytes_per_s, 3.35e12);
  EXPECT_DOUBLE_EQ(h.link_bytes_per_s(), 450e9);
  EXPECT_DOUBLE_EQ(load_hardware("l4").link_bytes_per_s(), 32e9);  // PCIe where there is no NVLink
}

TEST(Hardware, OnesOwnGpuNeedsThreeNumbers) {
  const auto h = parse_hardware("name: x\nmemory: 80GiB\nmemory_bandwidth: 2TB/s\nbf16: 100TFLOP/s\n", "h.yaml");
  EXPECT_EQ(h.driver_memory, h.memory);
  EXPECT_DOUBLE_EQ(h.pcie_bytes_per_s, 32e9);
  EXPECT_TRUE(has(h.source_of("pcie"), "not given"));
  EXPECT_DOUBLE_EQ(h.vmm.set_access_ns, 28'000);
  EXPECT_TRUE(has(h.source_of("vmm"), "not measured here"));
}

TEST(Hardware, BadInput) {
  auto p = problems_of([] { (void)load_hardware("h100", {"s.yaml", 4, 11}); });
  ASSERT_EQ(p.size(), 1U);
  EXPECT_EQ(p[0].at.str(), "s.yaml:4:11");
  EXPECT_TRUE(has(p[0].message, "there are h100-nvl, h100-pcie, h100-sxm-80gb;")) << p[0].message;
  p = problems_of([] {
    (void)parse_hardware(
        "name: x\nmemory: 80\nmemory_bandwidth: 0GB/s\nbf16: 1TFLOP/s\npcie: 1GB/s\n"
        "vmm: {create: 1us, map: 1us, set_access: 1us, unmap: 1us, relase: 1us}\n",
        "h.yaml");
  });
  // memory without a unit; bandwidth zero; release missing; 'relase' unknown.
  EXPECT_GE(p.size(), 4U);
}
}  // namespace
}  // namespace stowage
