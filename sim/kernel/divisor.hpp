#pragma once
// Division of counts by a size known once a run. Sizes of blocks are powers of two almost always, and a shift costs a
// tenth of what a division of 64 bits costs.
#include <bit>
#include <cstdint>

namespace stowage {

class Divisor {
 public:
  /// size >= 1.
  explicit constexpr Divisor(std::int64_t size)
      : size_(size), shift_((size & (size - 1)) == 0 ? std::countr_zero(static_cast<std::uint64_t>(size)) : -1) {}
  [[nodiscard]] constexpr std::int64_t size() const { return size_; }
  /// n >= 0: n / size, rounded down, and rounded up.
  [[nodiscard]] constexpr std::int64_t floor(std::int64_t n) const { return shift_ >= 0 ? n >> shift_ : n / size_; }
  [[nodiscard]] constexpr std::int64_t ceil(std::int64_t n) const { return floor(n + size_ - 1); }
  [[nodiscard]] constexpr std::int64_t rest(std::int64_t n) const { return n - floor(n) * size_; }

 private:
  std::int64_t size_;
  int shift_;  // -1: no power of two
};
}  // namespace stowage
