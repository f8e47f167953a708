#pragma once
// How sure the decision is: the same question asked again with other prices, another resample of the workload.
#include <map>
#include <vector>

#include "planner/search.hpp"

namespace stowage {

struct Uncertainty {
  std::uint64_t draws = 0;
  double suffices = 0;  // share of draws in which the decided replicas (spare ones aside) meet the SLO at the demand
  double wins = 0;      // share in which no contender makes another purchase (GPU, how many) the better one
  double best_settings = 0;  // share in which the decided candidate itself is the best of the contenders
  std::map<std::int64_t, double> suffice_by_replicas;  // replicas -> share of draws in which so many are enough
  double rate_low = 0, rate_high = 0;                  // 90 % interval of the sustained rate of one replica
  std::size_t contenders = 0;
  std::vector<double> rates;  // of the decided candidate, by draw
};

/// Draws prices (planner/cost_draws.hpp) and the workload (block bootstrap, blocks of about the square root of its
/// requests) together, `plan.draws` times. Contenders: the winner, and the best of every other GPU and the next best.
[[nodiscard]] Uncertainty weigh(const Workbench& bench, const SearchResult& found, std::size_t winner, int jobs);
}  // namespace stowage
