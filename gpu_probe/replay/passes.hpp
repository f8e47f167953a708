#pragma once
// Runs a scenario under one real manager, pass by pass.
#include <string>

#include "gpu_probe/replay/session.hpp"

namespace stowage::replay {

/// One pass from an empty store. An interrupt or a failure ends it early: the status says so and what was measured
/// stays. `tokens`, when given, gets every request's prompt and outputs.
[[nodiscard]] Pass run_pass(probe::StepRunner& runner, KvStore& store, const RunConfig& config,
                            probe::PrefillLoader loader, cudaStream_t stream, std::uint64_t seed, std::string state,
                            std::map<std::uint64_t, std::vector<std::int32_t>>* tokens = nullptr);

/// Small runs that load kernels, choose matrix algorithms (every 64 rows to 2,048, every 512 above) and capture the
/// graphs of every decode batch, as an engine does at start-up. Returns the seconds it took.
[[nodiscard]] double warm_up(probe::StepRunner& runner, KvStore& store, const RunConfig& config,
                             probe::PrefillLoader loader, cudaStream_t stream);

}  // namespace stowage::replay
