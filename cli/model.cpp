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
/// What layers keep, like with like: a cache of every token, or a state of a sequence.
struct Kept {
  std::string kind;
  std::int64_t layers = 0, token_bytes = 0, sequence_bytes = 0, window = 0;
};
std::vector<Kept> kept_by_kind(const ModelSpec& model) {
  std::vector<Kept> out;
  const auto put = [&](Kept one) {
    for (Kept& other : out)
      if (other.kind == one.kind && other.token_bytes == one.token_bytes && other.window == one.window &&
          other.sequence_bytes == one.sequence_bytes) {
        other.layers += one.layers;
        return;
      }
    out.push_back(std::move(one));
  };
  const auto layers = model.table->layers_of_kinds();
  for (std::size_t k = 0; k < layers.size(); ++k) {
    const LayerKind& kind = model.table->kinds[k];
    for (const Cache& c : kind.caches)
      put({c.kind, layers[k], cache_bytes(c, dtype_bytes(model.kv_dtype)), 0, c.window});
    for (const State& s : kind.states) put({s.kind, layers[k], 0, s.bytes, 0});
    if (kind.caches.empty() && kind.states.empty()) put({"keeps nothing", layers[k]});
  }
  return out;
}

nlohmann::ordered_json kinds_json(const ModelSpec& model) {
  auto out = nlohmann::ordered_json::array();
  for (const Kept& k : kept_by_kind(model)) {
    nlohmann::ordered_json row = {{"kind", k.kind},
                                  {"layers", k.layers},
                                  {"kv_bytes_per_token", k.token_bytes},
                                  {"state_bytes_per_sequence", k.sequence_bytes}};
    if (k.window > 0) row["window"] = k.window;
    out.push_back(std::move(row));
  }
  return out;
}

/// What `model show` promises to programs, and the rest of the shape.
nlohmann::ordered_json as_json(const ModelSpec& model) {
  nlohmann::ordered_json out = {{"name", model.name},
                                {"parameters", model.parameters()},
                                {"active_parameters", model.active_parameters()},
                                {"weights_bytes", model.weights_bytes().count()},
                                {"kv_bytes_per_token", model.kv_bytes_per_token().count()},
                                {"kv_bytes_window", model.kv_window_bytes_per_token().count()},
                                {"state_bytes_per_sequence", model.state_bytes_per_sequence().count()},
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
  if (model.tower_parameters() > 0) out["tower_parameters"] = model.tower_parameters();
  if (model.table) out["layer_kinds"] = kinds_json(model);
  if (!model.assumed.empty()) out["assumed"] = model.assumed;
  if (const auto why = model.unsimulated(); !why.empty()) out["not_simulated"] = why;
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

/// Kinds of layers with what they keep.
std::string kinds_text(const ModelSpec& model) {
  std::vector<std::vector<std::string>> rows = {{"kept by layers", "layers", "B a token", "B a sequence", "window"}};
  for (const Kept& k : kept_by_kind(model))
    rows.push_back({k.kind, number(k.layers), number(k.token_bytes), number(k.sequence_bytes),
                    k.window > 0 ? number(k.window) : "-"});
  return table(rows);
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
      {"state", fmt::format("{} a sequence", size(model.state_bytes_per_sequence()))},
      {"attention", model.attention_text()},
      {"layers", number(model.layers)},
      {"hidden", number(model.hidden)},
      {"MLP", mlp_text(model)},
      {"vocabulary", number(model.vocab)},
      {"positions", number(model.max_positions)},
      {"source", model.source},
  };
  if (model.state_bytes_per_sequence().count() == 0)
    std::erase_if(lines, [](const auto& line) { return line.first == "state"; });
  if (model.tower_parameters() > 0)
    lines.emplace_back(
        "towers", fmt::format("{} of the parameters are of encoders of pictures", number(model.tower_parameters())));
  if (model.window > 0)
    lines.emplace_back("note",
                       fmt::format("memory managers keep every token of every layer; {} of the KV bytes a token "
                                   "could be dropped after {} tokens",
                                   number(model.kv_window_bytes_per_token().count()), model.window));
  for (const auto& sentence : model.assumed) lines.emplace_back("assumed", sentence);
  if (const auto why = model.unsimulated(); !why.empty())
    lines.emplace_back("not simulated", why + "; `fit` counts its memory, `run` and `plan` refuse it");
  return facts(lines) + (model.table ? "\n" + kinds_text(model) : "");
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
