#pragma once
// Strong types for what has a unit. Construction from a raw number is explicit; mixing two units does
// not compile; division says which way it rounds. Hot loops use the raw int64 with the unit in the name.
#include <chrono>
#include <compare>
#include <concepts>
#include <cstdint>

namespace stowage {

// Simulated time: int64 nanoseconds (292 years) on a clock of its own, so wall time cannot leak in.
struct SimClock {
  using rep = std::int64_t;
  using period = std::nano;
  using duration = std::chrono::duration<rep, period>;
  using time_point = std::chrono::time_point<SimClock>;
  static constexpr bool is_steady = true;  // and no now(): only the kernel knows the time
};
using Duration = SimClock::duration;
using TimePoint = SimClock::time_point;

template <class Tag>
class Quantity {
 public:
  using Rep = std::int64_t;
  constexpr Quantity() = default;
  template <std::integral I>
  constexpr explicit Quantity(I n) : n_(static_cast<Rep>(n)) {}
  template <std::floating_point F>
  Quantity(F) = delete;  // round on purpose, by name, at the call site

  [[nodiscard]] constexpr Rep count() const { return n_; }
  constexpr auto operator<=>(const Quantity&) const = default;

  constexpr Quantity& operator+=(Quantity o) { n_ += o.n_; return *this; }
  constexpr Quantity& operator-=(Quantity o) { n_ -= o.n_; return *this; }
  friend constexpr Quantity operator+(Quantity a, Quantity b) { return a += b; }
  friend constexpr Quantity operator-(Quantity a, Quantity b) { return a -= b; }
  friend constexpr Quantity operator*(Quantity a, Rep k) { return Quantity{a.n_ * k}; }
  friend constexpr Quantity operator*(Rep k, Quantity a) { return a * k; }
  friend constexpr Rep floor_div(Quantity a, Quantity b) { return a.n_ / b.n_; }
  friend constexpr Rep ceil_div(Quantity a, Quantity b) { return (a.n_ + b.n_ - 1) / b.n_; }
  friend constexpr double ratio(Quantity a, Quantity b) {
    return static_cast<double>(a.n_) / static_cast<double>(b.n_);
  }

 private:
  Rep n_ = 0;
};
using Bytes = Quantity<struct BytesTag>;
using Tokens = Quantity<struct TokensTag>;

namespace literals {
constexpr Bytes operator""_B(unsigned long long n) { return Bytes{n}; }
constexpr Bytes operator""_KiB(unsigned long long n) { return Bytes{n << 10}; }
constexpr Bytes operator""_MiB(unsigned long long n) { return Bytes{n << 20}; }
constexpr Bytes operator""_GiB(unsigned long long n) { return Bytes{n << 30}; }
constexpr Tokens operator""_tok(unsigned long long n) { return Tokens{n}; }
}  // namespace literals
}  // namespace stowage
