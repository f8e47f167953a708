// stowage plan STUDY: the cheapest hardware that meets an SLO, and how sure that is.
#include <fmt/format.h>

#include <optional>
#include <string>

#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/interrupt.hpp"
#include "cli/plan_text.hpp"
#include "planner/decision.hpp"
#include "reports/folder.hpp"

namespace stowage::cli {

Outcome plan_command(const Options& options) {
  const auto seed = options.seed ? std::optional(static_cast<std::uint64_t>(*options.seed)) : std::nullopt;
  Study study = load_study(options.inputs.front(), options.set, options.vary, seed);
  std::optional<ResultFolder> folder;
  if (!options.output.empty()) folder.emplace(options.output, options.force);
  const Plan plan = make_plan(std::move(study), options.jobs, [] { check_interrupted(); });
  const std::string json = options.json || folder ? plan_json(plan) : "";
  if (folder) {
    folder->write("plan.json", json);
    folder->write("plan.csv", plan_csv(plan));
    check_interrupted();
    folder->commit();
  }
  Outcome outcome;
  outcome.text = options.json ? json : plan_text(plan);
  const Decision& d = plan.decision;
  if (!d.feasible) {
    outcome.code = infeasible;
    outcome.complaints.push_back("stowage: error: " + d.text);
  } else if (options.assert_slo && d.checked && !d.checked->met) {
    outcome.code = slo_not_met;
    outcome.complaints.push_back(fmt::format("stowage: SLO not met by the planned fleet: {}", d.checked->binding()));
  }
  return outcome;
}
}  // namespace stowage::cli
