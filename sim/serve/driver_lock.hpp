#pragma once
// The one driver-lock server: page mapping and unmapping are serialised, whoever asks. Work needed before a step can
// start is synchronous and delays it; background work overlaps the running step and delays the next one only by what
// is left of it (semantics S6.13 to S6.16).
#include <algorithm>
#include <cstdint>

#include "models/cost/step_cost.hpp"
#include "sim/kv/memory_work.hpp"

namespace stowage {

/// Totals of driver calls, in pages.
struct DriverCalls {
  std::uint64_t maps = 0, unmaps = 0;
};

class DriverLock {
 public:
  /// `pages_per_block` = tensors: a block is one page in each.
  DriverLock(const VmmCost& cost, std::int64_t pages_per_block)
      : pages_(pages_per_block), map_ns_(cost.map_ns + cost.set_access_ns), unmap_ns_(cost.unmap_ns) {}

  /// A step that begins at `at_ns` with this work: what it waits for, which is its synchronous work and what background
  /// work is left. Its own background work starts when the stall is over.
  [[nodiscard]] std::int64_t start(const MemoryWork& work, std::int64_t at_ns) {
    if (beside_ns_ == 0 && work.driverless()) return 0;
    const std::int64_t stall = round_ns(work_ns(work.count(MemoryWork::When::now)) + left_ns(at_ns));
    beside_ns_ = work_ns(work.count(MemoryWork::When::beside));
    beside_from_ns_ = at_ns + stall;
    add(work);
    return stall;
  }
  /// Background work under way then.
  [[nodiscard]] double left_ns(std::int64_t at_ns) const {
    if (beside_ns_ == 0) return 0;
    return std::max(0.0, beside_ns_ - static_cast<double>(at_ns - beside_from_ns_));
  }
  /// The run is over: what no step waits for any more is only counted.
  void add(const MemoryWork& work) {
    for (const auto when : {MemoryWork::When::now, MemoryWork::When::beside}) {
      maps_ += work.count(when).maps;
      unmaps_ += work.count(when).unmaps;
    }
  }
  [[nodiscard]] DriverCalls calls() const {
    return {static_cast<std::uint64_t>(maps_ * pages_), static_cast<std::uint64_t>(unmaps_ * pages_)};
  }

 private:
  [[nodiscard]] double work_ns(const MapCounts& blocks) const {
    return static_cast<double>(blocks.maps * pages_) * map_ns_ +
           static_cast<double>(blocks.unmaps * pages_) * unmap_ns_;
  }
  std::int64_t pages_;
  double map_ns_, unmap_ns_;
  std::int64_t maps_ = 0, unmaps_ = 0;  // blocks
  double beside_ns_ = 0;  // background work, begun then:
  std::int64_t beside_from_ns_ = 0;
};
}  // namespace stowage
