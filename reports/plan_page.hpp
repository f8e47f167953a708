#pragma once
// The page of `stowage plan`: plan.json (ReportInput::data, docs/planning.md) as a Page of the kit. Every number on it
// is one of plan.json; the rest of the input describes the chosen configuration.
#include "reports/page.hpp"
#include "reports/report_input.hpp"

namespace stowage {

/// Throws nlohmann::json::exception when the data is no plan.json.
[[nodiscard]] page::Page plan_page(const ReportInput& input);

namespace parts {
using Json = nlohmann::ordered_json;

/// A number of the data; NaN when it is null or absent.
[[nodiscard]] double number_at(const Json& object, std::string_view key);
/// "1 s", "95 %": a value of a target as plan.json has it; "never" for what did not end.
[[nodiscard]] std::string target_value(const std::string& target, double value);
[[nodiscard]] std::string per_second(double rate);  // "4.89/s"
/// The candidate's manager as a series, with the engines that ship it.
[[nodiscard]] page::Name manager_name(const Json& candidate);
[[nodiscard]] std::string ships(const Json& candidate);

[[nodiscard]] page::Section plan_pareto(const Json& plan);
[[nodiscard]] page::Section plan_curves(const Json& plan);
[[nodiscard]] page::Section plan_certainty(const Json& plan);
[[nodiscard]] page::Section plan_what_if(const Json& plan);
}  // namespace parts
}  // namespace stowage
