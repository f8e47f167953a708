#pragma once
// The door of the simulator: one run, resolved, to its result.
#include "sim/result.hpp"
#include "sim/run_config.hpp"

namespace stowage {
/// Runs `config` to the end of its workload. The same configuration gives the same result, to the bit.
[[nodiscard]] RunResult simulate(const RunConfig& config, const RunHooks& hooks);
}  // namespace stowage
