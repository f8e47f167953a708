// stowage calibrate PROBE.json… -o profile.yaml
#include "calibrate/calibrate.hpp"
#include "calibrate/engine_log.hpp"
#include "calibrate/vidur.hpp"

#include <fmt/format.h>

#include <string>
#include <vector>

#include "cli/commands.hpp"
#include "cli/table.hpp"
#include "reports/output_file.hpp"

namespace stowage::cli {
namespace {
std::string percent(double share) { return fmt::format("{:.2f} %", 100 * share); }

std::string error_table(const Profile& profile) {
  std::vector<std::vector<std::string>> rows = {{"part", "points", "MAPE", "bias", "p95"}};
  for (const auto& e : profile.errors)
    rows.push_back(
        {e.part, fmt::format("{}", e.points), percent(e.mape), fmt::format("{:+.2f} %", 100 * e.bias), percent(e.p95)});
  return table(rows);
}
}  // namespace

Outcome calibrate_command(const Options& options) {
  if (!options.engine_log.empty()) {
    if (!options.inputs.empty() || !options.report.empty() || !options.vidur.empty())
      throw InputError({}, "--engine-log stands alone: no probe files, no --vidur and no --report beside it");
    const auto profile = open_output(options.output, options.force);
    const std::string yaml = engine_log_yaml(load_engine_log(options.engine_log), options.engine_log);
    if (profile) {
      profile->file().write(yaml);
      profile->commit();
    }
    return {.text = options.output.empty() ? yaml : fmt::format("written: {}\n", visible(options.output))};
  }
  if (!options.report.empty() && options.output.empty())
    throw InputError({}, "--report goes with -o PROFILE: give a file for the profile too");
  if (!options.vidur.empty() && !options.inputs.empty())
    throw InputError({}, "--vidur stands alone: a profile is of probe files or of Vidur's tables");
  const auto profile = open_output(options.output, options.force), page = open_output(options.report, options.force);
  std::vector<ProbeFile> probes;
  for (const auto& path : options.inputs) probes.push_back(load_probe(path));
  const CalibrateOptions how{options.hardware, options.command_line, 1};
  const Calibration result = options.vidur.empty() ? calibrate(probes, how) : calibrate_vidur(options.vidur, how);
  const std::string yaml =
      usable_profile_yaml(result.profile, options.vidur.empty() ? options.inputs.front() : options.vidur);
  if (options.output.empty()) return {.text = yaml};
  profile->file().write(yaml);
  profile->file().close();
  if (page) page->file().write(calibration_html(result)), page->file().close();
  profile->commit();  // what can run out of space is behind us
  if (page) page->commit();
  std::string text =
      fmt::format("profile {}: {}\n", result.profile.name, visible(result.profile.summary())) +
      error_table(result.profile);
  for (const auto& note : result.notes) text += "note: " + visible(note) + "\n";
  text += "written: " + visible(options.output + (options.report.empty() ? "" : ", " + options.report)) + "\n";
  return {.text = text};
}
}  // namespace stowage::cli
