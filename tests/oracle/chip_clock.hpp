#pragma once
// S14, written down a second time.
#include <algorithm>
#include <cstdint>
#include <optional>

#include "models/cost/step_cost.hpp"

namespace stowage::oracle {

class ChipClock {
 public:
  double price_ns(const StepCost& cost, double price, const StepShape& shape, std::int64_t boundary_ns,
                  std::int64_t stall_ns) {
    const Boost& boost = cost.table().boost;
    if (boost.ratio.empty() || shape.prefill_tokens == 0) return price;
    const double ratio = boost.ratio.at(static_cast<std::size_t>(shape.prefill_tokens + shape.decode_seqs));
    const double capacity = boost.capacity_ns.at(static_cast<std::size_t>(shape.decode_seqs));
    const double recharge = boost.recharge.at(static_cast<std::size_t>(shape.decode_seqs));
    double memory = 0;
    if (shape.decode_seqs > 0) {
      DecodeLine line = cost.decode_line(shape.decode_seqs);
      line.lead = 0;
      memory = line.ns(shape.decode_kv_tokens) + cost.table().mixed_decode_ns;
    }
    if (last_prompt_end_ns_) {
      credit_ns_ += recharge * (static_cast<double>(boundary_ns - *last_prompt_end_ns_) + memory) +
                    boost.recharge.at(0) * static_cast<double>(stall_ns);
      credit_ns_ = std::min(credit_ns_, capacity);
    } else {
      credit_ns_ = capacity;
    }
    const double used = std::min((price - memory) * ratio, credit_ns_);
    credit_ns_ -= used;
    return price - used * (1.0 / ratio - 1.0);
  }
  void prompt_ended(std::int64_t at_ns) { last_prompt_end_ns_ = at_ns; }

 private:
  double credit_ns_ = 0;
  std::optional<std::int64_t> last_prompt_end_ns_;
};
}  // namespace stowage::oracle
