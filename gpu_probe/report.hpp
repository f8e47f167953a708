#pragma once
// The probe file (docs/probe-format.md) and the options: what does not need a GPU.
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "gpu_probe/probe.hpp"

namespace stowage::probe {

inline constexpr std::string_view schema_name = "stowage.probe/1";

/// What became of a part. partial: it was interrupted or failed after some figures, which are kept.
enum class Status { measured, waived, partial };
[[nodiscard]] std::string_view to_string(Status status);

struct PartResult {
  std::string name;
  Status status = Status::measured;
  std::string reason;  // for waived and partial
  double seconds = 0;
  std::vector<Figure> figures;
  std::vector<std::string> notes;
};

/// A fixed piece of work, repeated before the first part and after each: shows whether the chip drifted.
struct CanaryPoint {
  std::string after;  // "start", or the part before it
  double seconds = 0;  // since the probe started
  Figure figure;
};

struct HostInfo {
  std::string cpu;
  int logical_cpus = 0;
  std::string kernel;      // uname -r
  std::string hypervisor;  // DMI product or cpuid's name; empty = none visible
};
[[nodiscard]] HostInfo read_host();

struct ProbeRun {
  std::string version;
  std::string date;  // UTC, 2026-11-23T09:30:00Z
  DeviceInfo device;
  HostInfo host;
  Options options;
  bool in_use_by_others = false;  // measured nevertheless, with --shared
  int stop_signal = 0;
  double seconds = 0;
  std::vector<CanaryPoint> canary;
  std::vector<PartResult> parts;
};
[[nodiscard]] nlohmann::ordered_json canary_json(std::span<const CanaryPoint> points);
[[nodiscard]] std::string to_json(const ProbeRun& run);
/// Writes to path's neighbour first and renames, so that no torn file is left. Throws EnvironmentError.
void write_file(const std::string& path, const std::string& text);
/// A few lines a part for the screen: name, keys, median, p5..p95.
[[nodiscard]] std::string to_text(const PartResult& part);
[[nodiscard]] std::string utc_now();

/// Throws InputError (exit 2) for what is wrong; `text` gets what --help, --version or --list print, and is then all
/// there is to do.
[[nodiscard]] Options parse_options(int argc, const char* const* argv, std::span<const Part* const> parts,
                                    std::string& text);

void catch_stop_signals();

}  // namespace stowage::probe
