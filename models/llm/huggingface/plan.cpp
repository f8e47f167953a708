#include "models/llm/huggingface/plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace stowage {
namespace {
using Kind = ConfigNode::Kind;

class Planner {
 public:
  Planner(Reader& in, const Family& family, const Shape& shape) : in_(in), family_(family), s_(shape) {
    LayerPlan usual;
    usual.heads = s_.heads, usual.kv_heads = s_.kv_heads, usual.head_dim = s_.head_dim, usual.v_dim = s_.v_dim;
    usual.width = s_.intermediate;
    usual.norms = family.norms;
    if (family.type == "falcon" && in.flag({"parallel_attn"}, true))  // FalconDecoderLayer: one norm for both
      usual.norms =
          in.flag({"new_decoder_architecture"}, false) ? static_cast<int>(in.small({"num_ln_in_parallel_attn"}, 2)) : 1;
    plans_.assign(static_cast<std::size_t>(s_.layers), usual);
  }

  std::vector<LayerPlan> plans() {
    if (in_.is_list("block_configs")) {
      read_blocks();
      return std::move(plans_);
    }
    if (in_.has({"hybrid_override_pattern"}) || in_.is_list("layers_block_type")) {
      read_hybrid();
      return std::move(plans_);
    }
    place_mixers();
    place_experts();
    place_details();
    return std::move(plans_);
  }

 private:
  LayerPlan& at(std::int64_t layer) { return plans_[static_cast<std::size_t>(layer)]; }
  void see_window(std::int64_t layer, bool chunk = false) {
    if (s_.window == 0) return;
    at(layer).window = s_.window;
    at(layer).chunked = chunk;
  }
  void recur(std::int64_t layer) {
    at(layer).attention = false;
    at(layer).mixer = true;
  }
  template <class Is>
  void where(const Is& is, void (Planner::*make)(std::int64_t)) {
    for (std::int64_t i = 0; i < s_.layers; ++i)
      if (is(i)) (this->*make)(i);
  }
  void window(std::int64_t layer) { see_window(layer); }
  void chunk(std::int64_t layer) { see_window(layer, true); }

  /// Which layers have windows, chunks or a mixer without attention: by the file's own list, else by the family's rule.
  void place_mixers() {
    if (family_.mixer != Mixer::none && family_.pattern == Pattern::full) {  // beside attention in every layer
      for (auto& plan : plans_) plan.mixer = true;
      return;
    }
    if (in_.is_list("layer_types")) return read_layer_types();
    if (const auto list = in_.numbers("hybrid_layer_pattern", plans_.size()))  // MiMo-V2: 1 = window
      return where([&](std::int64_t i) { return (*list)[static_cast<std::size_t>(i)] == 1; }, &Planner::window);
    if (family_.mixer != Mixer::none && place_listed()) return;
    const std::int64_t rotary_every = in_.count({"no_rope_layer_interval"}, 4);
    switch (family_.pattern) {
      case Pattern::full:
        break;
      case Pattern::windows:
        return where([](std::int64_t) { return true; }, &Planner::window);
      case Pattern::switched:
        if (in_.has({"sliding_window"}) && in_.flag({"use_sliding_window"}, false))
          in_.problem("sliding_window",
                      "sliding-window attention without layer_types: which layers have it is missing");
        break;
      case Pattern::even:
        return where([](std::int64_t i) { return i % 2 == 0; }, &Planner::window);
      case Pattern::all_but_nth: {
        const std::int64_t nth = window_pattern();
        return where([&](std::int64_t i) { return nth == 0 || (i + 1) % nth != 0; }, &Planner::window);
      }
      case Pattern::chunks: {
        const auto rotary = in_.numbers("no_rope_layers", 0);  // despite its name 1 = with rotary positions
        return where(
            [&](std::int64_t i) {
              if (rotary && rotary->size() == plans_.size()) return (*rotary)[static_cast<std::size_t>(i)] == 1;
              return rotary_every == 0 || (i + 1) % rotary_every != 0;
            },
            &Planner::chunk);
      }
      case Pattern::delta: {
        const std::int64_t nth = in_.size({"full_attention_interval"}, 4);
        return where([&](std::int64_t i) { return (i + 1) % nth != 0; }, &Planner::recur);
      }
      case Pattern::listed:
        in_.problem("layer_types", fmt::format("which of the {} layers have attention is missing", s_.layers));
    }
  }
  /// sliding_window_pattern: a number, or letters as "LLLG" (EXAONE 4).
  std::int64_t window_pattern() {
    const std::string letters = in_.text("sliding_window_pattern");
    const auto global = letters.find('G');
    if (global != std::string::npos) return static_cast<std::int64_t>(global) + 1;
    return in_.size({"sliding_window_pattern", "_sliding_window_pattern"}, 6);
  }

  void read_layer_types() {
    const ConfigNode types = in_.node("layer_types");
    if (types.size() != plans_.size()) {
      in_.problem("layer_types",
                  fmt::format("layer_types names {} layers, num_hidden_layers says {}", types.size(), plans_.size()));
      return;
    }
    const bool windows = family_.pattern != Pattern::switched || in_.flag({"use_sliding_window"}, true);
    for (std::int64_t i = 0; i < s_.layers; ++i) {
      const std::string type = scalar_text(types[static_cast<std::size_t>(i)]);
      if (type == "full_attention" || type == "attention" || type == "global" || type == "global_attention") continue;
      if (type == "deepseek_sparse_attention" && family_.attention == Attention::latent) continue;  // place_indexers
      const bool slides = type == "sliding_attention" || type == "sliding_window" || type == "local";
      if (slides && windows && s_.window == 0) {
        in_.problem("sliding_window", "layer_types names layers with a sliding window; sliding_window is missing");
        return;
      }
      if (slides && windows) see_window(i);
      if (type == "chunked_attention") see_window(i, true);
      const bool recurrent =
          type == "linear_attention" || type == "mamba" || type == "conv" || type == "recurrent" || type == "mamba2";
      if (recurrent && family_.mixer != Mixer::none) {
        recur(i);
        continue;
      }
      if (slides || type == "chunked_attention") continue;
      in_.problem("layer_types",
                  fmt::format("'{}' layers are not known; full_attention and sliding_attention are", shown(type)));
      return;
    }
  }

  /// Families with mixers: lists of the layers with attention.
  bool place_listed() {
    for (const auto key : {"attn_layer_indices", "full_attn_idxs"}) {
      if (const auto list = in_.numbers(key, 0)) {
        const std::set<std::int64_t> full(list->begin(), list->end());
        where([&](std::int64_t i) { return !full.contains(i); }, &Planner::recur);
        return true;
      }
    }
    if (const auto list = in_.numbers("attn_type_list", plans_.size())) {  // MiniMax-01: 1 = softmax attention
      where([&](std::int64_t i) { return (*list)[static_cast<std::size_t>(i)] != 1; }, &Planner::recur);
      return true;
    }
    if (const ConfigNode linear = in_.node("linear_attn_config"); linear.kind() == Kind::map) {  // Kimi: from 1
      const ConfigNode layers = linear.get("kda_layers");
      std::set<std::string> kda;
      for (std::size_t i = 0; layers.kind() == Kind::list && i < layers.size(); ++i) kda.insert(scalar_text(layers[i]));
      where([&](std::int64_t i) { return kda.contains(std::to_string(i + 1)); }, &Planner::recur);
      return true;
    }
    if (in_.has({"attn_layer_period"}) || family_.mixer == Mixer::mamba) {
      const std::int64_t period = in_.size({"attn_layer_period"}, 8), offset = in_.count({"attn_layer_offset"}, 4);
      where([&](std::int64_t i) { return i % period != offset; }, &Planner::recur);
      return true;
    }
    return false;
  }

  void place_experts() {
    if (s_.experts == 0) return;
    const auto only = in_.numbers("mlp_only_layers", 0);
    const auto some = in_.numbers("moe_layers", 0);
    const auto freq = in_.numbers("moe_layer_freq", plans_.size());
    const auto listed = listed_experts();
    const std::int64_t dense = in_.count({"first_k_dense_replace", "num_dense_layers", "moe_layer_start_index"});
    const std::int64_t end = in_.has({"moe_layer_end_index"}) && in_.text("moe_layer_end_index") != "-1"
                                 ? in_.count({"moe_layer_end_index"})
                                 : s_.layers - 1;
    const std::int64_t step = in_.size({"decoder_sparse_step", "interleave_moe_layer_step"}, 1);
    const std::int64_t every =
        freq ? 1 : std::max<std::int64_t>(1, in_.count({"moe_layer_freq", "moe_layer_interval"}, 1));
    const std::int64_t period = in_.size({"expert_layer_period"}, 1), offset = in_.count({"expert_layer_offset"});
    const ConfigNode types = in_.node("mlp_layer_types");
    const auto in_list = [](const std::vector<std::int64_t>& list, std::int64_t i) {
      return std::ranges::find(list, i) != list.end();
    };
    for (std::int64_t i = 0; i < s_.layers; ++i) {
      bool experts = i >= dense && i <= end && (i + 1) % step == 0 && i % every == 0 && i % period == offset % period;
      if (freq) experts = (*freq)[static_cast<std::size_t>(i)] != 0;
      if (some) experts = in_list(*some, i);
      if (!listed.empty()) experts = listed.contains(i);
      if (only && in_list(*only, i)) experts = false;
      if (types.kind() == Kind::list && types.size() == plans_.size())
        experts = scalar_text(types[static_cast<std::size_t>(i)]) == "sparse";
      at(i).experts = experts;
      at(i).dense = !experts;
    }
    const bool dense_somewhere = std::ranges::any_of(plans_, &LayerPlan::dense);
    if (dense_somewhere &&
        !in_.has({"intermediate_size", "dense_intermediate_size", "intermediate_size_mlp", "ffn_hidden_size"}))
      in_.problem("intermediate_size", "'intermediate_size' is missing: the width of the layers without experts");
  }
  /// Step3's moe_layers_enum: "4,5,6".
  std::set<std::int64_t> listed_experts() const {
    std::set<std::int64_t> out;
    std::string text = in_.text("moe_layers_enum");
    for (std::size_t from = 0; from < text.size();) {
      const std::size_t comma = std::min(text.find(',', from), text.size());
      if (const auto n = parse_integer(text.substr(from, comma - from))) out.insert(*n);
      from = comma + 1;
    }
    return out;
  }

  /// What differs between layers beyond mixers and experts.
  void place_details() {
    const std::int64_t dense_width = in_.size({"dense_intermediate_size", "intermediate_size_mlp"}, s_.intermediate);
    const std::int64_t shared = in_.count({"num_kv_shared_layers"});
    const bool both = in_.flag({"enable_moe_block"}, false);  // Gemma 4: a dense MLP beside the experts
    const bool wide = in_.flag({"use_double_wide_mlp"}, false);
    for (std::int64_t i = 0; i < s_.layers; ++i) {
      LayerPlan& p = at(i);
      if (s_.experts > 0 && p.dense) p.width = dense_width;
      if (both && p.experts) p.dense = true, p.norms += 3;
      p.own_cache = i < s_.layers - shared;
      if (!p.own_cache && wide) p.width *= 2;
      if (p.window > 0 && !p.chunked) {
        if (const ConfigNode other = in_.node("attention_other_setting"); other.kind() == Kind::map) {  // Step-3.5
          const auto own = [&](std::string_view key, std::int64_t usual) {
            return std::clamp<std::int64_t>(parse_integer(scalar_text(other.get(key))).value_or(usual), 1,
                                            config_small_max);
          };
          p.heads = own("num_attention_heads", p.heads), p.kv_heads = own("num_attention_groups", p.kv_heads);
          p.head_dim = p.v_dim = own("head_dim", p.head_dim);
        }
        p.heads = in_.small({"swa_num_attention_heads"}, p.heads);
        p.kv_heads = in_.small({"swa_num_key_value_heads"}, p.kv_heads);
        p.head_dim = in_.small({"swa_head_dim"}, p.head_dim);
        p.v_dim = in_.small({"swa_v_head_dim"}, in_.has({"swa_head_dim"}) ? p.head_dim : p.v_dim);
      } else if (p.attention) {
        if (in_.has({"global_head_dim"})) p.head_dim = p.v_dim = in_.small({"global_head_dim"});
        p.kv_heads = in_.small({"num_global_key_value_heads"}, p.kv_heads);
        p.same_kv = s_.same_kv;
      }
    }
    place_indexers();
  }
  void place_indexers() {
    const ConfigNode types = in_.node("indexer_types");
    const ConfigNode sparse = in_.node("sparse_attention_config");
    const ConfigNode freq = sparse.kind() == Kind::map ? sparse.get("sparse_attention_freq") : ConfigNode{};
    const auto ratios =
        family_.attention == Attention::deepseek_v4 ? in_.numbers("compress_ratios", plans_.size()) : std::nullopt;
    const bool everywhere = in_.has({"index_topk"}) && in_.has({"index_n_heads"}) && !ratios;
    for (std::int64_t i = 0; i < s_.layers; ++i) {
      const auto n = static_cast<std::size_t>(i);
      at(i).indexer = everywhere;
      if (types.kind() == Kind::list && n < types.size()) at(i).indexer = scalar_text(types[n]) == "full";
      if (freq.kind() == Kind::list && n < freq.size()) at(i).indexer = scalar_text(freq[n]) == "1";
      if (ratios) at(i).compress = (*ratios)[n];
    }
  }

  /// Nemotron-NAS: each layer's attention and MLP on its own (vLLM nemotron_nas.py).
  void read_blocks() {
    const ConfigNode blocks = in_.node("block_configs");
    if (blocks.size() != plans_.size()) {
      in_.problem("block_configs",
                  fmt::format("block_configs has {} entries for {} layers", blocks.size(), plans_.size()));
      return;
    }
    for (std::size_t i = 0; i < plans_.size(); ++i) {
      const ConfigNode attention = blocks[i].get("attention"), ffn = blocks[i].get("ffn");
      LayerPlan& p = plans_[i];
      const auto skips = [](const ConfigNode& part) {
        return part.kind() != Kind::map || scalar_text(part.get("no_op")) == "true";
      };
      const auto linear = [](const ConfigNode& part) {
        return part.kind() == Kind::map && scalar_text(part.get("replace_with_linear")) == "true";
      };
      if (linear(attention) || linear(ffn)) {
        in_.problem("block_configs", fmt::format("block_configs[{}]: a layer replaced by one matrix is not known", i));
        return;
      }
      p.attention = !skips(attention);
      const std::int64_t group =
          p.attention ? parse_integer(scalar_text(attention.get("n_heads_in_group"))).value_or(1) : 1;
      p.kv_heads = std::max<std::int64_t>(1, s_.heads / std::max<std::int64_t>(1, group));
      p.dense = !skips(ffn);
      p.norms = (p.attention ? 1 : 0) + (p.dense ? 1 : 0);
      if (!p.dense) continue;
      const auto own = parse_integer(scalar_text(ffn.get("intermediate_size")));
      const double mult = parse_number(scalar_text(ffn.get("ffn_mult"))).value_or(0);
      // Two thirds of a plain MLP's width, rounded up to 256.
      const auto width = static_cast<std::int64_t>(2 * mult * static_cast<double>(s_.hidden) / 3);
      p.width = own && *own > 0 ? *own : (width + 255) / 256 * 256;
      if (p.width < 1 || p.width > config_size_max) {
        in_.problem("block_configs", fmt::format("block_configs[{}].ffn: ffn_mult is missing", i));
        return;
      }
    }
  }

  /// Nemotron-H: one mixer, MLP or group of experts a layer (M, *, -, E).
  void read_hybrid() {
    std::string pattern = in_.text("hybrid_override_pattern");
    const ConfigNode list = in_.node("layers_block_type");
    const bool named = pattern.empty() && list.kind() == Kind::list;
    for (std::size_t i = 0; named && i < list.size(); ++i) {
      const std::string type = scalar_text(list[i]);
      pattern += type == "mamba" ? 'M' : type == "attention" ? '*' : type == "mlp" ? '-' : type == "moe" ? 'E' : '?';
    }
    const auto key = in_.has({"hybrid_override_pattern"}) ? "hybrid_override_pattern" : "layers_block_type";
    if (pattern.size() != plans_.size()) {
      in_.problem(key,
                  fmt::format("{} names {} layers, num_hidden_layers says {}", key, pattern.size(), plans_.size()));
      return;
    }
    for (std::size_t i = 0; i < plans_.size(); ++i) {
      LayerPlan& p = plans_[i];
      p.attention = pattern[i] == '*';
      p.mixer = pattern[i] == 'M';
      p.dense = pattern[i] == '-';
      p.experts = pattern[i] == 'E';
      p.norms = 1;
      if (p.experts && s_.experts == 0) in_.problem(key, "layers of experts, but n_routed_experts is missing");
      if (p.attention || p.mixer || p.dense || p.experts) continue;
      in_.problem(key, fmt::format("layer {} is of no known kind; M, *, - and E are", i));
      return;
    }
  }

  Reader& in_;
  const Family& family_;
  const Shape& s_;
  std::vector<LayerPlan> plans_;
};
}  // namespace

std::vector<LayerPlan> plan_layers(Reader& in, const Family& family, const Shape& shape) {
  return Planner(in, family, shape).plans();
}
}  // namespace stowage
