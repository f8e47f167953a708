#pragma once
// Everything one simulated run needs, resolved: no defaults left to fill, no files left to read.
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/request.hpp"
#include "base/units.hpp"
#include "models/cost/step_cost.hpp"
#include "sim/manager_spec.hpp"

namespace stowage {

struct SchedulerConfig {
  std::int64_t max_batch = 256;            // requests running at once (vLLM: max_num_seqs)
  std::int64_t max_batched_tokens = 8192;  // tokens scheduled in one iteration
  std::int64_t max_model_len = 8192;       // prompt + output tokens of one request
  bool chunked_prefill = true;             // false where the policy runs whole prompts only
  bool admit_full = true;                  // admit only when the whole target would fit (vLLM since 0.19)
  std::string policy = "vllm";             // a row of sim/sched/scheduler.hpp
  bool async_scheduling = false;           // two steps in flight (vLLM since 0.14), else one
  std::int64_t long_prefill_threshold = 0;  // most tokens of one prompt in a step; 0 = as many as the budget has
  bool threshold_waived_alone = false;      // not for the only request of the replica (vLLM 0.33)
};

/// The replica's KV pool and what one token costs in it.
struct KvGeometry {
  Bytes pool;             // all GPUs of the replica together
  Bytes bytes_per_token;  // over all layers and GPUs: K and V
  std::int64_t layers = 0;
  std::int64_t gpus = 1;  // of the replica; pool and bytes_per_token are spread over them evenly, all act alike
};

/// The API server before and after the engine, of each replica. Tokenising, HTTP and the hand-over to the engine of
/// different requests overlap: a pure delay (as one server, 15.6 ms a request would cap vLLM at 64 requests/s).
/// Detokenising and streaming share one event loop: a single server, which takes the tokens of a step together and in
/// order (46 us a token cap one vLLM API server at 22 k tokens/s). BLIS's fit to vLLM on H100s gives both figures.
struct FrontendCost {
  double per_request_ns = 0, per_prompt_token_ns = 0, per_output_token_ns = 0;
  [[nodiscard]] bool any() const { return per_request_ns > 0 || per_prompt_token_ns > 0 || per_output_token_ns > 0; }
  /// From the client's arrival to the engine's.
  [[nodiscard]] std::int64_t delay_ns(std::int32_t prompt_tokens) const {
    return round_ns(per_request_ns + per_prompt_token_ns * static_cast<double>(prompt_tokens));
  }
  /// Work of one step's tokens.
  [[nodiscard]] std::int64_t output_ns(std::int64_t tokens) const {
    return round_ns(per_output_token_ns * static_cast<double>(tokens));
  }
};

/// The engine's own loop on the host, beside the GPU (semantics S18): it forms a batch, prepares and launches it, and
/// takes its outputs. Where two steps may be in flight this shows only where it exceeds the GPU's time.
struct HostLoop {
  double form_ns = 0, form_per_request_ns = 0;  // from forming a batch to its first kernel; per running request
  double launch_ns = 0, launch_eager_ns = 0;    // kernels of a step with prompts: in pieces of CUDA graphs, and without
  std::int64_t graph_tokens = 0;                // most tokens of such a step that graphs were captured for
  double update_ns = 0, update_per_output_ns = 0;  // from the end of a step until its outputs are out
  [[nodiscard]] bool any() const {
    return form_ns > 0 || form_per_request_ns > 0 || launch_ns > 0 || launch_eager_ns > 0 || update_ns > 0 ||
           update_per_output_ns > 0;
  }
  [[nodiscard]] bool given() const { return any() || graph_tokens > 0; }
  [[nodiscard]] std::int64_t forming_ns(std::int64_t running) const {
    return round_ns(form_ns + form_per_request_ns * static_cast<double>(running));
  }
  /// Of a step of `tokens` tokens; nothing for one that only decodes, which is one graph.
  [[nodiscard]] std::int64_t launching_ns(std::int64_t tokens, bool prompts) const {
    if (!prompts) return 0;
    return round_ns(tokens <= graph_tokens ? launch_ns : launch_eager_ns);
  }
  [[nodiscard]] std::int64_t updating_ns(std::int64_t outputs) const {
    return round_ns(update_ns + update_per_output_ns * static_cast<double>(outputs));
  }
};

/// Replicas that are alike. The scheduler's settings are the same for all of a fleet.
struct ReplicaGroup {
  std::string name;  // "4 x h100-sxm-80gb", for reports
  std::int64_t replicas = 1;
  std::int64_t weight = 1;  // of each: a router counts one of weight 2 as two of weight 1; 1 ... weight_max
  static constexpr std::int64_t weight_max = 1000;
  KvGeometry kv;
  StepCost cost;
  VmmCost vmm;
};

/// Replicas behind a router. No groups = a bare replica, with RunConfig's own kv, cost and vmm.
struct FleetConfig {
  static constexpr std::int64_t replicas_max = 1024;  // about 0.8 MiB each, for their distributions and series
  std::string router = "round-robin";  // a row of sim/serve/router.hpp
  std::uint64_t seed = 0;              // of routers that draw
  std::vector<ReplicaGroup> groups;
};

struct RunConfig {
  SchedulerConfig scheduler;
  KvGeometry kv;
  ManagerSpec manager;
  StepCost cost;
  VmmCost vmm;  // already looked up for the manager's page size; zeros for managers that never map
  std::shared_ptr<const Workload> workload;
  FrontendCost frontend;
  HostLoop host_loop;
  FleetConfig fleet;
};
}  // namespace stowage
