// stowage plan STUDY: the cheapest hardware that meets an SLO, and how sure that is.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/describe.hpp"
#include "cli/plan_text.hpp"
#include "planner/decision.hpp"
#include "reports/folder.hpp"

namespace stowage::cli {
namespace {
/// The page is of plan.json; budget, model, hardware and the resolved scenario are one replica's of the chosen
/// configuration, or of the first possible one where none was chosen.
ReportInput describe_plan(const Plan& plan, const Options& options, const std::string& json) {
  const auto& all = plan.bench.candidates;
  const auto possible = std::ranges::find_if(all, [](const Candidate& c) { return c.fate != Fate::impossible; });
  const Candidate& c = plan.decision.winner ? all[*plan.decision.winner] : *possible;
  Scenario one = *c.scenario;
  one.runs = {c.config()};
  ReportInput input = describe(one, options, {}, true);
  input.kind = "plan";
  input.data = nlohmann::ordered_json::parse(json);
  input.title = plan.bench.study.name;
  input.seed = std::to_string(plan.bench.study.seed);
  return input;
}
}  // namespace

Outcome plan_command(const Options& options) {
  const auto seed = options.seed ? std::optional(static_cast<std::uint64_t>(*options.seed)) : std::nullopt;
  Study study = load_study(options.inputs.front(), options.set, options.vary, seed);
  std::optional<ResultFolder> folder;
  if (!options.output.empty()) folder.emplace(options.output, options.force);
  const Plan plan = make_plan(std::move(study), options.jobs);
  const std::string json = options.json || folder ? plan_json(plan) : "";
  if (folder) {
    folder->write("plan.json", json);
    folder->write("plan.csv", plan_csv(plan));
    write_page(*folder, describe_plan(plan, options, json));
    folder->commit();
  }
  Outcome outcome;
  outcome.text = options.json                   ? json
                 : options.format == "csv"      ? plan_csv(plan)
                 : options.format == "markdown" ? plan_markdown(plan, options.commands)
                                                : plan_text(plan, options.commands);
  warn(plan.bench.warnings, options.inputs.front(), outcome);
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
