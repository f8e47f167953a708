// What follows from a scenario once all of it is read: budget, pool, prices, one RunConfig a manager.
#include <fmt/format.h>

#include <algorithm>

#include "models/cost/roofline.hpp"
#include "scenario/reader.hpp"

namespace stowage {
namespace {
using detail::Context;
using detail::Parts;
using detail::pool_max;
constexpr double gib = 1024.0 * 1024.0 * 1024.0;
double in_gib(Bytes bytes) { return static_cast<double>(bytes.count()) / gib; }

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
  options.engine = s.engine;
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

void note_layout(Scenario& s) {
  const ModelSpec& m = s.model;
  const std::int64_t gpus = s.cluster.tensor * s.cluster.pipeline * s.cluster.data;
  const bool beyond_tensor = s.cluster.pipeline > 1 || s.cluster.data > 1 || s.cluster.expert > 1;
  if (gpus > 1 && (s.cost_used == CostSource::roofline || (s.cost_used == CostSource::profile && beyond_tensor)))
    s.notes.push_back(fmt::format("{} are {}",
                                  s.cost_used == CostSource::roofline ? "collectives" : "links between GPUs",
                                  RooflinePrices(s.hardware, s.cluster.layout()).link_source()));
  if (s.cluster.tensor > s.hardware.node_gpus)
    s.notes.push_back(fmt::format("tensor {} spans more than the {} GPUs of one host: collectives cross the network",
                                  s.cluster.tensor, s.hardware.node_gpus));
  if (s.cluster.pipeline > 1 && m.layers % s.cluster.pipeline != 0)
    s.notes.push_back(
        fmt::format("{} layers do not divide into {} stages: pool and bytes are counted as if every stage "
                    "had the {} layers of the one that decides, and step prices are at most so much high",
                    m.layers, s.cluster.pipeline, s.kv.layers));
  if (s.cluster.data > 1)
    s.notes.push_back(
        fmt::format("each replica is one of {} that share the experts; the others are taken to carry as "
                    "many tokens at every step",
                    s.cluster.data));
  if (m.window > 0)
    s.notes.push_back(
        fmt::format("managers keep every token of every layer, though {} of {} layers see only {} tokens; "
                    "their attention is priced never too low",
                    m.window_layers, m.layers, m.window));
  if (m.latent())
    s.notes.push_back(
        "latent attention keeps one tensor a layer; managers that map pages take it for two of half the "
        "width");
  if (m.moe() && s.cost_used != CostSource::linear)
    s.notes.push_back("tokens are taken to choose experts evenly and independently");
}

/// Of how many tokens are the hashes of the workload's prompts? Nothing when the prompts have nothing in common.
std::optional<std::int64_t> hash_tokens_of(const Scenario& s) {
  const auto& source = s.workload.source;
  bool shared = s.ledger && s.ledger->hash_tokens > 0;
  if (const auto* list = std::get_if<std::vector<InlineRequests>>(&source))
    shared = std::ranges::any_of(*list, [](const InlineRequests& r) { return !r.hashes.empty(); });
  if (const auto* drawn = std::get_if<SyntheticSpec>(&source)) shared = drawn->prefix_tokens > 0;
  return shared ? s.workload.hash_block_size : std::nullopt;
}

void check_prefixes(Scenario& s, const Parts& parts, Problems& problems) {
  const auto has_cache = [](const auto& entry) { return entry.spec.flag("prefix_caching"); };
  const bool caches = std::ranges::any_of(parts.managers, has_cache);
  if (s.cluster.router == "prefix-affinity" && !caches)
    s.notes.push_back("prefix-affinity routes by prefix caches, and no manager has one: it is least-outstanding here");
  const auto hash_tokens = hash_tokens_of(s);
  if (!hash_tokens) return;
  for (const auto& entry : parts.managers) {
    if (!has_cache(entry)) continue;
    const std::int64_t block = entry.spec.integer("block_size");
    if (*hash_tokens % block != 0 && block % *hash_tokens != 0)
      problems.add(entry.at, fmt::format("'{}': blocks of {} tokens and hashes of {} ('workload.hash_block_size'): one "
                                         "must be a multiple of the other",
                                         entry.path, block, *hash_tokens));
  }
  if (!caches)
    s.notes.push_back("prompts begin alike, and no manager caches prefixes: all of every prompt is computed");
}

/// What is simulated of a model whose layers differ, and what is not.
void note_layers(Scenario& s) {
  for (const auto& sentence : s.model.assumed) s.notes.push_back(s.model.name + ": " + sentence);
  if (const auto towers = s.model.tower_parameters(); towers > 0)
    s.notes.push_back(
        fmt::format("the {} million parameters of encoders of pictures are counted as weights; requests are "
                    "of text alone",
                    towers / 1'000'000));
  if (s.model.layers_differ() && s.cost_used != CostSource::linear)
    s.notes.push_back(
        fmt::format("layers of {} differ from each other; steps are priced as if all were alike, with "
                    "parameters within 2 % of its own",
                    s.model.name));
}

/// A simulation that would leave out a model's states or its attention is none.
void check_simulated(const Scenario& s, const ConfigNode& root) {
  if (s.engine != nullptr && s.engine->null_blocks == 0)
    throw InputError(root.get("engine").at(), fmt::format("'engine': the scheduler of {} (the V0 engine) is not known; "
                                                          "`stowage fit` gives its pool, or write scheduler: "
                                                          "{{policy: vllm-v0}} without an engine",
                                                          s.engine->name));
  const std::string why = s.model.unsimulated();
  const bool kept = s.model.state_bytes_per_sequence().count() > 0;
  if (why.empty() || (s.cost.source == CostSource::linear && !kept)) return;
  throw InputError(root.get("model").at(),
                   fmt::format("'model': {} cannot be simulated yet: {}; `stowage model show` and `stowage fit` count "
                               "its memory",
                               s.model.name, why));
}

void note_limits(Scenario& s) {
  note_layers(s);
  if (s.scheduler.max_model_len > s.model.max_positions)
    s.notes.push_back(fmt::format("max_model_len {} is beyond the {} positions {} was made for",
                                  s.scheduler.max_model_len, s.model.max_positions, s.model.name));
  note_layout(s);
}

/// What the replicas of each group are; none for a bare replica. Notes of a group join the scenario's.
std::vector<Scenario> derive_groups(Scenario& s, const ConfigNode& root, Context& context) {
  std::vector<Scenario> out;
  for (GroupSpec& g : s.cluster.groups) {
    Scenario own = detail::as_group(s, g);
    own.notes.clear();
    detail::read_profile(root.get("cost"), own, context);
    try {
      derive_pool(own, root, context.problems);
      if (!context.problems.empty()) return out;
      check_outright_pool(own);
    } catch (const InfeasibleError& e) {
      const std::string line = g.at.line > 0 ? fmt::format(" at line {}", g.at.line) : "";
      throw InfeasibleError(fmt::format("'cluster.groups[{}]'{}: {}", out.size(), line, e.what()));
    }
    g.kv = own.kv;
    g.pool_tokens = own.pool_tokens;
    out.push_back(std::move(own));
  }
  return out;
}

/// The fleet's own figures: those of the first group, and the weakest of the groups' evidence.
void take_from(Scenario& s, std::vector<Scenario>& groups) {
  const Scenario& first = groups.front();
  s.budget = first.budget;
  s.kv = first.kv;
  s.pool_tokens = first.pool_tokens;
  s.cost_used = first.cost_used;
  s.profile = first.profile;
  for (std::size_t i = 0; i < groups.size(); ++i)
    if (groups[i].cost_used == CostSource::profile) s.cluster.groups[i].profile = groups[i].profile;
  for (Scenario& own : groups) {
    if (own.cost_used == CostSource::roofline) s.cost_used = CostSource::roofline;
    for (std::string& gap : own.profile_gaps)
      if (std::ranges::find(s.profile_gaps, gap) == s.profile_gaps.end()) s.profile_gaps.push_back(gap);
    for (std::string& note : own.notes)
      if (std::ranges::find(s.notes, note) == s.notes.end()) s.notes.push_back(note);
  }
}

/// Without `prices` the groups have none.
FleetConfig fleet_of(const Scenario& s, const RunConfig& run, const ManagerSpec& manager,
                     std::vector<detail::Prices>& prices) {
  FleetConfig fleet{s.cluster.router, s.seed, {}};
  for (std::size_t i = 0; i < s.cluster.groups.size(); ++i) {
    const GroupSpec& g = s.cluster.groups[i];
    fleet.groups.push_back({g.name(), g.replicas, g.weight, g.kv, {}, {}});
    if (prices.empty()) continue;
    fleet.groups.back().cost = prices[i].steps(manager);
    fleet.groups.back().vmm = prices[i].vmm(manager);
  }
  if (s.cluster.groups.empty() && s.cluster.replicas > 1)
    fleet.groups.push_back({s.hardware.name, s.cluster.replicas, 1, run.kv, run.cost, run.vmm});
  return fleet;
}

/// Does the manager take this replica? What is wrong joins `problems`; why the pool is too small is returned.
std::string check_replica(const detail::ManagerEntry& entry, const RunConfig& replica, const std::string& on,
                          Problems& problems) {
  try {
    detail::collect(problems, entry.at, fmt::format("'{}'{}: ", entry.path, on), [&] {
      entry.row->check(replica);
      return true;
    });
  } catch (const InfeasibleError& e) {
    const std::string line = entry.at.line > 0 ? fmt::format(" at line {}", entry.at.line) : "";
    return fmt::format("'{}'{}{}: {}", entry.path, line, on, e.what());
  }
  return "";
}

/// With `each_alone` a manager for which the pool is too small leaves the others their runs.
void derive_runs(Scenario& s, const Parts& parts, std::vector<detail::Prices>& prices, bool each_alone,
                 Problems& problems) {
  for (std::size_t m = 0; m < parts.managers.size(); ++m) {
    const detail::ManagerEntry& entry = parts.managers[m];
    RunConfig run;
    run.scheduler = s.scheduler;
    run.kv = s.kv;
    run.manager = entry.spec;
    if (!prices.empty()) {
      run.cost = prices.front().steps(entry.spec);
      run.vmm = prices.front().vmm(entry.spec);
    }
    run.workload = parts.workload;
    run.frontend = s.frontend;
    run.host_loop = s.host_loop;
    run.fleet = fleet_of(s, run, entry.spec, prices);
    std::string unfit;
    if (s.cluster.groups.empty()) unfit = check_replica(entry, run, "", problems);
    for (std::size_t i = 0; i < s.cluster.groups.size(); ++i) {
      RunConfig replica = run;
      replica.kv = run.fleet.groups[i].kv;
      const std::string why = check_replica(entry, replica, fmt::format(" on 'cluster.groups[{}]'", i), problems);
      if (unfit.empty()) unfit = why;
    }
    if (unfit.empty())
      s.runs.push_back(std::move(run));
    else
      s.unfit.push_back({m, entry.spec.name, std::move(unfit)});
  }
  problems.throw_if_any();
  if (!s.unfit.empty() && (!each_alone || s.runs.empty())) throw InfeasibleError(s.unfit.front().reason);
}
}  // namespace

void detail::derive(Scenario& s, const Parts& parts, const ConfigNode& root, Context& context, bool priced) {
  check_simulated(s, root);
  std::vector<Scenario> groups = derive_groups(s, root, context);
  context.problems.throw_if_any();
  std::vector<Prices> prices;  // of each group, or of the one replica; none unless priced
  for (Scenario& own : groups)
    if (priced) prices.emplace_back(own, context.cache);
  if (groups.empty()) {
    derive_pool(s, root, context.problems);
    context.problems.throw_if_any();
    check_outright_pool(s);
    if (priced) prices.emplace_back(s, context.cache);
  } else {
    take_from(s, groups);
  }
  check_prefixes(s, parts, context.problems);
  derive_runs(s, parts, prices, context.cache.many_points, context.problems);
  note_limits(s);
}
}  // namespace stowage
