#pragma once
// Draws of the shapes that random scenarios need, from one named stream.
#include <cstdint>
#include <initializer_list>
#include <span>

#include "base/rng.hpp"

namespace stowage {

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : rng_(seed, "differential case") {}
  std::int64_t in(std::int64_t low, std::int64_t high) {  // inclusive
    return low + static_cast<std::int64_t>(rng_.below(static_cast<std::uint64_t>(high - low + 1)));
  }
  double unit() { return rng_.uniform(); }
  double exponential(double mean) { return rng_.exponential(mean); }
  bool chance(int percent) { return in(0, 99) < percent; }
  template <class T>
  T one_of(std::initializer_list<T> list) {
    return list.begin()[at(list.size())];
  }
  template <class T>
  const T& one_of(std::span<T> list) {
    return list[at(list.size())];
  }

 private:
  std::size_t at(std::size_t size) { return static_cast<std::size_t>(in(0, static_cast<std::int64_t>(size) - 1)); }
  Rng rng_;
};
}  // namespace stowage
