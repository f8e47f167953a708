#pragma once
// Step prices from spec sheets: every operator costs the greater of its arithmetic and its memory traffic at a stated
// share of the data-sheet peaks. Uncalibrated: good for comparing designs, not for promising latencies.
#include <cstdint>
#include <string>
#include <vector>

#include "models/cost/step_cost.hpp"
#include "models/hardware/hardware.hpp"
#include "models/llm/model.hpp"

namespace stowage {

/// Shares of the peaks that good kernels reach, and fixed costs: round numbers near published H100 timings
/// (AIConfigurator's tables of GEMM, FlashAttention-3 and NCCL all-reduce), taken to be the same for all GPUs.
struct RooflineEfficiency {
  double gemm_flops = 0.65;              // of the bf16 peak: 0.8 alone on a cool GPU, less through a whole prefill
  double gemm_bytes = 0.90;              // of memory bandwidth: weights streamed by small GEMMs
  double prefill_flops = 0.60;           // of the bf16 peak: causal attention at 8 k tokens
  double attention_bytes = 0.90;         // of memory bandwidth: KV streamed by decode attention
  double elementwise_bytes = 0.75;       // of memory bandwidth: norms, rotation, activation, sampling
  double link_bytes = 0.70;              // of one direction of the link
  double kernel_ns = 2'000;              // launch and tail of one kernel inside a CUDA graph
  double attention_ns = 10'000;          // floor of one layer's attention kernel
  double attention_seq_ns = 200;         // one decoding request in it, when contexts are too short to matter
  double all_reduce_ns_per_gpu = 2'000;  // fixed part of one all-reduce over n GPUs: (n + 1) x this
  double step_ns = 300'000;              // host work a step that the GPU waits for: scheduling, copies
};

/// The price table of one replica of `model` on `tensor` GPUs of one node. A mixed step does not say how many rows
/// the head and the sampler see; they are priced for min(tokens, 256) rows, where reading the head's weights decides,
/// whatever the number. Pure decode steps of B requests see exactly B.
/// Non-decreasing in the step's tokens, requests and contexts.
[[nodiscard]] StepCost compile_roofline(const ModelSpec& model, const HardwareSpec& hardware, int tensor,
                                        std::int64_t max_batched_tokens, const RooflineEfficiency& efficiency = {});

enum class Bound : std::uint8_t { compute, memory, link, fixed };
[[nodiscard]] std::string_view bound_name(Bound bound);

/// One line of the bill: an operator summed over all its kernels in the step.
struct OperatorPrice {
  std::string name;
  std::int64_t count = 0;       // kernels in the step
  double flops = 0, bytes = 0;  // one GPU's, whole step; bytes over the link for an all-reduce
  double ns = 0;
  Bound bound = Bound::fixed;  // what decides the price
};
/// The bill of one step; its ns sum to compile_roofline(...).ns(shape) but for rounding in the last digits. Prefill
/// attention is one line of what the shape says it costs (StepCost::chunk_ns over its chunks).
[[nodiscard]] std::vector<OperatorPrice> roofline_operators(const ModelSpec& model, const HardwareSpec& hardware,
                                                            int tensor, const StepShape& shape,
                                                            const RooflineEfficiency& efficiency = {});
}  // namespace stowage
