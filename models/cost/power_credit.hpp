#pragma once
// A chip that has rested runs matrix products at full clock for some tens of milliseconds, until its power limit slows
// it; resting, or reading K and V for decoding requests, it earns that time back. So a lone prompt takes 10 to 12 %
// less than one among many (H100: gpu_probe clock, docs/accuracy.md). Prices of a StepCost are those at the slowed
// clock; this keeps what is left of the full-clock time, one number a replica, touched by steps with prompt tokens
// only.
//
//   memory = the attention of the step's decoding requests, which no clock shortens and the chip rests in
//   credit = min(credit + recharge(B) x (time since the last such step ended, less stall, + memory)
//                       + recharge(0) x stall, capacity(B))          stall: the wait for memory before this step, idle
//   used   = min((price - memory) x ratio, credit)
//   step   = price - used x (1 / ratio - 1);   credit -= used
#include <algorithm>
#include <cstdint>

#include "base/error.hpp"
#include "models/cost/step_cost.hpp"

namespace stowage {

class PowerCredit {
 public:
  /// The price of a step that starts at start_ns, later than anything priced before ended, after a stall.
  [[nodiscard]] std::int64_t step_ns(const StepCost& cost, const StepShape& shape, std::int64_t start_ns,
                                     std::int64_t stall_ns = 0) {
    if (shape.prefill_tokens == 0 || !cost.has_boost()) return round_ns(cost.ns(shape));
    const auto [price, memory] = cost.price(shape);
    const Boost& boost = cost.table().boost;
    const auto b = static_cast<std::size_t>(shape.decode_seqs);
    STOWAGE_ASSERT(b < boost.capacity_ns.size());
    const double ratio = boost.ratio[static_cast<std::size_t>(shape.prefill_tokens + shape.decode_seqs)];
    credit_ns_ += boost.recharge[b] * (static_cast<double>(start_ns - stall_ns - ended_ns_) + memory) +
                  boost.recharge[0] * static_cast<double>(stall_ns);
    credit_ns_ = rested_ ? boost.capacity_ns[b] : std::min(credit_ns_, boost.capacity_ns[b]);
    const double used = std::min((price - memory) * ratio, credit_ns_);
    credit_ns_ -= used;
    const std::int64_t step = round_ns(price - used * (1.0 / ratio - 1.0));
    ended(start_ns + step);
    return step;
  }
  /// The step priced last ended then, for those who know better.
  void ended(std::int64_t at_ns) {
    ended_ns_ = at_ns;
    rested_ = false;
  }

 private:
  bool rested_ = true;  // nothing ran yet
  double credit_ns_ = 0;
  std::int64_t ended_ns_ = 0;
};
}  // namespace stowage
