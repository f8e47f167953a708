// What `engine:` sets the defaults of beside the pool: scheduler, host, frontend.
#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "scenario/reader.hpp"
#include "sim/sched/scheduler.hpp"

namespace stowage::detail {
namespace {
// BLIS's fit to runs of vLLM on H100s: 126 us a step, 4 us a sequence and 32 us a layer; before the queue 15.6 ms a
// request, after it 46 us an output token. Its 32 us a layer stand for launches and kernel floors, which our prices of
// a step hold already (models/cost), so the preset leaves them out; `host: {per_layer: 32us}` puts them in.
constexpr HostCost vllm_host{126'000, 0, 4'000};
constexpr FrontendCost vllm_frontend{15'600'000, 0, 46'000};

// vLLM 0.24 on an H200, medians. schedule() takes 72 us and 12.6 a running request, and 72 pass from taking outputs to
// the next one; update_from_output() takes 79 us and 6.4 an output (decodes of Llama-3.1-8B, 1 to 128 at once). A step
// is 0.76 ms longer without asynchronous scheduling than with it: the rest, 0.5 ms, is taken for the preparation of
// inputs. Launching a step with prompts held the loop for 7.5 ms with graphs in pieces and 16 ms without on 32 layers,
// 11 to 13 and 24 on 48 (Gemma-3-12B): 234 and 500 us a layer. A mixture of experts takes more: 18 and 50 ms on 48.
constexpr double vllm_launch_layer_ns = 234'000, vllm_eager_layer_ns = 500'000;
constexpr std::int64_t vllm_graph_tokens = 512;  // or twice max_num_seqs where that is less
}  // namespace

SchedulerConfig scheduler_defaults(const EngineSpec* engine, const HardwareSpec& hardware, std::int64_t model_len) {
  SchedulerConfig c;
  c.max_model_len = std::max<std::int64_t>(2, model_len);
  if (engine == nullptr) return c;
  const EngineLimits limits = engine_limits(hardware, *engine, model_len);
  c.max_batch = limits.max_num_seqs;
  c.max_batched_tokens = limits.max_num_batched_tokens;
  c.admit_full = engine->admit_full;
  c.chunked_prefill = engine->chunked_prefill;
  c.async_scheduling = engine->async_scheduling;
  return c;
}

std::optional<HostCost> read_host(const ConfigNode& node, const EngineSpec* engine, Problems& problems) {
  if (!node && engine == nullptr) return std::nullopt;
  HostCost host = engine != nullptr ? vllm_host : HostCost{};
  keys::KeyReader(node, keys::host_keys(), problems).read(host);
  return host;
}

HostLoop read_host_loop(const ConfigNode& node, const Scenario& s, Problems& problems) {
  if (node.kind() == ConfigNode::Kind::scalar && node.text() == "none") return {};
  HostLoop loop;
  if (s.engine != nullptr && s.engine->loop_measured) {
    const auto layers = static_cast<double>(s.model.layers);
    loop = {.form_ns = 644'000,
            .form_per_request_ns = 12'600,
            .launch_ns = layers * vllm_launch_layer_ns,
            .launch_eager_ns = layers * vllm_eager_layer_ns,
            .graph_tokens = std::min(vllm_graph_tokens, 2 * s.scheduler.max_batch),
            .update_ns = 79'000,
            .update_per_output_ns = 6'400};
  }
  keys::KeyReader(node, keys::host_loop_keys(), problems).read(loop);
  return loop;
}

FrontendCost read_frontend(const ConfigNode& node, const EngineSpec* engine, Problems& problems) {
  if (node.kind() == ConfigNode::Kind::scalar && node.text() == "none") return {};
  FrontendCost frontend = engine != nullptr ? vllm_frontend : FrontendCost{};
  keys::KeyReader(node, keys::frontend_keys(), problems).read(frontend);
  return frontend;
}

void note_engine(Scenario& s) {
  if (s.engine == nullptr) return;
  if (s.engine->async_scheduling && !s.scheduler.async_scheduling)
    s.notes.push_back(
        fmt::format("{} forms each batch while the one before runs, so that a request may wait one step longer for its "
                    "first token: scheduler.async_scheduling: true simulates that",
                    s.engine->name));
  if (const std::string_view retired = find_scheduler(s.scheduler.policy)->retired; !retired.empty())
    s.notes.push_back(
        fmt::format("{} has {}: its defaults are taken, its schedule is not", s.engine->name, retired));
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
}  // namespace stowage::detail
