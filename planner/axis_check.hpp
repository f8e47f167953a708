#pragma once
// Is every value of every axis one that a scenario can have? Wrong values are errors of the study; what does not fit
// its GPUs is a row of its table.
#include <cstdint>

#include "planner/axes.hpp"
#include "scenario/cache.hpp"

namespace stowage {

/// Throws InputError with what is wrong with the values of the space. A value is wrong when every point that has it is
/// refused (InputError); infeasible ones are not. Each value is read once, beside values of the other axes that can be
/// read together. Where that is refused, the points are read that differ from it in one other axis. The same problem at
/// all of them is the value's own. Else other points with the value are tried, 10,000 for the whole space; a value
/// that stays refused is wrong when no point was left out. What the scenario itself has where an axis stands is judged
/// as one more value of the axis: `run` reads it. Returns how many points were read.
std::uint64_t check_axes(const ConfigDocument& base, const Space& space, ScenarioCache& cache);
}  // namespace stowage
