#pragma once
// Probe files (docs/probe-format.md) as gpu_probe writes them, read and checked. Keys that this version does not know
// are ignored, as the format says; what it does know must make sense.
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/json_reader.hpp"
#include "base/units.hpp"
#include "models/cost/profile.hpp"

namespace stowage {

/// One figure: what was measured, with what varied, its percentiles in its unit.
struct ProbeFigure {
  using Value = std::variant<std::int64_t, double, bool, std::string>;
  std::string name, unit;
  std::map<std::string, Value, std::less<>> keys;
  std::map<std::string, double, std::less<>> extra;
  std::int64_t n = 0;
  double median = 0, mean = 0, p5 = 0, p95 = 0, rel_noise = 0;  // mean: the median where there is one sample
  double clock_mhz = 0;  // 0 = not recorded

  /// The key's value, or the fallback when it is absent or of another type.
  [[nodiscard]] std::int64_t integer(std::string_view key, std::int64_t fallback = 0) const;
  [[nodiscard]] bool flag(std::string_view key) const;
  [[nodiscard]] std::string text(std::string_view key) const;
  /// "set_access {handle_bytes: 2097152}", for messages.
  [[nodiscard]] std::string str() const;
};

struct ProbePart {
  std::string status, reason;  // measured, waived, partial
  std::vector<ProbeFigure> figures;
};

struct ProbeFile {
  std::string path, version, date, model;
  std::string gpu, driver;
  std::int64_t sms = 0;
  Bytes memory;
  double clock_max_mhz = 0;
  bool quick = false, interrupted = false, in_use_by_others = false;
  std::map<std::string, ProbePart, std::less<>> parts;
  CanaryTimes canary;  // medians; older probes have only the read

  /// The figures of that name, in file order; empty when the part is absent or was waived.
  [[nodiscard]] std::vector<const ProbeFigure*> find(std::string_view part, std::string_view name) const;
};

/// Medians of the points of a "canary" list, as probe files and measured runs have it; 0 for what is not there.
[[nodiscard]] CanaryTimes canary_times(const JsonReader& points);

/// Throws InputError with everything that is wrong: not there, torn (with line:column), not a probe file, another
/// schema, figures that cannot be (negative times, percentiles out of order, a name with the same keys twice).
[[nodiscard]] ProbeFile load_probe(const std::string& path);
[[nodiscard]] ProbeFile parse_probe(std::string_view text, const std::string& path);

/// The zoo name of the GPU a probe ran on ("h100-sxm-80gb"), or "" when it is not known.
[[nodiscard]] std::string hardware_of(const ProbeFile& probe);
}  // namespace stowage
