#pragma once
// What `stowage plan` prints: the decision in words first, all it rests on below.
#include <string>

#include "planner/decision.hpp"

namespace stowage::cli {

/// About 40 lines of 100 columns, then the basis and what to copy; `all_commands`: of each of the ten best.
[[nodiscard]] std::string plan_text(const Plan& plan, bool all_commands);
/// The same without the chart, to paste into a ticket.
[[nodiscard]] std::string plan_markdown(const Plan& plan, bool all_commands);
}  // namespace stowage::cli
