#pragma once
// The result of a fleet from those of its replicas: counts, pools and peaks summed, distributions merged, means
// weighted by what they are means of.
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "sim/result.hpp"

namespace stowage {

/// Even (1, 0, 1) when there is nothing to spread.
[[nodiscard]] Imbalance imbalance(std::span<const double> shares);

class FleetResult {
 public:
  /// Results over the same span of time, by replica. The result of one alone is that replica's, to the bit.
  void add(RunResult replica, const std::string& group);
  [[nodiscard]] RunResult take();

 private:
  RunResult all_;
  std::vector<ReplicaSummary> replicas_;
  std::int64_t end_ns_ = 0;  // last completion
};
}  // namespace stowage
