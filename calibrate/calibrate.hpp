#pragma once
// From probe files to a profile with its errors: `stowage calibrate`.
//
// Parts are fitted one by one, each with its error by leaving one point out at a time: products, decode attention,
// prefill attention, kernels that only move bytes, whole steps without attention (what a chain of kernels makes of them
// under the power limit), all-reduce, the driver's calls. Whole iterations are then predicted from the parts and
// compared with those measured, the anchor: nothing is fitted to them.
#include <span>
#include <string>
#include <vector>

#include "calibrate/probe_file.hpp"
#include "models/cost/profile.hpp"

namespace stowage {

/// A measured point beside what the rest of its part predicts for it.
struct FitPoint {
  std::string label;
  std::string series;  // points of one line in a plot
  double x = 0;        // what the plot runs over: rows, tokens, bytes
  double measured_ns = 0, predicted_ns = 0;
  [[nodiscard]] double residual() const { return predicted_ns / measured_ns - 1; }
};

struct PartFit {
  PartError error;
  std::vector<FitPoint> points;
};

/// One whole iteration.
struct IterationPoint {
  std::string kind;  // decode, prefill, mixed
  KvLayout layout;
  std::int64_t decodes = 0, decode_kv_tokens = 0;
  std::vector<std::pair<std::int64_t, std::int64_t>> chunks;  // new, stored tokens
  std::int64_t rows = 0;
  bool sustained = false;  // back to back, as a server runs it; otherwise between pauses
  bool anchor = false;     // counts for the error: sustained where that was measured
  double clock_mhz = 0, measured_ns = 0, predicted_ns = 0;
  [[nodiscard]] double residual() const { return predicted_ns / measured_ns - 1; }
};

struct CalibrateOptions {
  std::string hardware;  // zoo name; "" = by the name of the probe's GPU
  std::string command;   // for the head of the profile
  std::uint64_t seed = 1;
};

struct Calibration {
  Profile profile;
  std::vector<PartFit> parts;
  std::vector<IterationPoint> iterations;
  std::vector<std::string> notes;
};

/// The first probe that has a part is that part's anchor; the others show how far machines and runs differ. Throws
/// InputError: probes of different GPUs, of another GPU than `hardware`, quick or shared ones, parts that are missing.
[[nodiscard]] Calibration calibrate(std::span<const ProbeFile> probes, const CalibrateOptions& options);

/// The profile as YAML that parse_profile() reads to the same prices, four to six digits each.
[[nodiscard]] std::string profile_yaml(const Profile& profile);
/// The same, read back once: throws InputError at `made_from` when the figures led to no profile that can be used.
[[nodiscard]] std::string usable_profile_yaml(const Profile& profile, const std::string& made_from);

/// A page with the error tables and plots; needs nothing beside it.
[[nodiscard]] std::string calibration_html(const Calibration& calibration);
}  // namespace stowage
