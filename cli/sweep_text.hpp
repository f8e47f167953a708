#pragma once
// What a sweep's summary (planner/sweep_summary.hpp) says in a terminal and in a ticket; all its points are CSV.
#include <nlohmann/json.hpp>
#include <string>

namespace stowage::cli {

/// A few sentences.
[[nodiscard]] std::string sweep_text(const nlohmann::ordered_json& summary);
/// The same, the main columns of the first rows, and the first reasons of what could not be.
[[nodiscard]] std::string sweep_markdown(const nlohmann::ordered_json& summary, const std::string& name);
}  // namespace stowage::cli
