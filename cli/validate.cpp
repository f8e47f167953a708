// stowage validate MEASURED | --engine-log FILE --scenario SCENARIO: measured against predicted.
#include "calibrate/validate.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "calibrate/validate_engine.hpp"
#include "cli/commands.hpp"
#include "reports/output_file.hpp"

namespace stowage::cli {
Outcome validate_command(const Options& options) {
  const bool engine = !options.engine_logs.empty();
  if (engine && options.scenario.empty())
    throw InputError({}, "--engine-log needs --scenario: the model, hardware and scheduler that the engine ran with");
  if (engine && !options.inputs.empty()) throw InputError({}, "either MEASURED or --engine-log, not both");
  if (!engine && options.inputs.empty())
    throw InputError({}, "MEASURED is required: the folder gpu_probe replay wrote, or --engine-log");
  if (!engine && !options.scenario.empty())
    throw InputError({}, "--scenario goes with --engine-log; a measured run brings its own");
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
