#include "models/kv_groups.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace stowage {
namespace {
constexpr std::int64_t block = 16;  // tokens

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// Whether all layers of the table keep the same bytes of a token, in full or in the one window.
bool alike(const ModelSpec& m) {
  if (!m.table) return true;
  const Cache* first = nullptr;
  for (const LayerKind& kind : m.table->kinds) {
    if (kind.caches.size() != 1 || !kind.states.empty()) return false;
    const Cache& c = kind.caches.front();
    if (first == nullptr) first = &c;
    const bool window = c.window == 0 || c.window == m.window;
    if (!window || c.every != 1 || c.fixed_bytes > 0 || c.elements != first->elements || c.units != first->units)
      return false;
  }
  return true;
}
}  // namespace

std::optional<double> max_concurrency(const ModelSpec& m, const MemoryBudget& b, int tensor, std::int64_t max_model_len,
                                      std::int64_t batched) {
  const std::int64_t a_token = m.kv_bytes_per_token_per_gpu(tensor).count();
  if (!alike(m) || a_token != b.kv_bytes_per_token.count() || b.kv_pool.count() <= 0) return std::nullopt;
  const std::int64_t layer = a_token / m.layers, windows = m.window_layers, full = m.layers - windows;
  const std::int64_t whole = ceil_div(max_model_len, block);
  const std::int64_t kept =
      windows > 0 ? ceil_div(std::min(m.window - 1 + batched, max_model_len), block) + 1 : std::int64_t{0};
  // All of one kind make one group; else groups are as large as the smaller kind, or the larger if that is near.
  const std::int64_t least = std::min(windows, full), most = std::max(windows, full);
  const std::int64_t size = least == 0 || 2 * most < 3 * least ? most : least;
  const std::int64_t request = ceil_div(full, size) * whole + ceil_div(windows, size) * kept;
  const std::int64_t blocks = b.kv_pool.count() / (size * block * layer);
  return static_cast<double>(blocks) / static_cast<double>(request);
}

std::string concurrency_line(const ModelSpec& m, const MemoryBudget& b, int tensor, std::int64_t max_model_len,
                             std::int64_t batched) {
  const std::int64_t state = m.state_bytes_per_sequence(tensor).count();
  const auto at_once = max_concurrency(m, b, tensor, max_model_len, batched);
  if (state == 0 && (m.window == 0 || !at_once)) return vllm_line(b.pool_tokens, max_model_len);
  const auto words = [&](std::string_view tokens, std::string_view request, double times) {
    std::string line = vllm_line(b.pool_tokens, max_model_len);  // "KV cache 9 tokens; maximum ... per request: 1.00x"
    line.erase(line.rfind(':'));
    line.insert(line.find(';'), fmt::format(" {}", tokens));
    return line + fmt::format(", {}: {:.2f}x", request, times);
  };
  if (state == 0) return words("of every layer", "windows kept as windows", *at_once);
  const double request = static_cast<double>(b.kv_bytes_per_token.count() * max_model_len + state);
  return words("without states", "each with its state", static_cast<double>(b.kv_pool.count()) / request);
}
}  // namespace stowage
