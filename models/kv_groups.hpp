#pragma once
// The concurrency that vLLM prints at start-up, by its groups of layers: those of a kind together, groups of equal
// size, one pool of blocks for all (vllm/v1/core/kv_cache_utils.py, get_max_concurrency_for_kv_cache_config; hybrid
// groups since 0.11).
#include <cstdint>
#include <optional>
#include <string>

#include "models/memory_budget.hpp"

namespace stowage {

/// Requests of max_model_len at once in the pool of `budget`, on one GPU of `tensor`; `batched`: tokens of a step,
/// which a window must hold beside itself. Nothing where vLLM's rule is not known here: states, compressed caches,
/// windows of several sizes or widths, pipelines.
[[nodiscard]] std::optional<double> max_concurrency(const ModelSpec& model, const MemoryBudget& budget, int tensor,
                                                    std::int64_t max_model_len, std::int64_t batched);
/// The same in words: vLLM's own where its tokens are all that a sequence takes, else with windows or states.
[[nodiscard]] std::string concurrency_line(const ModelSpec& model, const MemoryBudget& budget, int tensor,
                                           std::int64_t max_model_len, std::int64_t batched);
}  // namespace stowage
