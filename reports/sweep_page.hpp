#pragma once
// The page of `stowage sweep`: what ReportInput::data (planner/sweep_summary.hpp) says of all points.
#include "reports/page.hpp"
#include "reports/report_input.hpp"

namespace stowage {

/// Throws nlohmann::json::exception when the data is no summary of a sweep.
[[nodiscard]] page::Page sweep_page(const ReportInput& input);
}  // namespace stowage
