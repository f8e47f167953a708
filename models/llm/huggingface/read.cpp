// From a config.json to a ModelSpec: which family, its layers one by one, and the fields that say the same where all
// layers are alike.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <map>

#include "models/llm/huggingface/huggingface.hpp"
#include "models/llm/huggingface/parts.hpp"
#include "models/llm/quantization/rules.hpp"

namespace stowage {
namespace {
using Kind = ConfigNode::Kind;

/// The language model's part of the file.
ConfigNode text_part(const ConfigNode& file) {
  for (const auto key : {"text_config", "language_config", "llm_config"})
    if (file.get(key).kind() == Kind::map) return file.get(key);
  const ConfigNode thinker = file.get("thinker_config");  // Qwen-Omni
  return thinker.kind() == Kind::map && thinker.get("text_config").kind() == Kind::map ? thinker.get("text_config")
                                                                                       : file;
}

std::string name_of(const std::string& file) {
  const std::filesystem::path path(file);
  if (path.filename() != "config.json") return path.stem().string();
  const auto folder = path.parent_path().filename().string();
  return folder.empty() || folder == "." || folder == ".." ? "config" : folder;
}

/// Keys of structures that the shared keys cannot say.
std::string beyond_shared_keys(const ConfigNode& root) {
  constexpr std::array<std::string_view, 21> parts = {
      "mamba",      "ssm",           "linear_attn",     "linear_num", "recurrent", "rwkv",           "lru_",
      "state_size", "block_configs", "hybrid",          "attn_layer", "compress",  "index_topk",     "cross_attention",
      "kv_shared",  "altup",         "per_layer_input", "is_encoder", "encoder_",  "decoder_layers", "conv_"};
  std::string list;
  for (const auto& [key, value] : root.entries()) {
    if (value.kind() == Kind::null || scalar_text(value) == "false" || scalar_text(value) == "0") continue;
    if (std::ranges::any_of(parts, [&, &name = key](auto part) { return name.find(part) != std::string::npos; }))
      list += fmt::format("{}'{}'", list.empty() ? "" : ", ", shown(key));
  }
  return list;
}

/// What the table's families do not expect in a file.
std::string unexpected(const ConfigNode& root, const Family& family) {
  std::string list;
  const auto note = [&](bool there, std::string_view what) {
    if (there) list += fmt::format("{}{}", list.empty() ? "" : ", ", what);
  };
  for (const auto key : {"num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts"})
    note(given(root, key) && scalar_text(root.get(key)) != "0" && !family.experts,
         fmt::format("a mixture of experts ('{}')", key));
  note(family.pattern == Pattern::full && family.attention == Attention::heads && given(root, "sliding_window") &&
           !given(root, "layer_types"),
       "sliding-window attention (which layers have it)");
  note(given(root, "kv_lora_rank") && family.attention != Attention::latent, "latent attention");
  return list;
}

class Import {
 public:
  Import(const ConfigNode& file, const std::string& name, Problems& problems)
      : file_(file), root_(text_part(file)), problems_(problems) {
    m_.name = name_of(name);
    m_.source = fmt::format("Hugging Face {}", name);
    where_ = std::filesystem::path(name).filename().string();
  }

  ModelSpec read(std::string_view as_family, const ConfigNode& beside) {
    if (!choose_family(as_family)) return m_;
    Reader in(root_, file_, family_.defaults, problems_);
    const Shape shape = read_shape(in, family_);
    m_.dtype = m_.kv_dtype = in.dtype();
    if (shape.layers > layers_max)
      problems_.add(root_.at(), fmt::format("{} layers; at most {} are read", shape.layers, layers_max));
    if (!problems_.empty()) return m_;
    const auto plans = plan_layers(in, family_, shape);
    if (!problems_.empty()) return m_;
    build(in, shape, plans);
    if (problems_.empty()) store(in, beside, shape);
    if (problems_.empty()) describe(in, shape, plans);
    return m_;
  }

 private:
  static constexpr std::int64_t layers_max = 4096;

  bool choose_family(std::string_view as_family) {
    const ConfigNode::Kind kind = file_.get("model_type").kind();
    const std::string given_type = scalar_text(file_.get("model_type"));
    const bool name = !given_type.empty() && std::isalpha(static_cast<unsigned char>(given_type.front())) != 0 &&
                      given_type != "true" && given_type != "false" && given_type != "NaN" && given_type != "Infinity";
    if (kind != Kind::missing && !name) {
      problems_.add(file_.get("model_type").at(), "'model_type' must be a name");
      return false;
    }
    const std::string inner = scalar_text(root_.get("model_type")), outer = scalar_text(file_.get("model_type"));
    const std::string type = !as_family.empty() ? std::string(as_family) : !inner.empty() ? inner : outer;
    const Family* row = find_family(type);
    if (row == nullptr && as_family.empty()) row = find_family(outer);
    if (row != nullptr) {
      family_ = *row;
      if (const std::string more = unexpected(root_, family_); !more.empty())
        problems_.add(
            root_.get("model_type").at(),
            fmt::format("model_type '{}' with {} is not known: how it is built is missing; describe the model "
                        "in YAML (see `stowage model show`)",
                        shown(type), more));
      return problems_.empty();
    }
    if (as_family.empty() && generic(type)) return problems_.empty();
    problems_.add(
        root_.get("model_type").at(),
        fmt::format(
            "model_type '{}' is not known; missing: {}; state them in a YAML description with "
            "'huggingface: {}', 'family:' (the nearest of docs/models.md, as llama or mixtral) and the keys that "
            "differ",
            shown(type), missing_, where_));
    return false;
  }

  /// A type that is not in the table, read as a Llama would be, with experts where the file has some.
  bool generic(const std::string& type) {
    const std::string beyond = beyond_shared_keys(root_);
    const ConfigNode names = file_.get("architectures");
    const std::string architecture = names.kind() == Kind::list && names.size() > 0 ? scalar_text(names[0]) : "";
    const bool decoder = architecture.empty() || architecture.find("CausalLM") != std::string::npos ||
                         architecture.find("ConditionalGeneration") != std::string::npos ||
                         architecture.find("LMHead") != std::string::npos;
    if (!decoder)
      missing_ = fmt::format("whether it is a decoder of text ('{}' is not known to be)", shown(architecture));
    if (!beyond.empty()) missing_ = fmt::format("how its layers are built, by {}", beyond);
    bool sized = true;
    for (const auto key : {"hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size"})
      sized = sized && given(root_, key);
    if (!sized && missing_.empty()) missing_ = "hidden_size, num_hidden_layers, num_attention_heads and vocab_size";
    if (!missing_.empty()) return false;
    family_ = {.type = "unknown", .source = "assumed"};
    family_.experts = true;
    family_.shared_gate = false;
    if (given(root_, "kv_lora_rank")) family_.attention = Attention::latent;
    family_.qk_norm = QkNorm::head_by_key;
    family_.pattern = Pattern::windows;
    m_.assumed.push_back(fmt::format(
        "model_type '{}' is not known: taken for a decoder with gated MLPs, two RMS norms a layer, and biases, windows "
        "and experts as its keys say; state what differs in a YAML description",
        shown(type)));
    return true;
  }

  LayerKind layer_of(const Blueprint& from, const LayerPlan& plan) {
    LayerKind layer;
    layer.vectors = plan.norms * norm_size(family_.norm, from.shape.hidden);
    if (plan.attention) add_attention(from, plan, layer);
    if (plan.mixer) add_mixer(from, layer);
    add_feed_forward(from, plan, layer);
    return layer;
  }

  void build(Reader& in, const Shape& shape, const std::vector<LayerPlan>& plans) {
    const Blueprint from{in, family_, shape, m_.dtype};
    std::vector<LayerPlan> known;
    for (const LayerPlan& plan : plans) {
      const auto it = std::ranges::find(known, plan);
      table_.order.push_back(static_cast<std::uint16_t>(it - known.begin()));
      if (it != known.end()) continue;
      known.push_back(plan);
      table_.kinds.push_back(layer_of(from, plan));
    }
    table_.experts_per_token = shape.experts_per_token;
    const bool tied = in.outer_flag("tie_word_embeddings", family_.tied);
    const auto whole = [&](std::string name, std::int64_t rows) {
      return Matrix{.name = std::move(name), .rows = rows, .columns = shape.hidden, .units = rows, .linear = false};
    };
    table_.first.push_back(whole("embed_tokens", shape.vocab));
    if (family_.positions >= 0) {
      table_.first.push_back(whole("embed_positions", shape.max_positions + family_.positions));
      table_.first.back().units = 0;
    }
    if (!tied) {
      table_.last.push_back(whole("lm_head", shape.vocab));
      if (family_.head_bias || (family_.head_bias_by_key && in.flag({"lm_head_bias"}, false)))
        table_.last.back().biases = shape.vocab;
    }
    table_.last_vectors = norm_size(family_.norm, shape.hidden) * (family_.embedding_norm ? 2 : 1);
    m_.tied_embeddings = tied;
    add_towers(from, table_, m_.assumed);
    if (in.count({"hc_mult"}) > 1)
      m_.assumed.push_back("the weights of its hyper-connections are left out, which are few beside its matrices");
    check_size();
  }

  /// In floating point, so that the exact sums in 64 bits are known to be safe.
  void check_size() {
    double parameters = 0;
    const auto count = [&](const std::vector<Matrix>& matrices, double times) {
      for (const Matrix& m : matrices)
        parameters += times * static_cast<double>(m.copies) *
                      (static_cast<double>(m.rows) * static_cast<double>(m.columns) + static_cast<double>(m.biases));
    };
    const auto layers = table_.layers_of_kinds();
    for (std::size_t k = 0; k < layers.size(); ++k) count(table_.kinds[k].matrices, static_cast<double>(layers[k]));
    count(table_.first, 1);
    count(table_.last, 1);
    if (parameters + static_cast<double>(table_.tower_vectors) > 1e15)
      problems_.add(root_.at(), "these shapes make more than 10^15 parameters; check them");
  }

  /// How each matrix is stored; kinds of which layers differ in that are split.
  void store(Reader& in, const ConfigNode& beside, const Shape& shape) {
    const ConfigNode own = in.quantization();
    QuantRules rules = read_quant_rules(own.kind() == Kind::map ? own : beside, problems_);
    if (!problems_.empty()) return;
    if (rules.fp8_cache) m_.kv_dtype = Dtype::float8;
    const std::string expert_dtype = in.text("expert_dtype");
    const bool small_experts = own.kind() == Kind::map && expert_dtype == "fp4" && rules.assigned.empty();
    if (rules.rest.plain() && rules.assigned.empty()) return;
    std::map<std::vector<std::size_t>, std::uint16_t> known;
    std::vector<Storage> used;
    std::vector<LayerKind> kinds;
    for (std::int64_t i = 0; i < shape.layers; ++i) {
      auto& order = table_.order[static_cast<std::size_t>(i)];
      std::vector<std::size_t> key = {order};
      for (const Matrix& m : table_.kinds[order].matrices) {
        Storage s = m.linear ? rules.of(i, m.name, m.expert) : Storage{};
        if (small_experts && m.expert) s = *storage_of("mxfp4");
        const auto it = std::ranges::find(used, s);
        key.push_back(static_cast<std::size_t>(it - used.begin()));
        if (it == used.end()) used.push_back(s);
      }
      const auto [it, is_new] = known.try_emplace(key, static_cast<std::uint16_t>(kinds.size()));
      if (is_new) {
        kinds.push_back(table_.kinds[order]);
        for (std::size_t k = 0; k < kinds.back().matrices.size(); ++k)
          kinds.back().matrices[k].storage = used[key[k + 1]];
      }
      order = it->second;
    }
    table_.kinds = std::move(kinds);
    for (Matrix& m : table_.last)  // a head is quantized only where the file names it
      if (const auto own_scheme = rules.assigned.find(-1, m.name)) m.storage = rules.schemes[*own_scheme];
    m_.quant = table_.quant();
  }

  /// The fields that say the same where layers are alike. The table is kept only where they do not.
  void describe(Reader& in, const Shape& shape, const std::vector<LayerPlan>& plans) {
    m_.layers = shape.layers, m_.hidden = shape.hidden, m_.heads = shape.heads, m_.vocab = shape.vocab;
    m_.max_positions = shape.max_positions, m_.intermediate = shape.intermediate;
    m_.mlp = family_.mlp, m_.norm = family_.norm;
    m_.learned_positions = family_.positions >= 0 ? shape.max_positions + family_.positions : 0;
    const auto attends = std::ranges::find_if(plans, [](const LayerPlan& p) { return p.attention; });
    m_.kv_heads = attends != plans.end() ? attends->kv_heads : shape.kv_heads;
    m_.head_dim = attends != plans.end() ? attends->head_dim : shape.head_dim;
    m_.sandwich_norms = family_.norms == 4;
    m_.sinks = family_.gpt_oss;
    if (family_.attention == Attention::latent) {
      m_.q_rank = in.count({"q_lora_rank"}), m_.kv_rank = in.size({"kv_lora_rank"});
      m_.nope_dim = in.size({"qk_nope_head_dim"}), m_.rope_dim = in.size({"qk_rope_head_dim"});
      m_.v_dim = in.size({"v_head_dim"});
      m_.kv_heads = m_.heads, m_.head_dim = m_.nope_dim + m_.rope_dim;
    }
    for (const LayerPlan& p : plans) {
      if (p.window > 0) ++m_.window_layers, m_.window = std::max(m_.window, p.window);
      if (!p.experts) ++m_.dense_layers;
      if (p.dense && !p.experts) m_.intermediate = std::max(p.width, std::int64_t{1});
    }
    if (m_.dense_layers == m_.layers)
      m_.dense_layers = 0;
    else
      m_.experts = shape.experts, m_.experts_per_token = shape.experts_per_token,
      m_.expert_intermediate = shape.expert_width,
      m_.shared_experts = (shape.shared_width + shape.expert_width - 1) / shape.expert_width;
    for (const LayerKind& kind : table_.kinds)
      for (const Matrix& x : kind.matrices) {
        if (x.biases == 0) continue;
        if (x.name.ends_with(".q_proj"))
          m_.qkv_bias = true;
        else if (x.name.ends_with(".o_proj"))
          m_.o_bias = true;
        else if (x.expert)
          m_.expert_bias = true;
        else if (x.name.ends_with(".gate"))
          m_.router_bias = true;
        else if (x.name.ends_with(".up_proj"))
          m_.mlp_bias = true;
      }
    m_.qk_norm =
        family_.qk_norm == QkNorm::head ||
        (family_.qk_norm == QkNorm::head_by_key && in.flag({"use_qk_norm", "qk_layernorm", "use_qk_layernorm"}, false));
    if (table_.token_bytes(2, 0, shape.layers) == 0)
      problems_.add(root_.at(),
                    "no layer keeps keys and values, so there is no KV cache to plan; such models are not known");
    else
      m_.settle(std::move(table_));
  }

  ConfigNode file_, root_;
  Problems& problems_;
  Family family_;
  ModelSpec m_;
  LayerTable table_;
  std::string where_, missing_;
};
}  // namespace

ModelSpec read_huggingface(const ConfigNode& file, const std::string& name, Problems& problems,
                           std::string_view as_family, const ConfigNode& beside) {
  return Import(file, name, problems).read(as_family, beside);
}
}  // namespace stowage
