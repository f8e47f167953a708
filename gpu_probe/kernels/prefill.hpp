#pragma once
// Causal prefill attention: the new tokens of a batch of requests against their stored K and V (their own included), on
// Hopper's tensor cores (wgmma). Two ways of bringing in K and V, as engines have them:
//   tensor  the copy engine (TMA), one box a page, one box of 128 tokens where memory is contiguous
//   gather  a warpgroup of threads copies 16 bytes each from addresses it computes row by row (cp.async)
#include <cuda.h>
#include <cuda_runtime_api.h>

#include <cstdint>
#include <span>

#include "gpu_probe/kernels/kv_view.hpp"
#include "gpu_probe/kernels/work_list.hpp"

namespace stowage::probe {

inline constexpr int kPrefillRows = 128;      // query rows of a tile: tokens x packed heads
inline constexpr int kPrefillKvTokens = 128;  // K and V come in tiles of 128 tokens

enum class PrefillLoader { tensor, gather };
[[nodiscard]] inline const char* name_of(PrefillLoader loader) {
  return loader == PrefillLoader::tensor ? "tensor" : "gather";
}

/// Query heads of a group that share a tile, so that K and V are read once for them: the whole group, or 1.
[[nodiscard]] inline int prefill_pack(int heads, int kv_heads) {
  const int group = heads / kv_heads;
  return group == 2 || group == 4 || group == 8 ? group : 1;
}
/// Tokens of a tile: `tile_tokens` of plan_prefill().
[[nodiscard]] inline int prefill_tile_tokens(int heads, int kv_heads) {
  return kPrefillRows / prefill_pack(heads, kv_heads);
}

/// Where the copy engine finds one layer's K and V: made once for an address range. Boxes of one page (or 128 tokens),
/// 16 tokens and 1 token: the end of a sequence is read row by row, because past it there may be no memory.
struct PrefillMaps {
  CUtensorMap k[3];
  CUtensorMap v[3];
};
[[nodiscard]] PrefillMaps make_prefill_maps(const KvView& kv, int kv_heads, int head_dim);

struct PrefillArgs {
  const void* q = nullptr;    // bf16 [rows][q_stride], head h at h * head_dim
  std::int64_t q_stride = 0;  // elements
  int q_rows = 0;             // rows in the flat token buffer
  void* out = nullptr;        // bf16 [rows][out_stride]
  std::int64_t out_stride = 0;
  const PrefillTile* tiles = nullptr;  // plan_prefill(), on the device
  int tile_count = 0;
  int heads = 0;
  int kv_heads = 0;
  int head_dim = 0;  // 64 or 128
  float scale = 0;
  int blocks = 0;  // thread blocks: the number of SMs
};

/// Throws std::invalid_argument for a head size without a kernel. `maps` may be stale for the gather loader.
void launch_prefill(const PrefillMaps& maps, const KvView& kv, const PrefillArgs& args, PrefillLoader loader,
                    cudaStream_t stream);

/// Multiply-adds x 2 of causal attention over these chunks.
[[nodiscard]] inline double prefill_flop(std::span<const PrefillChunk> chunks, int heads, int head_dim) {
  double pairs = 0;
  for (const auto& c : chunks) pairs += static_cast<double>(c.count) * (c.stored + (c.count + 1) / 2.0);
  return 4.0 * heads * head_dim * pairs;
}

}  // namespace stowage::probe
