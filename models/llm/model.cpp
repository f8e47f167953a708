// Sums over shapes. Formulas as in Hugging Face's model definitions; they equal the published tensor sizes to the byte.
#include "models/llm/model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <utility>

namespace stowage {
namespace {
std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

constexpr double priced_within = 0.02;  // of parameters: a step's price is of the fields, not of the table

/// One norm over `width` channels.
std::int64_t norm_parameters(Norm norm, std::int64_t width) {
  return norm == Norm::none ? 0 : norm == Norm::rms ? width : 2 * width;
}

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
    case Quant::nvfp4:
      return {9, 16};
    case Quant::int8:
      return {1, 1};
    case Quant::mixed:
      break;
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
/// The layers [from, to) of a pipeline stage.
std::pair<std::int64_t, std::int64_t> stage_layers(std::int64_t layers, int pipeline, int stage) {
  const auto shares = pipeline_layers(layers, pipeline);
  std::int64_t from = 0;
  for (int i = 0; i < stage; ++i) from += shares[static_cast<std::size_t>(i)];
  return {from, from + shares[static_cast<std::size_t>(stage)]};
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
  if (table) return table->cache_text(element);
  if (latent()) return fmt::format("{} layers x ({} + {}) x {} B", layers, kv_rank, rope_dim, element);
  return fmt::format("2 x {} layers x {} heads x {} x {} B", layers, kv_heads, head_dim, element);
}

void ModelSpec::settle(LayerTable layers_one_by_one) {
  table = nullptr;
  const bool stateless = layers_one_by_one.state_bytes(0, layers) == 0;
  const std::int64_t element = dtype_bytes(dtype),
                     cached = layers_one_by_one.token_bytes(dtype_bytes(kv_dtype), 0, layers);
  const std::int64_t windowed = layers_one_by_one.token_bytes(dtype_bytes(kv_dtype), 0, layers, 1, true);
  const std::int64_t stored = layers_one_by_one.stored_bytes(element, 0, layers);
  const bool same = stateless && quant != Quant::mixed && parameters() == layers_one_by_one.parameters() &&
                    kv_bytes_per_token().count() == cached && kv_window_bytes_per_token().count() == windowed &&
                    std::abs(weights_bytes().count() - stored) * 1000 <= stored;
  if (!same) table = std::make_shared<const LayerTable>(std::move(layers_one_by_one));
}

void ModelSpec::quantize(Quant scheme) {
  quant = scheme;
  if (!table) return;
  LayerTable changed = *table;
  changed.quantize(scheme);
  table = std::make_shared<const LayerTable>(std::move(changed));
}

bool ModelSpec::layers_differ() const {
  if (!table) return false;
  ModelSpec fields = *this;
  fields.table = nullptr;
  return fields.parameters() != table->text_parameters() || fields.kv_bytes_per_token() != kv_bytes_per_token();
}

std::string ModelSpec::unsimulated() const {
  if (!table) return {};
  std::string states, kept;
  for (const LayerKind& kind : table->kinds) {
    for (const State& s : kind.states)
      if (states.find(s.kind) == std::string::npos) states += (states.empty() ? "" : ", ") + s.kind;
    for (const Cache& c : kind.caches)
      if ((c.fixed_bytes > 0 || c.every > 1 || c.kind.find("indexer") != std::string::npos) && kept.empty())
        kept = c.kind;
  }
  if (!states.empty())
    return fmt::format(
        "layers that keep a state of {:.1f} MiB a sequence ({}) have no price and no place in the memory managers",
        static_cast<double>(state_bytes_per_sequence().count()) / 1048576, states);
  if (!kept.empty()) return fmt::format("attention that chooses what it reads ({}) has no price", kept);
  // Prices are of the fields: how near are they?
  ModelSpec fields = *this;
  fields.table = nullptr;
  const auto text = static_cast<double>(table->text_parameters());
  const double off = static_cast<double>(fields.parameters()) / text - 1;
  if (std::abs(off) > priced_within)
    return fmt::format(
        "its layers differ from each other, and prices of the nearest layers that are all alike would be of {:.1f} % "
        "{} parameters",
        100 * std::abs(off), off > 0 ? "more" : "fewer");
  return {};
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
  if (table) return table->parameters();
  const std::int64_t dense = layers - moe_layers();
  return vocab * hidden * (tied_embeddings ? 1 : 2) + learned_positions * hidden + norm_parameters(norm, hidden) +
         (dense > 0 ? dense * layer_parameters(0).total() : 0) +
         (moe() ? moe_layers() * layer_parameters(layers - 1).total() : 0);
}

std::int64_t ModelSpec::active_parameters() const {
  if (table) {
    const std::int64_t looked_up = tied_embeddings ? 0 : table->first.front().parameters();
    return table->text_parameters() - table->idle_parameters() - looked_up;
  }
  const std::int64_t idle =
      moe() ? moe_layers() * (layer_parameters(layers - 1).experts / experts) * (experts - experts_per_token) : 0;
  return parameters() - idle - (tied_embeddings ? 0 : vocab * hidden);
}

Bytes ModelSpec::weights_bytes() const { return weights_bytes_per_gpu(1); }

double ModelSpec::bytes_per_expert_weight() const {
  if (table) return table->bytes_per_weight(true, dtype_bytes(dtype));
  const auto share = expert_share(*this);
  return static_cast<double>(share.num) / static_cast<double>(share.den);
}
double ModelSpec::bytes_per_weight() const {
  if (table) return table->bytes_per_weight(false, dtype_bytes(dtype));
  const auto share = linear_share(*this);
  return static_cast<double>(share.num) / static_cast<double>(share.den);
}

Bytes ModelSpec::kv_bytes_per_token() const { return kv_bytes_per_token_per_gpu(1); }

Bytes ModelSpec::kv_window_bytes_per_token() const {
  if (table) return Bytes{table->token_bytes(dtype_bytes(kv_dtype), 0, layers, 1, true)};
  return Bytes{kv_bytes_per_token().count() / layers * window_layers};
}

Bytes ModelSpec::state_bytes_per_sequence(int tensor) const {
  return Bytes{table ? table->state_bytes(0, layers, tensor) : 0};
}

Bytes ModelSpec::kv_bytes_of_request(std::int64_t tokens) const {
  if (table) return Bytes{table->request_bytes(dtype_bytes(kv_dtype), tokens)};
  const Bytes windowed = kv_window_bytes_per_token();
  const std::int64_t kept = window > 0 ? std::min(tokens, window) : tokens;
  return (kv_bytes_per_token() - windowed) * tokens + windowed * kept;
}

std::int64_t ModelSpec::kv_heads_per_gpu(int tensor) const { return ceil_div(kv_heads, tensor); }

Bytes ModelSpec::kv_bytes_per_token_per_gpu(int tensor) const {
  if (table) return Bytes{table->token_bytes(dtype_bytes(kv_dtype), 0, layers, tensor)};
  const std::int64_t elements = latent() ? kv_rank + rope_dim : 2 * kv_heads_per_gpu(tensor) * head_dim;
  return Bytes{layers * elements * dtype_bytes(kv_dtype)};
}

Bytes ModelSpec::kv_bytes_per_token_stage(int tensor, int pipeline, int stage) const {
  const auto [from, to] = stage_layers(layers, pipeline, stage);
  if (table) return Bytes{table->token_bytes(dtype_bytes(kv_dtype), from, to, tensor)};
  return Bytes{kv_bytes_per_token_per_gpu(tensor).count() / layers * (to - from)};
}

Bytes ModelSpec::kv_bytes_per_token_replica(int tensor) const { return kv_bytes_per_token_per_gpu(tensor) * tensor; }

Bytes ModelSpec::weights_bytes_per_gpu(int tensor, int pipeline, int stage, int expert) const {
  const auto [from, to] = stage_layers(layers, pipeline, stage);
  if (table) {
    std::int64_t n = table->stored_bytes(dtype_bytes(dtype), from, to, tensor, expert);
    const bool apart = tied_embeddings && stage > 0 && to == layers;  // a second copy, as below
    if (apart) n += ceil_div(vocab, tensor) * hidden * dtype_bytes(dtype);
    return Bytes{n};
  }
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
