// Layers that keep a state of a sequence instead of keys and values of its tokens.
#include <algorithm>

#include "models/llm/huggingface/parts.hpp"

namespace stowage {
namespace {
std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// Bytes of a recurrent state's element: what the file's key says, else `usual`. vLLM: mamba_ssm_cache_dtype "auto".
std::int64_t state_element(Reader& in, std::initializer_list<std::string_view> keys, std::int64_t usual) {
  for (const auto key : keys) {
    const std::string dtype = in.text(key);
    if (dtype == "float32") return 4;
    if (dtype == "bfloat16" || dtype == "float16") return 2;
  }
  return usual;
}

void add_convolution(LayerKind& layer, const std::string& name, std::int64_t channels, std::int64_t kernel,
                     std::int64_t units, bool bias) {
  layer.matrices.push_back({.name = name,
                            .rows = channels,
                            .columns = kernel,
                            .units = units,
                            .biases = bias ? channels : 0,
                            .linear = false});
}

/// transformers MambaMixer, JambaMambaMixer (with norms on the step and on B and C).
void add_mamba(const Blueprint& b, LayerKind& layer) {
  Reader& in = b.in;
  const std::int64_t hidden = b.shape.hidden, width = in.small({"mamba_expand", "expand"}, 2) * hidden;
  const std::int64_t state = in.small({"mamba_d_state", "state_size"}, 16),
                     kernel = in.small({"mamba_d_conv", "conv_kernel"}, 4);
  const std::int64_t step = in.small({"mamba_dt_rank", "time_step_rank"}, ceil_div(hidden, 16));
  const std::string at = std::string(b.family.mixer_module) + ".";
  const bool bias = in.flag({"mamba_proj_bias", "use_bias"}, false);
  add(layer, at + "in_proj", 2 * width, hidden, width, bias);
  add_convolution(layer, at + "conv1d", width, kernel, width, in.flag({"mamba_conv_bias", "use_conv_bias"}, true));
  add(layer, at + "x_proj", step + 2 * state, width, width);
  add(layer, at + "dt_proj", width, step, width, true);
  add(layer, at + "out_proj", hidden, width, width, bias);
  layer.vectors += width * state + width;  // A_log, D
  if (b.family.type == "jamba") layer.vectors += step + 2 * state;
  layer.states.push_back(
      {.kind = "Mamba-1",
       .bytes = width * (kernel - 1) * 2 + width * state * state_element(in, {"mamba_ssm_cache_dtype"}, 2),
       .units = width});
}

/// transformers Mamba2's mixers: Bamba, GraniteMoeHybrid, NemotronH, FalconH1.
void add_mamba2(const Blueprint& b, LayerKind& layer) {
  Reader& in = b.in;
  const std::int64_t hidden = b.shape.hidden;
  const std::int64_t heads = in.small({"mamba_n_heads", "mamba_num_heads", "num_heads"}, 128);
  const bool by_width = !in.has({"mamba_d_head", "mamba_head_dim"}) || in.text("mamba_d_head") == "auto";
  const std::int64_t expanded = in.small({"mamba_expand", "expand"}, 2) * hidden;
  const std::int64_t width = in.has({"mamba_d_ssm"}) ? in.small({"mamba_d_ssm"})
                             : by_width              ? expanded
                                                     : heads * in.small({"mamba_d_head", "mamba_head_dim"});
  const std::int64_t state = in.small({"mamba_d_state", "ssm_state_size", "state_size"}, 256);
  const std::int64_t groups = in.small({"mamba_n_groups", "n_groups"}, 1),
                     kernel = in.small({"mamba_d_conv", "conv_kernel"}, 4);
  const std::int64_t channels = width + 2 * groups * state;
  const std::string at = std::string(b.family.mixer_module) + ".";
  const bool bias = in.flag({"mamba_proj_bias", "use_bias"}, false);
  add(layer, at + "in_proj", width + channels + heads, hidden, heads, bias);
  add_convolution(layer, at + "conv1d", channels, kernel, heads, in.flag({"mamba_conv_bias", "use_conv_bias"}, true));
  add(layer, at + "out_proj", hidden, width, heads, in.flag({"projectors_bias"}, bias));
  layer.vectors += 3 * heads;  // A_log, D, dt_bias
  if (in.flag({"mamba_rms_norm"}, true)) layer.vectors += width;
  const std::int64_t usual = b.family.float_state ? 4 : 2;
  layer.states.push_back(
      {.kind = "Mamba-2",
       .bytes = channels * (kernel - 1) * 2 +
                width * state * state_element(in, {"mamba_ssm_cache_dtype", "mamba_ssm_dtype"}, usual),
       .units = heads});
}

/// transformers Qwen3NextGatedDeltaNet, Qwen3_5GatedDeltaNet (the same sizes under other names).
void add_gated_delta(const Blueprint& b, LayerKind& layer) {
  Reader& in = b.in;
  const std::int64_t k_heads = in.small({"linear_num_key_heads"}, 16),
                     v_heads = in.small({"linear_num_value_heads"}, 32);
  const std::int64_t k_dim = in.small({"linear_key_head_dim"}, 128), v_dim = in.small({"linear_value_head_dim"}, 128);
  const std::int64_t kernel = in.small({"linear_conv_kernel_dim"}, 4), hidden = b.shape.hidden;
  const std::int64_t keys = k_heads * k_dim, values = v_heads * v_dim, channels = 2 * keys + values;
  add(layer, "linear_attn.in_proj_qkv", channels, hidden, k_heads);
  add(layer, "linear_attn.in_proj_z", values, hidden, v_heads);
  layer.matrices.push_back(
      {.name = "linear_attn.in_proj_b", .rows = v_heads, .columns = hidden, .units = v_heads, .linear = false});
  layer.matrices.push_back(
      {.name = "linear_attn.in_proj_a", .rows = v_heads, .columns = hidden, .units = v_heads, .linear = false});
  add_convolution(layer, "linear_attn.conv1d", channels, kernel, k_heads, false);
  add(layer, "linear_attn.out_proj", hidden, values, v_heads);
  layer.vectors += 2 * v_heads + v_dim;  // A_log, dt_bias, norm
  const std::int64_t element =
      state_element(in, {"mamba_ssm_dtype", "mamba_ssm_cache_dtype"}, b.family.float_state ? 4 : 2);
  layer.states.push_back({.kind = "gated delta net",
                          .bytes = channels * (kernel - 1) * 2 + v_heads * k_dim * v_dim * element,
                          .units = k_heads});
}

/// Kimi delta attention (vLLM kimi_linear.py, KimiDeltaAttention): a gate a channel, queries, keys and values each
/// through a convolution.
void add_kda(const Blueprint& b, LayerKind& layer) {
  const ConfigNode linear = b.in.node("linear_attn_config");
  const auto number = [&](std::string_view key, std::int64_t usual) {
    return std::clamp<std::int64_t>(parse_integer(scalar_text(linear.get(key))).value_or(usual), 1, config_small_max);
  };
  const std::int64_t heads = number("num_heads", b.shape.heads), dim = number("head_dim", 128);
  const std::int64_t kernel = number("short_conv_kernel_size", 4), width = heads * dim, hidden = b.shape.hidden;
  for (const char* name : {"q", "k", "v"}) {
    add(layer, std::string("self_attn.") + name + "_proj", width, hidden, heads);
    add_convolution(layer, std::string("self_attn.") + name + "_conv1d", width, kernel, heads, false);
  }
  add(layer, "self_attn.f_a_proj", dim, hidden, 0);
  add(layer, "self_attn.f_b_proj", width, dim, heads);
  add(layer, "self_attn.b_proj", heads, hidden, heads);
  if (scalar_text(linear.get("use_full_rank_gate")) == "true") {
    add(layer, "self_attn.g_proj", width, hidden, heads);
  } else {
    add(layer, "self_attn.g_a_proj", dim, hidden, 0);
    add(layer, "self_attn.g_b_proj", width, dim, heads);
  }
  add(layer, "self_attn.o_proj", hidden, width, heads);
  layer.vectors += heads + width + dim;  // A_log, dt_bias, norm
  layer.states.push_back(
      {.kind = "Kimi delta attention",
       .bytes = 3 * width * (kernel - 1) * 2 + width * dim * state_element(b.in, {"kda_state_dtype"}, 4),
       .units = heads});
}

/// MiniMax-01's lightning attention (transformers MiniMaxLightningAttention); float32 state.
void add_lightning(const Blueprint& b, LayerKind& layer) {
  const std::int64_t width = b.shape.heads * b.shape.head_dim, hidden = b.shape.hidden;
  add(layer, "self_attn.qkv_proj", 3 * width, hidden, b.shape.heads);
  add(layer, "self_attn.output_gate", width, hidden, b.shape.heads);
  add(layer, "self_attn.out_proj", hidden, width, b.shape.heads);
  layer.vectors += width;
  layer.states.push_back(
      {.kind = "lightning attention", .bytes = width * b.shape.head_dim * 4, .units = b.shape.heads});
}

/// LFM2's gated short convolution (transformers Lfm2ShortConv).
void add_short_conv(const Blueprint& b, LayerKind& layer) {
  const std::int64_t hidden = b.shape.hidden, kernel = b.in.small({"conv_L_cache"}, 3);
  const bool bias = b.in.flag({"conv_bias"}, false);
  add(layer, "conv.in_proj", 3 * hidden, hidden, hidden, bias);
  add_convolution(layer, "conv.conv", hidden, kernel, hidden, bias);
  add(layer, "conv.out_proj", hidden, hidden, hidden, bias);
  layer.states.push_back({.kind = "short convolution", .bytes = hidden * (kernel - 1) * 2, .units = hidden});
}
}  // namespace

void add_mixer(const Blueprint& from, LayerKind& layer) {
  switch (from.family.mixer) {
    case Mixer::none:
      return;
    case Mixer::mamba:
      return add_mamba(from, layer);
    case Mixer::mamba2:
      return add_mamba2(from, layer);
    case Mixer::gated_delta:
      return add_gated_delta(from, layer);
    case Mixer::kda:
      return add_kda(from, layer);
    case Mixer::lightning:
      return add_lightning(from, layer);
    case Mixer::short_conv:
      return add_short_conv(from, layer);
  }
}
}  // namespace stowage
