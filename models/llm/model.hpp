#pragma once
// What a language model is, as far as memory and arithmetic go, and the byte-exact sums that follow from it.
// Decoder-only transformers: multi-head, grouped-query or latent attention, over the whole context or a window; plain
// or gated MLPs, or mixtures of experts; 16-bit or quantized weights. Layers that the fields cannot say (states beside
// keys and values, widths that differ from layer to layer, towers) are in a table of their own.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/units.hpp"
#include "models/llm/layers/layer_table.hpp"

namespace stowage {

enum class Dtype : std::uint8_t { bfloat16, float16, float8 };  // float8 only for the KV cache
[[nodiscard]] std::string_view dtype_name(Dtype dtype);
[[nodiscard]] std::int64_t dtype_bytes(Dtype dtype);

/// rms: one weight per channel; layer: weight and bias; none: norms without weights (OLMo).
enum class Norm : std::uint8_t { rms, layer, none };
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
  bool qk_norm = false;         // RMS norm over head_dim on queries and keys (Qwen3, Gemma 3)
  bool sandwich_norms = false;  // norms after the sublayers too: four a layer (Gemma 2, 3)
  bool sinks = false;           // a learned logit a head (gpt-oss)
  Mlp mlp = Mlp::gated;
  Norm norm = Norm::rms;
  Dtype dtype = Dtype::bfloat16, kv_dtype = Dtype::bfloat16;
  Quant quant = Quant::none;

  // Mixture of experts: all layers but the first `dense_layers`, which have an MLP of `intermediate`.
  std::int64_t experts = 0, experts_per_token = 0, expert_intermediate = 0;  // 0 experts = dense
  std::int64_t shared_experts = 0;  // every token goes through these too; as wide as the others
  std::int64_t dense_layers = 0;
  bool router_bias = false, expert_bias = false;

  // Latent attention (DeepSeek-V2, -V3): queries through `q_rank` (0 = directly), keys and values through `kv_rank`,
  // of which the cache keeps kv_rank + rope_dim elements a token and layer.
  std::int64_t q_rank = 0, kv_rank = 0, nope_dim = 0, rope_dim = 0, v_dim = 0;

  // Sliding window: `window_layers` of the layers see only the last `window` tokens.
  std::int64_t window = 0, window_layers = 0;

  /// The layers one by one, where they differ more than the fields above say; these are then the nearest to them, for
  /// messages and prices. All sums below are of the table. Null: the fields say it all.
  std::shared_ptr<const LayerTable> table;
  std::vector<std::string> assumed;  // sentences: what the file does not say and was taken for granted

  /// Keeps the table, unless the fields give the same parameters and KV bytes, and the stored bytes within a
  /// thousandth.
  void settle(LayerTable layers_one_by_one);
  /// Stores all matrices so, whatever was read.
  void quantize(Quant scheme);
  /// Whether the layers of text are more than the fields say (a table may be there for towers alone).
  [[nodiscard]] bool layers_differ() const;
  /// Why a simulation of steps would be wrong, or nothing: what neither the memory managers nor the prices know.
  [[nodiscard]] std::string unsimulated() const;

  [[nodiscard]] bool moe() const { return experts > 0; }
  [[nodiscard]] bool latent() const { return kv_rank > 0; }
  [[nodiscard]] bool dense_layer(std::int64_t layer) const { return !moe() || layer < dense_layers; }
  [[nodiscard]] std::int64_t moe_layers() const { return moe() ? layers - dense_layers : 0; }
  /// A token's widest row of MLP intermediates: of the dense layers, or of its experts and the shared ones.
  [[nodiscard]] std::int64_t widest_mlp() const;
  /// "32 query heads, 8 KV heads of 128; 18 of 36 layers see 128 tokens"
  [[nodiscard]] std::string attention_text() const;
  /// "2 x 32 layers x 8 heads x 128 x 2 B": how kv_bytes_per_token comes about.
  [[nodiscard]] std::string kv_formula() const;

  /// Parameters of one layer, split as parallelism splits them.
  struct LayerParameters {
    std::int64_t qkv = 0, o = 0, mlp = 0, norms = 0;  // mlp: the dense layer's, or the shared experts
    std::int64_t experts = 0, router = 0;
    std::int64_t biases = 0;  // how many of qkv, o, mlp and experts are biases and sinks: never quantized
    [[nodiscard]] std::int64_t total() const { return qkv + o + mlp + norms + experts + router; }
  };
  [[nodiscard]] LayerParameters layer_parameters(std::int64_t layer = 0) const;

  /// All weights, each stored matrix once, towers of pictures with them. Equals the published checkpoints' tensor sizes
  /// / dtype bytes. Layers for predicting several tokens (DeepSeek's MTP) are not counted.
  [[nodiscard]] std::int64_t parameters() const;
  [[nodiscard]] std::int64_t tower_parameters() const { return table ? table->tower_parameters() : 0; }
  /// Those that take part in computing one token: all but the input embedding, unless it is also the head, and the
  /// experts it is not sent to. Of the text: no tower of pictures.
  [[nodiscard]] std::int64_t active_parameters() const;
  [[nodiscard]] Bytes weights_bytes() const;
  /// Of an expert's matrices, and of the other matrices of a layer, as stored.
  [[nodiscard]] double bytes_per_expert_weight() const;
  [[nodiscard]] double bytes_per_weight() const;

  /// What one token stores over all layers while every layer keeps it: layers x 2 x kv_heads x head_dim x element, or
  /// layers x (kv_rank + rope_dim) x element. Memory managers charge this for every token: windows are not exploited.
  [[nodiscard]] Bytes kv_bytes_per_token() const;
  /// What a sequence keeps beside, however long it is: states of recurrent layers.
  [[nodiscard]] Bytes state_bytes_per_sequence(int tensor = 1) const;
  /// A token's bytes on one GPU of a pipeline stage.
  [[nodiscard]] Bytes kv_bytes_per_token_stage(int tensor, int pipeline, int stage) const;
  /// The part of it that window layers could drop once the window has passed.
  [[nodiscard]] Bytes kv_window_bytes_per_token() const;
  /// What a request of `tokens` needs at least: full layers all of them, window layers min(tokens, window).
  [[nodiscard]] Bytes kv_bytes_of_request(std::int64_t tokens) const;

  // --- Tensor parallelism over `tensor` GPUs (Megatron: attention by heads, MLP by columns then rows, embedding and
  // head by vocabulary). Norms, router, learned positions and latent attention's down-projections are on every GPU.
  // Experts are split by `tensor` too, or, with expert > 1, spread whole over `expert` GPUs.
  // Call parallel_problem() first.
  /// KV heads kept by each GPU: heads are replicated when there are more GPUs than KV heads.
  [[nodiscard]] std::int64_t kv_heads_per_gpu(int tensor) const;
  /// Latent attention's cache is whole on every GPU.
  [[nodiscard]] Bytes kv_bytes_per_token_per_gpu(int tensor) const;
  /// One token's bytes over all GPUs of a replica, replicas of KV heads counted: what a KV pool is divided by.
  [[nodiscard]] Bytes kv_bytes_per_token_replica(int tensor) const;
  [[nodiscard]] LayerParameters layer_on_gpu(int tensor, std::int64_t layer, int expert = 1) const;
  /// Weights on one GPU of pipeline stage `stage` of `pipeline`.
  [[nodiscard]] Bytes weights_bytes_per_gpu(int tensor, int pipeline = 1, int stage = 0, int expert = 1) const;
};

/// Layers of each pipeline stage, as vLLM splits them (vllm/distributed/utils.py get_pp_indices): equal shares, what
/// is left over one each to the last stages but the very last, which already has the head.
[[nodiscard]] std::vector<std::int64_t> pipeline_layers(std::int64_t layers, int pipeline);

/// How a model is laid out on the GPUs of one replica.
struct Layout {
  int tensor = 1, pipeline = 1;
  int expert = 1;  // 1: experts are split by tensor; else tensor x data: spread whole over these GPUs
  int data = 1;    // replicas that share the experts; attention and KV pool are each one's own
  [[nodiscard]] int gpus() const { return tensor * pipeline; }  // of one replica
  bool operator==(const Layout&) const = default;
};

/// Why this model cannot be laid out so, or nothing when it can. `key` names the degree at fault.
struct LayoutProblem {
  std::string_view key;
  std::string why;
};
[[nodiscard]] std::optional<LayoutProblem> layout_problem(const ModelSpec& model, const Layout& layout);
/// The same for tensor x pipeline alone.
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
