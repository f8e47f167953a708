#pragma once
// The mapped manager's own books: which physical block (one page of memory for each tensor) stands behind which block
// of which slot. It carries out the engine's events in order through PageCalls, whoever makes them: the driver, or a
// test. No CUDA in here.
#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "sim/serve/executor.hpp"

namespace stowage::replay {

/// One page in each tensor.
class PageCalls {
 public:
  virtual ~PageCalls() = default;
  virtual void map(std::int64_t slot, std::int64_t block, std::int64_t physical) = 0;
  virtual void unmap(std::int64_t slot, std::int64_t block) = 0;
};

class PageBook {
 public:
  PageBook(std::int64_t physical_blocks, std::int64_t slots, std::int64_t slot_blocks, PageCalls& calls);

  /// What must be done before the iteration starts, the GPU being idle. Takes over `beside` for run_beside(); what of
  /// it a `now` event needs at once (blocks of a slot just released that is filled again, or the last free ones) is
  /// done here, so that every event happens once.
  void apply_now(std::span<const MemoryOp> now, std::span<const MemoryOp> beside);
  /// What is left of `beside`, in order: may run in another thread while the iteration does.
  void run_beside();
  /// Unmaps everything, whoever holds it, and forgets what was to be done.
  void reset();

  [[nodiscard]] bool has_beside() const { return !beside_.empty(); }
  [[nodiscard]] std::int64_t mapped() const { return mapped_; }   // blocks, now
  [[nodiscard]] std::int64_t mapped_of(std::int64_t slot) const;  // from its first block on
  [[nodiscard]] std::int64_t slot_of(Sid sid) const { return slot_of_[static_cast<std::size_t>(sid)]; }
  [[nodiscard]] std::uint64_t maps() const { return maps_; }  // blocks, ever
  [[nodiscard]] std::uint64_t unmaps() const { return unmaps_; }
  [[nodiscard]] std::uint64_t hurried() const { return hurried_; }  // unmaps of `beside` that could not wait

 private:
  struct Todo {
    bool map;
    std::int64_t slot, block;
  };
  static constexpr std::int32_t none = -1;
  [[nodiscard]] std::int32_t& physical(std::int64_t slot, std::int64_t block);
  void map(std::int64_t slot, std::int64_t block);
  void unmap(std::int64_t slot, std::int64_t block);
  void hurry(std::int64_t slot, std::int64_t block);

  PageCalls& calls_;
  std::int64_t slot_blocks_;
  std::vector<std::int32_t> physical_;  // [slot][block]
  std::vector<std::int32_t> free_;
  std::vector<std::int64_t> slot_of_;  // by resident
  std::deque<Todo> beside_;
  std::int64_t mapped_ = 0;
  std::uint64_t maps_ = 0, unmaps_ = 0, hurried_ = 0;
};

}  // namespace stowage::replay
