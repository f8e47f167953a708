// Where descriptions come from: the zoo inside the binary, or a file.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>

#include "base/config.hpp"
#include "base/embedded.hpp"
#include "models/llm/huggingface/huggingface.hpp"
#include "models/llm/huggingface/reader.hpp"
#include "models/llm/model.hpp"

namespace stowage {
std::span<const EmbeddedFile> embedded_models();  // models/llm/zoo/*.yaml, put there by the build

namespace {
constexpr std::int64_t size_max = std::int64_t{1} << 24;  // of any one dimension: sums stay far from overflow
constexpr std::array<std::string_view, 2> dtypes = {"bfloat16", "float16"};
constexpr std::array<std::string_view, 3> kv_dtypes = {"bfloat16", "float16", "float8"};
constexpr std::array<std::string_view, 2> mlps = {"gated", "plain"};
constexpr std::array<std::string_view, 3> norms = {"rms", "layer", "none"};
constexpr std::array<std::string_view, 7> quants = {"none", "fp8", "fp8-block", "int4", "mxfp4", "nvfp4", "int8"};

constexpr std::array<std::string_view, 31> shape_keys = {"layers",
                                                         "hidden",
                                                         "heads",
                                                         "kv_heads",
                                                         "head_dim",
                                                         "intermediate",
                                                         "vocab",
                                                         "learned_positions",
                                                         "tied_embeddings",
                                                         "qkv_bias",
                                                         "o_bias",
                                                         "mlp_bias",
                                                         "qk_norm",
                                                         "sandwich_norms",
                                                         "sinks",
                                                         "mlp",
                                                         "norm",
                                                         "experts",
                                                         "experts_per_token",
                                                         "expert_intermediate",
                                                         "shared_experts",
                                                         "dense_layers",
                                                         "router_bias",
                                                         "expert_bias",
                                                         "q_rank",
                                                         "kv_rank",
                                                         "nope_dim",
                                                         "rope_dim",
                                                         "v_dim",
                                                         "window",
                                                         "window_layers"};

/// ModelOpt keeps its rules in a file beside config.json.
ConfigNode quantization_beside(const std::string& config) {
  const auto path = std::filesystem::path(config).parent_path() / "hf_quant_config.json";
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) return {};
  return ConfigDocument::load(path.string()).root().get("quantization");
}

/// A description in YAML. With `huggingface: FILE` (relative to this one's folder) the file's shapes are what the keys
/// given here override, read as `family:` whatever its model_type says.
ModelSpec read_yaml(const ConfigNode& root, const std::string& file, Problems& problems) {
  MapReader in(root, problems);
  ModelSpec m;
  const bool import = in.has("huggingface");
  const std::string from = in.text("huggingface", "");
  const std::string family = in.text("family", "");
  if (!import && in.has("family")) in.problem("family", "'family' goes with 'huggingface: FILE' only; remove it");
  if (import) {
    const auto path = std::filesystem::path(file).parent_path() / from;
    const auto document = ConfigDocument::load(path.string());
    m = read_huggingface(document.root(), document.file(), problems, family, quantization_beside(document.file()));
    if (!problems.empty()) return m;
    for (const auto key : shape_keys)
      if (m.table && in.has(key))
        in.problem(key,
                   fmt::format("the layers of '{}' differ from each other, so '{}' cannot be stated for all of them; "
                               "remove it, or describe the model without 'huggingface'",
                               from, key));
  }
  /// Required, unless imported.
  const auto size = [&](std::string_view key, std::int64_t& value, std::int64_t max = size_max) {
    value = import ? in.integer(key, 1, max, value) : in.integer(key, 1, max);
  };
  const auto count = [&](std::string_view key, std::int64_t& value) { value = in.integer(key, 0, size_max, value); };
  const auto flag = [&](std::string_view key, bool& value) { value = in.flag(key, value); };
  m.name = import ? in.text("name", m.name) : in.text("name");
  m.source = in.text("source", m.source);
  size("layers", m.layers, 4096);
  size("hidden", m.hidden);
  size("heads", m.heads, 65536);
  m.kv_heads = in.integer("kv_heads", 1, 65536, import ? m.kv_heads : m.heads);
  m.head_dim = in.integer("head_dim", 1, 65536, import ? m.head_dim : m.heads > 0 ? m.hidden / m.heads : 1);
  size("intermediate", m.intermediate);
  size("vocab", m.vocab);
  size("max_positions", m.max_positions, std::int64_t{1} << 31);
  m.learned_positions = in.integer("learned_positions", 0, std::int64_t{1} << 31, m.learned_positions);
  flag("tied_embeddings", m.tied_embeddings);
  flag("qkv_bias", m.qkv_bias);
  flag("o_bias", m.o_bias);
  flag("mlp_bias", m.mlp_bias);
  flag("qk_norm", m.qk_norm);
  flag("sandwich_norms", m.sandwich_norms);
  flag("sinks", m.sinks);
  m.mlp = static_cast<Mlp>(in.choice("mlp", mlps, static_cast<std::size_t>(m.mlp)));
  m.norm = static_cast<Norm>(in.choice("norm", norms, static_cast<std::size_t>(m.norm)));
  m.dtype = static_cast<Dtype>(in.choice("dtype", dtypes, static_cast<std::size_t>(m.dtype)));
  m.kv_dtype =
      static_cast<Dtype>(in.choice("kv_dtype", kv_dtypes, static_cast<std::size_t>(import ? m.kv_dtype : m.dtype)));
  // Other spellings of a scheme, as engines take them: "awq", "bitsandbytes", "w8a8".
  const ConfigNode asked = in.node("quantization");
  const auto spelled = asked ? storage_of(scalar_text(asked)) : std::nullopt;
  if (spelled) {
    m.quantize(quant_of(*spelled));
  } else if (asked || !m.table) {
    const auto usual = m.quant == Quant::mixed ? std::size_t{0} : static_cast<std::size_t>(m.quant);
    m.quantize(static_cast<Quant>(in.choice("quantization", quants, usual)));
  }
  count("experts", m.experts);
  count("experts_per_token", m.experts_per_token);
  m.expert_intermediate = in.integer("expert_intermediate", 0, size_max,
                                     m.moe() && m.expert_intermediate == 0 ? m.intermediate : m.expert_intermediate);
  count("shared_experts", m.shared_experts);
  count("dense_layers", m.dense_layers);
  flag("router_bias", m.router_bias);
  flag("expert_bias", m.expert_bias);
  count("q_rank", m.q_rank);
  count("kv_rank", m.kv_rank);
  count("nope_dim", m.nope_dim);
  count("rope_dim", m.rope_dim);
  count("v_dim", m.v_dim);
  count("window", m.window);
  count("window_layers", m.window_layers);
  in.finish();
  return m;
}

void check_shapes(const ModelSpec& m, const ConfigNode& root, Problems& problems) {
  if (m.heads % m.kv_heads != 0)
    problems.add(root.at(), fmt::format("{} query heads cannot share {} KV heads evenly; kv_heads must divide heads",
                                        m.heads, m.kv_heads));
  if (m.head_dim < 1)
    problems.add(root.at(), fmt::format("hidden {} is less than {} heads; give head_dim", m.hidden, m.heads));
  if (m.moe() && (m.experts_per_token < 1 || m.experts_per_token > m.experts))
    problems.add(root.at(),
                 fmt::format("experts_per_token must be 1 to {} (experts), not {}", m.experts, m.experts_per_token));
  if (!m.moe() && (m.experts_per_token > 0 || m.shared_experts > 0 || m.dense_layers > 0 || m.quant == Quant::mxfp4))
    problems.add(root.at(),
                 "experts_per_token, shared_experts, dense_layers and mxfp4 go with 'experts'; give that "
                 "too, or remove them");
  if (m.moe() && m.dense_layers >= m.layers)
    problems.add(root.at(),
                 fmt::format("dense_layers {} leaves no layer of {} for the experts", m.dense_layers, m.layers));
  if (m.latent() && (m.nope_dim < 1 || m.rope_dim < 1 || m.v_dim < 1))
    problems.add(root.at(), "latent attention (kv_rank) also needs nope_dim, rope_dim and v_dim");
  if ((m.window > 0) != (m.window_layers > 0) || m.window_layers > m.layers)
    problems.add(root.at(),
                 fmt::format("window and window_layers go together, and at most {} layers can have one", m.layers));
  // In floating point, so that the exact sums in int64 are known to be safe.
  const double latent = static_cast<double>(m.q_rank + m.kv_rank + m.nope_dim + m.rope_dim + m.v_dim);
  const double widths =
      4.0 * static_cast<double>(m.heads) * (static_cast<double>(m.head_dim) + latent) +
      3.0 * static_cast<double>(m.intermediate) +
      3.0 * static_cast<double>(m.experts + m.shared_experts) * static_cast<double>(m.expert_intermediate + 1) + latent;
  const double tables = 2.0 * static_cast<double>(m.vocab) + static_cast<double>(m.learned_positions);
  if (static_cast<double>(m.hidden) * (static_cast<double>(m.layers) * widths + tables) > 1e15)
    problems.add(root.at(), "these shapes make more than 10^15 parameters; check them");
}

bool is_path(std::string_view text) {
  return text.find('/') != std::string_view::npos || text.ends_with(".yaml") || text.ends_with(".yml") ||
         text.ends_with(".json");
}

/// The zoo's name of a Hugging Face one: "meta-llama/Llama-3.1-8B-Instruct" is llama-3.1-8b. Tunings of a model have
/// its shapes; other words ("-FP8", "-VL") name other models.
std::string zoo_name(std::string_view text) {
  constexpr std::array<std::string_view, 9> makers = {"meta-llama", "Qwen",  "mistralai",  "deepseek-ai", "google",
                                                      "openai",     "01-ai", "moonshotai", "facebook"};
  const auto slash = text.rfind('/');
  const auto before = text.substr(0, slash);  // a scenario's own folder may stand before the maker
  const std::string_view maker = before.substr(before.rfind('/') == std::string_view::npos ? 0 : before.rfind('/') + 1);
  if (std::ranges::find(makers, maker) == makers.end()) return {};
  std::string name;
  for (const char c : text.substr(slash + 1)) name += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  const auto known = [](const std::string& of) { return find_embedded(embedded_models(), of + ".yaml") != nullptr; };
  for (const std::string_view tuning : {"", "-instruct", "-chat", "-it", "-hf", "-base"}) {
    for (auto at = name.find(tuning); !tuning.empty() && at != std::string::npos; at = name.find(tuning)) {
      const char next = at + tuning.size() < name.size() ? name[at + tuning.size()] : '-';
      if (next != '-') break;
      name.erase(at, tuning.size());
    }
    if (known(name)) return name;
  }
  if (name.starts_with("meta-") && known(name.substr(5))) return name.substr(5);
  const std::string_view first = "-v0.1";  // Mixtral's only version
  if (name.ends_with(first) && known(name.substr(0, name.size() - first.size())))
    return name.substr(0, name.size() - first.size());
  return {};
}

ModelSpec from_document(const ConfigDocument& document) {
  const auto root = document.root();
  Problems problems;
  const bool huggingface = root.kind() == ConfigNode::Kind::map && root.get("model_type");
  if (!huggingface && document.file().ends_with(".json"))
    throw InputError(root.at(),
                     "this is no model's config.json: 'model_type' is missing; give a model's own "
                     "config.json, or a YAML description (see `stowage model show`)");
  auto model = huggingface ? read_huggingface(root, document.file(), problems, {}, quantization_beside(document.file()))
                           : read_yaml(root, document.file(), problems);
  if (problems.empty()) check_shapes(model, root, problems);
  problems.throw_if_any();
  return model;
}
}  // namespace

ModelSpec parse_model(std::string_view text, const std::string& file) {
  return from_document(ConfigDocument::parse(text, file));
}

std::vector<std::string> model_names() {
  std::vector<std::string> names;
  for (const auto& file : embedded_models()) names.emplace_back(file.name.substr(0, file.name.rfind('.')));
  std::sort(names.begin(), names.end());  // files sort with their ending: '.' comes after '-'
  return names;
}

ModelSpec load_model(const std::string& name_or_path, const SourcePos& at) {
  if (is_path(name_or_path)) {
    std::error_code ignored;
    const bool there = std::filesystem::exists(name_or_path, ignored);
    if (const std::string zoo = there ? std::string{} : zoo_name(name_or_path); !zoo.empty())
      return load_model(zoo, at);
    if (!there)
      throw InputError(at, fmt::format("the model file '{}' does not exist; check the path, or give a name from "
                                       "`stowage model list`",
                                       name_or_path));
    const bool folder = std::filesystem::is_directory(name_or_path, ignored);
    return from_document(ConfigDocument::load(folder ? name_or_path + "/config.json" : name_or_path));
  }
  if (const auto* file = find_embedded(embedded_models(), name_or_path + ".yaml"))
    return parse_model(file->bytes, "zoo/" + std::string(file->name));
  std::error_code no_such;
  if (const std::string config = name_or_path + "/config.json"; std::filesystem::is_regular_file(config, no_such))
    return from_document(ConfigDocument::load(config));
  const auto names = model_names();
  const std::vector<std::string_view> views(names.begin(), names.end());
  std::string hint = did_you_mean(name_or_path, views);
  if (hint.empty()) hint = ";";
  throw InputError(at, fmt::format("no model '{}' in the zoo{} `stowage model list` names them, or give a path to a "
                                   "YAML file or a Hugging Face config.json",
                                   name_or_path, hint));
}
}  // namespace stowage
