// stowage calibrate PROBE.json… -o profile.yaml
#include "calibrate/calibrate.hpp"
#include "calibrate/engine_log.hpp"
#include "calibrate/vidur.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "cli/commands.hpp"
#include "cli/table.hpp"

namespace stowage::cli {
namespace {
namespace fs = std::filesystem;

/// The file appears complete or not at all.
void write_file(const std::string& name, const std::string& text) {
  const fs::path target = name;
  const fs::path partial = target.string() + fmt::format(".partial-{}", ::getpid());
  std::ofstream out(partial, std::ios::binary);
  if (!out) throw EnvironmentError(fmt::format("{}: cannot be written; does its folder exist?", name));
  out << text;
  out.close();
  std::error_code error;
  if (out) fs::rename(partial, target, error);
  if (out && !error) return;
  fs::remove(partial, error);
  throw EnvironmentError(fmt::format("{}: writing failed; is the disk full?", name));
}

void refuse_existing(const std::string& name, bool force) {
  if (!name.empty() && !force && fs::exists(name))
    throw InputError({name, 0, 0}, "the file is already there; --force replaces it");
}

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
  refuse_existing(options.output, options.force);
  refuse_existing(options.report, options.force);
  if (!options.engine_log.empty()) {
    if (!options.inputs.empty() || !options.report.empty() || !options.vidur.empty())
      throw InputError({}, "--engine-log stands alone: no probe files, no --vidur and no --report beside it");
    const std::string yaml = engine_log_yaml(load_engine_log(options.engine_log), options.engine_log);
    if (!options.output.empty()) write_file(options.output, yaml);
    return {.text = options.output.empty() ? yaml : fmt::format("written: {}\n", options.output)};
  }
  if (!options.report.empty() && options.output.empty())
    throw InputError({}, "--report goes with -o PROFILE: give a file for the profile too");
  if (!options.vidur.empty() && !options.inputs.empty())
    throw InputError({}, "--vidur stands alone: a profile is of probe files or of Vidur's tables");
  std::vector<ProbeFile> probes;
  for (const auto& path : options.inputs) probes.push_back(load_probe(path));
  const CalibrateOptions how{options.hardware, options.command_line, 1};
  const Calibration result = options.vidur.empty() ? calibrate(probes, how) : calibrate_vidur(options.vidur, how);
  const std::string yaml = profile_yaml(result.profile);
  if (options.output.empty()) return {.text = yaml};
  write_file(options.output, yaml);
  if (!options.report.empty()) write_file(options.report, calibration_html(result));
  std::string text =
      fmt::format("profile {}: {}\n", result.profile.name, result.profile.summary()) + error_table(result.profile);
  for (const auto& note : result.notes) text += "note: " + note + "\n";
  text += fmt::format("written: {}{}\n", options.output, options.report.empty() ? "" : ", " + options.report);
  return {.text = text};
}
}  // namespace stowage::cli
