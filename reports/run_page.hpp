#pragma once
// The page of `stowage run`: a ReportInput as a Page of the kit (page.hpp). Other commands that have RunResults use its
// parts.
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "reports/page.hpp"
#include "reports/report_input.hpp"

namespace stowage {

[[nodiscard]] page::Page run_page(const ReportInput& input);

/// Runs drawn as curves, as maps (larger), and shown at all: beyond `max_shown` only the verdict speaks of them.
inline constexpr std::size_t max_charted = 12, max_mapped = 4, max_shown = 32;

namespace parts {
/// The order in which the parts of the pool are stacked: what lives, what is lost, what can be had.
inline constexpr std::array<Part, part_count> stacking = {Part::live,     Part::reserved, Part::internal,
                                                          Part::external, Part::cached,   Part::free};
[[nodiscard]] constexpr std::size_t at(Part part) { return static_cast<std::size_t>(part); }
[[nodiscard]] page::Legend pool_legend();

/// A run's name with its sign and the engines that ship its manager.
[[nodiscard]] page::Name run_name(const RunResult& run);
[[nodiscard]] std::string deployable(const RunResult& run);
/// The signs of runs: one colour a manager, in every folder; one shape a run, or a folder when there are several.
[[nodiscard]] std::vector<page::Series> run_series(const ReportInput& input);

/// How many runs are drawn, and a sentence when that is not all.
[[nodiscard]] std::size_t chart_count(const ReportInput& input);
[[nodiscard]] std::string too_many(const ReportInput& input);
[[nodiscard]] inline double seconds(std::int64_t ns) { return static_cast<double>(ns) / 1e9; }

/// The badge over every table.
void set_evidence(page::Page& page, const ReportInput& input);
[[nodiscard]] page::Section budget(const ReportInput& input);
[[nodiscard]] page::Section inputs(const ReportInput& input);
/// `beside`: the files in the page's folder.
[[nodiscard]] page::Section provenance(const ReportInput& input, std::string_view beside);
[[nodiscard]] page::Section pareto(const ReportInput& input);
[[nodiscard]] page::Section memory_over_time(const ReportInput& input);
[[nodiscard]] page::Section waste(const ReportInput& input);
[[nodiscard]] page::Section distributions(const ReportInput& input);
[[nodiscard]] page::Section lives(const ReportInput& input);
/// Of fleets; empty for single replicas.
[[nodiscard]] page::Section fleet(const ReportInput& input);
/// summary.json as the page carries it: of a fleet too large for a page the first 64 replicas a run.
[[nodiscard]] std::string carried_summary(std::string summary_json);
[[nodiscard]] page::Section sensitivity(const ReportInput& input);
}  // namespace parts
}  // namespace stowage
