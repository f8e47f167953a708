#pragma once
// Compares a measured run with what the simulator predicts for the same scenario.
//
// Two questions, kept apart. Iterations: each measured one is priced from its own recorded shape, so that errors do
// not add up and no schedule stands between the price and the clock. The run: the whole scenario is simulated from
// nothing but its description. In an offline run (all requests at once) schedules do not depend on speed, so every
// decision and every memory counter must be equal, not close.
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "calibrate/measured.hpp"
#include "scenario/scenario.hpp"

namespace stowage {

/// Relative errors predicted / measured - 1 over some iterations.
struct IterationError {
  std::string name;  // "decode", "batch 9 to 16"
  std::size_t count = 0;
  double mape = 0, bias = 0, p95 = 0;  // mean absolute, mean signed, 95th percentile of the absolute
  double measured_s = 0, predicted_s = 0;
  std::optional<double> coverage_90;  // share of them inside the prediction's 90 % interval
};

/// How far apart two measured passes of one schedule are. One prediction for both is off by half of that at least.
struct RepeatFloor {
  double mape = 0, bias = 0, p95 = 0, makespan = 0;
};

/// One number of the run, predicted and measured.
struct Compared {
  std::string name;
  double measured = 0, predicted = 0;
  bool exact = false;  // must be equal in an offline run
  [[nodiscard]] bool equal() const { return measured == predicted; }
  [[nodiscard]] double error() const { return measured != 0 ? predicted / measured - 1 : predicted == 0 ? 0 : 1; }
};

/// The same requests, measured and predicted, by latency.
struct PairedLatency {
  std::string name;  // ttft, tpot, e2e, queue
  std::size_t count = 0;
  double measured_mean_s = 0, predicted_mean_s = 0, measured_p95_s = 0, predicted_p95_s = 0;
  double paired_mape = 0, paired_p95 = 0;  // of each request; those that took 0 left out
};

/// A measured iteration and its price, for plots.
struct PricedIteration {
  std::string_view regime;
  double measured_ns = 0, predicted_ns = 0, low_ns = 0, high_ns = 0;  // low = high = 0: no interval
  std::size_t index = 0;
};

struct ManagerValidation {
  std::string name, state;  // which passes were compared: warm, or cold when there is nothing else
  std::size_t passes = 0;
  std::string incomplete;  // why a pass is missing or cut off; empty when all are whole
  IterationError all;
  std::vector<IterationError> regimes, bins;  // by what they compute; by batch and by context
  /// The same regimes once more, priced by the profile carried to this machine by its canary points. Empty when profile
  /// or measurement have none.
  std::vector<IterationError> anchored;
  std::optional<IterationError> cold;
  std::optional<RepeatFloor> floor;
  std::vector<Compared> numbers;  // empty without a complete pass
  std::vector<PairedLatency> latencies;
  std::vector<PairedLatency> latency_floor;  // the last two passes against each other, as if one predicted the other
  std::optional<std::uint64_t> first_difference;  // iteration from which the schedules or the memory differ
  std::vector<PricedIteration> points;
  [[nodiscard]] const Compared* find(std::string_view wanted) const;
  /// Every exact number equal, every iteration's schedule and memory too.
  [[nodiscard]] bool counters_equal() const;
};

struct Validation {
  std::string measured_path, gpu, date, driver, scenario_name, cost;  // cost: what priced it, in words
  bool offline = true;
  IterationError all;                               // over all managers
  double makespan_error = 0, throughput_error = 0;  // the largest of the managers', with its sign
  bool counters_equal = true;
  /// How long this machine's canary took over the profile's: reads, and the product under load. Empty: no canary.
  std::optional<std::pair<double, double>> machine;
  std::vector<std::string> notes;
  std::vector<ManagerValidation> managers;
};

struct ValidateOptions {
  std::string profile;            // path; empty = the one shipped for the scenario's hardware
  std::vector<std::string> sets;  // --set a.b=v, applied to the measured scenario
};

[[nodiscard]] Validation validate(const MeasuredFile& measured, const ValidateOptions& options);

[[nodiscard]] std::string validation_text(const Validation& validation);
[[nodiscard]] std::string validation_json(const Validation& validation);
/// Self-contained page with plots.
[[nodiscard]] std::string validation_html(const Validation& validation);
}  // namespace stowage
