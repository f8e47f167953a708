#pragma once
// The page of `stowage compare`: ReportInput::data is its JSON; `runs` are those of both folders (combine), or empty
// where only their summary.json was at hand. Its words are those of terminal and Markdown too.
#include "reports/page.hpp"
#include "reports/report_input.hpp"

namespace stowage {

/// Throws nlohmann::json::exception when the data is no comparison.
[[nodiscard]] page::Page compare_page(const ReportInput& input);

/// How one figure of B stands to that of A: one of `runs[i].table`. Texts are empty where there is nothing to say.
struct Judged {
  std::string a, b;       // as people read them
  std::string apart;      // b - a: "+1.2 s", "-3 points" of a share
  std::string relative;   // "+12.3 %", "41 times"
  std::string word;       // "better", "worse"; "not certain" where the interval holds zero
  std::string low, high;  // of the 95 % interval of b - a
};
[[nodiscard]] Judged judge(const nlohmann::ordered_json& figure);
/// "B is better than A in 7 figures and worse in 2.", and of each pair the figures that matter most.
[[nodiscard]] page::Verdict compare_verdict(const nlohmann::ordered_json& comparison);
}  // namespace stowage
