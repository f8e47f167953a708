// `engine:`, and the keys whose defaults it sets beside the pool: scheduler, host, frontend. And vLLM's flag names.
#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "scenario/reader.hpp"

namespace stowage::detail {
namespace {
// BLIS's fit to runs of vLLM on H100s: 126 us a step, 4 us a sequence and 32 us a layer; before the queue 15.6 ms a
// request, after it 46 us an output token. Its 32 us a layer stand for launches and kernel floors, which our prices of
// a step hold already (models/cost), so the preset leaves them out; `host: {per_layer: 32us}` puts them in.
constexpr HostCost vllm_host{126'000, 0, 4'000};
constexpr FrontendCost vllm_frontend{15'600'000, 0, 46'000};
constexpr double host_max_ns = 1e9, frontend_max_ns = 60e9;

double term(MapReader& in, std::string_view key, double fallback, double max_ns) {
  const double ns = in.duration_ns(key, fallback);
  if (ns <= max_ns) return ns;
  in.problem(key,
             fmt::format("'{}' is out of range; write a duration up to {}", in.path_of(key), format_duration(max_ns)));
  return fallback;
}
}  // namespace

const EngineSpec* read_engine(MapReader& root) {
  if (!root.has("engine")) {
    (void)root.node("engine");
    return nullptr;
  }
  std::vector<std::string_view> names;
  for (const EngineSpec& e : engines()) names.push_back(e.name);
  return &engines()[root.choice("engine", names)];
}

SchedulerConfig scheduler_defaults(const EngineSpec* engine, const HardwareSpec& hardware, std::int64_t model_len) {
  SchedulerConfig c;
  c.max_model_len = std::max<std::int64_t>(2, model_len);
  if (engine == nullptr) return c;
  const EngineLimits limits = engine_limits(hardware);
  c.max_batch = limits.max_num_seqs;
  c.max_batched_tokens = limits.max_num_batched_tokens;
  c.admit_full = engine->admit_full;
  c.chunked_prefill = engine->chunked_prefill;
  return c;
}

std::optional<HostCost> read_host(const ConfigNode& node, const EngineSpec* engine, Problems& problems) {
  if (!node && engine == nullptr) return std::nullopt;
  const HostCost d = engine != nullptr ? vllm_host : HostCost{};
  MapReader in(node, problems);
  const HostCost host{term(in, "per_step", d.per_step_ns, host_max_ns),
                      term(in, "per_layer", d.per_layer_ns, host_max_ns),
                      term(in, "per_seq", d.per_seq_ns, host_max_ns)};
  in.finish();
  return host;
}

FrontendCost read_frontend(const ConfigNode& node, const EngineSpec* engine, Problems& problems) {
  const FrontendCost d = engine != nullptr ? vllm_frontend : FrontendCost{};
  MapReader in(node, problems);
  const FrontendCost f{term(in, "per_request", d.per_request_ns, frontend_max_ns),
                       term(in, "per_prompt_token", d.per_prompt_token_ns, host_max_ns),
                       term(in, "per_output_token", d.per_output_token_ns, host_max_ns)};
  in.finish();
  return f;
}

void note_engine(Scenario& s) {
  if (s.engine == nullptr) return;
  if (s.engine->async_scheduling)
    s.notes.push_back(
        fmt::format("{} forms each batch while the one before runs (asynchronous scheduling), which is not simulated: "
                    "a request may wait one step longer for its first token",
                    s.engine->name));
  if (s.scheduler.policy == SchedulerPolicy::prefill_first)
    s.notes.push_back(fmt::format("{} has no scheduler that runs prompts first (vLLM had it through 0.6): its defaults "
                                  "are taken, its schedule is not", s.engine->name));
  if (s.budget.graphs > Bytes{0} && !s.memory.graphs && s.memory.utilization)
    s.notes.push_back(
        fmt::format("{}: the {:.2f} GiB set aside for CUDA graphs are an estimate ({:.0f} MiB each; logs had {:.0f} to "
                    "{:.0f}); give memory.graphs when known",
                    s.engine->name, static_cast<double>(s.budget.graphs.count()) / (1 << 30), s.engine->graph_mib,
                    graph_mib_reported_min, graph_mib_reported_max));
  for (const GroupSpec& g : s.cluster.groups) {
    const EngineLimits own = engine_limits(g.hardware), first = engine_limits(s.hardware);
    if (own.max_num_seqs == first.max_num_seqs) continue;
    s.notes.push_back(fmt::format("on {} {} would default to {} batched tokens and {} sequences; all groups are given "
                                  "those of the scenario's scheduler",
                                  g.hardware.name, s.engine->name, own.max_num_batched_tokens, own.max_num_seqs));
  }
}

void vllm_name(MapReader& in, std::string_view key, std::string_view flag) {
  if (flag != key) in.alias(key, flag);
  std::string dashed(flag);
  std::ranges::replace(dashed, '_', '-');
  if (dashed != flag) in.alias(key, dashed);
}
}  // namespace stowage::detail
