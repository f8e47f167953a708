// Reads a scenario in two passes: first every key of the file, collecting problems; then what follows from them
// (budget, pool, prices, one RunConfig a manager), which needs the whole.
#include "scenario/scenario.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "models/cost/roofline.hpp"
#include "models/cost/vmm.hpp"
#include "scenario/reader.hpp"

namespace stowage {
namespace {
using detail::Context;
using detail::pool_max;
constexpr std::int64_t int64_max = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t model_len_default = 8192;
constexpr std::size_t reference_max = 400;  // characters of a name or path: more is a quote left open
constexpr double gib = 1024.0 * 1024.0 * 1024.0;
double in_gib(Bytes bytes) { return static_cast<double>(bytes.count()) / gib; }

std::string model_or_hardware(MapReader& in, std::string_view key, const Context& context) {
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

/// What the file says, without what follows from it.
struct Parts {
  std::vector<detail::ManagerEntry> managers;
  std::shared_ptr<const Workload> workload;
};

Parts read_root(const ConfigNode& root, Context& context, Scenario& s, std::optional<std::uint64_t> seed) {
  Problems& problems = context.problems;
  MapReader in(root, problems);
  s.schema = in.integer("schema", 0, int64_max, 1);
  if (s.schema != 1)
    in.problem("schema", fmt::format("'schema': {} is not known to this version, which reads schema 1", s.schema));
  s.name = in.text("name", std::filesystem::path(s.file).stem().string());
  s.seed = static_cast<std::uint64_t>(in.integer("seed", 0, int64_max, 0));
  if (seed) s.seed = *seed;

  s.model_ref = model_or_hardware(in, "model", context);
  s.hardware_ref = model_or_hardware(in, "hardware", context);
  const std::size_t before = problems.list().size();
  if (!s.model_ref.empty())
    s.model = detail::collect(problems, in.node("model").at(),
                              "'model': ", [&] { return load_model(s.model_ref, in.node("model").at()); });
  const bool model_known = !s.model_ref.empty() && problems.list().size() == before;
  if (!s.hardware_ref.empty())
    s.hardware = detail::collect(problems, in.node("hardware").at(), "'hardware': ", [&] {
      return load_hardware(s.hardware_ref, in.node("hardware").at());
    });

  s.cluster = detail::read_cluster(in.node("cluster"), s, model_known, problems);
  s.memory = detail::read_memory(in.node("memory"), problems);
  const auto model_len = model_known ? std::min(model_len_default, s.model.max_positions) : model_len_default;
  s.scheduler = detail::read_scheduler(in.node("scheduler"), std::max<std::int64_t>(2, model_len), problems);
  s.cost = detail::read_cost(in.node("cost"), problems);
  s.slo = detail::read_slo(in.node("slo"), problems);
  Parts parts;
  parts.workload = detail::read_workload(in.node("workload", true), context, s);
  parts.managers = detail::read_managers(in.node("managers", true), problems);
  in.finish();
  return parts;
}

/// The replica's pool, from whichever of the three keys decides.
void derive_pool(Scenario& s, const ConfigNode& root, Problems& problems) {
  MemoryOptions options;
  options.utilization = s.memory.utilization.value_or(options.utilization);
  options.tensor = static_cast<int>(s.cluster.tensor);
  options.pipeline = static_cast<int>(s.cluster.pipeline);
  options.expert = static_cast<int>(s.cluster.expert);
  options.max_batched_tokens = s.scheduler.max_batched_tokens;
  options.max_batch = s.scheduler.max_batch;
  options.activations = s.memory.activations;
  options.overhead = s.memory.overhead;
  options.device = s.memory.device;
  options.weights = s.memory.weights;
  options.graphs = s.memory.graphs;
  s.budget = memory_budget(s.model, s.hardware, options);
  // Stages are counted as if all were like the one that decides, so that a page of any GPU is one of these tensors.
  s.kv.gpus = s.cluster.tensor * s.cluster.pipeline;
  s.kv.layers = pipeline_layers(s.model.layers, options.pipeline)[static_cast<std::size_t>(s.budget.stage)];
  s.kv.bytes_per_token = s.budget.kv_bytes_per_token * s.kv.gpus;
  if (s.memory.utilization) {
    require_fits(s.budget, s.model, s.hardware);
    s.kv.pool = s.budget.kv_pool * s.kv.gpus;
  } else if (s.memory.kv_pool) {
    s.kv.pool = *s.memory.kv_pool;
  } else {
    const std::int64_t tokens_max = floor_div(pool_max, s.kv.bytes_per_token);
    if (*s.memory.kv_tokens > tokens_max) {
      problems.add(root.get("memory").get("kv_tokens").at(),
                   fmt::format("'memory.kv_tokens' is out of range; at {} a token write at most {} ({})",
                               format_bytes(s.kv.bytes_per_token), tokens_max, format_bytes(pool_max)));
      return;
    }
    s.kv.pool = s.kv.bytes_per_token * *s.memory.kv_tokens;
  }
  s.pool_tokens = floor_div(s.kv.pool, s.kv.bytes_per_token);
}

/// A pool given outright may be a thought experiment, but not on a GPU that cannot even hold the weights.
void check_outright_pool(Scenario& s) {
  if (s.memory.utilization) return;
  const auto& b = s.budget;
  if (b.weights > b.device)
    throw InfeasibleError(
        fmt::format("{} does not fit {}: weights of {:.2f} GiB a GPU, of {:.2f} GiB a GPU has; use a larger tensor, a "
                    "larger GPU or "
                    "a smaller model",
                    s.model.name, s.hardware.name, in_gib(b.weights), in_gib(b.device)));
  const Bytes pool_per_gpu{s.kv.pool.count() / s.kv.gpus};
  if (b.weights + pool_per_gpu > b.device)
    s.notes.push_back(
        fmt::format("the KV pool given ({:.2f} GiB a GPU) and the weights ({:.2f} GiB) are more than the "
                    "{:.2f} GiB of {}; simulated as asked",
                    in_gib(pool_per_gpu), in_gib(b.weights), in_gib(b.device), s.hardware.name));
}

StepCost derive_cost(Scenario& s) {
  if (s.cost.source == CostSource::linear) {
    s.cost_used = CostSource::linear;
    return StepCost(s.cost.linear);
  }
  s.cost_used = CostSource::roofline;
  if (s.cost.source == CostSource::profile)
    s.notes.push_back(
        fmt::format("{} has no calibrated profile: steps are priced by its spec sheet (roofline, "
                    "uncalibrated)",
                    s.hardware.name));
  else
    s.notes.push_back(
        fmt::format("steps are priced by the spec sheet of {} (roofline, uncalibrated)", s.hardware.name));
  return compile_roofline(s.model, s.hardware, s.cluster.layout(), s.scheduler.max_batched_tokens,
                          s.scheduler.max_model_len);
}

VmmCost derive_vmm(const Scenario& s, const ManagerSpec& spec) {
  const auto page = spec.params.find("page");
  if (page == spec.params.end()) return {};
  VmmCost cost = vmm_cost(s.hardware, Bytes{std::get<std::int64_t>(page->second)});
  std::string given;
  const auto override_with = [&](const std::optional<double>& value, double& price, std::string_view name) {
    if (!value) return;
    price = *value;
    given += fmt::format("{}{}", given.empty() ? "" : ", ", name);
  };
  override_with(s.cost.vmm_create_ns, cost.create_ns, "create");
  override_with(s.cost.vmm_map_ns, cost.map_ns, "map");
  override_with(s.cost.vmm_set_access_ns, cost.set_access_ns, "set_access");
  override_with(s.cost.vmm_unmap_ns, cost.unmap_ns, "unmap");
  if (!given.empty()) cost.source = fmt::format("cost.vmm of the scenario ({}); {}", given, cost.source);
  return cost;
}

void note_layout(Scenario& s) {
  const ModelSpec& m = s.model;
  const std::int64_t gpus = s.cluster.tensor * s.cluster.pipeline * s.cluster.data;
  if (gpus > 1 && s.cost_used == CostSource::roofline)
    s.notes.push_back(fmt::format(
        "collectives are {}", RooflinePrices(s.hardware, s.cluster.layout()).link_source()));
  if (s.cluster.tensor > s.hardware.node_gpus)
    s.notes.push_back(fmt::format("tensor {} spans more than the {} GPUs of one host: collectives cross the network",
                                  s.cluster.tensor, s.hardware.node_gpus));
  if (s.cluster.pipeline > 1 && m.layers % s.cluster.pipeline != 0)
    s.notes.push_back(
        fmt::format("{} layers do not divide into {} stages: pool and bytes are counted as if every stage had the {} "
                    "layers of the one that decides, and step prices are at most so much high",
                    m.layers, s.cluster.pipeline, s.kv.layers));
  if (s.cluster.data > 1)
    s.notes.push_back(fmt::format("each replica is one of {} that share the experts; the others are taken to carry as "
                                  "many tokens at every step",
                                  s.cluster.data));
  if (m.window > 0)
    s.notes.push_back(
        fmt::format("managers keep every token of every layer, though {} of {} layers see only {} tokens; their "
                    "attention is priced never too low",
                    m.window_layers, m.layers, m.window));
  if (m.latent())
    s.notes.push_back("latent attention keeps one tensor a layer; managers that map pages take it for two of half the "
                      "width");
  if (m.moe() && s.cost_used == CostSource::roofline)
    s.notes.push_back("tokens are taken to choose experts evenly and independently");
}

void note_limits(Scenario& s) {
  if (s.scheduler.max_model_len > s.model.max_positions)
    s.notes.push_back(fmt::format("max_model_len {} is beyond the {} positions {} was made for",
                                  s.scheduler.max_model_len, s.model.max_positions, s.model.name));
  note_layout(s);
}

void derive_runs(Scenario& s, const Parts& parts, Problems& problems) {
  const StepCost cost = derive_cost(s);
  for (const auto& entry : parts.managers) {
    RunConfig run;
    run.scheduler = s.scheduler;
    run.kv = s.kv;
    run.manager = entry.spec;
    run.cost = cost;
    run.vmm = derive_vmm(s, entry.spec);
    run.workload = parts.workload;
    detail::collect(problems, entry.at, fmt::format("'{}': ", entry.path), [&] {
      entry.row->check(run);
      return true;
    });
    s.runs.push_back(std::move(run));
  }
}

Scenario resolve(ConfigDocument document, std::span<const std::string> sets, std::optional<std::uint64_t> seed) {
  Problems problems;
  for (std::size_t i = 0; i < sets.size(); ++i)
    detail::collect(problems, {}, "", [&] {
      document.set(sets[i], static_cast<int>(i) + 1);
      return true;
    });
  problems.throw_if_any();
  Scenario s;
  s.file = document.file();
  Context context{problems, std::filesystem::path(s.file).parent_path()};
  const Parts parts = read_root(document.root(), context, s, seed);
  problems.throw_if_any();
  derive_pool(s, document.root(), problems);
  problems.throw_if_any();
  check_outright_pool(s);
  derive_runs(s, parts, problems);
  problems.throw_if_any();
  note_limits(s);
  return s;
}
}  // namespace

std::string detail::Context::resolve(const ConfigNode& node) const {
  const std::filesystem::path written = node.text();
  const bool from_command_line = node.at().file.starts_with("--set #");
  return (written.is_absolute() || from_command_line ? written : folder / written).lexically_normal().string();
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
