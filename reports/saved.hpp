#pragma once
// report.json: a ReportInput as it was, so that `stowage report FOLDER` makes the same page again, byte for byte, or
// one page of several folders. It holds what summary.json rounds away (whole distributions, series, samples); recorded
// iterations and requests stay in trace.perfetto.json.
#include <string>
#include <string_view>
#include <vector>

#include "reports/report_input.hpp"

namespace stowage {

[[nodiscard]] std::string to_saved(const ReportInput& input);
/// Throws InputError with `file` when the text is no report.json, or of another version's schema.
[[nodiscard]] ReportInput from_saved(std::string_view text, const std::string& file);

/// One input of several: all runs side by side, those of one name told apart by their folder. What differs between the
/// folders and has no place in common (budget, SLO) is left out, and a note says so.
struct NamedInput {
  std::string folder;
  ReportInput input;
};
[[nodiscard]] ReportInput combine(std::vector<NamedInput> inputs, std::string command);
/// Of a combined input of two folders: runs of one manager side by side, so that those drawn can be compared.
void pair_up(ReportInput& two);
}  // namespace stowage
