#pragma once
// What validate*.cpp and engine_log.cpp share; not for use outside them.
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "calibrate/validate.hpp"

namespace stowage::validation {

/// The smallest value with at least p of the values at or below it; reorders `values`. 0 when empty.
[[nodiscard]] double nearest_rank(std::vector<double>& values, double p);

[[nodiscard]] Scenario scenario_of(const MeasuredFile& measured, const ValidateOptions& options);
[[nodiscard]] bool all_at_once(const Workload& workload);

/// The price of a measured iteration's own shape.
[[nodiscard]] double price_with(const StepCost& cost, const MeasuredIteration& iteration);

/// Everything the simulator says about one manager's run.
class Prediction {
 public:
  Prediction(const Scenario& scenario, const RunConfig& config);
  /// With the 5th and 95th percentile over the profile's draws, where it has any.
  [[nodiscard]] PricedIteration price(const MeasuredIteration& iteration) const;
  [[nodiscard]] const RunResult& result() const { return result_; }
  [[nodiscard]] const std::vector<IterationRecord>& iterations() const { return iterations_; }
  [[nodiscard]] const std::vector<RequestRecord>& requests() const { return requests_; }
  /// name as in `stowage run --format json`, value, whether an offline run must have exactly this.
  [[nodiscard]] std::vector<std::tuple<std::string, double, bool>> numbers() const;

 private:
  const RunConfig& config_;
  std::vector<StepCost> draws_;
  RunResult result_;
  std::vector<IterationRecord> iterations_;
  std::vector<RequestRecord> requests_;
};

/// Requests paired by id.
[[nodiscard]] std::vector<PairedLatency> pair_latencies(std::span<const RequestRecord> measured,
                                                        std::span<const RequestRecord> predicted);
}  // namespace stowage::validation
