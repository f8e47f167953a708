// Keys of a scenario itself, of its managers and of its objectives.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "scenario/keys/reader.hpp"
#include "scenario/keys/tables.hpp"
#include "sim/kv/registry.hpp"

namespace stowage::keys {
namespace {
std::vector<std::string_view> engine_list() {
  std::vector<std::string_view> out;
  for (const EngineSpec& e : engines()) out.push_back(e.name);
  return out;
}

Form parameter_form(const ParamSpec& p) {
  const bool bounded = p.max > p.min;
  switch (p.type) {
    case ParamType::bytes: {
      Form form = size(Bytes{0}, Bytes{0});
      form.min = p.min;
      form.max = bounded ? p.max : unbounded;
      return form;
    }
    case ParamType::fraction:
      return number(p.min, p.max);
    case ParamType::flag:
      return flag();
    case ParamType::choice:
      return one_of(words(p.choices));
    case ParamType::tokens:
    case ParamType::count:
      break;
  }
  Form form = count(0, 0);
  form.min = bounded ? p.min : 0;
  form.max = bounded ? p.max : unbounded;
  return form;
}

/// Parameters are kept by name, in the types that Value has for their forms.
Key parameter(const ParamSpec& p) {
  Key key;
  key.name = p.name;
  key.form = parameter_form(p);
  key.about = p.doc;
  key.absent = p.fallback.empty() ? "as the manager decides" : p.absent;
  key.get = [name = p.name, is_flag = p.type == ParamType::flag](const void* object) -> Value {
    const auto& params = static_cast<const ManagerSpec*>(object)->params;
    const auto it = params.find(name);
    if (it == params.end()) return {};
    if (is_flag) return std::get<std::int64_t>(it->second) != 0;
    return std::visit([](const auto& value) { return Value{value}; }, it->second);
  };
  key.set = [name = p.name](void* object, const Value& value) {
    ParamValue& slot = static_cast<ManagerSpec*>(object)->params[std::string(name)];
    if (const auto* yes = std::get_if<bool>(&value)) slot = std::int64_t{*yes};
    if (const auto* whole = std::get_if<std::int64_t>(&value)) slot = *whole;
    if (const auto* number = std::get_if<double>(&value)) slot = *number;
    if (const auto* word = std::get_if<std::string>(&value)) slot = *word;
  };
  return key;
}

TableOf<ManagerSpec> table_of(const ManagerRow& row) {
  using M = ManagerSpec;
  TableOf<M> out(row.summary, {{"kind", one_of({row.kind}), "which manager", &M::kind, {.required = true}},
                               {"name", text(), "as results call it", &M::name, {.absent = "made of its settings"}}});
  M first;
  first.kind = row.kind;
  for (const ParamSpec& p : row.params) {
    out.keys.push_back(parameter(p));
    if (p.fallback.empty()) continue;
    Problems problems;
    const ConfigDocument written = ConfigDocument::parse(fmt::format("x: {}", p.fallback), std::string(row.kind));
    const auto value = read_value(written.root().get("x"), out.keys.back().form, problems);
    STOWAGE_ASSERT(value.has_value());  // a row of the registry with a fallback that is not of its own type
    out.keys.back().set(&first, *value);
  }
  out.initial = std::make_shared<M>(std::move(first));
  return out;
}

const std::vector<TableOf<ManagerSpec>>& manager_tables() {
  static const std::vector<TableOf<ManagerSpec>> tables = [] {
    std::vector<TableOf<ManagerSpec>> out;
    for (const ManagerRow& row : managers()) out.push_back(table_of(row));
    return out;
  }();
  return tables;
}

std::vector<Item> manager_items(const Scenario& s) {
  std::vector<Item> out;
  for (const RunConfig& run : s.runs) out.emplace_back(&manager_keys(run.manager.kind), &run.manager);
  return out;
}

Value slo_text(const Scenario& s) {
  std::vector<std::string> parts;
  for (const SloTarget& t : s.slo) parts.push_back(fmt::format("{}: {}", t.name(), format_duration(t.limit_ns)));
  return fmt::format("{{{}}}", fmt::join(parts, ", "));
}

}  // namespace

const TableOf<ManagerSpec>& manager_keys(std::string_view kind) {
  const auto& tables = manager_tables();
  const auto rows = managers();
  const auto row = std::find_if(rows.begin(), rows.end(), [&](const ManagerRow& r) { return r.kind == kind; });
  STOWAGE_ASSERT(row != rows.end());
  return tables[static_cast<std::size_t>(row - rows.begin())];
}

std::vector<const Table*> all_manager_keys() {
  std::vector<const Table*> out;
  for (const auto& table : manager_tables()) out.push_back(&table);
  return out;
}

Table latency_keys(std::string_view about, const std::vector<std::string_view>& endings) {
  struct Latency {
    std::string_view name, alias, about;
  };
  constexpr Latency latencies[] = {{"ttft", "", "arrival to first token"},
                                   {"tbt", "itl", "every gap between two tokens of a request"},
                                   {"tpot", "", "mean gap between the tokens of a request"},
                                   {"e2e", "e2el", "arrival to last token"},
                                   {"queue", "", "arrival to first scheduled"}};
  Table out;
  out.about = about;
  for (const auto& latency : latencies) {
    Key key;
    key.name = latency.name;
    key.alias = latency.alias;
    key.about = latency.about;
    key.absent = "no target";
    key.form = above_zero(duration(0, unbounded));
    key.endings = endings;
    out.keys.push_back(std::move(key));
  }
  return out;
}

const Table& slo_keys() {
  static const Table table =
      latency_keys("what is asked of latencies", {slo_statistic_names.begin(), slo_statistic_names.end()});
  return table;
}

const TableOf<Scenario>& scenario_keys() {
  using S = Scenario;
  static const TableOf<S> table = [] {
    TableOf<S> out(
        "what to simulate: a model on some hardware, its requests, and the memory managers to compare",
        {{"schema", count(1, 1), "version of this form", Own<S>{[](const S& s) -> Value { return s.schema; }, nullptr}},
         {"name", text(), "as reports call it", &S::name, {.absent = "the file's name"}},
         {"seed", count(0, INT64_MAX), "of all that is drawn; `--seed` goes before it", &S::seed},
         {"model", reference(), "a name of `stowage model list`, a YAML file, or a Hugging Face config.json",
          &S::model_ref, {.required = true}},
         {"hardware", reference(), "a name of `stowage hardware list`, or a YAML file", &S::hardware_ref,
          {.alias = "gpu", .required = true}},
         {"cluster", map(cluster_keys()), "replicas, their GPUs, and the router before them",
          Nested<S>{[](const S& s) { return std::vector<Item>{{&cluster_keys(), &s.cluster}}; }}},
         {"engine", one_of(engine_list()), "a release whose defaults are taken; what is written goes before them",
          Own<S>{[](const S& s) { return s.engine != nullptr ? Value{std::string(s.engine->name)} : Value{}; },
                 [](S& s, const Value& v) { s.engine = find_engine(std::get<std::string>(v)); }},
          {.absent = "none"}},
         {"host", map(host_keys()), "host time of a step",
          Nested<S>{[](const S& s) {
            return s.host ? std::vector<Item>{{&host_keys(), &*s.host}} : std::vector<Item>{};
          }},
          {.absent = "what the price of a step already holds, or the engine's"}},
         {"frontend", map(frontend_keys()).or_else(one_of({"none"})), "the API server",
          Nested<S>{[](const S& s) { return std::vector<Item>{{&frontend_keys(), &s.frontend}}; }},
          {.absent = "none, or the engine's",
           .written = [](const S& s) { return s.engine != nullptr || s.frontend.any(); }}},
         {"host_loop", map(host_loop_keys()).or_else(one_of({"none"})), "the engine's loop beside the GPU",
          Nested<S>{[](const S& s) { return std::vector<Item>{{&host_loop_keys(), &s.host_loop}}; }},
          {.absent = "none, or the engine's",
           .written = [](const S& s) { return s.engine != nullptr || s.host_loop.given(); }}},
         {"memory", map(memory_keys()), "the KV pool",
          Nested<S>{[](const S& s) { return std::vector<Item>{{&memory_keys(), &s.memory}}; }}},
         {"workload", map(workload_keys()), "the requests",
          Nested<S>{[](const S& s) { return std::vector<Item>{{&workload_keys(), &s.workload}}; }},
          {.required = true}},
         {"scheduler", map(scheduler_keys()), "how a batch is formed",
          Nested<S>{[](const S& s) { return std::vector<Item>{{&scheduler_keys(), &s.scheduler}}; }}},
         {"cost", map(cost_keys()), "what prices a step",
          Nested<S>{[](const S& s) { return std::vector<Item>{{&cost_keys(), &s.cost}}; }}},
         {"managers", list(all_manager_keys()), "memory managers: one run each, same requests, same pool",
          Nested<S>{manager_items}, {.required = true}},
         {"slo", map(slo_keys()), "what is asked of latencies", Own<S>{slo_text, nullptr}}},
        S{});
    out.block = true;
    return out;
  }();
  return table;
}
}  // namespace stowage::keys
