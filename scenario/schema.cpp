#include "scenario/schema.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "models/engine.hpp"
#include "scenario/scenario.hpp"
#include "sim/kv/registry.hpp"
#include "sim/serve/router.hpp"

namespace stowage {
namespace {
using Json = nlohmann::ordered_json;
using Keys = std::vector<std::pair<std::string, Json>>;

constexpr std::string_view draft = "https://json-schema.org/draft/2020-12/schema";
constexpr std::string_view size_form = "^[0-9.]+ ?(B|[kMGTP]B|[KMGTP]iB)$";
constexpr std::string_view duration_form = "^[0-9.]+(e-?[0-9]+)? ?(ns|us|µs|ms|s|min|h|d)$";
constexpr std::string_view rate_form = "^[0-9.]+(e-?[0-9]+)? ?/(s|min|h)$";
constexpr std::string_view count_form = "^[0-9.]+ ?([kMG]i?)$";
constexpr std::string_view share_form = "^[0-9.]+ ?%$";

Json form(std::string_view pattern, std::string_view about) {
  return {{"type", "string"}, {"pattern", pattern}, {"description", about}};
}
Json size() { return form(size_form, "a size, as 80GiB or 2MiB"); }
Json duration() {
  // Zero needs no unit in any reader that takes it; a bare number else is refused there.
  return form(duration_form, "a duration, as 30us, 10ms or 1s");
}
Json rate() { return form(rate_form, "a rate, as 5/s or 300/min"); }
Json text(std::string_view about = "") {
  Json out = {{"type", "string"}};
  if (!about.empty()) out["description"] = about;
  return out;
}
Json flag() { return {{"type", "boolean"}}; }
Json count(std::int64_t least = 1) {
  return {{"anyOf", {{{"type", "integer"}, {"minimum", least}}, form(count_form, "as 8k = 8,000 or 8Ki = 8,192")}}};
}
Json number() { return {{"type", "number"}}; }
Json share() { return {{"anyOf", {{{"type", "number"}}, form(share_form, "as 90%")}}}; }
template <class Names>
Json one_of(const Names& names) {
  Json out = {{"enum", Json::array()}};
  for (const auto& name : names) out["enum"].push_back(std::string(name));
  return out;
}
Json map(const Keys& keys, std::vector<std::string> required = {}) {
  Json out = {{"type", "object"}, {"additionalProperties", false}, {"properties", Json::object()}};
  for (const auto& [key, value] : keys) out["properties"][key] = value;
  if (!required.empty()) out["required"] = std::move(required);
  return out;
}
Json list(const Json& of) { return {{"type", "array"}, {"items", of}, {"minItems", 1}}; }
Json either(std::initializer_list<Json> forms) { return {{"anyOf", Json(std::vector<Json>(forms))}}; }

std::vector<std::string_view> words(std::string_view text) {
  std::vector<std::string_view> out;
  for (std::size_t from = 0; from < text.size();) {
    const std::size_t end = std::min(text.find(' ', from), text.size());
    if (end > from) out.push_back(text.substr(from, end - from));
    from = end + 1;
  }
  return out;
}

Json parameter(const ParamSpec& p) {
  Json out = p.type == ParamType::bytes      ? size()
             : p.type == ParamType::fraction ? share()
             : p.type == ParamType::choice   ? one_of(words(p.choices))
                                             : count(0);
  out["description"] = std::string(p.doc);
  return out;
}

Json managers_list() {
  Json rows = Json::array();
  for (const ManagerRow& row : managers()) {
    Keys keys = {{"kind", {{"const", std::string(row.kind)}}}, {"name", text()}};
    for (const ParamSpec& p : row.params) keys.emplace_back(p.name, parameter(p));
    Json one = map(keys, {"kind"});
    one["description"] = std::string(row.summary);
    rows.push_back(std::move(one));
  }
  return list({{"anyOf", std::move(rows)}});
}

Json cluster() {
  std::vector<std::string_view> names;
  for (const RouterRow& row : routers()) names.push_back(row.name);
  const Json group = map({{"replicas", count()}, {"hardware", text()}, {"tensor", count()}, {"weight", count()},
                          {"pipeline", count()}, {"tensor_parallel_size", count()}});
  return map({{"replicas", count()}, {"tensor", count()}, {"pipeline", count()}, {"expert", count()},
              {"data", count()}, {"router", one_of(names)}, {"groups", list(group)},
              {"tensor_parallel_size", count()}, {"pipeline_parallel_size", count()},
              {"data_parallel_size", count()}});
}

Json memory() {
  const std::vector<std::string_view> types = {"auto", "bfloat16", "float16", "float8", "fp8", "fp8_e4m3", "fp8_e5m2"};
  return map({{"utilization", share()}, {"kv_pool", size()}, {"kv_tokens", count()}, {"activations", size()},
              {"overhead", size()}, {"device", size()}, {"weights", size()}, {"graphs", size()},
              {"kv_dtype", one_of(types)}, {"gpu_memory_utilization", share()}, {"kv_cache_dtype", one_of(types)}});
}

Json workload() {
  const Json bounds = map({{"min", count(0)}, {"max", count(0)}, {"mean", number()}, {"p50", number()},
                           {"sigma", number()}});
  const Json length = map({{"fixed", count(0)}, {"uniform", bounds}, {"lognormal", bounds},
                           {"quantiles", {{"type", {"array", "object"}}}}});
  const Json synthetic = map({{"preset", text()}, {"arrivals", one_of(arrival_kind_names)}, {"rate", rate()},
                              {"cv", number()}, {"count", count()}, {"prompt", length}, {"output", length}});
  const Json request = map({{"at", duration()}, {"prompt", count()}, {"output", count()}, {"count", count()}},
                           {"prompt", "output"});
  return map({{"trace", text("CSV file")}, {"limit", count(0)}, {"repeat", count()}, {"requests", list(request)},
              {"synthetic", synthetic}, {"rate_scale", number()}});
}

Json scheduler() {
  return map({{"policy", one_of(scheduler_policy_names)}, {"max_batch", count()}, {"max_batched_tokens", count()},
              {"max_model_len", count()}, {"chunked_prefill", flag()}, {"admit_full", flag()},
              {"max_num_seqs", count()}, {"max_num_batched_tokens", count()}, {"enable_chunked_prefill", flag()}});
}

Json cost() {
  const Json calls = map({{"create", duration()}, {"map", duration()}, {"set_access", duration()},
                          {"unmap", duration()}});
  return map({{"source", one_of(cost_source_names)}, {"profile", text("profile that stowage calibrate wrote")},
              {"base", duration()}, {"per_prefill_token", duration()}, {"per_decode_seq", duration()},
              {"per_kv_token", duration()}, {"vmm", calls}});
}

Json slo() {
  Keys keys;
  for (const auto metric : slo_metric_names)
    for (const auto statistic : slo_statistic_names)
      keys.emplace_back(fmt::format("{}_{}", metric, statistic), duration());
  return map(keys);
}

Json scenario() {
  std::vector<std::string_view> engine_names;
  for (const EngineSpec& e : engines()) engine_names.push_back(e.name);
  return map({{"schema", {{"const", 1}}},
              {"name", text()},
              {"seed", count(0)},
              {"model", text("a name of `stowage model list`, a YAML file or a config.json")},
              {"hardware", text("a name of `stowage hardware list`, or a YAML file")},
              {"cluster", cluster()},
              {"engine", one_of(engine_names)},
              {"host", map({{"per_step", duration()}, {"per_layer", duration()}, {"per_seq", duration()}})},
              {"frontend", map({{"per_request", duration()}, {"per_prompt_token", duration()},
                                {"per_output_token", duration()}})},
              {"memory", memory()},
              {"workload", workload()},
              {"scheduler", scheduler()},
              {"cost", cost()},
              {"managers", managers_list()},
              {"slo", slo()}},
             {"model", "hardware", "workload", "managers"});
}

std::string document(std::string_view title, const Json& shape) {
  Json out = {{"$schema", draft}, {"title", title}};
  out.update(shape);
  return out.dump(2) + "\n";
}
}  // namespace

std::string scenario_schema() { return document("Stowage scenario", scenario()); }

std::string study_schema() {
  const Json axis = either({list(Json::object()), text("a range, as 1..8:15 or 32..512:x2")});
  const Json price = map({{"usd_per_node_hour", number()}, {"gpus_per_node", count()}, {"watts", number()}});
  Json study = map(
      {{"schema", {{"const", 1}}},
       {"name", text()},
       {"scenario", either({text("path of a scenario"), {{"type", "object"}}})},
       {"space", {{"type", "object"}, {"additionalProperties", axis}}},
       {"slo", {{"type", {"object", "array"}}}},
       {"prices", {{"type", "object"}, {"additionalProperties", price}}},
       {"objective", text()},
       {"demand", rate()},
       {"window", duration()},
       {"growth", number()},
       {"knee", number()},
       {"spare", either({count(0), text("N or N+1")})},
       {"limits", map({{"gpus", count()}, {"usd_per_hour", number()}})},
       {"probe", map({{"requests", count()}, {"precision", share()}})},
       {"search", map({{"exhaustive", flag()}, {"draws", count(0)}})}},
      {"scenario"});
  return document("Stowage study", study);
}
}  // namespace stowage
