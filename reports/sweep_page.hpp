#pragma once
// The page of `stowage sweep`: what ReportInput::data (planner/sweep_summary.hpp) says of all points.
#include <string>
#include <vector>

#include "reports/page.hpp"
#include "reports/report_input.hpp"

namespace stowage {

/// Throws nlohmann::json::exception when the data is no summary of a sweep.
[[nodiscard]] page::Page sweep_page(const ReportInput& input);
/// The first points as people read them, the head first: axes, manager, the main figures, or instead of them why not.
[[nodiscard]] std::vector<std::vector<std::string>> sweep_rows(const nlohmann::ordered_json& summary);
/// How many went through; who serves most, and soonest.
[[nodiscard]] page::Verdict sweep_verdict(const nlohmann::ordered_json& summary);
}  // namespace stowage
