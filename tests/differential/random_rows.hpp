#pragma once
// Settings of schedulers and managers for random scenarios, drawn from their rows: a new row is tried without a word
// here.
#include "sim/run_config.hpp"
#include "tests/differential/dice.hpp"

namespace stowage {

/// One of the policies; `config` is otherwise complete.
void random_policy(Dice& dice, SchedulerConfig& config);
/// What the policy does not take is changed as little as it takes: a larger budget, then the other way with prompts.
void please_policy(SchedulerConfig& config);

/// Sets the manager of a configuration with its scheduler and the geometry of KV; returns the bytes of the least pool
/// that the manager works with. `walked` = the plain oracle must not have to walk very many blocks.
[[nodiscard]] std::int64_t random_manager(Dice& dice, RunConfig& config, bool walked);
/// Tensors, in each of which a page is mapped at a time; 0 = the manager maps nothing.
[[nodiscard]] std::int64_t mapped_tensors(const RunConfig& config);
}  // namespace stowage
