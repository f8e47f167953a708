#pragma once
// A comparison ("stowage.compare/1") in a terminal, as CSV, and as Markdown to paste into a ticket.
#include <nlohmann/json.hpp>
#include <string>

namespace stowage::cli {

[[nodiscard]] std::string compare_text(const nlohmann::ordered_json& comparison);
/// A row a pair of runs and figure, with all digits; times in seconds, shares from 0 to 1.
[[nodiscard]] std::string compare_csv(const nlohmann::ordered_json& comparison);
[[nodiscard]] std::string compare_markdown(const nlohmann::ordered_json& comparison);
}  // namespace stowage::cli
