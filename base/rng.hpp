#pragma once
// Named random streams of our own: the same seed and name give the same numbers on every platform and with every
// standard library, and a stream that draws more does not disturb another.
//
// Generator: xoshiro256++ 1.0 (Blackman, Vigna: "Scrambled Linear Pseudorandom Number Generators", ACM TOMS 47(4),
// 2021), state filled by SplitMix64 from the seed and the FNV-1a hash of the stream's name. The distributions use
// integer arithmetic, + - x / and sqrt, which IEEE 754 rounds one way only, and base/portable_math.hpp where a
// logarithm or an exponential is needed, because the C library's differ in the last bit from one version to the next.
#include <array>
#include <cstdint>
#include <string_view>

namespace stowage {

class Rng {
 public:
  Rng(std::uint64_t seed, std::string_view stream);

  /// 64 uniform bits.
  [[nodiscard]] std::uint64_t next() {
    const std::uint64_t result = rotl(s_[0] + s_[3], 23) + s_[0];
    const std::uint64_t t = s_[1] << 17;
    s_[2] ^= s_[0];
    s_[3] ^= s_[1];
    s_[1] ^= s_[2];
    s_[0] ^= s_[3];
    s_[2] ^= t;
    s_[3] = rotl(s_[3], 45);
    return result;
  }
  /// [0, 1), a multiple of 2^-53.
  [[nodiscard]] double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }
  /// 0 ... n - 1 without bias (Lemire 2019, "Fast Random Integer Generation in an Interval"); n > 0.
  [[nodiscard]] std::uint64_t below(std::uint64_t n);
  /// Mean `mean` >= 0, in its unit.
  [[nodiscard]] double exponential(double mean);
  /// Mean 0, variance 1 (Marsaglia's polar method, one value a call so that no state hides between calls).
  [[nodiscard]] double normal();
  /// exp(mu + sigma x normal()): median exp(mu).
  [[nodiscard]] double lognormal(double mu, double sigma);
  /// Mean shape x scale, both > 0 (Marsaglia and Tsang 2000, "A Simple Method for Generating Gamma Variables").
  [[nodiscard]] double gamma(double shape, double scale);

 private:
  static std::uint64_t rotl(std::uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }
  std::array<std::uint64_t, 4> s_{};
};
}  // namespace stowage
