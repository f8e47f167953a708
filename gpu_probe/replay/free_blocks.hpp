#pragma once
// Free blocks in the order in which they are taken: a list with removal from its middle.
#include <cstddef>
#include <cstdint>
#include <vector>

namespace stowage::replay {

class FreeBlocks {
 public:
  /// All of `blocks`, by index.
  explicit FreeBlocks(std::int64_t blocks) : links_(static_cast<std::size_t>(blocks) + 1) {
    at(end()) = {end(), end()};
    for (std::int32_t b = 0; b < end(); ++b) push_back(b);
  }
  [[nodiscard]] bool empty() const { return front() == end(); }
  [[nodiscard]] std::int32_t front() const { return links_.back().next; }
  void push_front(std::int32_t b) { insert_before(b, front()); }
  void push_back(std::int32_t b) { insert_before(b, end()); }
  void remove(std::int32_t b) {
    at(at(b).previous).next = at(b).next;
    at(at(b).next).previous = at(b).previous;
  }

 private:
  struct Link {
    std::int32_t previous = 0, next = 0;
  };
  [[nodiscard]] std::int32_t end() const { return static_cast<std::int32_t>(links_.size() - 1); }
  [[nodiscard]] Link& at(std::int32_t b) { return links_[static_cast<std::size_t>(b)]; }
  void insert_before(std::int32_t b, std::int32_t next) {
    at(b) = {at(next).previous, next};
    at(at(b).previous).next = b;
    at(next).previous = b;
  }
  std::vector<Link> links_;  // the last one is the list's ends
};

}  // namespace stowage::replay
