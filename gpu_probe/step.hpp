#pragma once
// One iteration of a serving engine on the GPU: a whole dense transformer with random weights, from token ids to
// sampled tokens, its KV wherever a memory manager put it. Used by part `iteration` and by `gpu_probe replay`.
//
// Decoding requests (one new token) attend by the decode kernel, prompts and chunks by the prefill kernel; everything
// else runs once over all tokens of the iteration. A pure decode iteration can run as a CUDA graph, captured once a
// batch size: addresses stay, and what changes (block tables, start rows, work lists) is read from device memory.
#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <tuple>
#include <vector>

#include "gpu_probe/cuda.hpp"
#include "gpu_probe/gemm.hpp"
#include "gpu_probe/kernels/decode.hpp"
#include "gpu_probe/kernels/kv_view.hpp"
#include "gpu_probe/kernels/prefill.hpp"
#include "gpu_probe/probe.hpp"
#include "gpu_probe/step_batch.hpp"

namespace stowage::probe {

struct StepLimits {
  int rows_max = 8192;     // tokens of one iteration
  int requests_max = 256;  // requests of one iteration
  int slots = 256;         // rows of the block table or of start[]
  int context_max = 8192;  // tokens of one request, prompt and output
};

/// What a step queued, for counting.
struct StepShape {
  int rows = 0;         // new tokens
  int padded_rows = 0;  // rows of the matrix products
  int decodes = 0;
  bool graph = false;
};

struct StepOptions {
  bool graph = true;  // replay a captured graph when all requests decode
  PrefillLoader loader = PrefillLoader::tensor;
  int binding = 0;        // whose K and V: see bind()
  bool attention = true;  // false leaves the attention kernels out, to time the rest; what is sampled is then garbage
};

class StepRunner {
 public:
  /// Allocates and fills weights (about the model's size x layers / all layers) and activations on the current device.
  StepRunner(const ModelShape& shape, int layers, const StepLimits& limits, int sms, std::uint64_t seed);
  StepRunner(const StepRunner&) = delete;
  StepRunner& operator=(const StepRunner&) = delete;
  ~StepRunner();

  /// Where each layer's K and V are; several bindings (0, 1, …) stand side by side, so that layouts can be timed in
  /// turn. Addresses must stay until the next bind() of the same number, which drops the graphs captured for it.
  void bind(std::span<const KvView> layers, int binding = 0);

  /// Queues one iteration. Throws std::invalid_argument when the batch breaks the limits or the order; reads no K or V
  /// past a request's tokens. stream: not the legacy one, which cannot be captured.
  StepShape run(const StepBatch& batch, cudaStream_t stream, const StepOptions& options = {});

  /// On the device: the token last sampled for each slot.
  [[nodiscard]] const std::int32_t* sampled() const { return last_token_.as<std::int32_t>(); }
  /// On the device: bf16 logits of the last step's sampled requests, [requests][vocab].
  [[nodiscard]] const void* logits() const { return logits_.as<>(); }
  [[nodiscard]] const ModelShape& shape() const { return shape_; }
  [[nodiscard]] int layers() const { return layers_; }
  [[nodiscard]] std::size_t weight_bytes() const { return weights_.bytes(); }

  /// Weights of one layer and of the ends, for a reference on the host: offsets in elements into weights().
  struct LayerWeights {
    std::size_t qkv, o, gate_up, down, attention_norm, mlp_norm, q_norm, k_norm;
  };
  [[nodiscard]] const LayerWeights& layer_weights(int layer) const { return offsets_[static_cast<std::size_t>(layer)]; }
  [[nodiscard]] const void* weights() const { return weights_.as<>(); }
  [[nodiscard]] std::size_t embedding_offset() const { return embedding_; }
  [[nodiscard]] std::size_t head_offset() const { return head_; }
  [[nodiscard]] std::size_t final_norm_offset() const { return final_norm_; }
  static constexpr float kRopeTheta = 500000.F;
  static constexpr float kEpsilon = 1e-5F;

 private:
  struct Layout;   // offsets of one step's arrays in the metadata buffer
  struct Staging;  // pinned copy of the metadata, and the event that says when it may be written again
  struct Binding {
    std::vector<KvView> kv;
    std::vector<PrefillMaps> maps;
    std::map<std::tuple<int, int, bool>, GraphExec> graphs;  // by (padded rows, samples, attention)
  };

  Layout layout_of(int rows, int decodes, int tiles, int samples) const;
  void fill(const StepBatch& batch, const Layout& layout, std::span<const PrefillTile> tiles,
            std::int32_t* words) const;
  void queue(const Layout& layout, cudaStream_t stream, const StepOptions& options);
  void attend(const Layout& layout, int layer, cudaStream_t stream, const StepOptions& options);
  [[nodiscard]] const void* weight(std::size_t offset) const { return weights_.as<std::uint16_t>() + offset; }
  [[nodiscard]] int pieces_max(int decodes) const;

  ModelShape shape_;
  int layers_;
  StepLimits limits_;
  int sms_;
  Gemm gemm_;
  DeviceBuffer weights_, rope_;
  std::vector<LayerWeights> offsets_;
  std::size_t embedding_ = 0, head_ = 0, final_norm_ = 0;
  DeviceBuffer residual_, normed_, qkv_, attended_, projected_, gate_up_, activated_, last_rows_, logits_, scratch_,
      meta_, last_token_;
  std::map<int, Binding> bindings_;
  std::vector<Staging> staging_;
  std::size_t next_staging_ = 0;
};

}  // namespace stowage::probe
