// Plain MLPs and layer norms: the families of before Llama, and those that kept them.
#include <array>

#include "models/llm/huggingface/family_rows.hpp"

namespace stowage {
namespace {
using enum Pattern;
constexpr auto never = Bias::never;
constexpr auto always = Bias::always;

// What HF's configuration classes supply when a file leaves a key out (transformers, configuration_*.py).
constexpr std::array<Default, 1> positions_2k = {{{"max_position_embeddings", 2048}}};
constexpr std::array<Default, 1> positions_1k = {{{"max_position_embeddings", 1024}}};
constexpr std::array<Default, 3> starcoder2 = {
    {{"num_key_value_heads", 2}, {"max_position_embeddings", 4096}, {"use_bias", 1}}};

constexpr Family rows[] = {
    {.type = "opt",
     .source = "OPTForCausalLM",
     .qkv_bias = always,
     .o_bias = always,
     .mlp_bias = always,
     .norm = Norm::layer,
     .mlp = Mlp::plain,
     .tied = true,
     .positions = 2,
     .defaults = positions_2k},
    {.type = "gpt2",
     .source = "GPT2LMHeadModel",
     .qkv_bias = always,
     .o_bias = always,
     .mlp_bias = always,
     .norm = Norm::layer,
     .mlp = Mlp::plain,
     .tied = true,
     .positions = 0,
     .defaults = positions_1k},
    {.type = "gpt_bigcode",
     .source = "GPTBigCodeForCausalLM",
     .qkv_bias = always,
     .o_bias = always,
     .mlp_bias = always,
     .norm = Norm::layer,
     .mlp = Mlp::plain,
     .tied = true,
     .positions = 0,
     .defaults = positions_1k},
    {.type = "gpt_neox",
     .source = "GPTNeoXForCausalLM",
     .qkv_bias = always,
     .o_bias = always,
     .mlp_bias = always,
     .norm = Norm::layer,
     .mlp = Mlp::plain,
     .defaults = positions_2k},
    {.type = "gptj",
     .source = "GPTJForCausalLM",
     .qkv_bias = never,
     .o_bias = never,
     .mlp_bias = always,
     .norm = Norm::layer,
     .norms = 1,
     .mlp = Mlp::plain,
     .head_bias = true,
     .defaults = positions_2k},
    {.type = "phi",
     .source = "PhiForCausalLM",
     .qkv_bias = always,
     .o_bias = always,
     .mlp_bias = always,
     .norm = Norm::layer,
     .norms = 1,
     .mlp = Mlp::plain,
     .head_bias = true,
     .defaults = positions_2k},
    {.type = "bloom",
     .source = "BloomForCausalLM",
     .qkv_bias = always,
     .o_bias = always,
     .mlp_bias = always,
     .norm = Norm::layer,
     .mlp = Mlp::plain,
     .tied = true,
     .embedding_norm = true,
     .defaults = positions_2k},
    {.type = "falcon",
     .source = "FalconForCausalLM",
     .norm = Norm::layer,
     .mlp = Mlp::plain,
     .tied = true,
     .defaults = positions_2k},
    {.type = "mpt",
     .source = "MptForCausalLM",
     .qkv_bias = never,
     .o_bias = never,
     .mlp_bias = never,
     .mlp = Mlp::plain,
     .tied = true,
     .defaults = positions_2k},
    {.type = "starcoder2",
     .source = "Starcoder2ForCausalLM",
     .pattern = windows,
     .qkv_bias = Bias::by_key,
     .norm = Norm::layer,
     .mlp = Mlp::plain,
     .tied = true,
     .defaults = starcoder2},
};
}  // namespace

std::span<const Family> plain_rows() { return rows; }
}  // namespace stowage
