#pragma once
// What a serving engine does by default, by release: how it sizes its KV pool, and how it schedules. One row a release
// of vLLM; every number can be overridden by the scenario. Sources: vLLM's source (vllm/v1/worker/gpu_worker.py,
// vllm/engine/arg_utils.py, vllm/v1/core/sched), its pull requests where named, and start-up logs people published.
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/units.hpp"
#include "models/hardware/hardware.hpp"

namespace stowage {

struct EngineSpec {
  std::string_view name;  // "vllm-0.19"

  // --- The KV pool (models/memory_budget.hpp).
  double utilization = 0.9;      // --gpu-memory-utilization: 0.92 since 0.21 (PR 38284)
  std::int64_t block_size = 16;  // tokens of a KV block
  std::int64_t null_blocks = 1;  // blocks of the pool that never hold a token
  /// Bytes a sampled logit occupies at the peak of the profiling pass, besides itself: 12 = a float32 copy, the
  /// probabilities and a sorted copy. Through 0.16 the top-k/top-p sampler of PyTorch kept 24 more (an int64 index and
  /// four float32 arrays): the two peaks published for 0.15, 4.8 GiB (Llama-3.1-8B) and 5.64 GiB (Qwen3-14B), are met
  /// within 0.03 GiB by that one number.
  std::int64_t sampler_bytes = 12;
  double overhead_one_gib = 0.25;  // non-torch memory of a GPU alone: CUDA context, cuBLAS workspaces
  double overhead_many_gib = 2.1;  // of a GPU among several: NCCL's buffers besides
  /// Memory set aside for one captured CUDA graph; 0 = graphs come out of what utilization leaves (before 0.21).
  double graph_mib = 0;
  bool pool_measured = true;  // false: no published start-up log of this release was at hand to check against

  // --- The scheduler.
  bool admit_full = true;        // a waiting request is admitted only when its whole target fits (PR 37307: 0.19)
  bool async_scheduling = true;  // the batch of step i + 2 is formed when step i ends
  bool prefix_cache = true;
  bool loop_measured = false;  // the engine's loop on the host was timed
  bool nameless_first = true;  // freed blocks without content are taken before those with (PR 42656: 0.24)
  bool chunked_prefill = true;
  double watermark = 0;  // share of the blocks kept free at admission
};

/// `vllm serve`'s defaults by GPU: 8,192 tokens and 1,024 sequences from 70 GiB up, A100s excepted; else 2,048 and 256
/// (vllm/engine/arg_utils.py). The LLM class uses twice, respectively four times the tokens.
struct EngineLimits {
  std::int64_t max_num_batched_tokens = 2048, max_num_seqs = 256;
};
[[nodiscard]] EngineLimits engine_limits(const HardwareSpec& hardware);
/// By release too: 256 sequences on any GPU in 0.8; the V0 engine's prompts are whole, so a step holds max_model_len.
[[nodiscard]] EngineLimits engine_limits(const HardwareSpec& hardware, const EngineSpec& engine,
                                         std::int64_t max_model_len);

/// CUDA graphs captured at start-up: sizes 1, 2, 4, 8 ... 248 by 8, 256 ... 512 by 16, up to min(2 x max_num_seqs, 512)
/// tokens for mixed steps (piecewise) and up to max_num_seqs of these for pure decode (full).
[[nodiscard]] std::int64_t engine_graphs(std::int64_t max_num_seqs);
/// What is set aside for them: graphs x graph_mib; zero before 0.21. vLLM itself samples two graphs and multiplies, and
/// has been reported wrong by a factor of 3 and more for unusual models (vLLM issues 45178, 53013): an estimate of an
/// estimate. Logs print it ("Estimated CUDA graph memory"); give it when known.
[[nodiscard]] Bytes engine_graph_memory(const EngineSpec& engine, std::int64_t max_num_seqs);

/// What published start-ups of other models and GPUs had, a graph:
/// 5 to 7.5 MiB deducted at start-up (0.22 on an L40S, 0.24 on an H200 and an RTX 5090); captured or estimated
/// elsewhere 9 MiB (0.44 GiB for PIECEWISE=51, vLLM PR 48214, 8 July 2026), 19 MiB (1.58 GiB for PIECEWISE=51 and
/// FULL=35), 23 MiB (0.36 GiB for PIECEWISE=16 on two GPUs, gpustack/runner PR 251, 14 August 2026), 24 MiB (captured,
/// vLLM issue 50780) and 24 to 28 MiB (captured at 400 tokens and more, vLLM PR 22897, 14 August 2025). None is of a
/// dense model on an H100, so nothing better than the middle of that range can be said.
inline constexpr double graph_mib_reported_min = 5, graph_mib_reported_max = 28;

/// All releases, oldest first.
[[nodiscard]] std::span<const EngineSpec> engines();
/// nullptr when there is none of that name.
[[nodiscard]] const EngineSpec* find_engine(std::string_view name);
/// "vllm-0.15, vllm-0.16, ...", for messages and help.
[[nodiscard]] std::string engine_names();
}  // namespace stowage
