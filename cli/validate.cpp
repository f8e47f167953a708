// stowage validate MEASURED | --engine-log FILE --scenario SCENARIO: measured against predicted.
#include "calibrate/validate.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/error.hpp"
#include "calibrate/validate_engine.hpp"
#include "cli/commands.hpp"

namespace stowage::cli {
namespace {
namespace fs = std::filesystem;

/// The file appears complete or not at all.
void write_page(const std::string& name, const std::string& text) {
  const fs::path partial = name + fmt::format(".partial-{}", ::getpid());
  std::ofstream out(partial, std::ios::binary);
  if (!out) throw EnvironmentError(fmt::format("{}: cannot be written; does its folder exist?", name));
  out << text;
  out.close();
  std::error_code error;
  if (out) fs::rename(partial, name, error);
  if (out && !error) return;
  fs::remove(partial, error);
  throw EnvironmentError(fmt::format("{}: writing failed; is the disk full?", name));
}
}  // namespace

Outcome validate_command(const Options& options) {
  const bool engine = !options.engine_logs.empty();
  if (engine && options.scenario.empty())
    throw InputError({}, "--engine-log needs --scenario: the model, hardware and scheduler that the engine ran with");
  if (engine && !options.inputs.empty()) throw InputError({}, "either MEASURED or --engine-log, not both");
  if (!engine && options.inputs.empty())
    throw InputError({}, "MEASURED is required: the folder gpu_probe replay wrote, or --engine-log");
  if (!engine && !options.scenario.empty())
    throw InputError({}, "--scenario goes with --engine-log; a measured run brings its own");
  if (!options.report.empty() && !options.force && fs::exists(options.report))
    throw InputError({options.report, 0, 0}, "the file is already there; --force replaces it");
  const ValidateOptions how{options.profile, options.set};
  const Validation result = engine ? validate_engine(read_engine_log(options.engine_logs), options.scenario, how)
                                   : validate(load_measured(options.inputs.front()), how);
  if (!options.report.empty()) write_page(options.report, validation_html(result));
  Outcome outcome{.text = options.json ? validation_json(result) : validation_text(result)};
  if (!options.report.empty() && !options.json) outcome.text += fmt::format("written: {}\n", options.report);
  return outcome;
}
}  // namespace stowage::cli
