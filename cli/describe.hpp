#pragma once
// From a resolved scenario and its finished runs to what the reports show: wording only, no arithmetic of its own.
#include <string>
#include <vector>

#include "cli/commands.hpp"
#include "reports/report_input.hpp"
#include "scenario/scenario.hpp"

namespace stowage::cli {

/// `with_cards` also reads the workload through once for the facts of its card.
[[nodiscard]] ReportInput describe(const Scenario& scenario, const Options& options, std::vector<RunResult> runs,
                                   bool with_cards);
/// "azure.csv at 4 times its rate", "synthetic: poisson 5/s, 10,000 requests", "4 requests of the scenario".
[[nodiscard]] std::string workload_name(const Scenario& scenario);
/// Says each on stderr, after the result: "FILE: warning: ...".
void warn(const std::vector<std::string>& warnings, const std::string& file, Outcome& outcome);
}  // namespace stowage::cli
