// stowage validate MEASURED | --engine-log FILE --scenario SCENARIO | LOGGED --steps: measured against predicted.
#include "calibrate/validate.hpp"

#include <fmt/format.h>

#include <filesystem>

#include "base/error.hpp"
#include "calibrate/engine_steps/compare.hpp"
#include "calibrate/validate_engine.hpp"
#include "cli/commands.hpp"
#include "reports/output_file.hpp"

namespace stowage::cli {
namespace {
namespace fs = std::filesystem;

Outcome validate_steps(const Options& options) {
  if (options.inputs.empty()) throw InputError({}, "--steps needs the folder of a logged engine: DIR --steps");
  if (!options.engine_logs.empty() || !options.scenario.empty() || !options.profile.empty() || !options.set.empty() ||
      !options.report.empty())
    throw InputError({}, "--steps goes with --format alone: all else stands in the log");
  const engine_steps::RunComparison result =
      engine_steps::compare_steps(engine_steps::read_logged_run(options.inputs.front()));
  return {.text = options.json ? engine_steps::comparison_json(result) : engine_steps::comparison_text(result)};
}

/// A folder of a logged engine, which is no replay of gpu_probe.
bool is_logged(const std::string& folder) {
  return !fs::exists(fs::path(folder) / "measured.json") &&
         (fs::exists(fs::path(folder) / "run.json") || fs::exists(fs::path(folder) / "steps.csv"));
}
}  // namespace

Outcome validate_command(const Options& options) {
  if (options.steps) return validate_steps(options);
  const bool engine = !options.engine_logs.empty();
  if (engine && options.scenario.empty())
    throw InputError({}, "--engine-log needs --scenario: the model, hardware and scheduler that the engine ran with");
  if (engine && !options.inputs.empty()) throw InputError({}, "either MEASURED or --engine-log, not both");
  if (!engine && options.inputs.empty())
    throw InputError({}, "MEASURED is required: the folder gpu_probe replay wrote, or --engine-log");
  if (!engine && !options.scenario.empty())
    throw InputError({}, "--scenario goes with --engine-log; a measured run brings its own");
  if (!engine && is_logged(options.inputs.front()))
    throw InputError({options.inputs.front(), 0, 0}, "holds the log of an engine's steps; compare them with --steps");
  const auto page = open_output(options.report, options.force);
  const ValidateOptions how{options.profile, options.set};
  const Validation result = engine ? validate_engine(read_engine_log(options.engine_logs), options.scenario, how)
                                   : validate(load_measured(options.inputs.front()), how);
  if (page) {
    page->file().write(validation_html(result));
    page->commit();
  }
  Outcome outcome{.text = options.json ? validation_json(result) : validation_text(result)};
  if (!options.report.empty() && !options.json) outcome.text += fmt::format("written: {}\n", visible(options.report));
  return outcome;
}
}  // namespace stowage::cli
