#pragma once
// The highest rate one replica sustains under the SLO.
#include <optional>
#include <span>
#include <string>

#include "planner/probe.hpp"

namespace stowage {

struct Capacity {
  double rate_per_s = 0;        // the highest of the grid that was sustained; 0 when none was
  double bound_per_s = 0;       // no rate above it is possible (planner/bound.hpp)
  std::optional<Probe> at;      // the probe at rate_per_s
  std::optional<Probe> beyond;  // at the lowest rate that was not sustained: what binds
  std::uint64_t probes = 0, requests = 0;
};

/// The rates tried are bound x (1 + precision)^-k: the same for every search of a candidate, so that asking for one of
/// them answers for a whole search. Monotone in k.
class RateGrid {
 public:
  RateGrid(double bound_per_s, double precision);
  [[nodiscard]] double rate(int k) const;
  [[nodiscard]] int steps_of(double factor) const;        // at least one
  [[nodiscard]] int slowest() const { return slowest_; }  // a 100,000th of the bound: slower is not looked for

 private:
  double bound_, step_;
  int slowest_;
};

/// By a probe of few requests: where to begin, never what to conclude. A short run ends before the number in the system
/// has settled, so that only strong growth counts as saturation.
[[nodiscard]] bool about_sustained(const RunConfig& run, const RequestSet& brief, double rate_per_s,
                                   std::span<const SloSet> slo, ProbeOptions options);

/// The step of the grid where the sustained rate about is, by probes of `brief` (an eighth of the requests, say).
/// `known`: a step that such a probe sustained already.
[[nodiscard]] int estimate_step(const RunConfig& run, const RequestSet& brief, std::span<const SloSet> slo,
                                const RateGrid& grid, std::optional<int> known, const ProbeOptions& options);

/// Begins at the estimate, brackets in growing steps, then bisects: in the end one step of the grid is sustained and
/// the next faster one is not, both by probes of all of `set`. The verdict is taken to be monotone in the rate, as it
/// is but for noise, which common random numbers keep small.
[[nodiscard]] Capacity find_capacity(const RunConfig& run, const RequestSet& set, const RequestSet& brief,
                                     std::span<const SloSet> slo, double precision, const ProbeOptions& options);
}  // namespace stowage
