#pragma once
// Where prices of operators come from: spec sheets (models/cost/roofline.hpp) or measurements. One implementation
// speaks for one GPU model and one layout; the operator graph says what work there is.
#include <cstdint>
#include <string>
#include <string_view>

#include "models/cost/step_cost.hpp"
#include "models/links/collectives.hpp"

namespace stowage {

/// What decides an operator's price.
enum class Bound : std::uint8_t { compute, memory, link, fixed };
[[nodiscard]] std::string_view bound_name(Bound bound);

struct OperatorCost {
  double ns = 0;
  Bound bound = Bound::fixed;
  bool measured = false;  // from a table of measurements; else from a spec sheet
};

/// What a kernel that only moves bytes does, for prices that tell them apart.
enum class Mover : std::uint8_t { norm, rotate, activate, sample, other };

/// What a step makes of its operators. `chain`: of a measured operator within a step over the same alone; `launch_ns`:
/// more for each measured kernel outside a captured graph; `host_ns`: host work that the GPU waits for.
struct StepTerms {
  double chain = 1, launch_ns = 0, host_ns = 0;
};

/// rows x k times k x n, on one GPU. A grouped product over experts reads `weights` matrices (the expected number of
/// distinct ones) for `rows` rows in all.
struct GemmWork {
  double rows = 0;
  std::int64_t k = 0, n = 0;
  double weights = 1;
  double bytes_per_weight = 2, element = 2;  // as stored; of inputs and outputs
  bool eight_bit = false;                    // multiplied in 8 bits where the GPU can
  [[nodiscard]] double flops() const { return 2 * rows * static_cast<double>(k) * static_cast<double>(n); }
  [[nodiscard]] double bytes() const {
    const auto kd = static_cast<double>(k), nd = static_cast<double>(n);
    return weights * kd * nd * bytes_per_weight + rows * (kd + nd) * element;
  }
};

/// Attention of all layers, on one GPU.
struct AttentionWork {
  std::int64_t layers = 0;
  double kv_bytes_per_token = 0;         // K and V, or the latent, of all layers
  double decode_flops_per_kv_token = 0;  // one decoding request, all layers
  double prefill_flops_per_pair = 0;     // one query-key pair, all layers
  double window_share = 0;               // of the layers: those that see `window` tokens
  std::int64_t window = 0, max_context = 0;
};

/// GPUs that a collective joins.
enum class Group : std::uint8_t { tensor, expert };

class OperatorPrices {
 public:
  virtual ~OperatorPrices() = default;
  [[nodiscard]] virtual OperatorCost gemm(const GemmWork& work) const = 0;
  /// Reads and writes `bytes`, arithmetic for nothing: norms, rotation, activation, routing, sampling.
  [[nodiscard]] virtual OperatorCost elementwise(double bytes, Mover mover) const = 0;
  /// `bytes` as in LinkCost::ns.
  [[nodiscard]] virtual OperatorCost collective(Collective kind, double bytes, Group group) const = 0;
  /// From a pipeline stage to the next.
  [[nodiscard]] virtual OperatorCost send(double bytes) const = 0;
  /// The fixed part of one layer's attention; the rest is in the two that follow.
  [[nodiscard]] virtual OperatorCost attention_kernel() const = 0;
  [[nodiscard]] virtual DecodeAttention decode_attention(const AttentionWork& work) const = 0;
  [[nodiscard]] virtual PrefillAttention prefill_attention(const AttentionWork& work) const = 0;
  /// Host work a step that the GPU waits for.
  [[nodiscard]] virtual OperatorCost host() const = 0;
  /// Of a step of `rows` tokens; `graph`: captured, as pure decode steps are.
  [[nodiscard]] virtual StepTerms step(double, bool) const { return {1, 0, host().ns}; }
  /// Rows the head and the sampler see at most in a mixed step. It does not say how many it samples; reading the head's
  /// weights decides, whatever the number.
  [[nodiscard]] virtual std::int64_t mixed_head_rows() const { return 256; }
  /// The rows that kernels run at for `rows` tokens.
  [[nodiscard]] virtual double padded(double rows) const { return rows; }
  /// How links are priced, for the report: "alpha-beta from the sheet (NVLink), uncalibrated".
  [[nodiscard]] virtual std::string link_source() const = 0;
};
}  // namespace stowage
