#pragma once
// The five latencies of a run under one roof: their histograms differ in unit, reports do not.
#include <array>
#include <string_view>

#include "sim/result.hpp"

namespace stowage {

struct Latency {
  std::string_view key;     // "ttft": in JSON ("ttft_s") and in SLO keys ("ttft_p99")
  std::string_view label;   // "TTFT"
  std::string_view name;    // "time to first token"
  std::string_view things;  // what is counted: "requests", "gaps"
  LogHistogram RunResult::*histogram;
  double units_per_s;  // of the histogram's values

  [[nodiscard]] const LogHistogram& of(const RunResult& run) const { return run.*histogram; }
  [[nodiscard]] double ns(double value) const { return value * (1e9 / units_per_s); }
  /// NaN when nothing was measured.
  [[nodiscard]] double quantile_ns(const RunResult& run, double q) const { return ns(of(run).quantile(q)); }
  [[nodiscard]] double mean_ns(const RunResult& run) const { return ns(of(run).mean()); }
  [[nodiscard]] double max_ns(const RunResult& run) const { return quantile_ns(run, 1); }
};

inline constexpr Latency ttft{"ttft", "TTFT", "time to first token", "requests", &RunResult::ttft_ns, 1e9};
inline constexpr Latency tbt{"tbt", "TBT", "time between tokens", "gaps", &RunResult::tbt_ns, 1e9};
inline constexpr Latency tpot{"tpot", "TPOT", "time per output token", "requests", &RunResult::tpot_ps, 1e12};
inline constexpr Latency e2e{"e2e", "E2E", "end to end", "requests", &RunResult::e2e_ns, 1e9};
inline constexpr Latency queueing{"queue",    "Queueing",           "arrival to first scheduled",
                                  "requests", &RunResult::queue_ns, 1e9};
/// As the client sees them, where the scenario has a front end.
inline constexpr Latency client_ttft{"client_ttft", "client TTFT",              "time to first token at the client",
                                     "requests",    &RunResult::client_ttft_ns, 1e9};
inline constexpr Latency client_e2e{"client_e2e", "client E2E",              "end to end at the client",
                                    "requests",   &RunResult::client_e2e_ns, 1e9};
inline constexpr std::array<const Latency*, 5> latencies = {&ttft, &tbt, &tpot, &e2e, &queueing};
}  // namespace stowage
