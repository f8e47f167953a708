#include "base/rng.hpp"

#include <cmath>

#include "base/error.hpp"
#include "base/portable_math.hpp"

namespace stowage {
namespace {
std::uint64_t split_mix(std::uint64_t& state) {
  std::uint64_t z = (state += 0x9e3779b97f4a7c15ULL);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}
}  // namespace

Rng::Rng(std::uint64_t seed, std::string_view stream) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;  // FNV-1a, 64 bits
  for (const char c : stream) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  // The seed goes through one round of mixing first, so that (seed, name) pairs do not meet by a plain xor.
  std::uint64_t state = seed;
  state = split_mix(state) ^ hash;
  for (auto& word : s_) word = split_mix(state);
}

std::uint64_t Rng::below(std::uint64_t n) {
  STOWAGE_ASSERT(n > 0);
  unsigned __int128 product = static_cast<unsigned __int128>(next()) * n;
  if (static_cast<std::uint64_t>(product) < n) {
    const std::uint64_t threshold = (0 - n) % n;
    while (static_cast<std::uint64_t>(product) < threshold) product = static_cast<unsigned __int128>(next()) * n;
  }
  return static_cast<std::uint64_t>(product >> 64);
}

double Rng::exponential(double mean) {
  return -mean * portable_log(1.0 - uniform());  // 1 - u lies in (0, 1]
}

double Rng::normal() {
  while (true) {
    const double u = 2 * uniform() - 1;
    const double v = 2 * uniform() - 1;
    const double r = u * u + v * v;
    if (r > 0 && r < 1) return u * std::sqrt(-2 * portable_log(r) / r);
  }
}

double Rng::lognormal(double mu, double sigma) { return portable_exp(mu + sigma * normal()); }

double Rng::gamma(double shape, double scale) {
  STOWAGE_ASSERT(shape > 0 && scale > 0);
  if (shape < 1) {  // gamma(a) = gamma(a + 1) x U^(1/a)
    const double u = 1.0 - uniform();
    return gamma(shape + 1, scale) * portable_exp(portable_log(u) / shape);
  }
  const double d = shape - 1.0 / 3;
  const double c = 1 / std::sqrt(9 * d);
  while (true) {
    const double x = normal();
    const double t = 1 + c * x;
    if (t <= 0) continue;
    const double v = t * t * t;
    const double u = 1.0 - uniform();
    if (portable_log(u) < 0.5 * x * x + d - d * v + d * portable_log(v)) return d * v * scale;
  }
}
}  // namespace stowage
