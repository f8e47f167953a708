// The maps of a scenario that say how the replica is built and run: cluster, memory, scheduler, cost, slo.
#include <fmt/format.h>

#include <algorithm>

#include "scenario/reader.hpp"
#include "sim/sched/scheduler.hpp"

namespace stowage::detail {
using keys::KeyReader;

ClusterSpec read_cluster(const ConfigNode& node, const Scenario& s, bool model_known, Problems& problems) {
  KeyReader in(node, keys::cluster_keys(), problems);
  ClusterSpec c;
  in.read(c);
  c.groups = read_groups(in, s, model_known, problems);
  if (!model_known) return c;
  if (const auto problem = layout_problem(s.model, c.layout())) {
    in.problem(problem->key, fmt::format("'{}': {}", in.path_of(problem->key), problem->why));
    return c;
  }
  const bool linked = c.tensor * c.pipeline * c.data > 1 && s.hardware.node_gpus > 0 && !s.hardware.name.empty();
  if (const auto why = linked ? link_problem(s.hardware, c.layout()) : std::nullopt) {
    const std::string_view key = c.tensor > s.hardware.node_gpus ? "tensor" : c.pipeline > 1 ? "pipeline" : "data";
    in.problem(key, fmt::format("'{}': {}", in.path_of(key), *why));
  }
  return c;
}

MemorySpec read_memory(const ConfigNode& node, const EngineSpec* engine, Problems& problems) {
  KeyReader in(node, keys::memory_keys(), problems);
  MemorySpec m;
  in.read(m);
  const int given = int{in.has("utilization")} + int{in.has("kv_pool")} + int{in.has("kv_tokens")};
  if (given > 1)
    problems.add(node.at(), "'memory' takes only one of utilization, kv_pool and kv_tokens; remove the others");
  if (given == 0) m.utilization = engine != nullptr ? engine->utilization : 0.9;
  for (const std::string_view key : {"activations", "overhead", "device", "weights", "graphs"})
    if (given > 0 && !in.has("utilization") && in.has(key))
      in.problem(key, fmt::format("'{}' goes with 'utilization' only; remove it", in.path_of(key)));
  return m;
}

SchedulerConfig read_scheduler(const ConfigNode& node, const SchedulerConfig& defaults, Problems& problems) {
  KeyReader in(node, keys::scheduler_keys(), problems);
  SchedulerConfig c = defaults;
  in.read(c);
  const SchedulerRow* row = find_scheduler(c.policy);
  STOWAGE_ASSERT(row != nullptr);  // one of the names that the key may have
  if (!in.has("chunked_prefill")) c.chunked_prefill = c.chunked_prefill && row->chunks;
  if (!in.has("async_scheduling")) c.async_scheduling = c.async_scheduling && row->ahead;
  if (c.async_scheduling && !row->ahead)
    in.problem("async_scheduling", fmt::format("'{}': policy {} waits for each step; leave it out or write false",
                                               in.path_of("async_scheduling"), c.policy));
  for (const SchedulerProblem& p : row->check(c))
    in.problem(p.key, p.named ? fmt::format("'{}': {}", in.path_of(p.key), p.text) : p.text);
  c.chunked_prefill = c.chunked_prefill && row->chunks;
  return c;
}

CostSpec read_cost(const ConfigNode& node, Problems& problems) {
  KeyReader in(node, keys::cost_keys(), problems);
  CostSpec c;
  in.read(c);
  for (const std::string_view key : {"base", "per_prefill_token", "per_decode_seq", "per_kv_token"})
    if (c.source != CostSource::linear && in.has(key))
      in.problem(key, fmt::format("'{}' goes with 'source: linear' only; remove it", in.path_of(key)));
  if (c.source != CostSource::profile && in.has("profile"))
    in.problem("profile", fmt::format("'{}' goes with 'source: profile' only; remove it", in.path_of("profile")));
  KeyReader(in.node("vmm"), keys::vmm_keys(), problems).read(c);
  return c;
}

std::vector<SloTarget> read_slo(const ConfigNode& node, Problems& problems) {
  const keys::Table& table = keys::slo_keys();
  (void)KeyReader(node, table, problems);
  std::vector<SloTarget> targets;
  for (const auto& [name, at] : node.keys()) {
    const keys::Key* key = keys::find(table, name);
    if (key == nullptr) continue;  // said
    const auto limit = keys::read_value(node.get(name), key->form, problems);
    if (!limit) continue;
    const std::string ending = keys::canonical_name(*key, name).substr(key->name.size() + 1);
    const auto statistic = std::find(slo_statistic_names.begin(), slo_statistic_names.end(), ending);
    targets.push_back({static_cast<std::size_t>(key - table.keys.data()),
                       static_cast<std::size_t>(statistic - slo_statistic_names.begin()), std::get<double>(*limit)});
  }
  return targets;
}
}  // namespace stowage::detail
