#pragma once
// What the figures of part `iteration` share: one pool of KV that whole steps run over, in two layouts.
#include <algorithm>

#include "gpu_probe/basic_kernels.hpp"
#include "gpu_probe/cuda_timer.hpp"
#include "gpu_probe/kv_image.hpp"
#include "gpu_probe/step.hpp"

namespace stowage::probe {

inline constexpr int kIterationContextMax = 32768;
inline constexpr int kIterationRequestsMax = 256;
inline constexpr int kIterationBlock = 16;

/// One pool of KV for all points, addressed as contiguous slots or as blocks in random order.
class IterationPool {
 public:
  IterationPool(const ModelShape& shape, int layers, std::int64_t tokens, std::uint64_t seed)
      : row_(static_cast<std::int64_t>(shape.kv_heads) * shape.head_dim),
        tokens_(tokens / kIterationBlock * kIterationBlock) {
    for (int i = 0; i < 2 * layers; ++i) {
      tensors_.emplace_back(static_cast<std::size_t>(tokens_ * row_) * 2);
      launch_fill_random(nullptr, tensors_.back().as<>(), tensors_.back().bytes(), seed + static_cast<std::uint64_t>(i),
                         true);
    }
    stride_ = kIterationContextMax / kIterationBlock;
    start_ = DeviceBuffer(kIterationRequestsMax * sizeof(std::int64_t));
    table_ = DeviceBuffer(static_cast<std::size_t>(kIterationRequestsMax) * static_cast<std::size_t>(stride_) *
                          sizeof(std::int32_t));
    blocks_.resize(static_cast<std::size_t>(tokens_ / kIterationBlock));
    for (std::size_t i = 0; i < blocks_.size(); ++i) blocks_[i] = static_cast<std::int32_t>(i);
    shuffle_blocks(blocks_, seed);
    CUDA_CHECK(cudaDeviceSynchronize());
  }

  [[nodiscard]] std::vector<KvView> views(bool paged) const {
    std::vector<KvView> out;
    for (std::size_t layer = 0; layer < tensors_.size() / 2; ++layer) {
      KvView v;
      v.k = tensors_[2 * layer].as<>();
      v.v = tensors_[2 * layer + 1].as<>();
      v.block = paged ? kIterationBlock : 0;
      v.token_stride = row_;
      v.block_stride = paged ? kIterationBlock * row_ : 0;
      v.start = start_.as<std::int64_t>();
      v.table = table_.as<std::int32_t>();
      v.table_stride = stride_;
      v.extent_rows = paged ? tokens_ / kIterationBlock : tokens_;
      out.push_back(v);
    }
    return out;
  }

  /// Gives every request of the batch its place. Returns false when they do not fit.
  [[nodiscard]] bool place(const StepBatch& batch) const {
    std::vector<std::int64_t> start(kIterationRequestsMax, 0);
    std::vector<std::int32_t> table(static_cast<std::size_t>(kIterationRequestsMax) * static_cast<std::size_t>(stride_),
                                    0);
    std::int64_t used = 0;
    for (const StepRequest& r : batch.requests) {
      const std::int64_t blocks = (r.stored + r.count + kIterationBlock - 1) / kIterationBlock;
      if ((used + blocks) * kIterationBlock > tokens_) return false;
      start[static_cast<std::size_t>(r.slot)] = used * kIterationBlock * row_;
      for (std::int64_t b = 0; b < blocks; ++b)
        table[static_cast<std::size_t>(r.slot * std::int64_t{stride_} + b)] =
            blocks_[static_cast<std::size_t>(used + b)];
      used += blocks;
    }
    CUDA_CHECK(cudaDeviceSynchronize());
    CUDA_CHECK(cudaMemcpy(start_.as<>(), start.data(), start.size() * sizeof start[0], cudaMemcpyHostToDevice));
    CUDA_CHECK(cudaMemcpy(table_.as<>(), table.data(), table.size() * sizeof table[0], cudaMemcpyHostToDevice));
    return true;
  }

 private:
  std::int64_t row_, tokens_;
  int stride_ = 0;
  std::vector<DeviceBuffer> tensors_;
  DeviceBuffer start_, table_;
  std::vector<std::int32_t> blocks_;
};

/// Why whole steps of the model cannot run here, or nothing.
[[nodiscard]] std::optional<std::string> whole_steps_unsupported(const Context& context);

/// Time of everything in a step but attention, by rows: bursts and, for long ones, sustained (iteration_dense.cpp).
void measure_dense(Context& context, CudaTimer& timer, StepRunner& runner, const IterationPool& pool);

/// A request of `count` new tokens with random ids.
inline void add_request(StepBatch& batch, int stored, int count, int vocab, Rng& rng) {
  batch.requests.push_back({static_cast<int>(batch.requests.size()), stored, count, true});
  for (int t = 0; t < count; ++t)
    batch.tokens.push_back(static_cast<std::int32_t>(rng() % static_cast<std::uint64_t>(vocab)));
}
}  // namespace stowage::probe
