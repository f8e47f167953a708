// stowage run SCENARIO: one simulation a manager, in parallel; the same bytes out for any --jobs.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <tbb/info.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/describe.hpp"
#include "cli/progress.hpp"
#include "cli/sensitivity.hpp"
#include "reports/csv.hpp"
#include "reports/folder.hpp"
#include "reports/json.hpp"
#include "reports/tables.hpp"
#include "reports/terminal.hpp"
#include "reports/text.hpp"
#include "reports/words.hpp"
#include "scenario/scenario.hpp"
#include "sim/serve/simulate.hpp"

namespace stowage::cli {
namespace {
Scenario load(const Options& options) {
  const std::string& file = options.inputs.front();
  const auto seed = options.seed ? std::optional(static_cast<std::uint64_t>(*options.seed)) : std::nullopt;
  try {
    return load_scenario(file, options.set, seed);
  } catch (const InfeasibleError& error) {
    throw InfeasibleError(file + ": error: " + error.what());
  }
}

/// The CSV files of one run, open while it goes on: rows leave as they come. Nothing without -o.
struct RowWriters {
  std::optional<RequestsCsv> requests;
  std::optional<IterationsCsv> iterations;
  std::optional<StepsCsv> steps;
};

std::vector<RunResult> simulate(const Scenario& scenario, const Options& options, ResultFolder* folder) {
  const std::size_t runs = scenario.runs.size();
  std::vector<std::string> names;
  std::vector<RowWriters> writers(runs);
  const bool caches = std::ranges::any_of(
      scenario.runs, [](const RunConfig& run) { return run.manager.flag("prefix_caching"); });
  for (std::size_t i = 0; i < runs; ++i) {
    const std::string& name = scenario.runs[i].manager.name;
    names.push_back(name);
    if (folder == nullptr) continue;
    const bool fleet = scenario.cluster.replicas_in_all() > 1;
    writers[i].requests.emplace(folder->open("requests.csv", i), name, fleet, scenario.frontend.any(), caches);
    if (options.steps) writers[i].steps.emplace(folder->open("steps.csv", i), name, runs > 1, fleet);
    if (options.iterations) writers[i].iterations.emplace(folder->open("iterations.csv", i), name, fleet);
  }

  Progress progress(names, options.quiet);
  std::vector<RunResult> results(runs);
  const auto run = [&](std::size_t i) {
    RunHooks hooks;
    hooks.trace = folder != nullptr;
    RowWriters& rows = writers[i];
    if (rows.requests) hooks.on_request = [&](const RequestRecord& r) { rows.requests->write(r); };
    if (rows.iterations) hooks.on_iteration = [&](const IterationRecord& r) { rows.iterations->write(r); };
    if (rows.steps) hooks.on_step = [&](const StepRecord& r) { rows.steps->write(r); };
    hooks.on_progress = [&, i](std::int64_t simulated_ns, std::uint64_t completed) {
      progress.update(i, simulated_ns, completed);
    };
    const auto began = std::chrono::steady_clock::now();
    results[i] = simulate(scenario.runs[i], hooks);
    using std::chrono::nanoseconds;
    results[i].wall_ns = std::chrono::duration_cast<nanoseconds>(std::chrono::steady_clock::now() - began).count();
  };
  const int cores = tbb::info::default_concurrency();
  tbb::task_arena arena(options.jobs > 0 ? std::min(options.jobs, cores) : cores);
  arena.execute([&] {
    tbb::parallel_for(std::size_t{0}, runs, run, tbb::simple_partitioner{});
  });
  return results;
}

/// NO_COLOR is stronger than CLICOLOR_FORCE, which colours a pipe too.
bool colour_wanted() {
  const char* no_colour = std::getenv("NO_COLOR");
  const char* force = std::getenv("CLICOLOR_FORCE");
  const char* term = std::getenv("TERM");
  const bool forced = force != nullptr && *force != '\0' && std::string_view(force) != "0";
  if (forced) return no_colour == nullptr || *no_colour == '\0';
  return isatty(STDOUT_FILENO) != 0 && (no_colour == nullptr || *no_colour == '\0') &&
         (term == nullptr || std::string_view(term) != "dumb");
}

/// Where no manager serves anybody there is no result to speak of; one that serves some is one (docs/cli.md).
void complain_if_nobody_served(const Scenario& scenario, const std::vector<RunResult>& runs, Outcome& outcome) {
  if (std::ranges::any_of(runs, [](const RunResult& r) { return r.completed > 0; })) return;
  outcome.code = infeasible;
  for (const RunResult& run : runs) {
    const bool too_long = !run.first_rejected.empty() && run.first_rejected.front().reason == reject_too_long;
    outcome.complaints.push_back(fmt::format(
        "{}: error: {} serves no request: {}; {}", scenario.file, run.name, words::why_none(run),
        too_long ? fmt::format("raise scheduler.max_model_len ({})", scenario.scheduler.max_model_len)
                 : fmt::format("give 'memory' more than {} tokens", run.pool_tokens)));
  }
}

void complain_if_slo_missed(const ReportInput& input, const RunResult& run, Outcome& outcome) {
  if (slo_met(input.slo, run)) return;
  std::string missed;
  for (const SloCheck& check : check_slo(input.slo, run)) {
    if (check.met) continue;
    missed += fmt::format("{}{} {}, not within {}", missed.empty() ? "" : "; ", check.target.key,
                          check.achieved_ns ? text::duration(*check.achieved_ns)
                          : check.unserved ? fmt::format("{} of {} not served", text::count(run.unserved()),
                                                         text::plural(run.submitted, "request"))
                                           : std::string("unknown"),
                          text::duration(check.target.limit_ns));
  }
  if (outcome.code == ok) outcome.code = slo_not_met;
  outcome.complaints.push_back(fmt::format("stowage: SLO not met: {}: {}", run.name, missed));
}
}  // namespace

Outcome run_scenario(const Options& options) {
  const Scenario scenario = load(options);
  if (options.assert_slo && scenario.slo.empty()) {
    throw InputError({scenario.file, 0, 0}, "--assert-slo, but the scenario has no slo; write slo: {ttft_p99: 1s}");
  }
  // Before the simulation, so that a refusal comes at once.
  std::optional<ResultFolder> folder;
  if (!options.output.empty()) folder.emplace(options.output, options.force);

  std::vector<RunResult> results = simulate(scenario, options, folder ? &*folder : nullptr);
  std::optional<Sensitivity> sensitivity;
  if (options.sensitivity) sensitivity = measure_sensitivity(options, scenario, results);
  ReportInput input = describe(scenario, options, std::move(results), folder.has_value());
  input.sensitivity = std::move(sensitivity);
  if (folder) {
    write_report(*folder, input);
    folder->commit();
  }

  Outcome outcome;
  outcome.text = options.json                  ? to_json_text(input, WallTimes::told)
                 : options.format == "csv"      ? to_csv(input)
                 : options.format == "markdown" ? to_markdown(input)
                                                : to_terminal(input, {.colour = colour_wanted()});
  warn(scenario.warnings, scenario.file, outcome);
  complain_if_nobody_served(scenario, input.runs, outcome);
  for (const RunResult& run : input.runs)
    if (options.assert_slo) complain_if_slo_missed(input, run, outcome);
  return outcome;
}
}  // namespace stowage::cli
