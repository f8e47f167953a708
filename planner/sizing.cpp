#include "planner/sizing.hpp"

#include <algorithm>
#include <cmath>

namespace stowage {

Sizing size_fleet(double demand_per_s, double rate_per_s, std::int64_t gpus_per_replica, const PlanSpec& plan,
                  const NodePrice& price) {
  Sizing out;
  // A quotient that is a whole number but for rounding is that number: 40 / (0.8 x 10) is 5 replicas.
  const double exact = demand_per_s / (plan.knee * rate_per_s);
  out.needed = std::max<std::int64_t>(1, static_cast<std::int64_t>(std::ceil(exact * (1 - 1e-12))));
  out.replicas = out.needed + plan.spare;
  out.gpus = out.replicas * gpus_per_replica;
  if (gpus_per_replica <= price.gpus) {
    const std::int64_t in_a_node = price.gpus / gpus_per_replica;
    out.nodes = (out.replicas + in_a_node - 1) / in_a_node;
  } else {
    out.nodes = out.replicas * ((gpus_per_replica + price.gpus - 1) / price.gpus);
  }
  out.node_gpus = out.nodes * price.gpus;
  out.stranded = out.node_gpus - out.gpus;
  out.usd_per_hour = static_cast<double>(out.nodes) * price.usd_per_hour;
  out.watts = static_cast<double>(out.nodes) * price.watts;
  return out;
}

RankKey rank_key(double demand_per_s, double rate_per_s, std::int64_t gpus_per_replica, const PlanSpec& plan,
                 const NodePrice& price) {
  const Sizing s = size_fleet(demand_per_s, rate_per_s, gpus_per_replica, plan, price);
  double over = 0;
  if (plan.gpus_max) over = static_cast<double>(s.node_gpus) / static_cast<double>(*plan.gpus_max);
  if (plan.usd_per_hour_max) over = std::max(over, s.usd_per_hour / *plan.usd_per_hour_max);
  if (over <= 1) over = 0;
  const auto gpus = static_cast<double>(s.gpus);
  // Of those that cost the same, the one with the most room: the greatest rate of the whole fleet.
  const double fleet = -rate_per_s * static_cast<double>(s.needed);
  if (plan.objective == Objective::gpus) return {over, gpus, s.usd_per_hour, fleet};
  if (plan.objective == Objective::cost) return {over, s.usd_per_hour, gpus, fleet};
  const double replica_usd =
      price.usd_per_hour / static_cast<double>(price.gpus) * static_cast<double>(gpus_per_replica);
  return {over, -rate_per_s / replica_usd, static_cast<double>(gpus_per_replica), -rate_per_s};
}
}  // namespace stowage
