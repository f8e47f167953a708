#pragma once
// What a family of models (a `model_type`) does without a key of its config.json saying so. All else is read from the
// keys, which families share (huggingface/reader.hpp).
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "models/llm/model.hpp"

namespace stowage {

/// Which layers have what when no list of the file (`layer_types` and its like) says.
enum class Pattern : std::uint8_t {
  full,         // `sliding_window` is not expected
  windows,      // every layer, when `sliding_window` is given (Mistral v0.1)
  switched,     // windows only with use_sliding_window, and then only by layer_types (Qwen)
  even,         // windows in layers 0, 2, ... (Gemma 2, gpt-oss)
  all_but_nth,  // windows but in every sliding_window_pattern-th layer (Gemma 3: 6)
  chunks,       // Llama 4: chunks but in layers without rotary positions, every fourth
  delta,        // gated delta nets but in every full_attention_interval-th layer
  listed        // by a list or string of its own, which must be there
};
enum class Attention : std::uint8_t { heads, latent, step3, deepseek_v4 };
/// Biases: never, always, or as a key says (attention_bias; mlp_bias).
enum class Bias : std::uint8_t { never, always, by_key };
/// Norms on queries and keys: by head (2 x head_dim), over all of them (heads x head_dim + kv_heads x head_dim).
enum class QkNorm : std::uint8_t { none, head, flat, head_by_key, flat_by_key };
/// A layer's recurrent or convolutional mixer.
enum class Mixer : std::uint8_t { none, mamba, mamba2, gated_delta, kda, lightning, short_conv };

struct Default {
  std::string_view key;
  std::int64_t value = 0;
};

struct Family {
  std::string_view type;    // model_type
  std::string_view source;  // of what this row says: a class of transformers, or a file of vLLM
  Attention attention = Attention::heads;
  Pattern pattern = Pattern::full;
  Mixer mixer = Mixer::none;  // of layers without attention
  Bias qkv_bias = Bias::by_key, o_bias = Bias::by_key, mlp_bias = Bias::by_key;
  QkNorm qk_norm = QkNorm::none;
  Norm norm = Norm::rms;
  int norms = 2;  // a layer
  Mlp mlp = Mlp::gated;
  bool tied = false;         // head and embedding, unless tie_word_embeddings says
  bool gate = false;         // attention's output is gated: the query matrix is doubled
  bool experts = false;      // may have routed experts
  bool router_bias = false;  // a correction of the router's scores an expert
  bool shared_gate = false;  // the shared expert's output is gated
  bool float_state = false;  // the recurrent state is float32 unless the file says
  std::string_view attention_module = "self_attn", mixer_module = "mamba", mlp_module = "mlp";
  std::string_view shared = "mlp.shared_experts";  // the module of the shared experts
  bool head_bias = false, head_bias_by_key = false;
  bool embedding_norm = false;
  std::int64_t positions = -1;             // learned positions: max_positions + so many; -1 = none
  bool gpt_oss = false;                    // sinks, biases of router and experts
  std::span<const Default> defaults = {};  // of the HF class, for keys left out
};

/// nullptr when there is none.
[[nodiscard]] const Family* find_family(std::string_view type);
/// Another name's row: "qwen3_vl_text" is read as "qwen3". The same name when there is none.
[[nodiscard]] std::string_view family_alias(std::string_view type);
}  // namespace stowage
