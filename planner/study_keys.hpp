#pragma once
// The tables of a study's keys: scenario/keys/key.hpp says what a row is.
#include <string>
#include <vector>

#include "planner/study.hpp"
#include "scenario/keys/key.hpp"

namespace stowage::keys {

/// `schema`, `name`, `scenario` and `space` are read by load_study itself.
[[nodiscard]] const TableOf<PlanSpec>& study_keys();
[[nodiscard]] const TableOf<NodePrice>& price_keys();
[[nodiscard]] const TableOf<PlanSpec>& limit_keys();
[[nodiscard]] const TableOf<PlanSpec>& probe_keys();
[[nodiscard]] const TableOf<PlanSpec>& search_keys();

/// Targets of all requests; those of one entry of a list, with `for`.
[[nodiscard]] const Table& plan_slo_keys();
[[nodiscard]] const Table& class_slo_keys();
[[nodiscard]] const TableOf<Goodput>& goodput_keys();
[[nodiscard]] const TableOf<SloSet>& class_keys();

/// docs/keys.md: the keys of scenarios and studies.
[[nodiscard]] std::string reference_page();
/// Paths that --set takes: of a scenario; of a study, whose own keys come first.
[[nodiscard]] std::vector<std::string> scenario_paths();
[[nodiscard]] std::vector<std::string> study_paths();
}  // namespace stowage::keys
