#pragma once
// Prices from spec sheets: every operator costs the greater of its arithmetic and its memory traffic at a stated
// share of the data-sheet peaks. Uncalibrated: good for comparing designs, not for promising latencies.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "models/cost/compile.hpp"
#include "models/hardware/hardware.hpp"
#include "models/llm/model.hpp"

namespace stowage {

/// Shares of the peaks that good kernels reach, and fixed costs: round numbers near published H100 timings
/// (AIConfigurator's tables of GEMM, FlashAttention-3 and NCCL all-reduce), taken to be the same for all GPUs.
struct RooflineEfficiency {
  double gemm_flops = 0.65;         // of the tensor cores' peak: 0.8 alone on a cool GPU, less through a prefill
  double gemm_bytes = 0.90;         // of memory bandwidth: weights streamed by small GEMMs
  double prefill_flops = 0.60;      // of the bf16 peak: causal attention at 8 k tokens; absorbed decode attention
  double attention_bytes = 0.90;    // of memory bandwidth: KV streamed by decode attention
  double elementwise_bytes = 0.75;  // of memory bandwidth: norms, rotation, activation, sampling
  double kernel_ns = 2'000;         // launch and tail of one kernel inside a CUDA graph
  double attention_ns = 10'000;     // floor of one layer's attention kernel
  double attention_seq_ns = 200;    // one decoding request in it, when contexts are too short to matter
  double step_ns = 300'000;         // host work a step that the GPU waits for: scheduling, copies
  LinkEfficiency links;
};

/// A sliding window's attention is priced by the nearer of two lines that are never too low: as the whole context, or,
/// where requests may be longer than twice the window, as a full window for every decoding request. Prefill follows
/// the exact count of pairs at powers of two of (new tokens, context), interpolated between.
class RooflinePrices final : public OperatorPrices {
 public:
  RooflinePrices(const HardwareSpec& hardware, const Layout& layout, const RooflineEfficiency& efficiency = {});
  [[nodiscard]] OperatorCost gemm(const GemmWork& work) const override;
  [[nodiscard]] OperatorCost elementwise(double bytes, Mover mover) const override;
  [[nodiscard]] OperatorCost collective(Collective kind, double bytes, Group group) const override;
  [[nodiscard]] OperatorCost send(double bytes) const override;
  [[nodiscard]] OperatorCost attention_kernel() const override;
  [[nodiscard]] DecodeAttention decode_attention(const AttentionWork& work) const override;
  [[nodiscard]] PrefillAttention prefill_attention(const AttentionWork& work) const override;
  [[nodiscard]] OperatorCost host() const override;
  [[nodiscard]] std::string link_source() const override;

 private:
  HardwareSpec hardware_;
  RooflineEfficiency e_;
  LinkCost tensor_, expert_, stages_;
};

/// Why `layout` cannot be linked up with this hardware, or nothing.
[[nodiscard]] std::optional<std::string> link_problem(const HardwareSpec& hardware, const Layout& layout);

/// The price table of one replica of `model` on `layout`, and the bill of one of its steps. `max_context`: the longest
/// request (0: the model's positions); it matters for sliding windows.
[[nodiscard]] StepCost compile_roofline(const ModelSpec& model, const HardwareSpec& hardware, const Layout& layout,
                                        std::int64_t max_batched_tokens, std::int64_t max_context = 0,
                                        const RooflineEfficiency& efficiency = {});
[[nodiscard]] StepCost compile_roofline(const ModelSpec& model, const HardwareSpec& hardware, int tensor,
                                        std::int64_t max_batched_tokens, const RooflineEfficiency& efficiency = {});
[[nodiscard]] std::vector<OperatorPrice> roofline_operators(const ModelSpec& model, const HardwareSpec& hardware,
                                                            int tensor, const StepShape& shape,
                                                            const RooflineEfficiency& efficiency = {});
}  // namespace stowage
