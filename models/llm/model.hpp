#pragma once
// What a language model is, as far as memory and arithmetic go, and the byte-exact sums that follow from it.
// Dense decoder-only transformers with multi-head or grouped-query attention over the whole context.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/units.hpp"

namespace stowage {

enum class Dtype : std::uint8_t { bfloat16, float16, float8 };  // float8 only for the KV cache
[[nodiscard]] std::string_view dtype_name(Dtype dtype);
[[nodiscard]] std::int64_t dtype_bytes(Dtype dtype);

/// rms: one weight per channel; layer: weight and bias.
enum class Norm : std::uint8_t { rms, layer };
/// gated: down(act(gate(x)) * up(x)), three matrices; plain: down(act(up(x))), two.
enum class Mlp : std::uint8_t { gated, plain };

struct ModelSpec {
  std::string name;
  std::string source;  // where the numbers were read
  std::int64_t layers = 0, hidden = 0, heads = 0, kv_heads = 0, head_dim = 0, intermediate = 0, vocab = 0;
  std::int64_t max_positions = 0;
  std::int64_t learned_positions = 0;  // rows of a learned position table (OPT: max_positions + 2); 0 = rotary
  bool tied_embeddings = false;        // the head is the transposed input embedding
  bool qkv_bias = false, o_bias = false, mlp_bias = false;
  bool qk_norm = false;  // RMS norm over head_dim on queries and keys (Qwen3)
  Mlp mlp = Mlp::gated;
  Norm norm = Norm::rms;
  Dtype dtype = Dtype::bfloat16, kv_dtype = Dtype::bfloat16;

  /// Parameters of one layer, split as tensor parallelism splits them.
  struct LayerParameters {
    std::int64_t qkv = 0, o = 0, mlp = 0, norms = 0;
    [[nodiscard]] std::int64_t total() const { return qkv + o + mlp + norms; }
  };
  [[nodiscard]] LayerParameters layer_parameters() const;

  /// All weights, each stored matrix once. Equals the published checkpoints' tensor sizes / dtype bytes.
  [[nodiscard]] std::int64_t parameters() const;
  /// Those that take part in computing one token: all but the tables that are only looked up (input embedding unless
  /// it is also the head; learned positions).
  [[nodiscard]] std::int64_t active_parameters() const;
  [[nodiscard]] Bytes weights_bytes() const;
  /// K and V of one token over all layers, stored once: layers x 2 x kv_heads x head_dim x element.
  [[nodiscard]] Bytes kv_bytes_per_token() const;

  // --- Tensor parallelism over `tensor` GPUs (Megatron: attention by heads, MLP by columns then rows, embedding and
  // head by vocabulary). Norms and learned positions are on every GPU. Call parallel_problem() first.
  /// KV heads kept by each GPU: heads are replicated when there are more GPUs than KV heads.
  [[nodiscard]] std::int64_t kv_heads_per_gpu(int tensor) const;
  [[nodiscard]] Bytes kv_bytes_per_token_per_gpu(int tensor) const;
  /// One token's bytes over all GPUs of a replica, replicas of KV heads counted: what a KV pool is divided by.
  [[nodiscard]] Bytes kv_bytes_per_token_replica(int tensor) const;
  /// Weights on one GPU of pipeline stage `stage` of `pipeline`.
  [[nodiscard]] Bytes weights_bytes_per_gpu(int tensor, int pipeline = 1, int stage = 0) const;
};

/// Layers of each pipeline stage, as vLLM splits them (vllm/distributed/utils.py get_pp_indices): equal shares, what
/// is left over one each to the last stages but the very last, which already has the head.
[[nodiscard]] std::vector<std::int64_t> pipeline_layers(std::int64_t layers, int pipeline);

/// Why this model cannot be laid out on tensor x pipeline GPUs, or nothing when it can.
[[nodiscard]] std::optional<std::string> parallel_problem(const ModelSpec& model, int tensor, int pipeline);

/// A zoo name ("llama-3-8b"), or a path (it has a '/' or ends in .yaml, .yml or .json): to a YAML description, a
/// Hugging Face config.json, or its folder. `at` is where the user wrote it. Throws InputError: unknown name with the
/// nearest one, everything wrong in a file, or what is missing about an architecture that is not known.
[[nodiscard]] ModelSpec load_model(const std::string& name_or_path, const SourcePos& at = {});
/// The same from text: a YAML description, or a config.json (a map with `model_type`). `file` is for messages, and a
/// config.json's model is named after its folder.
[[nodiscard]] ModelSpec parse_model(std::string_view text, const std::string& file);
/// The zoo, sorted.
[[nodiscard]] std::vector<std::string> model_names();
}  // namespace stowage
