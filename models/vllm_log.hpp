#pragma once
// What vLLM's start-up log says about its memory: the numbers it settled on, instead of our estimates.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/units.hpp"

namespace stowage {

struct VllmLog {
  std::optional<std::int64_t> kv_tokens;  // "GPU KV cache size: 91,056 tokens"; else blocks x block size
  std::optional<std::int64_t> blocks;     // "# GPU blocks: 5691"
  std::optional<Bytes> kv_cache;          // "Available KV cache memory: 11.12 GiB", rounded as printed
  std::optional<Bytes> weights, activations, overhead, graphs, device;
  std::optional<double> utilization, concurrency;  // "Maximum concurrency for 8,192 tokens per request: 11.12x"
  std::optional<std::int64_t> concurrency_len;
};

/// Takes the last of each line, as an engine may start twice. `block_size` goes with "# GPU blocks". Throws InputError
/// when neither tokens nor blocks nor KV memory are told: `file` is for the message.
[[nodiscard]] VllmLog parse_vllm_log(std::string_view text, const std::string& file, std::int64_t block_size = 16);
[[nodiscard]] VllmLog load_vllm_log(const std::string& path, std::int64_t block_size = 16);
}  // namespace stowage
