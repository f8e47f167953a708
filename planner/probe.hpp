#pragma once
// One simulation of one replica, or of a fleet, at one rate, and what it says about the SLO.
#include <span>
#include <string>
#include <vector>

#include "planner/batch_means.hpp"
#include "planner/requests.hpp"
#include "planner/slo.hpp"
#include "sim/run_config.hpp"

namespace stowage {

struct Probe {
  double rate_per_s = 0;
  bool met = false;        // every target, and not saturated
  bool saturated = false;  // the number in the system grew through the arrivals
  bool cut_short = false;  // ended as soon as a miss was certain: `targets` are then of what had finished
  std::uint64_t requests = 0, warm_up = 0, preemptions = 0;
  std::uint64_t rejected = 0;
  std::string rejected_why;  // of the first: "longer than max_model_len"
  std::vector<TargetResult> targets;
  double output_tokens_per_s = 0, prompt_tokens_per_s = 0, requests_per_s = 0;
  double output_tokens_a_request = 0;  // delivered, over all requests: one that was not served brings none
  /// Of the served; NaN when not met, or when none has one.
  double ttft_p50_ns = Summary::none, tpot_p50_ns = Summary::none, e2e_p50_ns = Summary::none;
  double kv_lost = 0;  // mean share of the pool held by no token: reserved + internal + external
  /// The target missed by most, or the one with the least to spare; "saturation" where that is the reason.
  [[nodiscard]] std::string binding() const;
};

struct ProbeOptions {
  bool stop_when_certain = true;  // a miss that nothing can mend any more; never changes `met`
  double growth = saturated_growth;  // see is_saturated()
};

/// `run.workload` is not used. Requests that are not served count as later than any limit.
[[nodiscard]] Probe run_probe(const RunConfig& run, const RequestSet& set, double rate_per_s,
                              std::span<const SloSet> slo, const ProbeOptions& options);

/// `replicas` like `run` behind its router.
[[nodiscard]] RunConfig fleet_of(RunConfig run, std::int64_t replicas);
}  // namespace stowage
