#include "planner/capacity.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "planner/bound.hpp"

namespace stowage {
namespace {
constexpr double reach = 1e5;       // bound / slowest rate
constexpr double first_step = 1.2;  // of the bracket: a factor in rate
constexpr double estimate_within = 1.04;
constexpr double brief_growth = 0.2;
constexpr double unbounded_per_s = 1e6;  // a replica whose steps cost nothing
}  // namespace

RateGrid::RateGrid(double bound_per_s, double precision)
    : bound_(std::min(bound_per_s, unbounded_per_s)),
      step_(1 + precision),
      slowest_(static_cast<int>(std::ceil(std::log(reach) / std::log1p(precision)))) {}

int RateGrid::steps_of(double factor) const {
  return std::max(1, static_cast<int>(std::log(factor) / std::log(step_)));
}

double RateGrid::rate(int k) const {
  // Repeated squaring, so that the bits do not hang on the C library's pow.
  double out = bound_, factor = 1 / step_;
  for (int n = k; n > 0; n /= 2) {
    if (n % 2 == 1) out *= factor;
    factor *= factor;
  }
  return out;
}

bool about_sustained(const RunConfig& run, const RequestSet& brief, double rate_per_s, std::span<const SloSet> slo,
                     ProbeOptions options) {
  options.growth = brief_growth;
  return run_probe(run, brief, rate_per_s, slo, options).met;
}

int estimate_step(const RunConfig& run, const RequestSet& brief, std::span<const SloSet> slo, const RateGrid& grid,
                  std::optional<int> known, const ProbeOptions& options) {
  const auto sustained = [&](int k) { return about_sustained(run, brief, grid.rate(k), slo, options); };
  int fails = -1, step = grid.steps_of(first_step), k = known.value_or(step);
  while (!known && !sustained(k)) {
    fails = k;
    if (k == grid.slowest()) return k;
    step *= 2;
    k = std::min(k + step, grid.slowest());
  }
  const int close = std::max(1, grid.steps_of(estimate_within));
  while (k - fails > close) {
    const int middle = fails + (k - fails) / 2;
    (sustained(middle) ? k : fails) = middle;
  }
  return k;
}

Capacity find_capacity(const RunConfig& run, const RequestSet& set, const RequestSet& brief,
                       std::span<const SloSet> slo, double precision, const ProbeOptions& options) {
  Capacity out;
  out.bound_per_s = rate_bound(run, set);
  const RateGrid grid(out.bound_per_s, precision);
  const auto sustained = [&](int k) {
    Probe probe = run_probe(run, set, grid.rate(k), slo, options);
    ++out.probes;
    out.requests += probe.requests;
    const bool met = probe.met;
    if (met) {
      out.rate_per_s = probe.rate_per_s;
      out.at = std::move(probe);
    } else {
      out.beyond = std::move(probe);
    }
    return met;
  };
  int k = estimate_step(run, brief, slo, grid, {}, options), step = 2, passes = 0, fails = -1;
  if (sustained(k)) {
    for (passes = k; passes > 0; step *= 2) {  // faster, until it fails
      k = std::max(0, passes - step);
      if (!sustained(k)) {
        fails = k;
        break;
      }
      passes = k;
    }
  } else {
    for (fails = k;; step *= 2) {  // slower, until it is sustained
      if (fails == grid.slowest()) return out;
      passes = std::min(fails + step, grid.slowest());
      if (sustained(passes)) break;
      fails = passes;
    }
  }
  while (passes - fails > 1 && passes > 0) {
    const int middle = fails + (passes - fails) / 2;
    (sustained(middle) ? passes : fails) = middle;
  }
  return out;
}
}  // namespace stowage
