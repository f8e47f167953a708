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
constexpr std::int64_t int64_max = std::numeric_limits<std::int64_t>::max();
const std::int64_t model_len_default = SchedulerConfig{}.max_model_len;

/// The requests in memory when they are few enough, else as they come.
std::shared_ptr<const Workload> held(std::shared_ptr<const Workload> workload) {
  std::vector<Request> requests;
  const auto stream = workload->open();
  if (stream->has_followers()) return workload;  // a list has none
  std::vector<Request> batch(4096);
  while (const std::size_t n = stream->read(batch)) {
    if (requests.size() + n > ScenarioCache::held_requests_max) return workload;
    const auto shares = [](const Request& r) { return r.content >= 0; };
    if (std::any_of(batch.begin(), batch.begin() + static_cast<std::ptrdiff_t>(n), shares)) return workload;
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
    const bool good = workload && unseen.empty();
    if (!good) return ScenarioCache::Requests{};
    const bool in_memory = read.ledger && read.ledger->kept <= trace_rows_held;
    return ScenarioCache::Requests{in_memory ? workload : held(std::move(workload)), read.workload, read.ledger,
                                   read.warnings};
  });
  if (!shared->workload) return detail::read_workload(node, context, s);  // again, to say what is wrong
  s.workload = shared->spec;
  s.ledger = shared->ledger;
  s.warnings = shared->warnings;
  return shared->workload;
}

Parts read_root(const ConfigNode& root, Context& context, Scenario& s, std::optional<std::uint64_t> seed) {
  Problems& problems = context.problems;
  keys::KeyReader in(root, keys::scenario_keys(), problems);
  s.name = fs::path(s.file).stem().string();
  in.read(s);
  s.schema = read_integer(in.node("schema"), 0, int64_max, problems).value_or(1);
  if (s.schema != 1)
    in.problem("schema", fmt::format("'schema': {} is not known to this version, which reads schema 1", s.schema));
  if (seed) s.seed = *seed;

  const ConfigNode model = in.node("model"), hardware = in.node("hardware");
  const std::size_t before = problems.list().size();
  if (!s.model_ref.empty())
    s.model = detail::collect(problems, model.at(), "'model': ", [&] {
      return *context.cache.models.get(s.model_ref, [&] { return load_model(s.model_ref, model.at()); });
    });
  const bool model_known = !s.model_ref.empty() && problems.list().size() == before;
  if (!s.hardware_ref.empty())
    s.hardware = detail::collect(problems, hardware.at(), "'hardware': ", [&] {
      return *context.cache.hardware.get(s.hardware_ref,
                                         [&] { return load_hardware(s.hardware_ref, hardware.at()); });
    });

  s.cluster = detail::read_cluster(in.node("cluster"), s, model_known, problems);
  s.host = detail::read_host(in.node("host"), s.engine, problems);
  s.frontend = detail::read_frontend(in.node("frontend"), s.engine, problems);
  s.memory = detail::read_memory(in.node("memory"), s.engine, problems);
  if (s.memory.kv_dtype) s.model.kv_dtype = *s.memory.kv_dtype;
  const auto model_len = model_known ? std::min(model_len_default, s.model.max_positions) : model_len_default;
  s.scheduler = detail::read_scheduler(in.node("scheduler"),
                                       detail::scheduler_defaults(s.engine, s.hardware, model_len), problems);
  s.host_loop = detail::read_host_loop(in.node("host_loop"), s, problems);
  s.cost = detail::read_cost(in.node("cost"), problems);
  if (!s.hardware_ref.empty()) detail::read_profile(in.node("cost"), s, context);
  s.slo = detail::read_slo(in.node("slo"), problems);
  Parts parts;
  parts.workload = shared_workload(in.node("workload"), context, s);
  parts.managers = detail::read_managers(in.node("managers"), s.engine, problems);
  return parts;
}

Scenario read_and_derive(const ConfigDocument& document, std::optional<std::uint64_t> seed, ScenarioCache& cache,
                         bool priced) {
  Problems problems;
  Scenario s;
  s.file = document.file();
  Context context{problems, cache};
  const Parts parts = read_root(document.root(), context, s, seed);
  problems.throw_if_any();
  detail::derive(s, parts, document.root(), context, priced);
  return s;
}

Scenario resolve(ConfigDocument document, std::span<const std::string> sets, std::optional<std::uint64_t> seed) {
  Problems problems;
  for (std::size_t i = 0; i < sets.size(); ++i)
    detail::collect(problems, {}, "", [&] {
      document.set(keys::spelled_set(document.root(), keys::scenario_keys(), sets[i]), static_cast<int>(i) + 1);
      return true;
    });
  problems.throw_if_any();
  ScenarioCache cache;
  return resolve_scenario(document, seed, cache);
}
}  // namespace

Scenario resolve_scenario(const ConfigDocument& document, std::optional<std::uint64_t> seed, ScenarioCache& cache) {
  Scenario s = read_and_derive(document, seed, cache, true);
  detail::note_engine(s);
  s.notes.insert(s.notes.begin(), s.warnings.begin(), s.warnings.end());
  return s;
}

void check_scenario(const ConfigDocument& document, ScenarioCache& cache) {
  (void)read_and_derive(document, {}, cache, false);
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
