#pragma once
// Memory work as data. A manager writes down what must be done to memory; it spends no time and touches nothing. The
// engine spends the time (sim/serve/driver_lock.hpp), and a real serving loop carries out the same list.
#include <cstdint>
#include <span>
#include <vector>

#include "sim/kernel/sequence.hpp"

namespace stowage {

/// One decision about memory, in the order taken. Which fields mean what:
///   place    reserve: sid's region is tokens [first, first + count) of the pool; vattention: sid sits in `slot`
///   map      vattention: blocks [first, first + count) of `slot` are mapped, a page in each tensor
///   unmap    the same, unmapped
///   release  sid left: finished or preempted
/// Paged takes ceil((stored + count) / block_size) blocks for each scheduled request; which ones, it does not say. With
/// prefix caching it says in which order blocks are taken, found and given back, so that the same ones are evicted:
///   take     `count` blocks leave the free list, for whoever is short of them
///   share    sid is admitted, and begins with the `count` blocks that were found for it
///   name     sid has `first` blocks, those it lacks out of the taken ones; its first `count` can be found from now on
/// (and a release gives up the last block first).
struct MemoryOp {
  enum class Kind : std::uint8_t { place, map, unmap, release, take, share, name };
  Kind kind = Kind::place;
  Sid sid = no_sid;
  std::int64_t slot = -1, first = 0, count = 0;
};

/// Blocks to map and to unmap.
struct MapCounts {
  std::int64_t maps = 0, unmaps = 0;
  [[nodiscard]] bool none() const { return maps == 0 && unmaps == 0; }
};

/// What has been decided and not yet handed to the step that it belongs to.
class MemoryWork {
 public:
  /// When: `now` must be done before the step starts; `beside` is done while it runs. Of those, the unmapping left by
  /// releases comes first: its blocks count as free already, and may be in a `now` operation.
  enum class When : std::uint8_t { now, beside };

  void place(Sid sid, std::int64_t slot, std::int64_t first, std::int64_t count) {
    now_.push_back({MemoryOp::Kind::place, sid, slot, first, count});
  }
  void map(std::int64_t slot, std::int64_t first, std::int64_t count, When when) {
    if (count == 0) return;
    of(when).push_back({MemoryOp::Kind::map, no_sid, slot, first, count});
    counts_[index(when)].maps += count;
  }
  void unmap(std::int64_t slot, std::int64_t first, std::int64_t count, When when) {
    if (count == 0) return;
    of(when).push_back({MemoryOp::Kind::unmap, no_sid, slot, first, count});
    counts_[index(when)].unmaps += count;
  }
  void release(Sid sid) { now_.push_back({MemoryOp::Kind::release, sid, -1, 0, 0}); }
  void take(std::int64_t count) {
    if (count > 0) now_.push_back({MemoryOp::Kind::take, no_sid, -1, 0, count});
  }
  void share(Sid sid, std::int64_t count) { now_.push_back({MemoryOp::Kind::share, sid, -1, 0, count}); }
  void name(Sid sid, std::int64_t blocks, std::int64_t named) {
    now_.push_back({MemoryOp::Kind::name, sid, -1, blocks, named});
  }

  [[nodiscard]] std::span<const MemoryOp> now() const { return now_; }
  [[nodiscard]] std::span<const MemoryOp> beside() const { return beside_; }
  [[nodiscard]] const MapCounts& count(When when) const { return counts_[index(when)]; }
  /// Nothing to map or unmap: a step needs no driver.
  [[nodiscard]] bool driverless() const { return counts_[0].none() && counts_[1].none(); }
  /// The step has it.
  void clear() {
    now_.clear();
    if (driverless()) return;
    beside_.clear();
    counts_[0] = counts_[1] = {};
  }

 private:
  static constexpr std::size_t index(When when) { return static_cast<std::size_t>(when); }
  std::vector<MemoryOp>& of(When when) { return when == When::now ? now_ : beside_; }
  std::vector<MemoryOp> now_, beside_;
  MapCounts counts_[2];
};
}  // namespace stowage
