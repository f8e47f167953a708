#pragma once
// What a page shows of a sweep of any size: how the main figures move along each axis, maps of two axes, a bounded
// share of the points, what failed. All points are in sweep.csv.
#include <map>
#include <string>
#include <vector>

#include "planner/sweep.hpp"

namespace stowage {

/// As JSON, schema "stowage.sweep-summary/1":
///   axes      [{path, values, numbers?, unit?}]: `numbers` where all values are numbers of one dimension
///   effects   of each axis, metric and manager: the median, least and greatest over all other axes, by value
///   maps      of two axes: the metric (the median over what is left to vary), row by row
///   cloud     points with requests/s and p99 TTFT: the front, then an even spread of the rest
///   table     the first rows, as in sweep.csv;  failures  the first, with their reasons
/// `records` by point, none missing; `deployable`: by manager's name, the engines that ship it.
[[nodiscard]] std::string sweep_summary(const Sweep& sweep, const std::vector<std::string>& records,
                                        const std::map<std::string, std::string>& deployable);
}  // namespace stowage
