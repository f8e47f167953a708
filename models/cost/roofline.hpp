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

/// Shares of the peaks that good kernels reach, and fixed costs. Rounded from published H100 timings, and taken to be
/// the same for all GPUs.
struct RooflineEfficiency {
  double gemm_flops = 0.70;         // large bf16 GEMMs
  double gemm_bytes = 0.85;         // weights streamed by small GEMMs
  double prefill_attention = 0.55;  // of the bf16 peak, causal, long chunks
  double attention_bytes = 0.80;    // KV streamed by decode attention
  double decode_flops = 0.25;       // decode attention on tensor cores, query groups padded to a tile
  double elementwise_bytes = 0.75;
  double link_bytes = 0.70;
  double kernel_ns = 2000;          // launch and tail of one kernel inside a CUDA graph
  double all_reduce_ns = 8000;      // fixed part of one all-reduce
  double step_ns = 300000;          // host work a step that the GPU waits for: scheduling, sampling, copies
};

/// The price table of one replica of `model` on `tensor` GPUs. Steps with prefill do not say how many rows the head
/// sees; it is priced for min(tokens, 128) rows, where reading its weights decides, whatever their number.
/// Non-decreasing in every argument of a step.
[[nodiscard]] StepCost compile_roofline(const ModelSpec& model, const HardwareSpec& hardware, int tensor,
                                        std::int64_t max_batched_tokens, const RooflineEfficiency& efficiency = {});

/// One line of the bill: an operator summed over all layers.
struct OperatorPrice {
  std::string name;
  std::int64_t count = 0;  // kernels in the step
  double flops = 0, bytes = 0;  // one GPU's, whole step
  double ns = 0;
  std::string bound;  // "compute", "memory", "link", "fixed"
};
/// The bill of one step; its ns sum to compile_roofline(...).ns(shape) but for rounding in the last digits.
[[nodiscard]] std::vector<OperatorPrice> roofline_operators(const ModelSpec& model, const HardwareSpec& hardware,
                                                            int tensor, const StepShape& shape,
                                                            const RooflineEfficiency& efficiency = {});
}  // namespace stowage
