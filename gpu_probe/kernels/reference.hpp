#pragma once
// Attention in float64 on the host, from the definition: what the kernels are checked against. Plain C++.
#include <bit>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

namespace stowage::probe {

/// bf16 as bits, so that host code needs no CUDA header.
using Bf16 = std::uint16_t;

[[nodiscard]] inline float to_float(Bf16 x) { return std::bit_cast<float>(static_cast<std::uint32_t>(x) << 16); }
/// Round to nearest, ties to even; no NaN comes in.
[[nodiscard]] inline Bf16 to_bf16(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  return static_cast<Bf16>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

/// A repeatable value in [-1, 1) for a place (splitmix64 of the place), rounded to bf16.
[[nodiscard]] inline Bf16 random_bf16(std::uint64_t seed, std::uint64_t place) {
  std::uint64_t z = seed * 0x9e3779b97f4a7c15ULL + place * 0xd1342543de82ef95ULL + 0x2545f4914f6cdd1dULL;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  z ^= z >> 31;
  return to_bf16(static_cast<float>(static_cast<double>(z >> 11) * 0x1p-52 - 1.0));
}

/// softmax(scale q k^T) v for one query head: k and v are read through k_at(token, d) and v_at(token, d).
template <class KAt, class VAt>
[[nodiscard]] std::vector<double> attention_reference(std::span<const Bf16> q, int tokens, double scale, KAt&& k_at,
                                                      VAt&& v_at) {
  const int dim = static_cast<int>(q.size());
  std::vector<double> out(q.size(), 0.0);
  if (tokens == 0) return out;
  std::vector<double> score(static_cast<std::size_t>(tokens));
  double top = -INFINITY;
  for (int t = 0; t < tokens; ++t) {
    double dot = 0;
    for (int d = 0; d < dim; ++d) dot += static_cast<double>(to_float(q[static_cast<std::size_t>(d)])) * k_at(t, d);
    score[static_cast<std::size_t>(t)] = dot * scale;
    top = std::max(top, dot * scale);
  }
  double sum = 0;
  for (int t = 0; t < tokens; ++t) {
    const double weight = std::exp(score[static_cast<std::size_t>(t)] - top);
    sum += weight;
    for (int d = 0; d < dim; ++d) out[static_cast<std::size_t>(d)] += weight * v_at(t, d);
  }
  for (double& x : out) x /= sum;
  return out;
}

/// ||a - b|| / ||b||; NaN in `a` gives NaN, which passes no comparison.
template <class Reference>
[[nodiscard]] double relative_error(std::span<const Bf16> a, const Reference& b) {
  double difference = 0;
  double norm = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double e = static_cast<double>(to_float(a[i])) - b[i];
    difference += e * e;
    norm += static_cast<double>(b[i]) * b[i];
  }
  return std::sqrt(difference) / std::max(std::sqrt(norm), 1e-30);
}

}  // namespace stowage::probe
