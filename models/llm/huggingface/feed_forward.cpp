// Dense MLPs and mixtures of experts.
#include "models/llm/huggingface/parts.hpp"

namespace stowage {
namespace {
bool mlp_bias(const Blueprint& b) {
  if (b.family.mlp_bias != Bias::by_key) return b.family.mlp_bias == Bias::always;
  return b.in.flag({"mlp_bias", "bias", "use_bias", "enable_bias", "add_bias_linear"}, false);
}

/// Two matrices up (gate and up) or one, and one down; `copies` > 0: of experts, which may be written for `inner`
/// channels instead of the hidden width.
void add_mlp(const Blueprint& b, const std::string& at, std::int64_t width, LayerKind& layer, std::int64_t copies = 0,
             bool bias = false, std::int64_t inner = 0) {
  const std::int64_t hidden = inner > 0 ? inner : b.shape.hidden;
  const auto put = [&](const char* name, std::int64_t rows, std::int64_t columns) {
    layer.matrices.push_back({.name = at + name,
                              .rows = rows,
                              .columns = columns,
                              .units = width,
                              .copies = std::max<std::int64_t>(1, copies),
                              .biases = bias ? rows : 0,
                              .expert = copies > 0});
  };
  if (b.family.mlp == Mlp::gated) put("gate_proj", width, hidden);
  put("up_proj", width, hidden);
  put("down_proj", hidden, width);
}

void add_experts(const Blueprint& b, LayerKind& layer) {
  const Shape& s = b.shape;
  const std::string at = std::string(b.family.mlp_module) + ".";
  Matrix router{.name = at + "gate", .rows = s.experts, .columns = s.hidden, .linear = false};
  const bool correction = b.family.router_bias && b.in.flag({"use_routing_bias"}, true) &&
                          (b.in.text("topk_method").empty() || b.in.text("topk_method") == "noaux_tc");
  router.biases = correction || b.family.gpt_oss ? s.experts : 0;
  layer.matrices.push_back(router);
  const std::int64_t latent = b.in.count({"moe_latent_size", "routed_expert_hidden_size"});
  if (latent > 0) {  // experts work in a narrower space (Nemotron 3, Kimi K3)
    add(layer, at + "fc1_latent_proj", latent, s.hidden, 0);
    add(layer, at + "fc2_latent_proj", s.hidden, latent, 0);
  }
  add_mlp(b, at + "experts.0.", s.expert_width, layer, s.experts, b.family.gpt_oss, latent);
  if (s.shared_width > 0) add_mlp(b, std::string(b.family.shared) + ".", s.shared_width, layer);
  if (s.shared_width > 0 && b.family.shared_gate)
    layer.matrices.push_back(
        {.name = std::string(b.family.shared) + "_gate", .rows = 1, .columns = s.hidden, .linear = false});
}
}  // namespace

void add_feed_forward(const Blueprint& from, const LayerPlan& plan, LayerKind& layer) {
  const std::string at = std::string(from.family.mlp_module) + ".";
  if (plan.dense && plan.width > 0) add_mlp(from, at, plan.width, layer, 0, mlp_bias(from));
  if (plan.experts) add_experts(from, layer);
  if (plan.dense && plan.experts) layer.vectors += from.shape.hidden + from.shape.experts;  // Gemma 4's router scales
}
}  // namespace stowage
