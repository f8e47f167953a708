#pragma once
// What an engine's host adds to every step, while the GPU waits: scheduling, preparing inputs, sampling's books.
#include <cstdint>

#include "models/cost/step_cost.hpp"

namespace stowage {

struct HostCost {
  double per_step_ns = 0;
  double per_layer_ns = 0;  // launching a layer's kernels
  double per_seq_ns = 0;    // for every request in the step, decoding or with a chunk of its prompt
  bool operator==(const HostCost&) const = default;
};

/// `cost` with the host's part added: per_step + layers x per_layer to every step, per_seq to each request in it.
/// Compiled into the tables, so that a step costs no more to price.
[[nodiscard]] StepCost with_host(const StepCost& cost, const HostCost& host, std::int64_t layers);
}  // namespace stowage
