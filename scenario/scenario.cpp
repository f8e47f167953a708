// Reads a scenario in two passes: first every key of the file, collecting problems; then what follows from them
// (budget, pool, prices, one RunConfig a manager), which needs the whole.
#include "scenario/scenario.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "scenario/reader.hpp"

namespace stowage {
namespace {
namespace fs = std::filesystem;
using detail::Context;
using detail::Parts;
using detail::pool_max;
constexpr std::int64_t int64_max = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t model_len_default = 8192;
constexpr std::size_t reference_max = 400;  // characters of a name or path: more is a quote left open

}  // namespace

std::string detail::name_or_path(MapReader& in, std::string_view key, const Context& context) {
  const ConfigNode node = in.node(key);
  std::string text = in.text(key);
  const bool odd = std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  if (odd || text.size() > reference_max) {
    in.problem(key,
               fmt::format("'{}': '{}' is neither a name nor a file; check the quotes", in.path_of(key), shown(text)));
    return "";
  }
  return detail::is_path(text) ? context.resolve(node) : text;
}

namespace {

/// The requests in memory when they are few enough, else as they come.
std::shared_ptr<const Workload> held(std::shared_ptr<const Workload> workload) {
  std::vector<Request> requests;
  const auto stream = workload->open();
  std::vector<Request> batch(4096);
  while (const std::size_t n = stream->read(batch)) {
    if (requests.size() + n > ScenarioCache::held_requests_max) return workload;
    requests.insert(requests.end(), batch.begin(), batch.begin() + static_cast<std::ptrdiff_t>(n));
  }
  return inline_workload(std::move(requests));
}

std::shared_ptr<const Workload> shared_workload(const ConfigNode& node, Context& context, Scenario& s) {
  if (!context.cache.many_points || !node) return detail::read_workload(node, context, s);
  const std::string& file = node.get("trace").at().file;
  const auto shared = context.cache.requests.get(fmt::format("{}\n{}\n{}", s.seed, file, flow_text(node)), [&] {
    Problems unseen;
    Context apart{unseen, context.cache};
    Scenario read;
    read.seed = s.seed;
    auto workload = detail::read_workload(node, apart, read);
    return ScenarioCache::Requests{workload ? held(std::move(workload)) : nullptr, read.workload, read.ledger};
  });
  if (!shared->workload) return detail::read_workload(node, context, s);  // again, to say what is wrong
  s.workload = shared->spec;
  s.ledger = shared->ledger;
  return shared->workload;
}

Parts read_root(const ConfigNode& root, Context& context, Scenario& s, std::optional<std::uint64_t> seed) {
  Problems& problems = context.problems;
  MapReader in(root, problems);
  s.schema = in.integer("schema", 0, int64_max, 1);
  if (s.schema != 1)
    in.problem("schema", fmt::format("'schema': {} is not known to this version, which reads schema 1", s.schema));
  s.name = in.text("name", fs::path(s.file).stem().string());
  s.seed = static_cast<std::uint64_t>(in.integer("seed", 0, int64_max, 0));
  if (seed) s.seed = *seed;

  s.model_ref = detail::name_or_path(in, "model", context);
  s.hardware_ref = detail::name_or_path(in, "hardware", context);
  const std::size_t before = problems.list().size();
  if (!s.model_ref.empty())
    s.model = detail::collect(problems, in.node("model").at(),
                              "'model': ", [&] {
                                return *context.cache.models.get(
                                    s.model_ref, [&] { return load_model(s.model_ref, in.node("model").at()); });
                              });
  const bool model_known = !s.model_ref.empty() && problems.list().size() == before;
  if (!s.hardware_ref.empty())
    s.hardware = detail::collect(problems, in.node("hardware").at(), "'hardware': ", [&] {
      return *context.cache.hardware.get(
          s.hardware_ref, [&] { return load_hardware(s.hardware_ref, in.node("hardware").at()); });
    });

  s.cluster = detail::read_cluster(in.node("cluster"), s, model_known, problems);
  s.cluster.groups = detail::read_groups(in.node("cluster"), context, s, model_known);
  s.engine = detail::read_engine(in);
  s.host = detail::read_host(in.node("host"), s.engine, problems);
  s.frontend = detail::read_frontend(in.node("frontend"), s.engine, problems);
  s.memory = detail::read_memory(in.node("memory"), s.engine, problems);
  if (s.memory.kv_dtype) s.model.kv_dtype = *s.memory.kv_dtype;
  const auto model_len = model_known ? std::min(model_len_default, s.model.max_positions) : model_len_default;
  s.scheduler = detail::read_scheduler(in.node("scheduler"),
                                       detail::scheduler_defaults(s.engine, s.hardware, model_len), problems);
  s.cost = detail::read_cost(in.node("cost"), context);
  if (!s.hardware_ref.empty()) detail::read_profile(in.node("cost"), s, context);
  s.slo = detail::read_slo(in.node("slo"), problems);
  Parts parts;
  parts.workload = shared_workload(in.node("workload", true), context, s);
  parts.managers = detail::read_managers(in.node("managers", true), problems);
  in.finish();
  return parts;
}

Scenario resolve(ConfigDocument document, std::span<const std::string> sets, std::optional<std::uint64_t> seed) {
  Problems problems;
  for (std::size_t i = 0; i < sets.size(); ++i)
    detail::collect(problems, {}, "", [&] {
      document.set(sets[i], static_cast<int>(i) + 1);
      return true;
    });
  problems.throw_if_any();
  ScenarioCache cache;
  return resolve_scenario(document, seed, cache);
}
}  // namespace

Scenario resolve_scenario(const ConfigDocument& document, std::optional<std::uint64_t> seed, ScenarioCache& cache) {
  Problems problems;
  Scenario s;
  s.file = document.file();
  Context context{problems, cache};
  const Parts parts = read_root(document.root(), context, s, seed);
  problems.throw_if_any();
  detail::derive(s, parts, document.root(), context);
  detail::note_engine(s);
  return s;
}

std::string detail::Context::resolve(const ConfigNode& node) const {
  const fs::path written = node.text();
  const std::string& file = node.at().file;  // a study may have put the value into the scenario
  const bool from_command_line = file.starts_with("--");  // "--set #1", "--vary #1"
  const fs::path beside = fs::path(file).parent_path();
  return (written.is_absolute() || from_command_line ? written : beside / written).lexically_normal().string();
}

bool detail::is_path(std::string_view text) {
  return text.find('/') != std::string_view::npos || text.ends_with(".yaml") || text.ends_with(".yml") ||
         text.ends_with(".json");
}

std::string SloTarget::name() const {
  return fmt::format("{}_{}", slo_metric_names.at(metric), slo_statistic_names.at(statistic));
}

Scenario load_scenario(const std::string& path, std::span<const std::string> sets, std::optional<std::uint64_t> seed) {
  return resolve(ConfigDocument::load(path), sets, seed);
}

Scenario parse_scenario(std::string_view text, const std::string& file, std::span<const std::string> sets,
                        std::optional<std::uint64_t> seed) {
  return resolve(ConfigDocument::parse(text, file), sets, seed);
}
}  // namespace stowage
