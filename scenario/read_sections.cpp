// The maps of a scenario that say how the replica is built and run: cluster, memory, scheduler, cost, slo.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

#include "models/cost/roofline.hpp"
#include "scenario/reader.hpp"
#include "sim/serve/router.hpp"

namespace stowage::detail {
namespace {
constexpr std::int64_t int64_max = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t model_len_max = max_length_tokens;
constexpr std::int64_t batched_tokens_max = 1 << 20;  // the price table has a row for each
constexpr std::int64_t batch_max = 1 << 16;
constexpr double step_term_max_ns = 3600e9;  // one hour: sums over a run stay far from the end of the clock
constexpr double token_term_max_ns = 1e9;

/// An optional key: nothing when absent, what `read` makes of it otherwise.
template <class T, class Read>
std::optional<T> optional_key(MapReader& in, std::string_view key, Read read) {
  if (in.has(key)) return read();
  (void)in.node(key);
  return std::nullopt;
}

/// A duration from 0 to `max_ns`.
double term(MapReader& in, std::string_view key, double max_ns) {
  const double ns = in.duration_ns(key, 0.0);
  if (ns <= max_ns) return ns;
  in.problem(key,
             fmt::format("'{}' is out of range; write a duration up to {}", in.path_of(key), format_duration(max_ns)));
  return 0;
}

Bytes memory_size(MapReader& in, std::string_view key, Bytes min) {
  const Bytes value = in.bytes(key, min);
  if (value < min || value > pool_max)
    in.problem(key, fmt::format("'{}' is out of range; write a size from {} to {}", in.path_of(key), format_bytes(min),
                                format_bytes(pool_max)));
  return value;
}
}  // namespace

ClusterSpec read_cluster(const ConfigNode& node, const Scenario& s, bool model_known, Problems& problems) {
  MapReader in(node, problems);
  vllm_name(in, "replicas", "data_parallel_size");
  vllm_name(in, "tensor", "tensor_parallel_size");
  vllm_name(in, "pipeline", "pipeline_parallel_size");
  ClusterSpec c;
  c.replicas = in.integer("replicas", 1, FleetConfig::replicas_max, 1);
  c.tensor = in.integer("tensor", 1, 1024, 1);
  c.pipeline = in.integer("pipeline", 1, 1024, 1);
  c.expert = in.integer("expert", 1, 65536, 1);
  c.data = in.integer("data", 1, 65536, 1);
  std::vector<std::string_view> names;
  for (const RouterRow& row : routers()) names.push_back(row.name);
  const ConfigNode router = node.kind() == ConfigNode::Kind::map ? node.get("router") : ConfigNode{};
  if (router.kind() == ConfigNode::Kind::scalar && router.text() == "prefix-affinity")
    problems.add(in.node("router").at(), fmt::format("'{}': this version keeps no prefix cache to route by; write "
                                                     "least-kv or another",
                                                     in.path_of("router")));
  else
    c.router = names[in.choice("router", names, 0)];
  (void)in.node("groups");  // read_groups
  in.finish();
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
  MapReader in(node, problems);
  vllm_name(in, "utilization", "gpu_memory_utilization");
  vllm_name(in, "kv_dtype", "kv_cache_dtype");
  MemorySpec m;
  m.utilization = optional_key<double>(in, "utilization", [&] { return in.number("utilization", 0.01, 1); });
  m.kv_pool = optional_key<Bytes>(in, "kv_pool", [&] { return memory_size(in, "kv_pool", Bytes{1}); });
  m.kv_tokens = optional_key<std::int64_t>(in, "kv_tokens", [&] { return in.integer("kv_tokens", 1, int64_max); });
  m.activations = optional_key<Bytes>(in, "activations", [&] { return memory_size(in, "activations", Bytes{0}); });
  m.overhead = optional_key<Bytes>(in, "overhead", [&] { return memory_size(in, "overhead", Bytes{0}); });
  m.device = optional_key<Bytes>(in, "device", [&] { return memory_size(in, "device", Bytes{1}); });
  m.weights = optional_key<Bytes>(in, "weights", [&] { return memory_size(in, "weights", Bytes{0}); });
  m.graphs = optional_key<Bytes>(in, "graphs", [&] { return memory_size(in, "graphs", Bytes{0}); });
  constexpr std::array<std::string_view, 7> dtypes = {"auto",   "bfloat16", "float16", "float8",
                                                      "fp8",    "fp8_e4m3", "fp8_e5m2"};
  constexpr std::array<Dtype, 3> wide = {Dtype::bfloat16, Dtype::bfloat16, Dtype::float16};
  const std::size_t dtype = in.choice("kv_dtype", dtypes, 0);
  if (dtype > 0) m.kv_dtype = dtype < wide.size() ? wide[dtype] : Dtype::float8;
  in.finish();
  const int given = int{m.utilization.has_value()} + int{m.kv_pool.has_value()} + int{m.kv_tokens.has_value()};
  if (given > 1)
    problems.add(node.at(), "'memory' takes only one of utilization, kv_pool and kv_tokens; remove the others");
  if (given == 0) m.utilization = engine != nullptr ? engine->utilization : 0.9;
  for (const std::string_view key : {"activations", "overhead", "device", "weights", "graphs"})
    if (!m.utilization && in.has(key))
      in.problem(key, fmt::format("'{}' goes with 'utilization' only; remove it", in.path_of(key)));
  return m;
}

SchedulerConfig read_scheduler(const ConfigNode& node, const SchedulerConfig& defaults, Problems& problems) {
  MapReader in(node, problems);
  vllm_name(in, "max_batch", "max_num_seqs");
  vllm_name(in, "max_batched_tokens", "max_num_batched_tokens");
  vllm_name(in, "max_model_len", "max_model_len");
  vllm_name(in, "chunked_prefill", "enable_chunked_prefill");
  SchedulerConfig c = defaults;
  c.policy = static_cast<SchedulerPolicy>(in.choice("policy", scheduler_policy_names, 0));
  const bool prefill_first = c.policy == SchedulerPolicy::prefill_first;
  c.max_batch = in.integer("max_batch", 1, batch_max, c.max_batch);
  c.max_batched_tokens = in.integer("max_batched_tokens", 1, batched_tokens_max, c.max_batched_tokens);
  c.max_model_len = in.integer("max_model_len", 2, model_len_max, c.max_model_len);
  c.chunked_prefill = in.flag("chunked_prefill", c.chunked_prefill && !prefill_first);
  c.admit_full = in.flag("admit_full", c.admit_full);
  in.finish();
  if (prefill_first && c.chunked_prefill) {
    in.problem("chunked_prefill",
               fmt::format("'{}': policy prefill-first runs whole prompts; leave it out or write false",
                           in.path_of("chunked_prefill")));
    c.chunked_prefill = false;
  }
  if (!c.chunked_prefill && c.max_batched_tokens < c.max_model_len)
    in.problem(prefill_first ? "policy" : "chunked_prefill",
               fmt::format("without chunked prefill a prompt must fit in one step: max_batched_tokens {} is less than "
                           "max_model_len {}; raise it{} lower max_model_len{}",
                           c.max_batched_tokens, c.max_model_len, prefill_first ? " or" : ",",
                           prefill_first ? "" : " or set chunked_prefill: true"));
  if (prefill_first && c.max_batched_tokens < c.max_batch)
    in.problem("policy", fmt::format("policy prefill-first decodes everyone running in one step: max_batched_tokens {} "
                                     "is less than max_batch {}; raise it or lower max_batch",
                                     c.max_batched_tokens, c.max_batch));
  return c;
}

CostSpec read_cost(const ConfigNode& node, Context& context) {
  Problems& problems = context.problems;
  MapReader in(node, problems);
  CostSpec c;
  c.source = static_cast<CostSource>(in.choice("source", cost_source_names, static_cast<std::size_t>(c.source)));
  c.linear.base_ns = term(in, "base", step_term_max_ns);
  c.linear.per_prefill_token_ns = term(in, "per_prefill_token", token_term_max_ns);
  c.linear.per_decode_seq_ns = term(in, "per_decode_seq", token_term_max_ns);
  c.linear.per_kv_token_ns = term(in, "per_kv_token", token_term_max_ns);
  for (const std::string_view key : {"base", "per_prefill_token", "per_decode_seq", "per_kv_token"})
    if (c.source != CostSource::linear && in.has(key))
      in.problem(key, fmt::format("'{}' goes with 'source: linear' only; remove it", in.path_of(key)));
  if (in.has("profile")) {
    const ConfigNode path = in.node("profile");
    if (!in.text("profile").empty()) c.profile = context.resolve(path);
    if (c.source != CostSource::profile)
      in.problem("profile", fmt::format("'{}' goes with 'source: profile' only; remove it", in.path_of("profile")));
  }
  const ConfigNode vmm = in.node("vmm");
  in.finish();
  if (!vmm) return c;
  MapReader calls(vmm, problems);
  const auto price = [&](std::string_view key) {
    return optional_key<double>(calls, key, [&] { return term(calls, key, token_term_max_ns); });
  };
  c.vmm_create_ns = price("create");
  c.vmm_map_ns = price("map");
  c.vmm_set_access_ns = price("set_access");
  c.vmm_unmap_ns = price("unmap");
  calls.finish();
  return c;
}

std::vector<SloTarget> read_slo(const ConfigNode& node, Problems& problems) {
  std::vector<std::string> names;
  for (const auto metric : slo_metric_names)
    for (const auto statistic : slo_statistic_names) names.push_back(fmt::format("{}_{}", metric, statistic));
  const std::vector<std::string_view> views(names.begin(), names.end());
  std::vector<SloTarget> targets;
  MapReader in(node, problems);
  for (const auto& [key, at] : node.keys()) {
    const auto index = static_cast<std::size_t>(std::find(names.begin(), names.end(), key) - names.begin());
    if (index == names.size()) {
      std::string hint = did_you_mean(key, views);
      if (hint.empty()) hint = "; write one of ttft, tbt, tpot, e2e, queue with _mean, _p50, _p90, _p95, _p99 or _max";
      problems.add(at, fmt::format("unknown key '{}' in 'slo'{}", shown(key), hint));
      continue;
    }
    const std::size_t before = problems.list().size();
    const double limit_ns = in.duration_ns(key);
    if (problems.list().size() == before && limit_ns == 0)
      in.problem(key, fmt::format("'{}' must be more than 0", in.path_of(key)));
    targets.push_back({index / slo_statistic_names.size(), index % slo_statistic_names.size(), limit_ns});
  }
  return targets;
}
}  // namespace stowage::detail
