#pragma once
// A study: a scenario, a space around it, what is asked of it and what it may cost. `stowage plan` and `stowage sweep`
// read the same file; a plain scenario is a study without a space.
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/config.hpp"
#include "planner/axes.hpp"
#include "planner/slo.hpp"

namespace stowage {

/// What one node of a GPU costs. `prices: {h100-sxm-80gb: {usd_per_node_hour: 30, gpus_per_node: 8, watts: 10200}}`
struct NodePrice {
  double usd_per_hour = 0;
  std::int64_t gpus = 8;
  double watts = 0;  // of the node, host and fans included; 0 = not given
};

enum class Objective : std::uint8_t { cost, gpus, rate_per_dollar };
inline constexpr std::array<std::string_view, 3> objective_names = {"cost", "gpus", "rate_per_dollar"};

struct PlanSpec {
  std::vector<SloSet> slo;  // empty: the scenario's own stand, which set_up() reads
  std::map<std::string, NodePrice, std::less<>> prices;  // by GPU
  Objective objective = Objective::cost;
  std::optional<double> demand_per_s;    // `demand: 40/s`; without it the workload's own rate
  std::optional<double> window_ns;       // the busiest stretch of this length counts; without it all of it
  double growth = 1;                     // the demand is multiplied by it
  double knee = 0.8;                     // share of the highest sustained rate that is used
  std::int64_t spare = 0;                // replicas beyond those needed: `spare: N+1`
  std::optional<std::int64_t> gpus_max;  // `limits: {gpus, usd_per_hour}`
  std::optional<double> usd_per_hour_max;
  std::uint64_t probe_requests = 16'000;  // `probe: {requests, precision}`
  double precision = 0.01;                // of the sustained rate
  bool exhaustive = false;                // `search: exhaustive` evaluates every candidate to the end
  std::int64_t draws = 30;                // of prices and workload, for the probability; 0 = none
};

struct Study {
  std::string file, name;
  ConfigDocument base;     // the scenario
  std::vector<Axis> axes;  // of `space:`, then of --vary; an axis of --vary replaces the file's
  std::uint64_t seed = 0;
  PlanSpec plan;
  bool has_prices = false;
};

/// `sets` change the study where their first key is one of its own (space, demand, prices, ...), else the scenario.
/// Throws InputError with everything wrong; the points of the space are not resolved here.
[[nodiscard]] Study load_study(const std::string& path, std::span<const std::string> sets,
                               std::span<const std::string> vary, std::optional<std::uint64_t> seed);
}  // namespace stowage
