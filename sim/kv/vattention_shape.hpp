#pragma once
// vAttention's layout in numbers: tensors, blocks and pages (semantics S9.1 to S9.5).
#include <cstdint>
#include <memory>

#include "sim/run_config.hpp"

namespace stowage {

/// K and V of every layer, or one of each.
[[nodiscard]] inline std::int64_t vattention_tensors(const RunConfig& config) {
  return config.manager.choice("layout") == "sliced" ? 2 : 2 * config.kv.layers;
}
/// A page in each tensor of each GPU: all GPUs of a replica act alike, by the same calls at the same time.
[[nodiscard]] inline std::int64_t vattention_block_bytes(const RunConfig& config) {
  return config.manager.integer("page") * vattention_tensors(config) * config.kv.gpus;
}
[[nodiscard]] inline std::int64_t vattention_page_tokens(const RunConfig& config) {
  return vattention_block_bytes(config) / config.kv.bytes_per_token.count();
}

class KvManager;
class SequenceTable;
[[nodiscard]] std::unique_ptr<KvManager> make_vattention(const RunConfig& config, const SequenceTable& table);
}  // namespace stowage
