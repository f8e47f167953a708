// Llama, and what differs from it by keys or a flag.
#include <array>

#include "models/llm/huggingface/family_rows.hpp"

namespace stowage {
namespace {
using enum Pattern;
constexpr auto never = Bias::never;
constexpr auto always = Bias::always;

// What HF's configuration classes supply when a file leaves a key out (transformers, configuration_*.py).
constexpr std::array<Default, 3> mistral = {
    {{"num_key_value_heads", 8}, {"max_position_embeddings", 131072}, {"sliding_window", 0}}};
constexpr std::array<Default, 2> gemma = {{{"head_dim", 256}, {"num_key_value_heads", 16}}};
constexpr std::array<Default, 4> gemma2 = {
    {{"head_dim", 256}, {"num_key_value_heads", 4}, {"sliding_window", 4096}, {"max_position_embeddings", 8192}}};
constexpr std::array<Default, 7> gemma3 = {{{"head_dim", 256},
                                            {"num_attention_heads", 8},
                                            {"num_key_value_heads", 4},
                                            {"vocab_size", 262208},
                                            {"max_position_embeddings", 131072},
                                            {"sliding_window", 4096},
                                            {"sliding_window_pattern", 6}}};
constexpr std::array<Default, 5> gemma4 = {{{"head_dim", 256},
                                            {"vocab_size", 262144},
                                            {"max_position_embeddings", 131072},
                                            {"sliding_window", 512},
                                            {"sliding_window_pattern", 6}}};
constexpr std::array<Default, 3> cohere2 = {
    {{"sliding_window", 4096}, {"sliding_window_pattern", 4}, {"max_position_embeddings", 8192}}};
constexpr std::array<Default, 2> olmo3 = {{{"sliding_window", 4096}, {"sliding_window_pattern", 4}}};
constexpr std::array<Default, 1> exaone4 = {{{"sliding_window_pattern", 4}}};
constexpr std::array<Default, 1> smollm3 = {{{"num_key_value_heads", 4}}};

constexpr Family rows[] = {
    {.type = "llama", .source = "LlamaForCausalLM"},
    {.type = "mistral",
     .source = "MistralForCausalLM",
     .pattern = windows,
     .qkv_bias = never,
     .o_bias = never,
     .defaults = mistral},
    {.type = "ministral3",
     .source = "Ministral3ForCausalLM",
     .pattern = windows,
     .qkv_bias = never,
     .o_bias = never,
     .defaults = mistral},
    {.type = "qwen2", .source = "Qwen2ForCausalLM", .pattern = switched, .qkv_bias = always, .o_bias = never},
    {.type = "mimo", .source = "vLLM mimo.py (as Qwen2)", .pattern = switched, .qkv_bias = always, .o_bias = never},
    {.type = "qwen3", .source = "Qwen3ForCausalLM", .pattern = switched, .qk_norm = QkNorm::head},
    {.type = "phi3", .source = "Phi3ForCausalLM", .pattern = windows, .qkv_bias = never, .o_bias = never},
    {.type = "smollm3", .source = "SmolLM3ForCausalLM", .pattern = switched, .tied = true, .defaults = smollm3},
    {.type = "seed_oss", .source = "SeedOssForCausalLM"},
    {.type = "granite", .source = "GraniteForCausalLM"},
    {.type = "olmo", .source = "OlmoForCausalLM", .norm = Norm::none},
    {.type = "olmo2", .source = "Olmo2ForCausalLM", .qk_norm = QkNorm::flat},
    {.type = "olmo3", .source = "Olmo3ForCausalLM", .pattern = all_but_nth, .qk_norm = QkNorm::flat, .defaults = olmo3},
    {.type = "exaone", .source = "vLLM exaone.py", .qkv_bias = never, .o_bias = never},
    {.type = "exaone4",
     .source = "Exaone4ForCausalLM",
     .pattern = all_but_nth,
     .qkv_bias = never,
     .o_bias = never,
     .qk_norm = QkNorm::head,
     .defaults = exaone4},
    {.type = "glm", .source = "GlmForCausalLM", .qkv_bias = Bias::by_key, .o_bias = never},
    {.type = "glm4", .source = "Glm4ForCausalLM", .o_bias = never, .norms = 4},
    {.type = "ernie4_5", .source = "Ernie4_5ForCausalLM", .tied = true},
    {.type = "hunyuan_v1_dense", .source = "HunYuanDenseV1ForCausalLM", .qk_norm = QkNorm::head},
    {.type = "internlm2", .source = "vLLM internlm2.py"},
    {.type = "internlm3", .source = "vLLM internlm3 (as Llama)"},
    {.type = "baichuan", .source = "vLLM baichuan.py", .qkv_bias = never, .o_bias = never},
    {.type = "chatglm", .source = "vLLM chatglm.py", .o_bias = never, .mlp_bias = never},
    {.type = "arcee", .source = "ArceeForCausalLM", .mlp = Mlp::plain},
    {.type = "nemotron", .source = "NemotronForCausalLM", .norm = Norm::layer, .mlp = Mlp::plain},
    {.type = "nemotron-nas", .source = "vLLM nemotron_nas.py"},
    {.type = "apertus", .source = "ApertusForCausalLM", .qk_norm = QkNorm::head, .mlp = Mlp::plain},
    {.type = "gemma", .source = "GemmaForCausalLM", .tied = true, .defaults = gemma},
    {.type = "gemma2", .source = "Gemma2ForCausalLM", .pattern = even, .norms = 4, .tied = true, .defaults = gemma2},
    {.type = "gemma3_text",
     .source = "Gemma3ForCausalLM",
     .pattern = all_but_nth,
     .qk_norm = QkNorm::head,
     .norms = 4,
     .tied = true,
     .defaults = gemma3},
    {.type = "gemma4_text",
     .source = "Gemma4ForCausalLM",
     .pattern = all_but_nth,
     .qk_norm = QkNorm::head,
     .norms = 4,
     .tied = true,
     .experts = true,
     .defaults = gemma4},
    {.type = "cohere", .source = "CohereForCausalLM", .qk_norm = QkNorm::flat_by_key, .norms = 1, .tied = true},
    {.type = "cohere2",
     .source = "Cohere2ForCausalLM",
     .pattern = all_but_nth,
     .norms = 1,
     .tied = true,
     .defaults = cohere2},
    {.type = "stablelm",
     .source = "StableLmForCausalLM",
     .qkv_bias = Bias::by_key,
     .o_bias = never,
     .qk_norm = QkNorm::flat_by_key,
     .norm = Norm::layer},
};
}  // namespace

std::span<const Family> llama_rows() { return rows; }
}  // namespace stowage
