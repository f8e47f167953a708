// Sums over shapes. Formulas as in Hugging Face's model definitions; they equal the published tensor sizes to the byte.
#include "models/llm/model.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace stowage {
namespace {
std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// One norm over `width` channels.
std::int64_t norm_parameters(Norm norm, std::int64_t width) { return norm == Norm::rms ? width : 2 * width; }

/// Attention of one GPU of `t`. The bias of the row-parallel matrix o is held by every GPU.
void add_attention(const ModelSpec& m, std::int64_t t, ModelSpec::LayerParameters& p) {
  const std::int64_t heads = m.heads / t;
  if (m.latent()) {
    const std::int64_t qk = m.nope_dim + m.rope_dim;
    const std::int64_t query = m.q_rank > 0 ? m.hidden * m.q_rank + m.q_rank * heads * qk : m.hidden * heads * qk;
    const std::int64_t down = m.hidden * (m.kv_rank + m.rope_dim);
    p.qkv = query + down + m.kv_rank * heads * (m.nope_dim + m.v_dim);
    p.o = heads * m.v_dim * m.hidden;
    p.norms += m.q_rank + m.kv_rank;
    return;
  }
  const std::int64_t q_width = heads * m.head_dim;
  const std::int64_t kv_width = m.kv_heads_per_gpu(static_cast<int>(t)) * m.head_dim;
  const std::int64_t biases = m.qkv_bias ? q_width + 2 * kv_width : 0;
  const std::int64_t sinks = m.sinks ? heads : 0;
  p.qkv = m.hidden * (q_width + 2 * kv_width) + biases + sinks;
  p.o = q_width * m.hidden + (m.o_bias ? m.hidden : 0);
  p.norms += m.qk_norm ? 2 * m.head_dim : 0;
  p.biases += biases + sinks + (m.o_bias ? m.hidden : 0);
}

struct Share {
  std::int64_t num = 1, den = 1;  // bytes a parameter
};
Share share_of(Quant quant) {
  switch (quant) {
    case Quant::none:
      return {2, 1};
    case Quant::fp8:
      return {1, 1};
    case Quant::fp8_block:
      return {128 * 128 + 4, 128 * 128};
    case Quant::int4:
      return {133, 256};
    case Quant::mxfp4:
      return {17, 32};
  }
  return {2, 1};
}
Share linear_share(const ModelSpec& m) { return share_of(m.quant == Quant::mxfp4 ? Quant::none : m.quant); }
Share expert_share(const ModelSpec& m) { return share_of(m.quant); }

std::int64_t scaled(std::int64_t parameters, Share share) {
  return static_cast<std::int64_t>((static_cast<__int128>(parameters) * share.num + share.den - 1) / share.den);
}

/// Bytes of a layer's parameters as stored. Biases of experts are few; they are taken from the experts' share.
std::int64_t layer_bytes(const ModelSpec& m, const ModelSpec::LayerParameters& p, std::int64_t expert_biases) {
  const std::int64_t linear = p.qkv + p.o + p.mlp - (p.biases - expert_biases);
  const std::int64_t plain = p.norms + p.router + p.biases;
  return scaled(linear, linear_share(m)) + scaled(p.experts - expert_biases, expert_share(m)) +
         plain * dtype_bytes(m.dtype);
}

std::int64_t expert_biases(const ModelSpec& m, std::int64_t layer, std::int64_t t, std::int64_t e) {
  if (m.dense_layer(layer) || !m.expert_bias) return 0;
  const std::int64_t width = e > 1 ? m.expert_intermediate : m.expert_intermediate / t;
  return m.experts / e * (2 * width + m.hidden);
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

std::string_view quant_name(Quant quant) {
  switch (quant) {
    case Quant::none:
      return "none";
    case Quant::fp8:
      return "fp8";
    case Quant::fp8_block:
      return "fp8-block";
    case Quant::int4:
      return "int4";
    case Quant::mxfp4:
      return "mxfp4";
  }
  return "";
}

std::int64_t ModelSpec::widest_mlp() const {
  const std::int64_t dense = moe() && dense_layers == 0 ? 0 : intermediate;
  return std::max(dense, (experts_per_token + shared_experts) * expert_intermediate);
}

std::string ModelSpec::attention_text() const {
  std::string out = latent() ? fmt::format("{} heads, latent: {} + {} elements a token", heads, kv_rank, rope_dim)
                             : fmt::format("{} query heads, {} KV heads of {}", heads, kv_heads, head_dim);
  if (window_layers > 0) out += fmt::format("; {} of {} layers see {} tokens", window_layers, layers, window);
  return out;
}

std::string ModelSpec::kv_formula() const {
  const auto element = dtype_bytes(kv_dtype);
  if (latent()) return fmt::format("{} layers x ({} + {}) x {} B", layers, kv_rank, rope_dim, element);
  return fmt::format("2 x {} layers x {} heads x {} x {} B", layers, kv_heads, head_dim, element);
}

ModelSpec::LayerParameters ModelSpec::layer_on_gpu(int tensor, std::int64_t layer, int expert) const {
  const std::int64_t t = tensor;
  LayerParameters p;
  p.norms = (sandwich_norms ? 4 : 2) * norm_parameters(norm, hidden);
  add_attention(*this, t, p);
  const std::int64_t ups = mlp == Mlp::gated ? 2 : 1;
  if (dense_layer(layer)) {
    const std::int64_t width = intermediate / t;
    const std::int64_t biases = mlp_bias ? ups * width + hidden : 0;
    p.mlp = (ups + 1) * hidden * width + biases;
    p.biases += biases;
    return p;
  }
  const std::int64_t width = expert > 1 ? expert_intermediate : expert_intermediate / t;
  const std::int64_t biases = expert_biases(*this, layer, t, expert);
  p.mlp = shared_experts * (ups + 1) * hidden * (expert_intermediate / t);
  p.experts = experts / expert * (ups + 1) * hidden * width + biases;
  p.router = hidden * experts + (router_bias ? experts : 0);
  p.biases += biases;
  return p;
}

ModelSpec::LayerParameters ModelSpec::layer_parameters(std::int64_t layer) const { return layer_on_gpu(1, layer); }

std::int64_t ModelSpec::parameters() const {
  const std::int64_t dense = layers - moe_layers();
  return vocab * hidden * (tied_embeddings ? 1 : 2) + learned_positions * hidden + norm_parameters(norm, hidden) +
         (dense > 0 ? dense * layer_parameters(0).total() : 0) +
         (moe() ? moe_layers() * layer_parameters(layers - 1).total() : 0);
}

std::int64_t ModelSpec::active_parameters() const {
  const std::int64_t idle =
      moe() ? moe_layers() * (layer_parameters(layers - 1).experts / experts) * (experts - experts_per_token) : 0;
  return parameters() - idle - (tied_embeddings ? 0 : vocab * hidden) - learned_positions * hidden;
}

Bytes ModelSpec::weights_bytes() const { return weights_bytes_per_gpu(1); }

double ModelSpec::bytes_per_expert_weight() const {
  const auto share = expert_share(*this);
  return static_cast<double>(share.num) / static_cast<double>(share.den);
}
double ModelSpec::bytes_per_weight() const {
  const auto share = linear_share(*this);
  return static_cast<double>(share.num) / static_cast<double>(share.den);
}

Bytes ModelSpec::kv_bytes_per_token() const { return kv_bytes_per_token_per_gpu(1); }

Bytes ModelSpec::kv_window_bytes_per_token() const {
  return Bytes{kv_bytes_per_token().count() / layers * window_layers};
}

Bytes ModelSpec::kv_bytes_of_request(std::int64_t tokens) const {
  const Bytes windowed = kv_window_bytes_per_token();
  const std::int64_t kept = window > 0 ? std::min(tokens, window) : tokens;
  return (kv_bytes_per_token() - windowed) * tokens + windowed * kept;
}

std::int64_t ModelSpec::kv_heads_per_gpu(int tensor) const { return ceil_div(kv_heads, tensor); }

Bytes ModelSpec::kv_bytes_per_token_per_gpu(int tensor) const {
  const std::int64_t elements = latent() ? kv_rank + rope_dim : 2 * kv_heads_per_gpu(tensor) * head_dim;
  return Bytes{layers * elements * dtype_bytes(kv_dtype)};
}

Bytes ModelSpec::kv_bytes_per_token_replica(int tensor) const { return kv_bytes_per_token_per_gpu(tensor) * tensor; }

Bytes ModelSpec::weights_bytes_per_gpu(int tensor, int pipeline, int stage, int expert) const {
  const auto shares = pipeline_layers(layers, pipeline);
  std::int64_t from = 0;
  for (int i = 0; i < stage; ++i) from += shares[static_cast<std::size_t>(i)];
  const std::int64_t to = from + shares[static_cast<std::size_t>(stage)];
  const std::int64_t first_moe = moe() ? std::clamp(dense_layers, from, to) : to;
  const auto bytes_of = [&](std::int64_t count, std::int64_t layer) {
    if (count == 0) return std::int64_t{0};
    return count * layer_bytes(*this, layer_on_gpu(tensor, layer, expert), expert_biases(*this, layer, tensor, expert));
  };
  const bool first = stage == 0;
  const bool last = stage == pipeline - 1;
  std::int64_t n = 0;
  const std::int64_t vocab_share = ceil_div(vocab, tensor) * hidden;
  if (first) n += vocab_share + learned_positions * hidden;
  if (last) n += norm_parameters(norm, hidden);
  if (last && !(tied_embeddings && first)) n += vocab_share;  // a tied head on a GPU of its own is a second copy
  return Bytes{n * dtype_bytes(dtype) + bytes_of(first_moe - from, 0) + bytes_of(to - first_moe, layers - 1)};
}
}  // namespace stowage
