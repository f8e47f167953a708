// Encoders of pictures beside the language model: their weights lie on the first GPU. Each after the class named.
#include <fmt/format.h>

#include <algorithm>

#include "models/llm/huggingface/parts.hpp"

namespace stowage {
namespace {
using Kind = ConfigNode::Kind;

/// Reads vision_config; what it leaves out is the class's default.
class Vision {
 public:
  Vision(const ConfigNode& map, std::int64_t text_hidden) : map_(map), text(text_hidden) {}
  [[nodiscard]] std::int64_t get(std::initializer_list<std::string_view> names, std::int64_t usual,
                                 std::int64_t max = 16'384) const {
    for (const auto name : names)
      if (const auto n = parse_integer(scalar_text(map_.get(name))); n && *n >= 0) return std::min(*n, max);
    return std::min(usual, max);
  }
  [[nodiscard]] bool flag(std::string_view name, bool usual) const {
    const std::string value = scalar_text(map_.get(name));
    return value.empty() || value == "null" ? usual : value == "true";
  }
  [[nodiscard]] std::int64_t entries(std::string_view name) const {
    return map_.get(name).kind() == Kind::list ? static_cast<std::int64_t>(map_.get(name).size()) : 0;
  }

 private:
  ConfigNode map_;

 public:
  std::int64_t text;
};

std::int64_t linear(std::int64_t in, std::int64_t out, bool bias = true) { return in * out + (bias ? out : 0); }

/// Layers of attention and a plain MLP, with biases and layer norms: what most towers are made of.
std::int64_t plain_layers(std::int64_t layers, std::int64_t h, std::int64_t width) {
  return layers * (4 * linear(h, h) + linear(h, width) + linear(width, h) + 4 * h);
}

/// Qwen3VLVisionModel; Qwen3.5's is the same without deepstack mergers.
std::int64_t qwen3(const Vision& v) {
  const std::int64_t h = v.get({"hidden_size"}, 1152), patch = v.get({"patch_size"}, 16);
  const std::int64_t merged = h * v.get({"spatial_merge_size"}, 2, 16) * v.get({"spatial_merge_size"}, 2, 16);
  const std::int64_t out = v.get({"out_hidden_size"}, v.text);
  const std::int64_t merge = linear(merged, merged) + linear(merged, out);
  return linear(v.get({"in_channels"}, 3, 16) * v.get({"temporal_patch_size"}, 2, 16) * patch * patch, h) +
         v.get({"num_position_embeddings"}, 2304) * h +
         plain_layers(v.get({"depth"}, 27), h, v.get({"intermediate_size"}, 4304)) + 2 * h + merge +
         v.entries("deepstack_visual_indexes") * (2 * merged + merge);
}

/// Qwen2_5_VisionTransformerPretrainedModel: RMS norms, gated MLPs; Qwen2VisionTransformer: layer norms, plain ones.
std::int64_t qwen2(const Vision& v, bool gated) {
  const std::int64_t h = gated ? v.get({"hidden_size"}, 1280) : v.get({"embed_dim"}, 1280);
  const std::int64_t out = gated ? v.get({"out_hidden_size"}, v.text) : v.get({"hidden_size"}, v.text);
  const std::int64_t patch = v.get({"patch_size", "spatial_patch_size"}, 14), depth = v.get({"depth"}, 32);
  const std::int64_t merged = h * v.get({"spatial_merge_size"}, 2, 16) * v.get({"spatial_merge_size"}, 2, 16);
  const std::int64_t embed = linear(
      v.get({"in_channels", "in_chans"}, 3, 16) * v.get({"temporal_patch_size"}, 2, 16) * patch * patch, h, false);
  const std::int64_t width = gated ? v.get({"intermediate_size"}, 3420) : v.get({"mlp_ratio"}, 4, 64) * h;
  const std::int64_t mlp = gated ? 2 * linear(h, width) + linear(width, h) : linear(h, width) + linear(width, h);
  const std::int64_t norm = gated ? h : 2 * h;
  return embed + depth * (4 * linear(h, h) + mlp + 2 * norm) + norm + linear(merged, merged) + linear(merged, out);
}

/// SiglipVisionModel and Gemma3MultiModalProjector.
std::int64_t siglip_gemma3(const Vision& v) {
  const std::int64_t h = v.get({"hidden_size"}, 1152), width = v.get({"intermediate_size"}, 4304);
  const std::int64_t patch = v.get({"patch_size"}, 14),
                     side = v.get({"image_size"}, 896) / std::max<std::int64_t>(1, patch);
  const std::int64_t head = v.flag("vision_use_head", false)
                                ? h + 4 * linear(h, h) + 2 * h + linear(h, width) + linear(width, h)
                                : 0;  // SiglipMultiheadAttentionPoolingHead
  return linear(3 * patch * patch, h) + side * side * h + plain_layers(v.get({"num_hidden_layers"}, 27), h, width) +
         2 * h + head + h * v.text + h;
}

/// PixtralVisionModel and Mistral3MultiModalProjector.
std::int64_t pixtral(const Vision& v, std::int64_t merge) {
  const std::int64_t h = v.get({"hidden_size"}, 1024), width = v.get({"intermediate_size"}, 4096);
  const std::int64_t patch = v.get({"patch_size"}, 16), heads = v.get({"num_attention_heads"}, 16);
  const std::int64_t inner = heads * v.get({"head_dim"}, heads > 0 ? h / heads : 64);
  const std::int64_t layers = v.get({"num_hidden_layers"}, 24) * (4 * h * inner + 3 * h * width + 2 * h);
  return v.get({"num_channels"}, 3, 16) * patch * patch * h + h + layers + h + h * merge * merge * h + h * v.text +
         v.text * v.text;
}

/// CLIPVisionModel and LlavaMultiModalProjector; `newline`: LLaVA-NeXT's image_newline.
std::int64_t clip(const Vision& v, bool newline) {
  const std::int64_t h = v.get({"hidden_size"}, 1024), patch = v.get({"patch_size"}, 14);
  const std::int64_t side = v.get({"image_size"}, 336) / std::max<std::int64_t>(1, patch);
  return h + 3 * patch * patch * h + (side * side + 1) * h + 2 * h +
         plain_layers(v.get({"num_hidden_layers"}, 24), h, v.get({"intermediate_size"}, 4096)) + 2 * h +
         linear(h, v.text) + linear(v.text, v.text) + (newline ? v.text : 0);
}

/// MoonViT3dPretrainedModel and its patch merger (moonshotai/Kimi-K2.5 modeling_kimi_k25.py).
std::int64_t moonvit(const Vision& v) {
  const std::int64_t h = v.get({"vt_hidden_size", "hidden_size"}, 1152), patch = v.get({"patch_size"}, 14);
  const std::int64_t merged = 4 * h, positions = v.get({"init_pos_emb_height"}, 64) * v.get({"init_pos_emb_width"}, 64);
  return linear(3 * patch * patch, h) + positions * h +
         plain_layers(v.get({"vt_num_hidden_layers", "num_hidden_layers"}, 27), h,
                      v.get({"vt_intermediate_size", "intermediate_size"}, 4304)) +
         2 * h + 2 * h + linear(merged, merged) + linear(merged, v.text);
}

/// Gemma4VisionModel and Gemma4MultimodalEmbedder: gated MLPs, norms on queries and keys, four RMS norms a layer, a
/// table of positions for each axis.
std::int64_t gemma4(const Vision& v) {
  const std::int64_t h = v.get({"hidden_size"}, 768), width = v.get({"intermediate_size"}, 3072);
  const std::int64_t dim = v.get({"head_dim"}, 64), patch = v.get({"patch_size"}, 16);
  const std::int64_t q = v.get({"num_attention_heads"}, 12) * dim, kv = v.get({"num_key_value_heads"}, 12) * dim;
  const std::int64_t layer = 2 * h * q + 2 * h * kv + 3 * h * width + 4 * h + 2 * dim;
  const std::int64_t standard = v.flag("standardize", false) ? 2 * h : 0;
  return 3 * patch * patch * h + 2 * v.get({"position_embedding_size"}, 10240) * h +
         v.get({"num_hidden_layers"}, 16) * layer + standard + h * v.text;
}

/// Llama4VisionModel and Llama4MultiModalProjector, with the published sizes of Scout and Maverick.
std::int64_t llama4(const Vision& v) {
  const std::int64_t h = v.get({"hidden_size"}, 1408), width = v.get({"intermediate_size"}, 5632);
  const std::int64_t patch = v.get({"patch_size"}, 14),
                     side = v.get({"image_size"}, 336) / std::max<std::int64_t>(1, patch);
  const std::int64_t in = v.get({"projector_input_dim"}, 4096),
                     out = v.get({"vision_output_dim", "projector_output_dim"}, 4096);
  return 3 * patch * patch * h + h + (side * side + 1) * h + 4 * h +
         plain_layers(v.get({"num_hidden_layers"}, 34), h, width) + width * in + in * out + out * v.text;
}
}  // namespace

void add_towers(const Blueprint& from, LayerTable& table, std::vector<std::string>& assumed) {
  const ConfigNode& file = from.in.outer();
  const ConfigNode config = file.get("vision_config");
  const std::string type = scalar_text(file.get("model_type"));
  const bool described = config.kind() == Kind::map;
  const std::string vision = described ? scalar_text(config.get("model_type")) : std::string{};
  const Vision v(config, from.shape.hidden);
  const auto merge =
      std::clamp<std::int64_t>(parse_integer(scalar_text(file.get("spatial_merge_size"))).value_or(2), 1, 16);
  std::int64_t n = 0;
  if (type == "llama4") {
    if (!described) assumed.push_back("the vision tower is the published one: the file does not describe it");
    n = llama4(v);
  } else if (!described) {
    return;
  } else if (type.starts_with("qwen3")) {
    n = qwen3(v);
  } else if (type.starts_with("qwen2")) {
    n = qwen2(v, type.starts_with("qwen2_5"));
  } else if (type == "gemma3") {
    n = siglip_gemma3(v);
  } else if (type == "gemma4") {
    n = gemma4(v);
  } else if (vision == "pixtral") {
    n = pixtral(v, type == "mistral3" ? merge : 0);
  } else if (vision == "clip_vision_model") {
    n = clip(v, type == "llava_next");
  } else if (type.starts_with("kimi")) {
    n = moonvit(v);
    if (type == "kimi_k3") assumed.push_back("the vision tower is counted as Kimi-K2.5's is built");
  } else {
    const std::int64_t h = v.get({"hidden_size", "embed_dim", "width"}, 0);
    const std::int64_t layers = v.get({"num_hidden_layers", "depth", "layers"}, 0);
    n = plain_layers(layers, h, v.get({"intermediate_size"}, 4 * h)) + h * from.shape.hidden;
    assumed.push_back(n > 0 ? fmt::format("the vision tower ({}) is counted as {} layers of attention and a plain MLP",
                                          vision, layers)
                            : fmt::format("the vision tower ({}) is not counted", vision));
  }
  table.tower_vectors += n;
  if (file.get("audio_config").kind() == Kind::map) assumed.push_back("the audio tower is not counted");
}
}  // namespace stowage
