// stowage model show|list
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/table.hpp"
#include "models/llm/model.hpp"
#include "reports/text.hpp"

namespace stowage::cli {
namespace {
/// What `model show` promises to programs, and the rest of the shape.
nlohmann::ordered_json as_json(const ModelSpec& model) {
  return {{"name", model.name},
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
          {"source", model.source}};
}

std::string number(std::int64_t n) { return text::count(static_cast<std::uint64_t>(n)); }

std::string size(Bytes bytes) {
  return fmt::format("{} B ({})", number(bytes.count()), text::bytes(static_cast<double>(bytes.count())));
}

std::string as_text(const ModelSpec& model) {
  return facts({
      {"name", model.name},
      {"parameters", fmt::format("{} ({} computed with for each token)", number(model.parameters()),
                                 number(model.active_parameters()))},
      {"weights", fmt::format("{}, {}", size(model.weights_bytes()), dtype_name(model.dtype))},
      {"KV per token", fmt::format("{} = 2 x {} layers x {} heads x {} x {} B", size(model.kv_bytes_per_token()),
                                   model.layers, model.kv_heads, model.head_dim, dtype_bytes(model.kv_dtype))},
      {"attention", fmt::format("{} query heads, {} KV heads of {}", model.heads, model.kv_heads, model.head_dim)},
      {"layers", number(model.layers)},
      {"hidden", number(model.hidden)},
      {"MLP", number(model.intermediate)},
      {"vocabulary", number(model.vocab)},
      {"positions", number(model.max_positions)},
      {"source", model.source},
  });
}
}  // namespace

Outcome model_show(const Options& options) {
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
                    text::bytes(static_cast<double>(model.kv_bytes_per_token().count())),
                    number(model.max_positions)});
  }
  return {options.json ? all.dump(2) + "\n" : table(rows)};
}
}  // namespace stowage::cli
