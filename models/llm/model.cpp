// Sums over shapes. Formulas as in Hugging Face's model definitions; they equal the published tensor sizes to the byte.
#include "models/llm/model.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace stowage {
namespace {
std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// One norm over `width` channels.
std::int64_t norm_parameters(Norm norm, std::int64_t width) { return norm == Norm::rms ? width : 2 * width; }

/// A layer as one of `tensor` GPUs holds it. Biases of row-parallel matrices (o, down) are held by every GPU.
ModelSpec::LayerParameters layer_on_gpu(const ModelSpec& m, std::int64_t tensor) {
  const std::int64_t q_width = m.heads / tensor * m.head_dim;
  const std::int64_t kv_width = m.kv_heads_per_gpu(static_cast<int>(tensor)) * m.head_dim;
  const std::int64_t width = m.intermediate / tensor;
  const std::int64_t ups = m.mlp == Mlp::gated ? 2 : 1;
  ModelSpec::LayerParameters p;
  p.qkv = (m.hidden + (m.qkv_bias ? 1 : 0)) * (q_width + 2 * kv_width);
  p.o = q_width * m.hidden + (m.o_bias ? m.hidden : 0);
  p.mlp = (ups + 1) * m.hidden * width + (m.mlp_bias ? ups * width + m.hidden : 0);
  p.norms = 2 * norm_parameters(m.norm, m.hidden) + (m.qk_norm ? 2 * m.head_dim : 0);
  return p;
}
}  // namespace

std::string_view dtype_name(Dtype dtype) {
  switch (dtype) {
    case Dtype::bfloat16:
      return "bfloat16";
    case Dtype::float16:
      return "float16";
    case Dtype::float8:
      return "float8";
  }
  return "";
}

std::int64_t dtype_bytes(Dtype dtype) { return dtype == Dtype::float8 ? 1 : 2; }

ModelSpec::LayerParameters ModelSpec::layer_parameters() const { return layer_on_gpu(*this, 1); }

std::int64_t ModelSpec::parameters() const {
  return vocab * hidden * (tied_embeddings ? 1 : 2) + learned_positions * hidden + norm_parameters(norm, hidden) +
         layers * layer_parameters().total();
}

std::int64_t ModelSpec::active_parameters() const {
  return parameters() - (tied_embeddings ? 0 : vocab * hidden) - learned_positions * hidden;
}

Bytes ModelSpec::weights_bytes() const { return Bytes{parameters() * dtype_bytes(dtype)}; }

Bytes ModelSpec::kv_bytes_per_token() const { return Bytes{layers * 2 * kv_heads * head_dim * dtype_bytes(kv_dtype)}; }

std::int64_t ModelSpec::kv_heads_per_gpu(int tensor) const { return ceil_div(kv_heads, tensor); }

Bytes ModelSpec::kv_bytes_per_token_per_gpu(int tensor) const {
  return Bytes{layers * 2 * kv_heads_per_gpu(tensor) * head_dim * dtype_bytes(kv_dtype)};
}

Bytes ModelSpec::kv_bytes_per_token_replica(int tensor) const { return kv_bytes_per_token_per_gpu(tensor) * tensor; }

Bytes ModelSpec::weights_bytes_per_gpu(int tensor, int pipeline, int stage) const {
  const bool first = stage == 0;
  const bool last = stage == pipeline - 1;
  std::int64_t n =
      pipeline_layers(layers, pipeline)[static_cast<std::size_t>(stage)] * layer_on_gpu(*this, tensor).total();
  const std::int64_t vocab_share = ceil_div(vocab, tensor) * hidden;
  if (first) n += vocab_share + learned_positions * hidden;
  if (last) n += norm_parameters(norm, hidden);
  if (last && !(tied_embeddings && first)) n += vocab_share;  // a tied head on a GPU of its own is a second copy
  return Bytes{n * dtype_bytes(dtype)};
}

std::vector<std::int64_t> pipeline_layers(std::int64_t layers, int pipeline) {
  std::vector<std::int64_t> share(static_cast<std::size_t>(pipeline), layers / pipeline);
  const auto rest = static_cast<std::size_t>(layers % pipeline);
  for (std::size_t i = 0; i < rest; ++i) ++share[share.size() - 2 - i];  // rest < pipeline: never below the first
  return share;
}

std::optional<std::string> parallel_problem(const ModelSpec& m, int tensor, int pipeline) {
  if (tensor < 1 || pipeline < 1) return "tensor and pipeline must be at least 1";
  if (pipeline > m.layers)
    return fmt::format("pipeline {} is more than the {} layers of {}", pipeline, m.layers, m.name);
  const auto fits = [&](std::int64_t t) {
    return m.heads % t == 0 && m.intermediate % t == 0 && (m.kv_heads % t == 0 || t % m.kv_heads == 0);
  };
  if (fits(tensor)) return std::nullopt;
  std::string sizes;
  for (std::int64_t t = 1; t <= std::min<std::int64_t>(m.heads, 64); ++t)
    if (fits(t)) sizes += fmt::format("{}{}", sizes.empty() ? "" : ", ", t);
  return fmt::format("tensor {} does not divide {} ({} heads, {} KV heads, intermediate {}); use one of {}", tensor,
                     m.name, m.heads, m.kv_heads, m.intermediate, sizes);
}
}  // namespace stowage
