#pragma once
// What validate*.cpp and engine_log.cpp share; not for use outside them.
#include <map>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "calibrate/validate.hpp"
#include "models/cost/power_credit.hpp"

namespace stowage::validation {

/// The smallest value with at least p of the values at or below it; reorders `values`. 0 when empty.
[[nodiscard]] double nearest_rank(std::vector<double>& values, double p);

[[nodiscard]] Scenario scenario_of(const MeasuredFile& measured, const ValidateOptions& options);
[[nodiscard]] bool all_at_once(const Workload& workload);

/// The price of a measured iteration's own shape, after what the pass ran before it.
[[nodiscard]] double price_with(const StepCost& cost, const MeasuredIteration& iteration, PowerCredit& power);

/// Everything the simulator says about one manager's run.
class Prediction {
 public:
  Prediction(const Scenario& scenario, const RunConfig& config, const CanaryTimes& machine);
  /// Every iteration of a pass, with a 90 % interval where the profile has draws: the 5th and 95th percentile over
  /// them, widened by how far off the profile says whole iterations of that regime are (p95 of its error).
  [[nodiscard]] std::vector<PricedIteration> price(const MeasuredPass& pass) const;
  /// The same by the profile carried to the measured machine; without intervals, and empty without a canary.
  [[nodiscard]] std::vector<PricedIteration> price_anchored(const MeasuredPass& pass) const;
  [[nodiscard]] const RunResult& result() const { return result_; }
  [[nodiscard]] const std::vector<IterationRecord>& iterations() const { return iterations_; }
  [[nodiscard]] const std::vector<RequestRecord>& requests() const { return requests_; }
  /// name as in `stowage run --format json`, value, whether an offline run must have exactly this.
  [[nodiscard]] std::vector<std::tuple<std::string, double, bool>> numbers() const;

 private:
  const RunConfig& config_;
  std::vector<StepCost> draws_;
  std::optional<StepCost> anchored_;
  std::map<std::string, double, std::less<>> iteration_p95_;  // of the profile, by regime
  RunResult result_;
  std::vector<IterationRecord> iterations_;
  std::vector<RequestRecord> requests_;
};

/// Requests paired by id.
[[nodiscard]] std::vector<PairedLatency> pair_latencies(std::span<const RequestRecord> measured,
                                                        std::span<const RequestRecord> predicted);
}  // namespace stowage::validation
