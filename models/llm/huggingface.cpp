#include "models/llm/huggingface.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>

namespace stowage {
namespace {
constexpr std::int64_t size_max = std::int64_t{1} << 24;  // of any one dimension: sums stay far from overflow

/// Which layers see a window when `layer_types` does not list them.
enum class Windows : std::uint8_t {
  none,       // `sliding_window` is not expected
  all,        // every layer when it is given (Mistral v0.1)
  switched,   // off unless use_sliding_window (Qwen), and then only by layer_types
  even,       // layers 0, 2, ... (Gemma 2, gpt-oss)
  by_pattern  // all but every sliding_window_pattern-th (Gemma 3: 6)
};

/// What a family's layers are beyond what the file's keys say (transformers' models/<family>/modeling_*.py).
struct Family {
  std::string_view type;
  Windows windows = Windows::none;
  std::string_view experts_key = {};  // "" = dense
  bool latent = false;                // DeepSeek's attention, shared experts, leading dense layers, router bias
  bool qkv_bias = false;              // always there; others follow attention_bias
  bool qk_norm = false;
  bool sandwich_norms = false;
  bool tied_default = false;
  bool gpt_oss = false;  // sinks, biases of router and experts
};
constexpr std::array<Family, 12> families = {{
    {"llama"},
    {"mistral", Windows::all},
    {"qwen2", Windows::switched, "", false, true},
    {"qwen3", Windows::switched, "", false, false, true},
    {"opt"},
    {"mixtral", Windows::none, "num_local_experts"},
    {"qwen3_moe", Windows::switched, "num_experts", false, false, true},
    {"deepseek_v3", Windows::none, "n_routed_experts", true},
    {"kimi_k2", Windows::none, "n_routed_experts", true},
    {"gemma2", Windows::even, "", false, false, false, true, true},
    {"gemma3_text", Windows::by_pattern, "", false, false, true, true, true},
    {"gpt_oss", Windows::even, "num_local_experts", false, false, false, false, false, true},
}};

const Family* find_family(std::string_view type) {
  const auto it = std::find_if(families.begin(), families.end(), [&](const Family& f) { return f.type == type; });
  return it == families.end() ? nullptr : &*it;
}

/// A JSON null counts as absent, as the transformers library takes it.
bool given(const ConfigNode& root, std::string_view key) {
  const auto kind = root.get(key).kind();
  return kind != ConfigNode::Kind::missing && kind != ConfigNode::Kind::null;
}
std::string scalar_text(const ConfigNode& node) {
  return node.kind() == ConfigNode::Kind::scalar ? node.text() : std::string{};
}

/// What the file asks for that its family's description cannot say.
std::string unexpected(const ConfigNode& root, const Family& family) {
  std::string list;
  const auto note = [&](bool there, std::string_view what) {
    if (there) list += fmt::format("{}{}", list.empty() ? "" : ", ", what);
  };
  note(given(root, "text_config"), "a nested text_config (several modalities)");
  for (const auto key : {"num_local_experts", "num_experts", "n_routed_experts"})
    note(given(root, key) && family.experts_key != key, fmt::format("a mixture of experts ('{}')", key));
  note(given(root, "kv_lora_rank") && !family.latent, "latent attention");
  note(given(root, "sliding_window") && family.windows == Windows::none, "sliding-window attention");
  return list;
}

class Reader {
 public:
  /// `outer` holds what a nested text_config leaves to the file around it: dtype and quantization.
  Reader(const ConfigNode& root, const ConfigNode& outer, Problems& problems)
      : root_(root), outer_(outer), map_(root, problems), outer_map_(outer, problems), problems_(problems) {}

  std::int64_t size(std::string_view key) { return map_.integer(key, 1, size_max); }
  std::int64_t size(std::string_view key, std::int64_t fallback) { return given(root_, key) ? size(key) : fallback; }
  std::int64_t count(std::string_view key, std::int64_t fallback) {
    return given(root_, key) ? map_.integer(key, 0, size_max) : fallback;
  }
  bool flag(std::string_view key, bool fallback) { return given(root_, key) ? map_.flag(key) : fallback; }
  [[nodiscard]] bool has(std::string_view key) const { return given(root_, key); }
  [[nodiscard]] ConfigNode node(std::string_view key) const { return root_.get(key); }
  /// float32 is served as float16, as vLLM's dtype "auto" does.
  Dtype dtype() {
    static constexpr std::array<std::string_view, 3> names = {"bfloat16", "float16", "float32"};
    for (const auto key : {"dtype", "torch_dtype"}) {
      const bool inner = given(root_, key);
      if (!inner && !given(outer_, key)) continue;
      return (inner ? map_ : outer_map_).choice(key, names) == 0 ? Dtype::bfloat16 : Dtype::float16;
    }
    return Dtype::float16;
  }
  Quant quant() {
    const auto config =
        given(root_, "quantization_config") ? root_.get("quantization_config") : outer_.get("quantization_config");
    if (config.kind() != ConfigNode::Kind::map) return Quant::none;
    const std::string method = scalar_text(config.get("quant_method"));
    const std::string bits = scalar_text(config.get("bits"));
    if (method == "fp8") return given(config, "weight_block_size") ? Quant::fp8_block : Quant::fp8;
    if (method == "mxfp4") return Quant::mxfp4;
    if ((method == "awq" || method == "gptq") && bits == "4") return Quant::int4;
    problems_.add(config.at(), fmt::format("quantized weights by '{}'{} are not known; read are fp8, mxfp4 and awq or "
                                           "gptq with 4 bits; else say quantization: in a YAML description that has "
                                           "'huggingface: FILE'",
                                           shown(method), bits.empty() ? "" : " with " + bits + " bits"));
    return Quant::none;
  }
  void problem(std::string_view key, std::string message) { map_.problem(key, std::move(message)); }

 private:
  ConfigNode root_, outer_;
  MapReader map_, outer_map_;
  Problems& problems_;
};

/// Layers of `layer_types` that see a window; nothing when the file has no such list.
std::optional<std::int64_t> listed_windows(Reader& in, std::int64_t layers) {
  const auto types = in.node("layer_types");
  if (types.kind() != ConfigNode::Kind::list) return std::nullopt;
  std::int64_t windows = 0;
  for (std::size_t i = 0; i < types.size(); ++i) {
    const std::string type = scalar_text(types[i]);
    if (type == "sliding_attention") ++windows;
    if (type == "sliding_attention" || type == "full_attention") continue;
    in.problem("layer_types",
               fmt::format("'{}' layers are not known; full_attention and sliding_attention are", shown(type)));
    return windows;
  }
  if (layers > 0 && types.size() != static_cast<std::size_t>(layers))
    in.problem("layer_types",
               fmt::format("layer_types names {} layers, num_hidden_layers says {}", types.size(), layers));
  return windows;
}

void read_windows(Reader& in, const Family& family, ModelSpec& m) {
  if (family.windows == Windows::none || !in.has("sliding_window")) return;
  const auto listed = listed_windows(in, m.layers);
  if (family.windows == Windows::switched && !listed) {
    if (in.flag("use_sliding_window", false))
      in.problem("sliding_window", "sliding-window attention without layer_types: which layers have it is missing");
    return;
  }
  if (family.windows == Windows::switched && !in.flag("use_sliding_window", true)) return;
  if (listed)
    m.window_layers = *listed;
  else if (family.windows == Windows::all)
    m.window_layers = m.layers;
  else if (family.windows == Windows::even)
    m.window_layers = (m.layers + 1) / 2;
  else
    m.window_layers = m.layers - m.layers / in.size("sliding_window_pattern", 6);
  if (m.window_layers > 0) m.window = in.size("sliding_window");
}

void read_experts(Reader& in, const Family& family, ModelSpec& m) {
  m.experts = in.size(family.experts_key);
  const bool old_key = family.gpt_oss && !in.has("num_experts_per_tok");
  m.experts_per_token = in.size(old_key ? "experts_per_token" : "num_experts_per_tok");
  m.expert_intermediate = in.size("moe_intermediate_size", m.intermediate);
  if (in.count("decoder_sparse_step", 1) != 1 || in.count("moe_layer_freq", 1) != 1)
    in.problem(in.has("moe_layer_freq") ? "moe_layer_freq" : "decoder_sparse_step",
               "experts in only some of the layers are not supported");
  const auto plain = in.node("mlp_only_layers");
  if (plain.kind() == ConfigNode::Kind::list && plain.size() > 0)
    in.problem("mlp_only_layers", "experts in only some of the layers are not supported");
  m.router_bias = m.expert_bias = family.gpt_oss;
}

void read_latent(Reader& in, ModelSpec& m) {
  m.q_rank = in.count("q_lora_rank", 0);
  m.kv_rank = in.size("kv_lora_rank");
  m.nope_dim = in.size("qk_nope_head_dim");
  m.rope_dim = in.size("qk_rope_head_dim");
  m.v_dim = in.size("v_head_dim");
  m.kv_heads = m.heads;
  m.head_dim = m.nope_dim + m.rope_dim;
  m.shared_experts = in.count("n_shared_experts", 0);
  m.dense_layers = in.count("first_k_dense_replace", 0);
  m.router_bias = true;  // e_score_correction_bias
}

void read_decoder(Reader& in, const Family& family, ModelSpec& m) {
  m.intermediate = in.size("intermediate_size");
  m.kv_heads = in.size("num_key_value_heads", m.heads);
  m.head_dim = family.latent ? 1 : in.size("head_dim", m.heads > 0 ? m.hidden / m.heads : 0);
  m.tied_embeddings = in.flag("tie_word_embeddings", family.tied_default);
  const bool bias = in.flag("attention_bias", family.gpt_oss);
  m.qkv_bias = family.qkv_bias || bias;
  m.o_bias = !family.qkv_bias && bias;
  m.mlp_bias = in.flag("mlp_bias", false);
  m.qk_norm = family.qk_norm;
  m.sandwich_norms = family.sandwich_norms;
  m.sinks = family.gpt_oss;
  if (!family.experts_key.empty()) read_experts(in, family, m);
  if (family.latent) read_latent(in, m);
  read_windows(in, family, m);
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

std::string huggingface_families() {
  std::string out;
  for (const auto& f : families) out += (out.empty() ? "" : ", ") + std::string(f.type);
  return out;
}

ModelSpec read_huggingface(const ConfigNode& outer, const std::string& file, Problems& problems,
                           std::string_view as_family) {
  ModelSpec m;
  m.name = name_of(file);
  m.source = fmt::format("Hugging Face {}", file);
  const auto type = outer.get("model_type");
  const bool nested = scalar_text(type) == "gemma3" && outer.get("text_config").kind() == ConfigNode::Kind::map;
  const ConfigNode root = nested ? outer.get("text_config") : outer;
  const std::string wanted = !as_family.empty() ? std::string(as_family) : nested ? "gemma3_text" : scalar_text(type);
  const Family* family = find_family(wanted);
  if (family == nullptr) {
    problems.add(
        type.at(),
        fmt::format("model_type '{}' is not known; missing: whether its MLPs are gated and its norms RMS, where "
                    "it has biases and query-key norms, whether head and embedding are tied, and what its "
                    "experts, windows or latent attention are; state them in a YAML description with "
                    "'huggingface: {}', 'family:' (the nearest of {}) and the keys that differ",
                    shown(wanted), std::filesystem::path(file).filename().string(), huggingface_families()));
    return m;
  }
  if (const std::string beyond = unexpected(root, *family); !beyond.empty()) {
    problems.add(type.at(), fmt::format("model_type '{}' with {} is not known: how it is built is missing; describe "
                                        "the model in YAML (see `stowage model show`)",
                                        wanted, beyond));
    return m;
  }
  Reader in(root, outer, problems);
  m.layers = in.size("num_hidden_layers");
  m.hidden = in.size("hidden_size");
  m.heads = in.size("num_attention_heads");
  // What transformers' Gemma3TextConfig supplies when the file leaves it out.
  m.vocab = nested ? in.size("vocab_size", 262208) : in.size("vocab_size");
  m.max_positions = nested ? in.size("max_position_embeddings", 131072) : in.size("max_position_embeddings");
  m.dtype = in.dtype();
  m.kv_dtype = m.dtype;
  if (family->type == "opt")
    read_opt(in, m);
  else
    read_decoder(in, *family, m);
  m.quant = in.quant();
  return m;
}
}  // namespace stowage
