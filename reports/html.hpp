#pragma once
// report.html: one self-contained page that opens offline; charts, tables and the whole summary.json inside.
#include <string>

#include "reports/report_input.hpp"

namespace stowage {

/// The page. Every text of the user is escaped; the page's content security policy allows no request at all.
[[nodiscard]] std::string to_html(const ReportInput& input);
/// False when the binary was built without the chart library: the page then has tables and static bars only.
[[nodiscard]] bool charts_built_in();
/// Licence texts of what is embedded in every report, for `--licenses`.
[[nodiscard]] std::string report_licences();
}  // namespace stowage
