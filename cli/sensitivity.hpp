#pragma once
// stowage run --sensitivity: the same scenario with one thing changed at a time.
#include <vector>

#include "cli/options.hpp"
#include "reports/report_input.hpp"
#include "scenario/scenario.hpp"

namespace stowage::cli {

/// Up to two dozen more simulations, of at most 50,000 requests each, on the threads of --jobs. What cannot be run (a
/// page size without a price, a pool that holds nothing) has no outcome.
[[nodiscard]] Sensitivity measure_sensitivity(const Options& options, const Scenario& scenario,
                                              const std::vector<RunResult>& results);
}  // namespace stowage::cli
