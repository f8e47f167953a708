#pragma once
// A calendar of ids by integer key (an iteration number), for keys within a bounded horizon of each other:
// O(1) insert, remove and "smallest key", no allocation after construction. Intrusive lists hang off a ring of
// slots; a bitmap finds the next occupied one. Two ids with the same key stay in no particular order.
#include <bit>
#include <cstdint>
#include <limits>
#include <vector>

#include "base/error.hpp"

namespace stowage {

class RingCalendar {
 public:
  static constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

  /// Ids are 0 ... ids-1; all keys present at one time differ by less than `horizon`.
  RingCalendar(std::int64_t horizon, std::size_t ids)
      : mask_(std::bit_ceil(static_cast<std::uint64_t>(horizon) + 64) - 1),
        head_(mask_ + 1, none),
        occupied_((mask_ + 1) / 64, 0),
        node_(ids) {}

  void insert(std::int32_t id, std::int64_t key) {
    Node& n = node_[static_cast<std::size_t>(id)];
    n.key = key;
    const std::size_t slot = static_cast<std::uint64_t>(key) & mask_;
    n.prev = none;
    n.next = head_[slot];
    if (n.next != none) node_[static_cast<std::size_t>(n.next)].prev = id;
    head_[slot] = id;
    occupied_[slot >> 6] |= std::uint64_t{1} << (slot & 63);
    if (key < min_) min_ = key;
    ++size_;
  }

  void remove(std::int32_t id) {
    Node& n = node_[static_cast<std::size_t>(id)];
    const std::size_t slot = static_cast<std::uint64_t>(n.key) & mask_;
    if (n.next != none) node_[static_cast<std::size_t>(n.next)].prev = n.prev;
    if (n.prev != none) node_[static_cast<std::size_t>(n.prev)].next = n.next;
    else head_[slot] = n.next;
    --size_;
    if (head_[slot] != none) return;
    occupied_[slot >> 6] &= ~(std::uint64_t{1} << (slot & 63));
    if (n.key == min_) min_ = size_ == 0 ? never : next_after(n.key);
  }

  void move(std::int32_t id, std::int64_t key) {
    remove(id);
    insert(id, key);
  }

  [[nodiscard]] std::int64_t min_key() const { return min_; }
  [[nodiscard]] std::int64_t key(std::int32_t id) const { return node_[static_cast<std::size_t>(id)].key; }
  [[nodiscard]] bool empty() const { return size_ == 0; }

  /// One id with this key, which is min_key().
  [[nodiscard]] std::int32_t first(std::int64_t key) const { return head_[static_cast<std::uint64_t>(key) & mask_]; }
  /// Calls f(id) for every id with exactly this key; f must not change the calendar.
  template <class F>
  void for_each(std::int64_t key, F f) const {
    for (std::int32_t id = head_[static_cast<std::uint64_t>(key) & mask_]; id != none;
         id = node_[static_cast<std::size_t>(id)].next)
      if (node_[static_cast<std::size_t>(id)].key == key) f(id);
  }

 private:
  static constexpr std::int32_t none = -1;
  struct Node {
    std::int64_t key = 0;
    std::int32_t prev = none, next = none;
  };

  [[nodiscard]] std::int64_t next_after(std::int64_t key) const {
    const std::uint64_t from = static_cast<std::uint64_t>(key) & mask_;
    std::uint64_t word = from >> 6;
    std::uint64_t bits = occupied_[word] & (~std::uint64_t{0} << (from & 63));
    for (std::size_t scanned = 0; scanned <= occupied_.size(); ++scanned) {
      if (bits != 0) {
        const std::uint64_t slot = (word << 6) + static_cast<std::uint64_t>(std::countr_zero(bits));
        return key + static_cast<std::int64_t>((slot - from) & mask_);
      }
      word = (word + 1) & ((mask_ + 1) / 64 - 1);
      bits = occupied_[word];
    }
    STOWAGE_ASSERT(false && "occupied bitmap and size disagree");
  }

  std::uint64_t mask_;
  std::vector<std::int32_t> head_;
  std::vector<std::uint64_t> occupied_;
  std::vector<Node> node_;
  std::int64_t min_ = never;
  std::size_t size_ = 0;
};
}  // namespace stowage
