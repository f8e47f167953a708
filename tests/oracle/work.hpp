#pragma once
// S6.7 to S6.19: what managers ask for, as data, and the driver of a replica, which spends the time.
#include <algorithm>
#include <cstdint>
#include <vector>

#include "models/cost/step_cost.hpp"
#include "sim/result.hpp"

namespace stowage::oracle {

/// S6.8, S6.9.
struct Work {
  enum class Kind : std::uint8_t { place, map, unmap };
  enum class Due : std::uint8_t { boundary, beside };
  Kind kind;
  std::int64_t count;  // of blocks or regions placed; of pages mapped or unmapped
  Due due = Due::boundary;
};
using WorkList = std::vector<Work>;

/// Pages mapped and unmapped. S6.12: their time is whole counts times the prices, never a running sum.
struct DriverCalls {
  std::int64_t maps = 0, unmaps = 0;
  void add(const Work& w) {
    if (w.kind == Work::Kind::map) maps += w.count;
    if (w.kind == Work::Kind::unmap) unmaps += w.count;
  }
  [[nodiscard]] double ns(const VmmCost& cost) const {
    return static_cast<double>(maps) * (cost.map_ns + cost.set_access_ns) + static_cast<double>(unmaps) * cost.unmap_ns;
  }
};

/// One call after the other.
class Driver {
 public:
  explicit Driver(const VmmCost& cost) : cost_(cost) {}

  void take(const WorkList& list) {
    for (const Work& w : list) {
      (w.due == Work::Due::boundary ? due_ : next_beside_).add(w);
      all_.add(w);
    }
  }
  /// S6.13, S6.15, S6.16: what the iteration formed at `boundary_ns` has to wait for, unrounded.
  double stall_ns(std::int64_t boundary_ns) {
    const double left = std::max(0.0, beside_ns_ - static_cast<double>(boundary_ns - beside_start_));
    const double work = due_.ns(cost_);
    due_ = {};
    return work + left;
  }
  /// S6.14: the work taken for beside a step begins.
  void start_beside(std::int64_t at_ns) {
    beside_start_ = at_ns;
    beside_ns_ = next_beside_.ns(cost_);
    next_beside_ = {};
  }
  /// S6.17, S6.18: all that was ever asked for.
  void write(RunResult::Vmm& out) const {
    out.map_calls = static_cast<std::uint64_t>(all_.maps);
    out.unmap_calls = static_cast<std::uint64_t>(all_.unmaps);
    out.busy_ns = all_.ns(cost_);
  }

 private:
  VmmCost cost_;
  DriverCalls due_, next_beside_, all_;
  std::int64_t beside_start_ = 0;
  double beside_ns_ = 0;
};
}  // namespace stowage::oracle
