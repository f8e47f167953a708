// stowage schema [scenario|study|summary]: what the files look like, for editors and programs; `reference`: for people.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/config.hpp"
#include "base/error.hpp"
#include "cli/commands.hpp"
#include "planner/study_keys.hpp"
#include "scenario/keys/schema.hpp"
#include "scenario/keys/tables.hpp"
#include "sim/result.hpp"

namespace stowage::cli {
namespace {
using Json = nlohmann::ordered_json;

/// An object with at least these members: keys may be added to a result under its schema.
Json object(const Json& members) {
  Json out = {{"type", "object"}, {"properties", members}, {"required", Json::array()}};
  for (const auto& [key, unused] : members.items()) out["required"].push_back(key);
  return out;
}
Json numbers(std::initializer_list<std::string_view> keys) {
  Json members = Json::object();
  for (const auto key : keys) members[std::string(key)] = {{"type", "number"}};
  return object(members);
}
/// null where nothing was measured: of no request there is no mean, of no time no rate.
Json statistics(std::initializer_list<std::string_view> keys) {
  Json members = Json::object();
  for (const auto key : keys) members[std::string(key)] = {{"type", {"number", "null"}}};
  return object(members);
}

/// What `run --format json` prints (design, section 5).
std::string summary_schema() {
  Json latency = statistics({"mean", "p50", "p90", "p95", "p99", "max", "count"}), batch = statistics({"mean", "max"});
  latency["properties"]["count"] = batch["properties"]["max"] = {{"type", "integer"}};
  Json fractions = Json::object();
  for (const auto part : part_names) fractions[std::string(part)] = {{"type", "number"}, {"minimum", 0}};
  Json kv = numbers({"pool_bytes", "pool_tokens", "bytes_per_token", "peak_committed_bytes", "peak_live_bytes"});
  kv["properties"]["mean_fraction"] = object(fractions);
  Json run = object(
      {{"name", {{"type", "string"}}},
       {"manager", object({{"kind", {{"type", "string"}}}})},
       {"requests", numbers({"submitted", "completed", "rejected", "unfinished", "preemptions"})},
       {"makespan_s", {{"type", {"number", "null"}}}},
       {"iterations", {{"type", "integer"}}},
       {"throughput", statistics({"requests_per_s", "prompt_tokens_per_s", "output_tokens_per_s"})},
       {"ttft_s", latency}, {"tbt_s", latency}, {"tpot_s", latency}, {"e2e_s", latency}, {"queue_s", latency},
       {"batch", batch},
       {"kv", kv},
       {"vmm", numbers({"map_calls", "unmap_calls", "busy_s", "stall_s", "stall_max_s", "stalled_iterations"})}});
  run["properties"]["prefix"] = numbers({"queried_tokens", "hit_tokens", "resumed_tokens", "resumed_hit_tokens",
                                         "cached_blocks_mean"});  // with prefix caching
  run["properties"]["prefix"]["properties"]["hit_fraction"] = {{"type", {"number", "null"}}};
  run["properties"]["wall_s"] = {{"type", "number"}};  // printed by `run --format json`, in no file
  Json out = {{"$schema", "https://json-schema.org/draft/2020-12/schema"}, {"title", "Stowage result"}};
  out.update(object({{"schema", {{"const", "stowage.result/1"}}},
                     {"scenario", {{"type", "object"}}},
                     {"runs", {{"type", "array"}, {"items", run}}}}));
  return out.dump(2) + "\n";
}
}  // namespace

Outcome schema_command(const Options& options) {
  static constexpr std::array<std::string_view, 4> kinds = {"scenario", "study", "summary", "reference"};
  const std::string& kind = options.inputs.front();
  if (kind == "scenario") return {keys::schema_document("Stowage scenario", keys::scenario_keys())};
  if (kind == "study") return {keys::schema_document("Stowage study", keys::study_keys())};
  if (kind == "summary") return {summary_schema()};
  if (kind == "reference") return {keys::reference_page()};
  throw InputError({}, fmt::format("no schema of '{}'{} (known: {})", kind, did_you_mean(kind, kinds),
                                   fmt::join(kinds, ", ")));
}
}  // namespace stowage::cli
