#pragma once
#include <string>

#include "planner/decision.hpp"

namespace stowage::cli {
/// The plan for a terminal: the decision, then what it rests on.
[[nodiscard]] std::string plan_text(const Plan& plan);
}  // namespace stowage::cli
