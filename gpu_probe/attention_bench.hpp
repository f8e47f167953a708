#pragma once
// What the attention part's decode and prefill halves share: one pool of random K and V that every layout lies in, and
// the upload of a batch's start rows, tables and work lists.
#include <algorithm>
#include <cmath>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "gpu_probe/basic_kernels.hpp"
#include "gpu_probe/cuda_timer.hpp"
#include "gpu_probe/kernels/decode.hpp"
#include "gpu_probe/kv_image.hpp"
#include "gpu_probe/probe.hpp"

namespace stowage::probe {

struct HeadShape {
  int heads = 0, kv_heads = 0, head_dim = 0;
  bool operator==(const HeadShape&) const = default;
};

/// A layout of one batch in the pool, ready to launch: region i of the pool holds the whole batch once, so that a
/// rotation over the regions finds the L2 cold.
class PooledBatch {
 public:
  /// pool: bf16, `bytes` long. lengths: KV tokens of each request.
  PooledBatch(const Layout& layout, std::span<const std::int32_t> lengths, const HeadShape& shape, void* pool,
              std::size_t bytes, std::uint64_t seed);

  /// The view of sample i.
  [[nodiscard]] KvView view(int i) const;
  [[nodiscard]] int regions() const { return regions_; }

  /// Pool bytes that one region takes.
  [[nodiscard]] static std::size_t region_bytes(const Layout& layout, std::span<const std::int32_t> lengths,
                                                const HeadShape& shape);

 private:
  Layout layout_;
  KvGeometry geometry_;
  Bf16* pool_;
  std::int64_t region_tokens_ = 0;  // tokens, rounded up to whole 2 MiB groups of blocks
  int regions_ = 0;
  KvView view_;
  DeviceBuffer start_, table_;
};

/// A region for each launch that none of the launches just before used, whatever variant they were: the variants of an
/// interleaved round share sample numbers, and would otherwise find in the L2 what the one before them read.
class ColdRegions {
 public:
  [[nodiscard]] int next(int regions) {
    std::uint64_t z = ++count_ * 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 32)) * 0xbf58476d1ce4e5b9ULL;
    return static_cast<int>((z >> 33) % static_cast<std::uint64_t>(regions));
  }

 private:
  std::uint64_t count_ = 0;
};

/// Bytes of K and V that attending to these contexts reads once.
[[nodiscard]] double kv_bytes(std::span<const std::int32_t> lengths, const HeadShape& shape);

/// Parts of the attention part.
void measure_decode(Context& context);
void measure_prefill(Context& context);

}  // namespace stowage::probe
