#include "base/portable_math.hpp"

#include <array>
#include <cmath>
#include <cstddef>
#include <limits>

namespace stowage {
namespace {
// ln 2 in two parts: the first has 32 trailing zero bits, so that k x ln2_high is exact for every exponent k (fdlibm).
constexpr double ln2_high = 0x1.62e42feep-1;
constexpr double ln2_low = 0x1.a39ef35793c76p-33;
}  // namespace

double portable_log(double x) {
  int exponent = 0;
  double m = std::frexp(x, &exponent);  // exact: x = m x 2^exponent, m in [0.5, 1)
  if (m < 0.70710678118654752440) {
    m *= 2;
    --exponent;
  }
  // ln m = 2 artanh(s), s = (m - 1) / (m + 1), |s| <= 0.172: s^2 <= 0.0295, so 11 terms reach 1e-18.
  const double s = (m - 1) / (m + 1);
  const double z = s * s;
  double sum = 0;
#pragma GCC unroll 16  // turns 1.0 / k into constants: ten divisions fewer
  for (int k = 21; k >= 3; k -= 2) sum = (sum + 1.0 / k) * z;
  const double k = exponent;
  return k * ln2_high + (k * ln2_low + (2 * s + 2 * s * sum));
}

double portable_exp(double x) {
  if (x > 709.782712893384) return std::numeric_limits<double>::infinity();
  if (x < -745.2) return 0;
  // x = k ln 2 + r, |r| <= ln 2 / 2, and the Taylor series of e^r: r^14 / 14! < 5e-18.
  const double k = std::floor(x * 1.4426950408889634 + 0.5);
  const double r = (x - k * ln2_high) - k * ln2_low;
  // Coefficients 1 / i! as constants: a division takes as long as the rest of the sum.
  constexpr std::array<double, 15> inverse_factorial = [] {
    std::array<double, 15> c{};
    double factorial = 1;  // exact up to 14!
    for (int i = 0; i <= 14; factorial *= ++i) c[static_cast<std::size_t>(i)] = 1 / factorial;
    return c;
  }();
  double sum = inverse_factorial[14];
  for (std::size_t i = 14; i-- > 0;) sum = inverse_factorial[i] + sum * r;
  return std::ldexp(sum, static_cast<int>(k));
}
}  // namespace stowage
