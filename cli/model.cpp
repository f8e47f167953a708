// stowage model show|list
#include "models/llm/model.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/table.hpp"
#include "reports/text.hpp"

namespace stowage::cli {
namespace {
/// What `model show` promises to programs, and the rest of the shape.
nlohmann::ordered_json as_json(const ModelSpec& model) {
  nlohmann::ordered_json out = {{"name", model.name},
                                {"parameters", model.parameters()},
                                {"active_parameters", model.active_parameters()},
                                {"weights_bytes", model.weights_bytes().count()},
                                {"kv_bytes_per_token", model.kv_bytes_per_token().count()},
                                {"layers", model.layers},
                                {"hidden", model.hidden},
                                {"heads", model.heads},
                                {"kv_heads", model.kv_heads},
                                {"head_dim", model.head_dim},
                                {"intermediate", model.intermediate},
                                {"vocab", model.vocab},
                                {"max_positions", model.max_positions},
                                {"dtype", dtype_name(model.dtype)},
                                {"kv_dtype", dtype_name(model.kv_dtype)},
                                {"quantization", quant_name(model.quant)},
                                {"source", model.source}};
  if (model.moe())
    out["experts"] = {{"count", model.experts},
                      {"per_token", model.experts_per_token},
                      {"intermediate", model.expert_intermediate},
                      {"shared", model.shared_experts},
                      {"layers", model.moe_layers()}};
  if (model.latent())
    out["latent"] = {{"q_rank", model.q_rank},
                     {"kv_rank", model.kv_rank},
                     {"rope_dim", model.rope_dim},
                     {"nope_dim", model.nope_dim},
                     {"v_dim", model.v_dim}};
  if (model.window > 0)
    out["window"] = {{"tokens", model.window},
                     {"layers", model.window_layers},
                     {"kv_bytes_per_token", model.kv_window_bytes_per_token().count()}};
  return out;
}

std::string number(std::int64_t n) { return text::count(static_cast<std::uint64_t>(n)); }

std::string size(Bytes bytes) {
  return fmt::format("{} B ({})", number(bytes.count()), text::bytes(static_cast<double>(bytes.count())));
}

std::string mlp_text(const ModelSpec& m) {
  if (!m.moe()) return number(m.intermediate);
  std::string out =
      fmt::format("{} experts of {}, {} a token", m.experts, number(m.expert_intermediate), m.experts_per_token);
  if (m.shared_experts > 0) out += fmt::format(", and {} shared", m.shared_experts);
  if (m.dense_layers > 0) out += fmt::format("; first {} layers dense of {}", m.dense_layers, number(m.intermediate));
  return out;
}

std::string as_text(const ModelSpec& model) {
  const std::string stored = model.quant == Quant::none
                                 ? std::string(dtype_name(model.dtype))
                                 : fmt::format("{}, else {}", quant_name(model.quant), dtype_name(model.dtype));
  std::vector<std::pair<std::string, std::string>> lines = {
      {"name", model.name},
      {"parameters", fmt::format("{} ({} computed with for each token)", number(model.parameters()),
                                 number(model.active_parameters()))},
      {"weights", fmt::format("{}, {}", size(model.weights_bytes()), stored)},
      {"KV per token", fmt::format("{} = {}", size(model.kv_bytes_per_token()), model.kv_formula())},
      {"attention", model.attention_text()},
      {"layers", number(model.layers)},
      {"hidden", number(model.hidden)},
      {"MLP", mlp_text(model)},
      {"vocabulary", number(model.vocab)},
      {"positions", number(model.max_positions)},
      {"source", model.source},
  };
  if (model.window > 0)
    lines.emplace_back("note",
                       fmt::format("memory managers keep every token of every layer; {} of the KV bytes a token "
                                   "could be dropped after {} tokens",
                                   number(model.kv_window_bytes_per_token().count()), model.window));
  return facts(lines);
}
}  // namespace

Outcome model_show(const Options& options) {
  if (options.settings.contains("graph")) return model_graph(options);
  if (!options.settings.empty())
    throw InputError({}, fmt::format("--{} goes with --graph only; add it", options.settings.begin()->first));
  const ModelSpec model = load_model(options.inputs.front());
  return {options.json ? as_json(model).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n"
                       : as_text(model)};
}

Outcome model_list(const Options& options) {
  auto all = nlohmann::ordered_json::array();
  std::vector<std::vector<std::string>> rows = {{"model", "parameters", "weights", "KV per token", "positions"}};
  for (const auto& name : model_names()) {
    const ModelSpec model = load_model(name);
    all.push_back(as_json(model));
    rows.push_back({name, number(model.parameters()), text::bytes(static_cast<double>(model.weights_bytes().count())),
                    text::bytes(static_cast<double>(model.kv_bytes_per_token().count())), number(model.max_positions)});
  }
  return {options.json ? all.dump(2) + "\n" : table(rows)};
}
}  // namespace stowage::cli
