#pragma once
// The tables and sentences of a plan, as the terminal and Markdown share them.
#include <cstddef>
#include <string>
#include <vector>

#include "cli/table.hpp"
#include "planner/decision.hpp"

namespace stowage::cli {

/// What was asked, and what the fleet, the fleet with one replica fewer and one replica at its most achieve. Empty
/// without a feasible decision.
[[nodiscard]] Rows slo_rows(const Plan& plan);
/// The best configuration of each manager, a row each.
[[nodiscard]] Rows manager_rows(const Plan& plan, std::size_t columns_max);
/// The ten best, a row each. What all have alike is said once; columns that do not fit are left out, the least telling
/// first. `columns_max` 0: all columns.
struct Ranked {
  std::string title;
  Rows rows;
};
[[nodiscard]] Ranked ranked_rows(const Plan& plan, std::size_t columns_max);

/// Demand, search, what could not be, notes: what the answer rests on.
[[nodiscard]] std::vector<std::string> basis_of(const Plan& plan);
/// How sure, what it costs, how far it lasts. Empty without a feasible decision, as the next.
[[nodiscard]] std::vector<std::string> sureness_of(const Plan& plan);
[[nodiscard]] std::vector<std::string> changes_of(const Plan& plan);

/// How to get the first of the ranking, or all ten: --set for stowage, and the command of vLLM where it ships the
/// manager. Each as the options it consists of, so that lines can be broken between them.
struct Recipe {
  std::size_t rank = 1;
  std::vector<std::vector<std::string>> commands;
};
[[nodiscard]] std::vector<Recipe> recipes_of(const Plan& plan, bool all);
}  // namespace stowage::cli
