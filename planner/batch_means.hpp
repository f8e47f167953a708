#pragma once
// Output analysis of one long run: how long it took to warm up, how sure a mean of it is, whether its queue grew.
#include <cstdint>
#include <span>

#include "planner/slo.hpp"

namespace stowage {

struct BatchMeans {
  double mean = 0;
  double half_width = 0;  // of the 95 % interval; infinite when there are too few values to say
};
/// Non-overlapping batch means (Law, "Simulation Modeling and Analysis", 9.5.3): the values in order, in `batches`
/// equal batches (what is left over goes to the mean only), Student's t on the batches' means.
[[nodiscard]] BatchMeans batch_means(std::span<const double> values, std::size_t batches);

/// How many of the first values are warm-up: MSER-5 (White, "An effective truncation heuristic for bias reduction in
/// simulation output", Simulation 69(6), 1997) on batches of five, at most a fifth of the run, and only when what is
/// cut is lower than the rest: a run that starts empty looks too good at first, and a burst at the start is load.
[[nodiscard]] std::size_t warm_up(std::span<const double> values);

/// Did the number of requests in the system grow through the arrivals? `samples` in order of arrival. Counted at 40
/// equally spaced instants after the first fifth; saturated when the slope of the least-squares line is more than
/// `growth` of the arrival rate and more than three of its standard errors. Of served requests only: the others never
/// were in the system.
inline constexpr double saturated_growth = 0.01;
[[nodiscard]] bool is_saturated(std::span<const Sample> samples, double growth = saturated_growth);
}  // namespace stowage
