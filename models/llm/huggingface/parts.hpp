#pragma once
// The matrices of a layer's parts, after the classes that each function names.
#include "models/llm/huggingface/plan.hpp"
#include "models/llm/layers/layer_table.hpp"

namespace stowage {

/// What parts are built from.
struct Blueprint {
  Reader& in;
  const Family& family;
  const Shape& shape;
  Dtype dtype;
};

void add_attention(const Blueprint& from, const LayerPlan& plan, LayerKind& layer);
void add_mixer(const Blueprint& from, LayerKind& layer);
void add_feed_forward(const Blueprint& from, const LayerPlan& plan, LayerKind& layer);
/// Towers of pictures and sound of the file around the language model. What was taken for granted is added to
/// `assumed`.
void add_towers(const Blueprint& from, LayerTable& table, std::vector<std::string>& assumed);

/// A matrix with its bias, or without.
inline void add(LayerKind& layer, std::string name, std::int64_t rows, std::int64_t columns, std::int64_t units,
                bool bias = false) {
  layer.matrices.push_back(
      {.name = std::move(name), .rows = rows, .columns = columns, .units = units, .biases = bias ? rows : 0});
}
[[nodiscard]] inline std::int64_t norm_size(Norm norm, std::int64_t width) {
  return norm == Norm::none ? 0 : norm == Norm::layer ? 2 * width : width;
}
}  // namespace stowage
