#pragma once
// Everything one simulated run needs, resolved: no defaults left to fill, no files left to read.
#include <cstdint>
#include <memory>

#include "base/request.hpp"
#include "base/units.hpp"
#include "models/cost/step_cost.hpp"
#include "sim/kv/registry.hpp"

namespace stowage {

/// Scheduler `vllm`: token budget, decodes first, chunked prefill, FCFS admission, preempt the latest, recompute.
struct SchedulerConfig {
  std::int64_t max_batch = 256;            // requests running at once (vLLM: max_num_seqs)
  std::int64_t max_batched_tokens = 8192;  // tokens scheduled in one iteration
  std::int64_t max_model_len = 8192;       // prompt + output tokens of one request
  bool chunked_prefill = true;
  bool admit_full = true;                  // admit only when the whole target would fit (vLLM since 0.19)
};

/// The replica's KV pool and what one token costs in it.
struct KvGeometry {
  Bytes pool;             // all GPUs of the replica together
  Bytes bytes_per_token;  // over all layers and GPUs: K and V
  std::int64_t layers = 0;
  std::int64_t gpus = 1;  // of the replica; pool and bytes_per_token are spread over them evenly, all act alike
};

struct RunConfig {
  SchedulerConfig scheduler;
  KvGeometry kv;
  ManagerSpec manager;
  StepCost cost;
  VmmCost vmm;  // already looked up for the manager's page size; zeros for managers that never map
  std::shared_ptr<const Workload> workload;
};
}  // namespace stowage
