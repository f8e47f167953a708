#include "models/engine.hpp"

#include <algorithm>
#include <array>

namespace stowage {
namespace {
using namespace literals;

constexpr EngineSpec release(std::string_view name, int minor) {
  EngineSpec e;
  e.name = name;
  e.utilization = minor >= 21 ? 0.92 : 0.90;
  e.sampler_bytes = minor <= 16 ? 36 : 12;
  e.overhead_one_gib = minor <= 17 ? 0.13 : 0.25;
  // Published: "PIECEWISE=51, FULL=35", 1.58 GiB in all: 19 MiB each.
  e.graph_mib = minor >= 21 ? 19 : 0;
  e.pool_measured = minor <= 20;
  e.admit_full = minor >= 19;
  e.nameless_first = minor >= 24;
  e.loop_measured = minor == 24;
  return e;
}

constexpr std::array<EngineSpec, 10> table = {
    release("vllm-0.15", 15), release("vllm-0.16", 16), release("vllm-0.17", 17), release("vllm-0.18", 18),
    release("vllm-0.19", 19), release("vllm-0.20", 20), release("vllm-0.21", 21), release("vllm-0.22", 22),
    release("vllm-0.23", 23), release("vllm-0.24", 24)};

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
