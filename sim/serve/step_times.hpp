#pragma once
// Times of steps that are known beforehand, as from the log of a real engine: the k-th step of a replica takes them
// instead of a price of its shape. What is in a step stays the engine's own decision, so that a log's decisions can be
// judged without its prices. Times of the host come with them: it is busy between two steps, and while it launches one.
//
// Without them none of this is touched.
#include <cstdint>

namespace stowage {

/// Of one step; ns, none negative.
struct StepTime {
  std::int64_t waking_ns = 0;    // from an arrival at an idle replica to the forming of this one
  std::int64_t handling_ns = 0;  // from the end of a step to the same
  std::int64_t launch_ns = 0;    // from its forming to its start, and to the next forming, where nothing is in flight
  std::int64_t took_ns = 0;      // from its start to its end
};

class StepTimes {
 public:
  virtual ~StepTimes() = default;
  /// Of iteration `index` (S1.27), which may never be formed.
  [[nodiscard]] virtual StepTime of(std::uint64_t index) const = 0;
};
}  // namespace stowage
