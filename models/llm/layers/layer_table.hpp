#pragma once
// The layers of a model one by one: every matrix with its name, shape and storage, and what a layer keeps of a token
// or of a sequence. Used where layers differ from each other more than the fields of ModelSpec can say.
#include <cstdint>
#include <string>
#include <vector>

#include "models/llm/quantization/storage.hpp"

namespace stowage {

/// A matrix, or several of one shape, with the name of its module in the checkpoint.
struct Matrix {
  std::string name;                    // within its layer, "self_attn.q_proj"; outside layers the whole name, "lm_head"
  std::int64_t rows = 0, columns = 0;  // outputs and inputs
  std::int64_t units = 0;   // parts that tensor parallelism deals out (heads, channels); 0 = whole on every GPU
  std::int64_t copies = 1;  // of one shape: experts
  std::int64_t biases = 0;  // elements beside each copy, 16-bit
  bool expert = false;      // of routed experts: a token uses some of the copies
  bool linear = true;       // false: tables, routers and convolutions, which no quantization touches
  Storage storage = {};
  [[nodiscard]] std::int64_t parameters() const { return copies * (rows * columns + biases); }
};

/// What a layer keeps of every token.
struct Cache {
  std::string kind;              // "full attention", "sliding window", "latent (MLA)", "sparse indexer keys"
  std::int64_t elements = 0;     // of the KV dtype
  std::int64_t fixed_bytes = 0;  // whatever the KV dtype
  std::int64_t every = 1;        // of so many tokens together (compressed attention)
  std::int64_t window = 0;       // only the last tokens are kept; 0 = all
  std::int64_t units = 0;        // heads that tensor parallelism deals out; 0 = whole on every GPU
  bool operator==(const Cache&) const = default;
};

/// What a layer keeps of a sequence, however long it is.
struct State {
  std::string kind;        // "Mamba-2", "gated delta net"
  std::int64_t bytes = 0;  // in the dtypes that the file or the engine gives
  std::int64_t units = 0;  // as above
  bool operator==(const State&) const = default;
};

struct LayerKind {
  std::vector<Matrix> matrices;
  std::int64_t vectors = 0;  // elements of norms, sinks, gates and the like: 16-bit, whole on every GPU
  std::vector<Cache> caches;
  std::vector<State> states;
};

struct LayerTable {
  std::vector<LayerKind> kinds;
  std::vector<std::uint16_t> order;  // the kind of each layer
  std::vector<Matrix> first, last;   // outside the layers, on the first and the last pipeline stage
  std::int64_t last_vectors = 0;     // the last norm
  std::vector<Matrix> towers;        // of pictures and sound: on the first stage, computed for no text token
  std::int64_t tower_vectors = 0;
  std::int64_t experts_per_token = 0;

  [[nodiscard]] std::vector<std::int64_t> layers_of_kinds() const;
  [[nodiscard]] std::int64_t parameters() const { return text_parameters() + tower_parameters(); }
  [[nodiscard]] std::int64_t text_parameters() const;
  [[nodiscard]] std::int64_t tower_parameters() const;
  /// Routed experts that a token is not sent to.
  [[nodiscard]] std::int64_t idle_parameters() const;
  /// Weights of one GPU as stored. `from` to `to`: the layers of its pipeline stage. `element`: bytes of what is not
  /// quantized. With expert > 1 experts are spread whole over so many GPUs.
  [[nodiscard]] std::int64_t stored_bytes(std::int64_t element, std::int64_t from, std::int64_t to,
                                          std::int64_t tensor = 1, std::int64_t expert = 1) const;
  /// A token's bytes over layers from ... to - 1 on one of `tensor` GPUs; `window_only`: of windows and chunks.
  [[nodiscard]] std::int64_t token_bytes(std::int64_t element, std::int64_t from, std::int64_t to,
                                         std::int64_t tensor = 1, bool window_only = false) const;
  /// What a request of `tokens` keeps at least, its states included: windows min(tokens, window).
  [[nodiscard]] std::int64_t request_bytes(std::int64_t element, std::int64_t tokens) const;
  /// "12 layers x 2,048 B (full attention) + 3 layers x 132 B (sparse indexer keys)"
  [[nodiscard]] std::string cache_text(std::int64_t element) const;
  /// The scheme that all quantized matrices share, where nothing but what it never touches is left out; else mixed.
  [[nodiscard]] Quant quant() const;
  /// Every matrix that can be quantized as `scheme`; mxfp4: experts alone.
  void quantize(Quant scheme);
  /// Stored bytes a parameter, on average over the layers' linear matrices: of experts, or of the others.
  [[nodiscard]] double bytes_per_weight(bool experts, std::int64_t element) const;
  [[nodiscard]] std::int64_t state_bytes(std::int64_t from, std::int64_t to, std::int64_t tensor = 1) const;
};

/// Bytes of one token in a cache on one of `tensor` GPUs; rounded up where several tokens share a row.
[[nodiscard]] std::int64_t cache_bytes(const Cache& cache, std::int64_t element, std::int64_t tensor = 1);
}  // namespace stowage
