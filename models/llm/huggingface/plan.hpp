#pragma once
// Which layer has what: the first half of reading a config.json. The second half (parts.hpp) turns each kind of layer
// into matrices.
#include <cstdint>
#include <string>
#include <vector>

#include "models/llm/huggingface/family.hpp"
#include "models/llm/huggingface/reader.hpp"

namespace stowage {

/// Sizes that all layers share.
struct Shape {
  std::int64_t layers = 0, hidden = 0, heads = 0, kv_heads = 0, head_dim = 0, v_dim = 0, intermediate = 0, vocab = 0;
  std::int64_t max_positions = 0, window = 0;
  std::int64_t experts = 0, experts_per_token = 0, expert_width = 0;
  std::int64_t shared_width = 0;  // of all shared experts together
  bool same_kv = false;           // values are the keys: no matrix of their own (Gemma 4's full layers)
};

/// What one layer is. Layers of equal plans are of one kind.
struct LayerPlan {
  bool attention = true;  // false: the family's mixer, or nothing
  bool mixer = false;     // a recurrent or convolutional mixer, alone or beside attention (Falcon-H1)
  std::int64_t window = 0;
  bool chunked = false;  // `window` is a chunk
  std::int64_t heads = 0, kv_heads = 0, head_dim = 0, v_dim = 0;
  bool same_kv = false;
  bool own_cache = true;      // false: it reads another layer's keys and values
  bool indexer = false;       // sparse attention with keys of its own to choose by
  std::int64_t compress = 0;  // DeepSeek-V4: one vector for so many tokens; 0 = none
  bool dense = true, experts = false;
  std::int64_t width = 0;  // of the dense MLP
  int norms = 0;
  bool operator==(const LayerPlan&) const = default;
};

[[nodiscard]] Shape read_shape(Reader& in, const Family& family);
/// One plan a layer; problems are recorded where lists contradict or name what is not known.
[[nodiscard]] std::vector<LayerPlan> plan_layers(Reader& in, const Family& family, const Shape& shape);
}  // namespace stowage
