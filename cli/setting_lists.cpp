#include "cli/setting_lists.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>

#include "base/error.hpp"
#include "scenario/keys/reference.hpp"
#include "scenario/keys/tables.hpp"

namespace stowage::cli {
namespace {
std::string_view value_word(keys::Type type) {
  switch (type) {
    case keys::Type::count: return "N";
    case keys::Type::number: return "X";
    case keys::Type::size: return "SIZE";
    default: return "NAME";
  }
}

/// What a key of a scenario is, and what it is without a word, stands in the table of keys.
void add(std::vector<Setting>& out, const keys::Table& table, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) {
    const keys::Key* key = keys::find(table, name);
    STOWAGE_ASSERT(key != nullptr);
    std::string about = keys::sentence(key->about);
    about.pop_back();
    if (!key->required) about += fmt::format(" (default: {})", keys::default_text(*key, table));
    out.push_back({option_of(key->name), std::string(value_word(key->form.type)), about});
  }
}
}  // namespace

std::string option_of(std::string_view key) {
  std::string out(key);
  std::replace(out.begin(), out.end(), '_', '-');
  return out;
}

std::vector<Setting> fit_settings() {
  std::vector<Setting> out;
  add(out, keys::scenario_keys(), {"model", "hardware"});
  out.push_back({"scenario", "FILE", "Take model, hardware, layout, memory and workload of a scenario"});
  out.push_back({"trace", "FILE", "Requests whose lengths count (default: 1,024, 4,096, --max-model-len)"});
  add(out, keys::scenario_keys(), {"engine"});
  out.push_back({"from-vllm-log", "FILE", "The pool as vLLM's own start-up log tells it"});
  add(out, keys::scheduler_keys(), {"max_model_len", "max_batch", "max_batched_tokens"});
  add(out, keys::memory_keys(),
      {"utilization", "kv_dtype", "device", "weights", "activations", "overhead", "graphs"});
  return out;
}

std::vector<Setting> layout_settings() {
  std::vector<Setting> out;
  add(out, keys::cluster_keys(), {"tensor", "pipeline", "expert", "data"});
  return out;
}

std::vector<Setting> graph_settings() {
  return {{"hardware", "NAME", "GPU that prices the graph (default: h100-sxm-80gb)"},
          {"decode", "N", "Decoding requests of the step (default: 64)"},
          {"prefill", "N", "Prompt tokens of the step (default: 0)"},
          {"context", "N", "Tokens stored of each request (default: 1024)"}};
}
}  // namespace stowage::cli
