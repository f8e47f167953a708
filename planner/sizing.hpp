#pragma once
// From the rate of one replica to whole nodes and money.
#include <array>
#include <cstdint>

#include "planner/study.hpp"

namespace stowage {

struct Sizing {
  std::int64_t needed = 0;                              // replicas for the demand at `knee` of their rate
  std::int64_t replicas = 0;                            // and the spare ones
  std::int64_t gpus = 0;                                // that work (spare replicas included)
  std::int64_t nodes = 0, node_gpus = 0, stranded = 0;  // GPUs bought, and those of them that stand idle
  double usd_per_hour = 0, watts = 0;                   // 0 without a price, without watts
};

/// `gpus_per_replica` GPUs each; a replica never shares a GPU, and spans nodes only when it is larger than one.
/// rate_per_s > 0.
[[nodiscard]] Sizing size_fleet(double demand_per_s, double rate_per_s, std::int64_t gpus_per_replica,
                                const PlanSpec& plan, const NodePrice& price);

/// What candidates are ranked by, least first: by how much they break the study's limits (0 = not), what the objective
/// asks, then what is left to prefer. Never rises with the rate.
using RankKey = std::array<double, 4>;
[[nodiscard]] RankKey rank_key(double demand_per_s, double rate_per_s, std::int64_t gpus_per_replica,
                               const PlanSpec& plan, const NodePrice& price);
}  // namespace stowage
