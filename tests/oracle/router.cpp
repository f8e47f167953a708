#include "tests/oracle/router.hpp"

#include <numeric>

#include "base/error.hpp"

namespace stowage::oracle {
namespace {
/// S12.12: fractions are compared exactly.
bool has_more_outstanding(const Load& a, const Load& b) { return a.outstanding * b.weight > b.outstanding * a.weight; }
bool wants_more(const Load& a, const Load& b) {
  return static_cast<__int128>(a.wanted_bytes) * b.pool_bytes * b.weight >
         static_cast<__int128>(b.wanted_bytes) * a.pool_bytes * a.weight;
}
std::int64_t weights(const std::vector<Load>& loads) {
  return std::accumulate(loads.begin(), loads.end(), std::int64_t{0},
                         [](std::int64_t sum, const Load& load) { return sum + load.weight; });
}
}  // namespace

std::size_t Router::pick(const std::vector<Load>& loads, std::int64_t prompt_tokens) {
  if (name_ == "round-robin") return in_turn(loads);
  if (name_ == "random") return by_lot(loads);
  if (name_ == "power-of-two") return better_of_two(loads);
  if (name_ == "least-outstanding") return least(loads, has_more_outstanding);  // S12.16
  if (name_ == "prefix-affinity") return by_prefix(loads, prompt_tokens);
  STOWAGE_ASSERT(name_ == "least-kv");
  return least(loads, wants_more);  // S12.20
}

/// S12.14.
std::size_t Router::in_turn(const std::vector<Load>& loads) {
  for (std::size_t i = 0; i < loads.size(); ++i) credits_[i] += loads[i].weight;
  std::size_t most = 0;
  for (std::size_t i = 1; i < loads.size(); ++i)
    if (credits_[i] > credits_[most]) most = i;
  credits_[most] -= weights(loads);
  return most;
}

/// S12.15.
std::size_t Router::by_lot(const std::vector<Load>& loads) {
  auto x = static_cast<std::int64_t>(rng_.below(static_cast<std::uint64_t>(weights(loads))));
  std::size_t i = 0;
  while (x >= loads[i].weight) x -= loads[i++].weight;
  return i;
}

/// S12.18, S12.19.
std::size_t Router::better_of_two(const std::vector<Load>& loads) {
  if (loads.size() == 1) return 0;
  const std::size_t i = rng_.below(loads.size());
  std::size_t j = rng_.below(loads.size() - 1);
  if (j >= i) ++j;
  return has_more_outstanding(loads[i], loads[j]) ? j : i;
}

/// S12.26 to S12.29.
std::size_t Router::by_prefix(const std::vector<Load>& loads, std::int64_t prompt_tokens) {
  const std::size_t idlest = least(loads, has_more_outstanding);
  const Load& low = loads[idlest];
  for (const Load& load : loads)  // S12.29
    if (load.outstanding * low.weight > (low.outstanding + 64 * low.weight) * load.weight &&
        2 * load.outstanding * low.weight > 3 * low.outstanding * load.weight)
      return idlest;
  std::vector<std::size_t> order{idlest};
  for (std::size_t i = 0; i < loads.size(); ++i) order.push_back(i);
  std::size_t best = idlest;
  for (const std::size_t i : order)  // S12.27
    if (loads[i].hit > loads[best].hit ||
        (loads[i].hit == loads[best].hit && has_more_outstanding(loads[best], loads[i])))
      best = i;
  return 10 * loads[best].hit > 3 * prompt_tokens ? best : idlest;  // S12.28
}

/// S12.17.
std::size_t Router::least(const std::vector<Load>& loads, bool (*busier)(const Load&, const Load&)) {
  std::size_t best = (last_ + 1) % loads.size();
  for (std::size_t k = 2; k <= loads.size(); ++k) {
    const std::size_t i = (last_ + k) % loads.size();
    if (busier(loads[best], loads[i])) best = i;
  }
  return last_ = best;
}
}  // namespace stowage::oracle
