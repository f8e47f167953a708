// Sizes of a decoder under the names that families give them.
#include <fmt/format.h>

#include <algorithm>

#include "models/llm/huggingface/plan.hpp"

namespace stowage {
namespace {
/// Experts' widths and counts may be given a layer (Hunyuan): all the same, or it is a problem.
std::int64_t uniform(Reader& in, Reader::Names names, std::optional<std::int64_t> fallback) {
  for (const auto name : names) {
    const auto list = in.is_list(name) ? in.numbers(name, 0) : std::nullopt;
    if (!list || list->empty()) continue;
    if (std::ranges::any_of(*list, [&](std::int64_t n) { return n != list->front(); }))
      in.problem(name, fmt::format("{} differs from layer to layer, which is not known", name));
    return list->front();
  }
  return fallback ? in.count(names, *fallback) : in.size(names);
}

void read_experts(Reader& in, const Family& family, Shape& s) {
  s.experts = in.count({"num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts"});
  if (s.experts == 0) return;
  s.experts_per_token = uniform(in,
                                {"num_experts_per_tok", "num_experts_per_token", "experts_per_token", "moe_topk",
                                 "moe_k", "moe_top_k", "top_k_experts", "num_selected_experts"},
                                std::nullopt);
  s.expert_width = uniform(in,
                           {"moe_intermediate_size", "expert_intermediate_size", "expert_ffn_hidden_size",
                            "moe_ffn_hidden_size", "ffn_hidden_size"},
                           s.intermediate);
  if (s.expert_width < 1) in.problem("moe_intermediate_size", "experts need a width of at least 1");
  s.expert_width = std::max<std::int64_t>(1, s.expert_width);
  const std::int64_t shared =
      uniform(in, {"n_shared_experts", "num_shared_experts", "moe_num_shared_experts", "num_shared_expert"}, 0);
  s.shared_width = in.count({"shared_expert_intermediate_size", "moe_shared_expert_intermediate_size",
                             "share_expert_dim", "shared_intermediate_size"},
                            shared * s.expert_width);
  if (in.has({"moe_shared_expert_intermediate_size"})) s.shared_width *= std::max<std::int64_t>(1, shared);
  if (family.type == "llama4_text") s.shared_width = s.intermediate;  // Llama4TextMoe: one, as wide as an expert
}
}  // namespace

Shape read_shape(Reader& in, const Family& family) {
  Shape s;
  const std::string pattern = in.text("hybrid_override_pattern");  // Nemotron-H may leave out how many it names
  const auto named = static_cast<std::int64_t>(pattern.empty() ? in.node("layers_block_type").size() : pattern.size());
  s.layers = in.small({"num_hidden_layers", "n_layer", "n_layers", "num_layers"},
                      named > 0 ? std::optional(named) : std::nullopt);
  s.hidden = in.size({"hidden_size", "n_embd", "d_model", "n_embed", "hidden_dim"});
  s.heads = in.small({"num_attention_heads", "n_head", "n_heads"});
  s.vocab = in.size({"vocab_size", "padded_vocab_size"});
  s.max_positions = in.size({"max_position_embeddings", "n_positions", "seq_length", "max_seq_len",
                             "max_sequence_length", "model_max_length", "n_ctx"});
  const bool blocks = in.is_list("block_configs");
  const bool experts_only = family.experts && in.has({"moe_intermediate_size"});
  // Experts alone, and a width a layer: no width of the whole.
  s.intermediate =
      in.size({"intermediate_size", "ffn_hidden_size", "n_inner", "ffn_dim"},
              blocks                     ? std::optional<std::int64_t>(1)
              : experts_only             ? std::optional<std::int64_t>(uniform(in, {"moe_intermediate_size"}, 1))
              : family.mlp == Mlp::plain ? std::optional<std::int64_t>(in.size({"expansion_ratio"}, 4) * s.hidden)
                                         : std::nullopt);
  const std::int64_t usual_head = s.heads > 0 ? s.hidden / s.heads : 0;
  s.head_dim = in.small({"head_dim", "attention_head_dim", "kv_channels"}, std::max<std::int64_t>(usual_head, 0));
  if (s.head_dim < 1 && s.hidden > 0 && s.heads > 0 && family.attention == Attention::heads)
    in.problem("head_dim", fmt::format("hidden {} is less than {} heads; give head_dim", s.hidden, s.heads));
  s.v_dim = in.small({"v_head_dim"}, s.head_dim);
  s.kv_heads = in.small(
      {"num_key_value_heads", "num_kv_heads", "multi_query_group_num", "num_attention_groups", "num_query_groups"},
      s.heads);
  // Falcon before its new architecture, and GPT-BigCode: one KV head for all where multi_query says so.
  const bool old_falcon = family.type == "falcon" && !in.flag({"new_decoder_architecture"}, false);
  if ((old_falcon && in.flag({"multi_query"}, true)) ||
      (family.type == "gpt_bigcode" && in.flag({"multi_query"}, true)))
    s.kv_heads = 1;
  else if (old_falcon)
    s.kv_heads = s.heads;
  if (family.type == "chatglm" && !in.flag({"multi_query_attention"}, false)) s.kv_heads = s.heads;
  if (in.node("attn_config").kind() == ConfigNode::Kind::map)  // MPT
    s.kv_heads = parse_integer(scalar_text(in.node("attn_config").get("kv_n_heads"))).value_or(s.kv_heads);
  s.window = family.pattern == Pattern::chunks ? in.size({"attention_chunk_size"}, 8192)
             : in.has({"sliding_window"}) || in.has({"sliding_window_size"})
                 ? in.size({"sliding_window", "sliding_window_size"})
                 : in.count({"sliding_window"}, 0);
  if (s.window >= s.max_positions) s.window = 0;  // a window that forgets nothing
  s.same_kv = in.flag({"attention_k_eq_v"}, false);
  if (family.experts) read_experts(in, family, s);
  return s;
}
}  // namespace stowage
