#pragma once
// The one driver-lock server: page mapping and unmapping are serialised, whoever asks. Work needed before a step can
// start is synchronous and delays it; background work overlaps the running step and delays the next one only by what
// is left of it (semantics S6.13 to S6.16).
#include <algorithm>
#include <cstdint>

#include "models/cost/step_cost.hpp"

namespace stowage {

class DriverLock {
 public:
  /// `pages_per_block` = tensors: a block is one page in each.
  DriverLock(const VmmCost& cost, std::int64_t pages_per_block)
      : pages_(pages_per_block), map_ns_(cost.map_ns + cost.set_access_ns), unmap_ns_(cost.unmap_ns) {}

  void map_now(std::int64_t blocks) { now_maps_ += blocks; }
  void unmap_now(std::int64_t blocks) { now_unmaps_ += blocks; }
  /// What the next iteration waits for: synchronous work since the last one, and what background work is left.
  [[nodiscard]] std::int64_t take_stall() {
    const double work = work_ns(now_maps_, now_unmaps_);
    count(now_maps_, now_unmaps_);
    now_maps_ = now_unmaps_ = 0;
    const double stall = work + left_ns_;
    left_ns_ = 0;
    return round_ns(stall);
  }
  /// Background work that starts when the stall is over.
  void start_background(std::int64_t map_blocks, std::int64_t unmap_blocks) {
    count(map_blocks, unmap_blocks);
    left_ns_ = work_ns(map_blocks, unmap_blocks);
  }
  void elapse(std::int64_t ns) {
    if (left_ns_ > 0) left_ns_ = std::max(0.0, left_ns_ - static_cast<double>(ns));
  }
  [[nodiscard]] double left_ns() const { return left_ns_; }
  /// The next iteration may have to wait.
  [[nodiscard]] bool busy() const { return left_ns_ > 0 || now_maps_ > 0 || now_unmaps_ > 0; }
  /// Totals, counting what is asked for but never waited for.
  [[nodiscard]] std::uint64_t map_pages() const { return static_cast<std::uint64_t>((maps_ + now_maps_) * pages_); }
  [[nodiscard]] std::uint64_t unmap_pages() const {
    return static_cast<std::uint64_t>((unmaps_ + now_unmaps_) * pages_);
  }

 private:
  void count(std::int64_t maps, std::int64_t unmaps) {
    maps_ += maps;
    unmaps_ += unmaps;
  }
  [[nodiscard]] double work_ns(std::int64_t maps, std::int64_t unmaps) const {
    return static_cast<double>(maps * pages_) * map_ns_ + static_cast<double>(unmaps * pages_) * unmap_ns_;
  }
  std::int64_t pages_;
  double map_ns_, unmap_ns_;
  std::int64_t now_maps_ = 0, now_unmaps_ = 0, maps_ = 0, unmaps_ = 0;  // blocks
  double left_ns_ = 0;
};
}  // namespace stowage
