// Families with states beside keys and values.
#include <array>

#include "models/llm/huggingface/family_rows.hpp"

namespace stowage {
namespace {
using enum Pattern;
constexpr auto never = Bias::never;

// What HF's configuration classes supply when a file leaves a key out (transformers, configuration_*.py).
constexpr std::array<Default, 6> jamba = {{{"num_experts", 16},
                                           {"expert_layer_period", 2},
                                           {"expert_layer_offset", 1},
                                           {"num_experts_per_tok", 2},
                                           {"attn_layer_period", 8},
                                           {"attn_layer_offset", 4}}};
constexpr std::array<Default, 4> qwen3_next = {
    {{"num_experts", 512}, {"num_key_value_heads", 2}, {"head_dim", 256}, {"num_attention_heads", 16}}};
constexpr std::array<Default, 2> qwen3_5 = {{{"head_dim", 256}, {"num_key_value_heads", 4}}};

constexpr Family rows[] = {
    {.type = "qwen3_next",
     .source = "Qwen3NextForCausalLM",
     .pattern = delta,
     .mixer = Mixer::gated_delta,
     .qk_norm = QkNorm::head,
     .gate = true,
     .experts = true,
     .shared_gate = true,
     .shared = "mlp.shared_expert",
     .defaults = qwen3_next},
    {.type = "qwen3_5_text",
     .source = "Qwen3_5ForCausalLM",
     .pattern = delta,
     .mixer = Mixer::gated_delta,
     .qk_norm = QkNorm::head,
     .gate = true,
     .float_state = true,
     .defaults = qwen3_5},
    {.type = "qwen3_5_moe_text",
     .source = "Qwen3_5MoeForCausalLM",
     .pattern = delta,
     .mixer = Mixer::gated_delta,
     .qk_norm = QkNorm::head,
     .gate = true,
     .experts = true,
     .shared_gate = true,
     .float_state = true,
     .shared = "mlp.shared_expert",
     .defaults = qwen3_5},
    {.type = "nemotron_h",
     .source = "NemotronHForCausalLM",
     .pattern = listed,
     .mixer = Mixer::mamba2,
     .mlp = Mlp::plain,
     .experts = true,
     .router_bias = true,
     .float_state = true,
     .attention_module = "mixer",
     .mixer_module = "mixer",
     .mlp_module = "mixer",
     .shared = "mixer.shared_experts"},
    {.type = "granitemoehybrid",
     .source = "GraniteMoeHybridForCausalLM",
     .pattern = listed,
     .mixer = Mixer::mamba2,
     .experts = true,
     .mlp_module = "block_sparse_moe",
     .shared = "shared_mlp"},
    {.type = "bamba", .source = "BambaForCausalLM", .pattern = listed, .mixer = Mixer::mamba2},
    {.type = "falcon_h1", .source = "FalconH1ForCausalLM", .mixer = Mixer::mamba2},
    {.type = "jamba",
     .source = "JambaForCausalLM",
     .pattern = listed,
     .mixer = Mixer::mamba,
     .qkv_bias = never,
     .o_bias = never,
     .experts = true,
     .mlp_module = "feed_forward",
     .defaults = jamba},
    {.type = "kimi_linear",
     .source = "vLLM kimi_linear.py",
     .attention = Attention::latent,
     .pattern = listed,
     .mixer = Mixer::kda,
     .experts = true,
     .router_bias = true},
    {.type = "minimax_text_01",
     .source = "MiniMaxForCausalLM",
     .pattern = listed,
     .mixer = Mixer::lightning,
     .experts = true,
     .mlp_module = "block_sparse_moe"},
    {.type = "lfm2",
     .source = "Lfm2ForCausalLM",
     .pattern = listed,
     .mixer = Mixer::short_conv,
     .qk_norm = QkNorm::head,
     .tied = true},
};
}  // namespace

std::span<const Family> state_rows() { return rows; }
}  // namespace stowage
