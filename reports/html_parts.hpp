#pragma once
// The pieces report.html is put together from (internal to reports/). Each returns escaped HTML, "" when it has nothing
// to show.
#include <string>
#include <string_view>

#include "reports/report_input.hpp"

namespace stowage::html {

[[nodiscard]] std::string header(const ReportInput& input);
[[nodiscard]] std::string slo(const ReportInput& input);
[[nodiscard]] std::string managers(const ReportInput& input);
[[nodiscard]] std::string budget(const ReportInput& input);
[[nodiscard]] std::string memory_over_time(const ReportInput& input);
[[nodiscard]] std::string waste(const ReportInput& input);
[[nodiscard]] std::string distributions(const ReportInput& input);
[[nodiscard]] std::string cards(const ReportInput& input);
[[nodiscard]] std::string notes(const ReportInput& input);
[[nodiscard]] std::string provenance(const ReportInput& input);

/// The decimated curves as JSON, for the script. Bounded whatever the run's length and the number of managers.
[[nodiscard]] std::string chart_data(const ReportInput& input);
/// Managers beyond this many have tables only.
inline constexpr std::size_t max_charted = 12;

/// JSON that may stand inside <script>: every '<' as an escape, which JSON allows only where it can occur, in strings.
[[nodiscard]] std::string script_safe(std::string json);
/// A manager's sign: one colour and one shape everywhere.
[[nodiscard]] std::string mark(std::size_t manager);
/// <section id=… aria-labelledby=…><h2>title</h2><p class="say">sentence</p>body</section>
[[nodiscard]] std::string section(std::string_view id, std::string_view title, std::string_view sentence,
                                  std::string_view body);
/// The legend of the six parts of the pool, in stacking order.
[[nodiscard]] std::string parts_legend();
/// The order in which parts are stacked: what lives, what is lost, what can be had.
inline constexpr std::array<Part, part_count> stacking = {Part::live,     Part::reserved, Part::internal,
                                                          Part::external, Part::cached,   Part::free};
[[nodiscard]] constexpr std::size_t at(Part part) { return static_cast<std::size_t>(part); }
}  // namespace stowage::html
