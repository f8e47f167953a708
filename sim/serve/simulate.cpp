#include "sim/serve/simulate.hpp"

#include "sim/serve/cluster.hpp"
#include "sim/serve/replica.hpp"

namespace stowage {
/// A bare replica where nothing stands before it.
RunResult simulate(const RunConfig& config, const RunHooks& hooks) {
  if (config.fleet.groups.empty() && !config.frontend.any()) return Replica(config, hooks).run();
  return Cluster(config, hooks).run();
}
}  // namespace stowage
