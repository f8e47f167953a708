#pragma once
// How much of a GPU's memory is left for the KV cache, derived as vLLM derives it at start-up
// (determine_available_memory in vllm/v1/worker/gpu_worker.py): device x utilization - weights - activation peak -
// non-torch memory - CUDA graphs (since 0.21), per GPU, the pipeline stage with room for the fewest tokens deciding.
#include <cstdint>
#include <optional>
#include <string>

#include "base/units.hpp"
#include "models/engine.hpp"
#include "models/hardware/hardware.hpp"
#include "models/llm/model.hpp"

namespace stowage {

struct MemoryOptions {
  double utilization = 0.9;  // vLLM's gpu_memory_utilization, 0 ... 1
  int tensor = 1, pipeline = 1;
  std::int64_t max_batched_tokens = 8192;
  std::int64_t max_batch = 256;
  int expert = 1;  // GPUs the experts are spread over, instead of being split by tensor (models/llm/model.hpp)
  const EngineSpec* engine = nullptr;  // nothing: as vllm-0.19, without its null block
  // Measured values instead of the estimates below, of one GPU. `device` is what the driver reports.
  std::optional<Bytes> device, weights, activations, overhead, graphs;
};

/// One GPU of the deciding stage, and the replica that follows from it.
struct MemoryBudget {
  Bytes device;  // what the driver reports
  Bytes usable;  // device x utilization
  Bytes weights, activations, overhead;
  Bytes graphs;                  // set aside for CUDA graphs
  Bytes null_block;              // the engine's blocks that never hold a token
  Bytes kv_pool;                 // what is left; zero or negative when the model does not fit
  Bytes kv_bytes_per_token;      // on this GPU
  int stage = 0;                 // which pipeline stage decides
  std::int64_t pool_tokens = 0;  // floor(kv_pool / kv_bytes_per_token), at least 0

  Bytes replica_kv_pool;             // bytes for pool_tokens' worth of pool on all tensor x pipeline GPUs
  Bytes replica_kv_bytes_per_token;  // over all GPUs
};

/// The peak of a forward pass of max_batched_tokens with the sampler's buffers for max_batch sequences: the greater of
///   MLP:     tokens x (2 hidden + widest two intermediates / tensor) x element
///   sampler: min(max_batch, tokens) x vocab x (element + sampler_bytes) + tokens x 2 hidden x element
///            [logits and what the sampler makes of them (EngineSpec::sampler_bytes); hidden states and residual]
/// Within 0.15 GiB of vLLM 0.19's own peaks on an H100 at 8,192 tokens and 1,024 sequences (Llama-3.1-8B 1.89,
/// Qwen3-14B 2.2 GiB), and of 0.15's (4.8 and 5.64 GiB). In a mixture of experts a token's intermediates are those of
/// its k experts and the shared ones. Every pipeline stage is charged the same.
[[nodiscard]] Bytes activation_peak(const ModelSpec& model, int tensor, std::int64_t max_batched_tokens,
                                    std::int64_t max_batch, std::int64_t sampler_bytes = 12);
/// CUDA context, cuBLAS workspaces and, with several GPUs in a replica, NCCL buffers: 0.25 GiB alone, 2.1 GiB
/// each together (vLLM 0.19 on H100); by the engine's own row where one is given.
[[nodiscard]] Bytes runtime_overhead(int gpus, const EngineSpec* engine = nullptr);

/// Never throws for a model too large: kv_pool shows it. Call parallel_problem() first.
[[nodiscard]] MemoryBudget memory_budget(const ModelSpec& model, const HardwareSpec& hardware,
                                         const MemoryOptions& options);
/// Throws InfeasibleError with the whole sum when nothing is left for the KV cache.
void require_fits(const MemoryBudget& budget, const ModelSpec& model, const HardwareSpec& hardware);

/// "KV cache 227,840 tokens; maximum concurrency for 8,192 tokens per request: 27.81x", vLLM's words at start-up
/// (vllm/v1/core/kv_cache_utils.py).
[[nodiscard]] std::string vllm_line(std::int64_t kv_tokens, std::int64_t max_model_len);
}  // namespace stowage
