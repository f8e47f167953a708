// Where descriptions come from: the zoo inside the binary, or a file.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/config.hpp"
#include "base/embedded.hpp"
#include "models/llm/huggingface.hpp"
#include "models/llm/model.hpp"

namespace stowage {
std::span<const EmbeddedFile> embedded_models();  // models/llm/zoo/*.yaml, put there by the build

namespace {
constexpr std::int64_t size_max = std::int64_t{1} << 24;  // of any one dimension: sums stay far from overflow
constexpr std::array<std::string_view, 2> dtypes = {"bfloat16", "float16"};
constexpr std::array<std::string_view, 3> kv_dtypes = {"bfloat16", "float16", "float8"};
constexpr std::array<std::string_view, 2> mlps = {"gated", "plain"};
constexpr std::array<std::string_view, 2> norms = {"rms", "layer"};

ModelSpec read_yaml(const ConfigNode& root, Problems& problems) {
  MapReader in(root, problems);
  ModelSpec m;
  m.name = in.text("name");
  m.source = in.text("source", "");
  m.layers = in.integer("layers", 1, 4096);
  m.hidden = in.integer("hidden", 1, size_max);
  m.heads = in.integer("heads", 1, 65536);
  m.kv_heads = in.integer("kv_heads", 1, 65536, m.heads);
  m.head_dim = in.integer("head_dim", 1, 65536, m.heads > 0 ? m.hidden / m.heads : 1);
  m.intermediate = in.integer("intermediate", 1, size_max);
  m.vocab = in.integer("vocab", 1, size_max);
  m.max_positions = in.integer("max_positions", 1, std::int64_t{1} << 31);
  m.learned_positions = in.integer("learned_positions", 0, std::int64_t{1} << 31, 0);
  m.tied_embeddings = in.flag("tied_embeddings", false);
  m.qkv_bias = in.flag("qkv_bias", false);
  m.o_bias = in.flag("o_bias", false);
  m.mlp_bias = in.flag("mlp_bias", false);
  m.qk_norm = in.flag("qk_norm", false);
  m.mlp = static_cast<Mlp>(in.choice("mlp", mlps, 0));
  m.norm = static_cast<Norm>(in.choice("norm", norms, 0));
  const auto dtype = in.choice("dtype", dtypes, 0);
  m.dtype = static_cast<Dtype>(dtype);
  m.kv_dtype = static_cast<Dtype>(in.choice("kv_dtype", kv_dtypes, dtype));
  in.finish();
  return m;
}

void check_shapes(const ModelSpec& m, const ConfigNode& root, Problems& problems) {
  if (m.heads % m.kv_heads != 0)
    problems.add(root.at(), fmt::format("{} query heads cannot share {} KV heads evenly; kv_heads must divide heads",
                                        m.heads, m.kv_heads));
  if (m.head_dim < 1)
    problems.add(root.at(), fmt::format("hidden {} is less than {} heads; give head_dim", m.hidden, m.heads));
  // In floating point, so that the exact sums in int64 are known to be safe.
  const double widths =
      4.0 * static_cast<double>(m.heads) * static_cast<double>(m.head_dim) + 3.0 * static_cast<double>(m.intermediate);
  const double tables = 2.0 * static_cast<double>(m.vocab) + static_cast<double>(m.learned_positions);
  if (static_cast<double>(m.hidden) * (static_cast<double>(m.layers) * widths + tables) > 1e15)
    problems.add(root.at(), "these shapes make more than 10^15 parameters; check them");
}

bool is_path(std::string_view text) {
  return text.find('/') != std::string_view::npos || text.ends_with(".yaml") || text.ends_with(".yml") ||
         text.ends_with(".json");
}

ModelSpec from_document(const ConfigDocument& document) {
  const auto root = document.root();
  Problems problems;
  const bool huggingface = root.kind() == ConfigNode::Kind::map && root.get("model_type");
  auto model = huggingface ? read_huggingface(root, document.file(), problems) : read_yaml(root, problems);
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
    if (!std::filesystem::exists(name_or_path, ignored))
      throw InputError(at, fmt::format("the model file '{}' does not exist; check the path, or give a name from "
                                       "`stowage model list`",
                                       name_or_path));
    const bool folder = std::filesystem::is_directory(name_or_path, ignored);
    return from_document(ConfigDocument::load(folder ? name_or_path + "/config.json" : name_or_path));
  }
  if (const auto* file = find_embedded(embedded_models(), name_or_path + ".yaml"))
    return parse_model(file->bytes, "zoo/" + std::string(file->name));
  const auto names = model_names();
  const std::vector<std::string_view> views(names.begin(), names.end());
  throw InputError(at, fmt::format("no model '{}' in the zoo{}; `stowage model list` names them, or give a path to a "
                                   "YAML file or a Hugging Face config.json",
                                   name_or_path, did_you_mean(name_or_path, views)));
}
}  // namespace stowage
