#pragma once
// The page of `stowage compare`: ReportInput::data is its JSON; `runs` are those of both folders (combine), or empty
// where only their summary.json was at hand.
#include "reports/page.hpp"
#include "reports/report_input.hpp"

namespace stowage {

/// Throws nlohmann::json::exception when the data is no comparison.
[[nodiscard]] page::Page compare_page(const ReportInput& input);
}  // namespace stowage
