// Finding a family by the name that a file gives, and names that share a row.
#include <algorithm>
#include <iterator>

#include "models/llm/huggingface/family_rows.hpp"

namespace stowage {
namespace {
struct Alias {
  std::string_view name, row;
};
constexpr Alias aliases[] = {
    {"kimi_k2", "deepseek_v3"},
    {"deepseek_v32", "deepseek_v3"},
    {"deepseek_ref", "deepseek_v4"},
    {"kimi_k25", "deepseek_v3"},
    {"pangu_ultra_moe", "deepseek_v3"},
    {"glm4_moe_lite", "deepseek_v3"},
    {"gemma3", "gemma3_text"},
    {"gemma4", "gemma4_text"},
    {"llama4", "llama4_text"},
    {"qwen2_vl", "qwen2"},
    {"qwen2_vl_text", "qwen2"},
    {"qwen2_5_vl", "qwen2"},
    {"qwen2_5_vl_text", "qwen2"},
    {"qwen3_vl", "qwen3"},
    {"qwen3_vl_text", "qwen3"},
    {"qwen3_vl_moe", "qwen3_moe"},
    {"qwen3_vl_moe_text", "qwen3_moe"},
    {"qwen3_5", "qwen3_5_text"},
    {"qwen3_5_moe", "qwen3_5_moe_text"},
    {"mistral3", "mistral"},
    {"step3", "step3_text"},
    {"step3_vl", "step3_text"},
    {"minimax_m1", "minimax_text_01"},
    {"minimax", "minimax_text_01"},
    {"hunyuan", "hunyuan_v1_moe"},
    {"hunyuan_moe", "hunyuan_v1_moe"},
    {"hunyuan_dense", "hunyuan_v1_dense"},
    {"minimax_m3_text", "minimax_m3"},
    {"minimax_m2.5", "minimax_m2"},
    {"mimo_v2", "mimo_v2_flash"},
    {"phi4mm", "phi3"},
    {"phi4", "phi3"},
    {"glm4v_text", "glm4"},
    {"glm4v_moe_text", "glm4_moe"},
    {"glm4v_moe", "glm4_moe"},
    {"step3p5_text", "step3p5"},
    {"kimi_k3", "kimi_linear"},
    {"aquila", "llama"},
    {"yi", "llama"},
    {"solar", "llama"},
    {"granite_moe_hybrid", "granitemoehybrid"},
    {"RefinedWeb", "falcon"},
    {"RefinedWebModel", "falcon"},
    {"nemotron_nas", "nemotron-nas"},
    {"exaone4_5_text", "exaone4"},
};
}  // namespace

std::string_view family_alias(std::string_view type) {
  const auto it = std::ranges::find(aliases, type, &Alias::name);
  return it == std::end(aliases) ? type : it->row;
}

const Family* find_family(std::string_view type) {
  for (const auto rows : {llama_rows(), plain_rows(), expert_rows(), state_rows()}) {
    const auto it = std::ranges::find(rows, family_alias(type), &Family::type);
    if (it != rows.end()) return &*it;
  }
  return nullptr;
}

}  // namespace stowage
