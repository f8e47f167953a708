// Attention: matrices and what is kept of a token.
#include <fmt/format.h>

#include <algorithm>

#include "models/llm/huggingface/parts.hpp"

namespace stowage {
namespace {
bool has_bias(Bias bias, bool by_key) { return bias == Bias::always || (bias == Bias::by_key && by_key); }

std::string cache_kind(const LayerPlan& plan, std::string_view full) {
  return plan.window == 0 ? std::string(full) : plan.chunked ? "chunked attention" : "sliding window";
}

void add_norms(const Blueprint& b, const LayerPlan& p, LayerKind& layer) {
  QkNorm norm = b.family.qk_norm;
  const bool asked = b.in.flag({"use_qk_norm", "qk_layernorm", "use_qk_layernorm"}, false);
  if (norm == QkNorm::head_by_key) norm = asked ? QkNorm::head : QkNorm::none;
  if (norm == QkNorm::flat_by_key) norm = asked ? QkNorm::flat : QkNorm::none;
  if (norm == QkNorm::head) layer.vectors += 2 * p.head_dim;
  if (norm == QkNorm::flat) layer.vectors += (p.heads + p.kv_heads) * p.head_dim;
}

/// Keys to choose by (MiniMax-M3: sparse_attention_config; vLLM minimax_m3.py): 16-bit, one head.
void add_block_indexer(const Blueprint& b, const std::string& at, LayerKind& layer) {
  const ConfigNode sparse = b.in.node("sparse_attention_config");
  const auto number = [&](std::string_view key, std::int64_t usual) {
    return std::clamp<std::int64_t>(parse_integer(scalar_text(sparse.get(key))).value_or(usual), 1, config_small_max);
  };
  const std::int64_t dim = number("sparse_index_dim", 128), heads = number("sparse_num_index_heads", 4);
  add(layer, at + "index_q_proj", heads * dim, b.shape.hidden, heads);
  add(layer, at + "index_k_proj", dim, b.shape.hidden, 0);
  layer.vectors += 2 * dim;
  layer.caches.push_back({.kind = "sparse indexer keys", .elements = dim});
}

/// Multi-head and grouped-query attention over everything, a window or a chunk (LlamaAttention and its like).
void add_heads(const Blueprint& b, const LayerPlan& p, LayerKind& layer) {
  const Family& f = b.family;
  const std::string at = std::string(f.attention_module) + ".";
  const bool by_key =
      b.in.flag({"attention_bias", "qkv_bias", "add_qkv_bias", "bias", "use_bias", "enable_bias"}, f.gpt_oss);
  const bool qkv_bias = has_bias(f.qkv_bias, by_key);
  const bool o_bias = has_bias(f.o_bias, b.in.flag({"attention_out_bias", "attn_bias"}, by_key));
  const std::int64_t hidden = b.shape.hidden, q = p.heads * p.head_dim;
  const bool gate = f.gate && b.in.flag({"attn_output_gate"}, true);
  add(layer, at + "q_proj", gate ? 2 * q : q, hidden, p.heads, qkv_bias);
  if (p.own_cache) {
    add(layer, at + "k_proj", p.kv_heads * p.head_dim, hidden, p.kv_heads, qkv_bias);
    if (!p.same_kv) add(layer, at + "v_proj", p.kv_heads * p.v_dim, hidden, p.kv_heads, qkv_bias);
  }
  add(layer, at + "o_proj", hidden, p.heads * p.v_dim, p.heads, o_bias);
  if (b.in.flag({"use_head_wise_attn_gate"}, false)) add(layer, at + "g_proj", p.heads, hidden, p.heads);
  add_norms(b, p, layer);
  const bool sinks =
      f.gpt_oss || b.in.flag({p.window > 0 ? "add_swa_attention_sink_bias" : "add_full_attention_sink_bias"}, false);
  if (sinks) layer.vectors += p.heads;
  if (p.own_cache) {
    const std::string kind = cache_kind(p, "full attention");
    layer.caches.push_back(
        {.kind = p.head_dim == p.v_dim ? kind : fmt::format("{} (K {}, V {})", kind, p.head_dim, p.v_dim),
         .elements = p.kv_heads * (p.head_dim + p.v_dim),
         .window = p.window,
         .units = p.kv_heads});
  }
  if (p.indexer) add_block_indexer(b, at, layer);
}

/// DeepSeek sparse attention's indexer: 8-bit keys with a float32 scale for 128 values (vLLM deepseek_v2.py, Indexer).
void add_indexer(const Blueprint& b, const std::string& at, std::int64_t q_rank, LayerKind& layer) {
  const std::int64_t heads = b.in.small({"index_n_heads"}, 64), dim = b.in.small({"index_head_dim"}, 128);
  add(layer, at + "indexer.wq_b", heads * dim, q_rank, 0);
  add(layer, at + "indexer.wk", dim, b.shape.hidden, 0);
  add(layer, at + "indexer.weights_proj", heads, b.shape.hidden, 0);
  layer.vectors += 2 * dim;  // k_norm, with a bias
  layer.caches.push_back({.kind = "sparse indexer keys (8-bit)", .fixed_bytes = dim + (dim + 127) / 128 * 4});
}

/// Multi-head latent attention (DeepseekV3Attention).
void add_latent(const Blueprint& b, const LayerPlan& p, LayerKind& layer) {
  const std::string at = std::string(b.family.attention_module) + ".";
  const std::int64_t hidden = b.shape.hidden, rank = b.in.small({"kv_lora_rank"}), q_rank = b.in.count({"q_lora_rank"});
  const std::int64_t nope = b.in.small({"qk_nope_head_dim"}), rope = b.in.small({"qk_rope_head_dim"});
  const std::int64_t v = b.in.small({"v_head_dim"}), qk = nope + rope;
  const bool bias = b.in.flag({"attention_bias"}, false);
  if (q_rank > 0) {
    add(layer, at + "q_a_proj", q_rank, hidden, 0, bias);
    add(layer, at + "q_b_proj", p.heads * qk, q_rank, p.heads);
  } else {
    add(layer, at + "q_proj", p.heads * qk, hidden, p.heads);
  }
  add(layer, at + "kv_a_proj_with_mqa", rank + rope, hidden, 0, bias);
  add(layer, at + "kv_b_proj", p.heads * (nope + v), rank, p.heads);
  add(layer, at + "o_proj", hidden, p.heads * v, p.heads, bias);
  if (b.in.flag({"mla_use_output_gate"}, false)) add(layer, at + "g_proj", p.heads * v, hidden, p.heads);
  layer.vectors += q_rank + rank;
  layer.caches.push_back({.kind = "latent (MLA)", .elements = rank + rope});
  if (p.indexer) add_indexer(b, at, q_rank > 0 ? q_rank : hidden, layer);
}

/// Step3's multi-matrix factorised attention: queries through a shared width (vLLM step3_text.py).
void add_step3(const Blueprint& b, const LayerPlan& p, LayerKind& layer) {
  const std::int64_t shared = b.in.small({"share_q_dim"}, p.heads * p.head_dim);
  add(layer, "self_attn.q_proj", shared, b.shape.hidden, 0);
  add(layer, "self_attn.k_proj", p.kv_heads * p.head_dim, b.shape.hidden, p.kv_heads);
  add(layer, "self_attn.v_proj", p.kv_heads * p.head_dim, b.shape.hidden, p.kv_heads);
  add(layer, "self_attn.wq", p.heads * p.head_dim, shared, p.heads);
  add(layer, "self_attn.o_proj", b.shape.hidden, p.heads * p.head_dim, p.heads);
  layer.vectors += shared;
  layer.caches.push_back({.kind = cache_kind(p, "full attention"),
                          .elements = 2 * p.kv_heads * p.head_dim,
                          .window = p.window,
                          .units = p.kv_heads});
}

/// A compressor of DeepSeek-V4: values and gates of `dim`, twice as wide where windows overlap, pooled over `every`
/// tokens; until then they are kept in float32.
void add_compressor(const std::string& at, std::int64_t hidden, std::int64_t dim, std::int64_t every,
                    LayerKind& layer) {
  const std::int64_t overlap = every == 4 ? 2 : 1, width = overlap * dim;
  layer.matrices.push_back({.name = at + "kv_proj", .rows = width, .columns = hidden, .linear = false});
  layer.matrices.push_back({.name = at + "gate_proj", .rows = width, .columns = hidden, .linear = false});
  layer.vectors += every * width + dim;  // positions, and a norm
  layer.states.push_back(
      {.kind = fmt::format("compressor of {} tokens", every), .bytes = overlap * every * 2 * width * 4});
}

/// DeepSeek-V4: one vector of keys and values in a window, and compressed ones of all that came before
/// (transformers DeepseekV4Attention; vLLM deepseek_v4.py).
void add_deepseek_v4(const Blueprint& b, const LayerPlan& p, LayerKind& layer) {
  const std::int64_t hidden = b.shape.hidden, dim = p.head_dim, q_rank = b.in.small({"q_lora_rank"});
  const std::int64_t groups = b.in.small({"o_groups"}), o_rank = b.in.small({"o_lora_rank"});
  add(layer, "attn.q_a_proj", q_rank, hidden, 0);
  add(layer, "attn.q_b_proj", p.heads * dim, q_rank, p.heads);
  add(layer, "attn.kv_proj", dim, hidden, 0);
  add(layer, "attn.o_a_proj", groups * o_rank, p.heads * dim / groups, groups);
  add(layer, "attn.o_b_proj", hidden, groups * o_rank, groups);
  layer.vectors += q_rank + dim + p.heads;  // norms and sinks
  layer.caches.push_back({.kind = "sliding window, keys are values", .elements = dim, .window = b.shape.window});
  if (p.compress == 0) return;
  layer.caches.push_back(
      {.kind = fmt::format("compressed, one vector for {} tokens", p.compress), .elements = dim, .every = p.compress});
  add_compressor("attn.compressor.", hidden, dim, p.compress, layer);
  if (p.compress != 4) return;
  const std::int64_t heads = b.in.small({"index_n_heads"}), index = b.in.small({"index_head_dim"});
  add(layer, "attn.indexer.q_b_proj", heads * index, q_rank, 0);
  layer.matrices.push_back({.name = "attn.indexer.weights_proj", .rows = heads, .columns = hidden, .linear = false});
  layer.caches.push_back(
      {.kind = "sparse indexer keys (8-bit)", .fixed_bytes = index + (index + 127) / 128 * 4, .every = p.compress});
  add_compressor("attn.indexer.compressor.", hidden, index, p.compress, layer);
}
}  // namespace

void add_attention(const Blueprint& from, const LayerPlan& plan, LayerKind& layer) {
  switch (from.family.attention) {
    case Attention::heads:
      return add_heads(from, plan, layer);
    case Attention::latent:
      return add_latent(from, plan, layer);
    case Attention::step3:
      return add_step3(from, plan, layer);
    case Attention::deepseek_v4:
      return add_deepseek_v4(from, plan, layer);
  }
}
}  // namespace stowage
