#include "models/llm/huggingface.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>

namespace stowage {
namespace {
constexpr std::int64_t size_max = std::int64_t{1} << 24;  // of any one dimension: sums stay far from overflow
constexpr std::array<std::string_view, 5> families = {"llama", "mistral", "qwen2", "qwen3", "opt"};

/// A JSON null counts as absent, as the transformers library takes it.
bool given(const ConfigNode& root, std::string_view key) {
  const auto kind = root.get(key).kind();
  return kind != ConfigNode::Kind::missing && kind != ConfigNode::Kind::null;
}

/// True when some layer attends only to a window. Qwen files carry a window that use_sliding_window turns off.
bool slides(const ConfigNode& root) {
  const auto types = root.get("layer_types");
  for (std::size_t i = 0; types.kind() == ConfigNode::Kind::list && i < types.size(); ++i)
    if (types[i].kind() == ConfigNode::Kind::scalar && types[i].text() != "full_attention") return true;
  if (!given(root, "sliding_window")) return false;
  const auto use = root.get("use_sliding_window");
  return use.kind() != ConfigNode::Kind::scalar || use.text() != "false";
}

/// What the file asks for that no dense description can say.
std::string beyond_dense(const ConfigNode& root) {
  std::string list;
  const auto note = [&](bool there, std::string_view what) {
    if (there) list += fmt::format("{}{}", list.empty() ? "" : ", ", what);
  };
  note(given(root, "text_config"), "a nested text_config (several modalities)");
  note(given(root, "num_local_experts") || given(root, "num_experts") || given(root, "n_routed_experts"),
       "a mixture of experts");
  note(given(root, "kv_lora_rank"), "latent attention");
  note(slides(root), "sliding-window attention");
  note(given(root, "quantization_config"), "quantized weights");
  return list;
}

class Reader {
 public:
  Reader(const ConfigNode& root, Problems& problems) : root_(root), map_(root, problems) {}

  std::int64_t size(std::string_view key) { return map_.integer(key, 1, size_max); }
  std::int64_t size(std::string_view key, std::int64_t fallback) { return given(root_, key) ? size(key) : fallback; }
  bool flag(std::string_view key, bool fallback) { return given(root_, key) ? map_.flag(key) : fallback; }
  /// float32 is served as float16, as vLLM's dtype "auto" does.
  Dtype dtype() {
    static constexpr std::array<std::string_view, 3> names = {"bfloat16", "float16", "float32"};
    for (const auto key : {"dtype", "torch_dtype"})
      if (given(root_, key)) return map_.choice(key, names) == 0 ? Dtype::bfloat16 : Dtype::float16;
    return Dtype::float16;
  }
  void problem(std::string_view key, std::string message) { map_.problem(key, std::move(message)); }

 private:
  ConfigNode root_;
  MapReader map_;
};

void read_llama_like(Reader& in, std::string_view family, ModelSpec& m) {
  m.intermediate = in.size("intermediate_size");
  m.kv_heads = in.size("num_key_value_heads", m.heads);
  m.head_dim = in.size("head_dim", m.heads > 0 ? m.hidden / m.heads : 0);
  m.tied_embeddings = in.flag("tie_word_embeddings", false);
  const bool bias = in.flag("attention_bias", false);
  m.qkv_bias = family == "qwen2" || bias;  // Qwen2 has it without a key saying so
  m.o_bias = family != "qwen2" && bias;
  m.mlp_bias = in.flag("mlp_bias", false);
  m.qk_norm = family == "qwen3";
}

void read_opt(Reader& in, ModelSpec& m) {
  m.intermediate = in.size("ffn_dim");
  m.kv_heads = m.heads;
  m.head_dim = m.heads > 0 ? m.hidden / m.heads : 0;
  m.tied_embeddings = in.flag("tie_word_embeddings", true);
  m.qkv_bias = m.o_bias = m.mlp_bias = in.flag("enable_bias", true);
  m.learned_positions = m.max_positions + 2;  // transformers: OPTLearnedPositionalEmbedding has an offset of 2
  m.mlp = Mlp::plain;
  m.norm = Norm::layer;
  if (in.size("word_embed_proj_dim", m.hidden) != m.hidden)
    in.problem("word_embed_proj_dim", "an embedding narrower than hidden_size (OPT-350M) is not supported");
  if (!in.flag("do_layer_norm_before", true))
    in.problem("do_layer_norm_before", "norms after the sublayers (OPT-350M) are not supported");
}

std::string name_of(const std::string& file) {
  const std::filesystem::path path(file);
  if (path.filename() != "config.json") return path.stem().string();
  const auto folder = path.parent_path().filename().string();
  return folder.empty() || folder == "." || folder == ".." ? "config" : folder;
}
}  // namespace

ModelSpec read_huggingface(const ConfigNode& root, const std::string& file, Problems& problems) {
  ModelSpec m;
  m.name = name_of(file);
  m.source = fmt::format("Hugging Face {}", file);
  const auto type = root.get("model_type");
  const std::string family = type.kind() == ConfigNode::Kind::scalar ? type.text() : "";
  const std::string beyond = beyond_dense(root);
  const bool known = std::find(families.begin(), families.end(), family) != families.end();
  if (!known || !beyond.empty()) {
    const std::string why = !beyond.empty() ? fmt::format("needs {}, which is not supported yet", beyond)
                                            : "is not known: how its layers are built, normed and biased is missing";
    problems.add(type.at(), fmt::format("model_type '{}' {}; imported are dense {}; a YAML description can state "
                                        "another dense model's shapes (see `stowage model show`)",
                                        family, why, "llama, mistral, qwen2, qwen3 and opt"));
    return m;
  }
  Reader in(root, problems);
  m.layers = in.size("num_hidden_layers");
  m.hidden = in.size("hidden_size");
  m.heads = in.size("num_attention_heads");
  m.vocab = in.size("vocab_size");
  m.max_positions = in.size("max_position_embeddings");
  m.dtype = in.dtype();
  m.kv_dtype = m.dtype;
  if (family == "opt")
    read_opt(in, m);
  else
    read_llama_like(in, family, m);
  return m;
}
}  // namespace stowage
