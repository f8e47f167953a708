#pragma once
// A set of slot indices with "highest member below i", for reclaiming from the highest slot down. One bit a slot.
#include <bit>
#include <cstdint>
#include <vector>

namespace stowage {

class SlotSet {
 public:
  explicit SlotSet(std::size_t slots) : words_((slots + 63) / 64, 0) {}
  void insert(std::int64_t i) { words_[word(i)] |= bit(i); }
  void erase(std::int64_t i) { words_[word(i)] &= ~bit(i); }
  [[nodiscard]] bool contains(std::int64_t i) const { return (words_[word(i)] & bit(i)) != 0; }
  /// The highest member < `bound` of this set or `other`; -1 when there is none.
  [[nodiscard]] std::int64_t highest_below(std::int64_t bound, const SlotSet* other = nullptr) const {
    if (bound <= 0) return -1;
    std::size_t w = word(bound - 1);
    std::uint64_t keep = ~std::uint64_t{0} >> (63 - ((bound - 1) & 63));
    for (;; --w, keep = ~std::uint64_t{0}) {
      const std::uint64_t bits = (words_[w] | (other != nullptr ? other->words_[w] : 0)) & keep;
      if (bits != 0) return static_cast<std::int64_t>(w * 64) + 63 - std::countl_zero(bits);
      if (w == 0) return -1;
    }
  }

 private:
  static std::size_t word(std::int64_t i) { return static_cast<std::size_t>(i) >> 6; }
  static std::uint64_t bit(std::int64_t i) { return std::uint64_t{1} << (i & 63); }
  std::vector<std::uint64_t> words_;
};
}  // namespace stowage
