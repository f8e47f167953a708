#include "models/engine.hpp"

#include <algorithm>
#include <array>

namespace stowage {
namespace {
using namespace literals;

/// Releases of which a published start-up log, or one of our own, was at hand.
constexpr bool logged(int minor) {
  constexpr std::array<int, 15> seen = {6, 7, 8, 9, 10, 11, 15, 17, 18, 19, 20, 22, 24, 25, 30};
  return std::find(seen.begin(), seen.end(), minor) != seen.end();
}

constexpr EngineSpec release(std::string_view name, int minor) {
  EngineSpec e;
  e.name = name;
  e.utilization = minor >= 21 ? 0.92 : 0.90;
  e.sampler_bytes = minor <= 16 ? 36 : 12;
  e.null_blocks = minor >= 8 ? 1 : 0;  // the V1 engine, the default since 0.8 (PR 13726), has one
  // 0.24 on an H200 held 0.35 to 0.99 GiB more than activations and the 0.25 GiB of 0.19; 0.22 on an L40S 0.7 more.
  e.overhead_one_gib = minor >= 21 ? 0.6 : minor >= 18 ? 0.25 : 0.13;
  // Deducted at start-up, a graph: 4.9 and 5.8 MiB by 0.24 on an H200, 7.0 by 0.22 on an L40S, 7.5 by 0.24 on an RTX
  // 5090.
  e.graph_mib = minor >= 21 ? 6 : 0;
  e.pool_measured = logged(minor);
  e.async_scheduling = minor >= 14;
  e.prefix_cache = minor >= 8;
  e.chunked_prefill = minor >= 8;
  e.admit_full = minor >= 19;
  e.nameless_first = minor >= 24;
  e.loop_measured = minor == 24;
  return e;
}

constexpr std::array<EngineSpec, 29> table = {
    release("vllm-0.6", 6),    release("vllm-0.7", 7),   release("vllm-0.8", 8),   release("vllm-0.9", 9),
    release("vllm-0.10", 10),  release("vllm-0.11", 11), release("vllm-0.12", 12), release("vllm-0.13", 13),
    release("vllm-0.14", 14),  release("vllm-0.15", 15), release("vllm-0.16", 16), release("vllm-0.17", 17),
    release("vllm-0.18", 18),  release("vllm-0.19", 19), release("vllm-0.20", 20), release("vllm-0.21", 21),
    release("vllm-0.22", 22),  release("vllm-0.23", 23), release("vllm-0.24", 24), release("vllm-0.25", 25),
    release("vllm-0.26", 26),  release("vllm-0.27", 27), release("vllm-0.28", 28), release("vllm-0.29", 29),
    release("vllm-0.30", 30),  release("vllm-0.31", 31), release("vllm-0.32", 32), release("vllm-0.33", 33),
    release("vllm-latest", 33)};

/// Capture sizes of at most `cap` tokens.
std::int64_t sizes_to(std::int64_t cap) {
  std::int64_t n = 0;
  for (std::int64_t size = 1; size <= cap; ++n) size += size < 4 ? size : size < 8 ? 4 : size < 256 ? 8 : 16;
  return n;
}
}  // namespace

EngineLimits engine_limits(const HardwareSpec& hardware) {
  const bool large = hardware.memory >= 70_GiB && hardware.name.find("a100") == std::string::npos;
  return large ? EngineLimits{8192, 1024} : EngineLimits{};
}

EngineLimits engine_limits(const HardwareSpec& hardware, const EngineSpec& engine, std::int64_t max_model_len) {
  if (engine.null_blocks == 0) return {std::max<std::int64_t>(2048, max_model_len), 256};
  EngineLimits limits = engine_limits(hardware);
  if (engine.name == "vllm-0.8") limits.max_num_seqs = 256;
  return limits;
}

std::int64_t engine_graphs(std::int64_t max_num_seqs) {
  const std::int64_t largest = std::min<std::int64_t>(2 * max_num_seqs, 512);
  return sizes_to(largest) + sizes_to(std::min(largest, max_num_seqs));
}

Bytes engine_graph_memory(const EngineSpec& engine, std::int64_t max_num_seqs) {
  const double bytes = static_cast<double>(engine_graphs(max_num_seqs)) * engine.graph_mib * 1024 * 1024;
  return Bytes{static_cast<std::int64_t>(bytes)};
}

std::span<const EngineSpec> engines() { return table; }

const EngineSpec* find_engine(std::string_view name) {
  const auto it = std::find_if(table.begin(), table.end(), [&](const EngineSpec& e) { return e.name == name; });
  return it == table.end() ? nullptr : &*it;
}

std::string engine_names() {
  std::string out;
  for (const auto& e : table) out += (out.empty() ? "" : ", ") + std::string(e.name);
  return out;
}
}  // namespace stowage
