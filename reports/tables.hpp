#pragma once
// The comparison as a table for other programs: CSV with full digits, Markdown to paste into a pull request.
#include <string>

#include "reports/report_input.hpp"

namespace stowage {

/// A row a run. Units in the column names, shortest digits that read back the same; nothing measured = empty.
[[nodiscard]] std::string to_csv(const ReportInput& input);
/// The verdict, then a column a run, as on the page.
[[nodiscard]] std::string to_markdown(const ReportInput& input);
}  // namespace stowage
