#pragma once
// The prefill kernel; prefill.cu instantiates it. Shape after FlashAttention-3 (Shah et al. 2024, algorithms 1 and 2):
// a producer warpgroup fills rings of K and V tiles, two consumer warpgroups of 64 query rows each take turns on the
// tensor cores (one multiplies while the other does its softmax), and within a warpgroup Q K of the next tile runs
// beside P V of this one.
#include "gpu_probe/kernels/prefill.hpp"
#include "gpu_probe/kernels/ptx.cuh"

namespace stowage::probe {

struct PrefillParams {
  CUtensorMap q;
  PrefillMaps kv;
  const ptx::bf16* k;
  const ptx::bf16* v;
  ptx::bf16* out;
  std::int64_t out_stride;
  const PrefillTile* tiles;
  int tile_count;
  int heads;
  int kv_heads;
  int pack_log2;
  float scale_log2;
};

template <int D>
struct PrefillShape {
  static constexpr int kHalves = D / 64;                 // 64 columns = 128 bytes = one swizzle row
  static constexpr int kHalfBytes = kPrefillRows * 128;  // of 128 rows
  static constexpr int kTileBytes = kHalves * kHalfBytes;
  static constexpr int kStages = 2;
  static constexpr int kQ = 0;
  static constexpr int kK = kTileBytes;
  static constexpr int kV = kK + kStages * kTileBytes;
  static constexpr int kBarriers = kV + kStages * kTileBytes;
  static constexpr int kSharedBytes = kBarriers + 128 + 1024;  // 1024: the base is aligned by hand
};

/// Byte offsets of the barriers from kBarriers.
enum PrefillBarrier { kQFull = 0, kQEmpty = 8, kKFull = 16, kKEmpty = 32, kVFull = 48, kVEmpty = 64 };

/// One K or V tile by the copy engine: whole pages, then 16 rows at a time, then single rows; nothing past `rows`.
template <class Address, int D>
__device__ __forceinline__ void load_by_tensor(const Address& address, const CUtensorMap* maps, std::uint32_t to,
                                               std::uint32_t barrier, int request, int token, int rows, int head,
                                               std::int64_t first_row, int lane) {
  using Shape = PrefillShape<D>;
  if (lane == 0) ptx::barrier_expect(barrier, rows * D * 2);
  __syncwarp();
  int whole_log2 = 7;
  if constexpr (Address::kPaged) whole_log2 = min(7, address.block_log2);
  const int whole = rows >> whole_log2;
  const int sixteens = (rows - (whole << whole_log2)) >> 4;
  const int ones = rows & 15;
  for (int box = lane; box < whole + sixteens + ones; box += 32) {
    int row = box << whole_log2;
    int kind = 0;
    if (box >= whole + sixteens) {
      row = (rows & ~15) + (box - whole - sixteens);
      kind = 2;
    } else if (box >= whole) {
      row = (whole << whole_log2) + ((box - whole) << 4);
      kind = 1;
    }
    int at = 0;
    int page = 0;
    if constexpr (Address::kPaged) {
      page = address.page(request, token + row);
      at = (token + row) & ((1 << address.block_log2) - 1);
    } else {
      at = static_cast<int>(first_row) + token + row;
    }
#pragma unroll
    for (int half = 0; half < Shape::kHalves; ++half) {
      ptx::tensor_load4(to + half * Shape::kHalfBytes + row * 128, maps + kind, barrier, half * 64, head, at, page);
    }
  }
}

/// One K or V tile by 128 threads, 16 bytes each. row_at: the element offset of this lane's row of the warp's 32.
template <int D>
__device__ __forceinline__ void load_by_threads(const ptx::bf16* from, std::uint32_t to, std::int64_t row_at, int rows,
                                                int warp, int lane) {
  using Shape = PrefillShape<D>;
  constexpr int kChunks = D / 8;
  constexpr int kRowsPerPass = 32 / kChunks;
  const int chunk = lane % kChunks;
#pragma unroll
  for (int pass = 0; pass < 32 / kRowsPerPass; ++pass) {
    const int within = pass * kRowsPerPass + lane / kChunks;
    const std::int64_t at = __shfl_sync(~0u, row_at, within);
    const int row = warp * 32 + within;
    ptx::copy16(to + (chunk >> 3) * Shape::kHalfBytes + row * 128 + (((chunk & 7) ^ (row & 7)) << 4),
                from + at + chunk * 8, row < rows);
  }
}

template <class Address, PrefillLoader kLoader, int D>
__device__ __forceinline__ void produce(const Address& address, const PrefillParams& params, std::uint32_t base,
                                        int items, int units) {
  using Shape = PrefillShape<D>;
  const std::uint32_t bar = base + Shape::kBarriers;
  const int warp = threadIdx.x >> 5;
  const int lane = threadIdx.x & 31;
  int count = 0;  // K tiles so far; V lags by one within an item
  int v_count = 0;
  int turn = 0;
  for (int round = 0;; ++round) {
    const int item = round * gridDim.x + (round & 1 ? gridDim.x - 1 - blockIdx.x : blockIdx.x);
    if (round * static_cast<int>(gridDim.x) >= items) break;
    if (item >= items) continue;
    const int4* words = reinterpret_cast<const int4*>(params.tiles + item / units);
    const int unit = item % units;
    const int4 tile = __ldg(words);
    const int kv_tokens = __ldg(words + 1).x;
    const int head = params.pack_log2 > 0 ? unit : unit / (params.heads / params.kv_heads);
    const int n = (tile.z + tile.w + kPrefillKvTokens - 1) / kPrefillKvTokens;
    std::int64_t first_row = 0;
    if constexpr (!Address::kPaged) first_row = address.start[tile.x] / address.token_stride;
    if (threadIdx.x == 0) {
      ptx::barrier_wait(bar + kQEmpty, (turn & 1) ^ 1);
      ptx::barrier_expect(bar + kQFull, Shape::kTileBytes);
      for (int half = 0; half < Shape::kHalves; ++half) {
        ptx::tensor_load3(base + Shape::kQ + half * Shape::kHalfBytes, &params.q, bar + kQFull, half * 64,
                          unit << params.pack_log2, tile.y);
      }
    }
    __syncwarp();
    ++turn;
    std::int64_t rows_at[2] = {0, 0};  // gather: this lane's row of the K tile and of the V tile one later
    for (int step = 0; step <= n; ++step) {
      if (step < n) {  // K of tile n - 1 - step
        const int token = (n - 1 - step) * kPrefillKvTokens;
        const int rows = min(kPrefillKvTokens, kv_tokens - token);
        const int stage = count % Shape::kStages;
        ptx::barrier_wait(bar + kKEmpty + stage * 8, ((count / Shape::kStages) & 1) ^ 1);
        const std::uint32_t to = base + Shape::kK + stage * Shape::kTileBytes;
        if constexpr (kLoader == PrefillLoader::tensor) {
          load_by_tensor<Address, D>(address, params.kv.k, to, bar + kKFull + stage * 8, tile.x, token, rows, head,
                                     first_row, lane);
        } else {
          rows_at[1] = rows_at[0];
          const int mine = min(warp * 32 + lane, rows - 1);
          rows_at[0] = address.row(tile.x, token + mine) + head * D;
          load_by_threads<D>(params.k, to, rows_at[0], rows, warp, lane);
          ptx::barrier_arrive_after_copies(bar + kKFull + stage * 8);
        }
        ++count;
      }
      if (step > 0) {  // V of the tile before
        const int token = (n - step) * kPrefillKvTokens;
        const int rows = min(kPrefillKvTokens, kv_tokens - token);
        const int stage = v_count % Shape::kStages;
        ptx::barrier_wait(bar + kVEmpty + stage * 8, ((v_count / Shape::kStages) & 1) ^ 1);
        const std::uint32_t to = base + Shape::kV + stage * Shape::kTileBytes;
        if constexpr (kLoader == PrefillLoader::tensor) {
          load_by_tensor<Address, D>(address, params.kv.v, to, bar + kVFull + stage * 8, tile.x, token, rows, head,
                                     first_row, lane);
        } else {
          load_by_threads<D>(params.v, to, rows_at[step < n ? 1 : 0], rows, warp, lane);
          ptx::barrier_arrive_after_copies(bar + kVFull + stage * 8);
        }
        ++v_count;
      }
    }
  }
  if constexpr (kLoader == PrefillLoader::gather) ptx::copy_wait<0>();
}

template <PrefillLoader kLoader, int D>
__device__ __forceinline__ void consume(const PrefillParams& params, std::uint32_t base, int items, int units) {
  using Shape = PrefillShape<D>;
  constexpr int kSteps = D / 16;
  const std::uint32_t bar = base + Shape::kBarriers;
  const int group = (threadIdx.x >> 7) - 1;  // consumer warpgroup 0 or 1
  const int warp = (threadIdx.x >> 5) & 3;
  const int lane = threadIdx.x & 31;
  const int row = group * 64 + warp * 16 + (lane >> 2);  // and row + 8
  const int column = (lane & 3) * 2;                     // of each 8 columns, and column + 1
  const float scale = params.scale_log2;
  const std::uint64_t q_desc = ptx::matrix_descriptor(base + Shape::kQ + group * 64 * 128, 16, 1024);
  const std::uint64_t k_desc = ptx::matrix_descriptor(base + Shape::kK, 16, 1024);
  const std::uint64_t v_desc = ptx::matrix_descriptor(base + Shape::kV, Shape::kHalfBytes, 1024);
  int k_count = 0;
  int v_count = 0;
  int turn = 0;
  if (group == 1) ptx::named_arrive(1, 256);  // warpgroup 0 goes first

  const auto release = [&](std::uint32_t barrier) {
    if (lane == 0) ptx::barrier_arrive(barrier);
  };
  for (int round = 0;; ++round) {
    const int item = round * gridDim.x + (round & 1 ? gridDim.x - 1 - blockIdx.x : blockIdx.x);
    if (round * static_cast<int>(gridDim.x) >= items) break;
    if (item >= items) continue;
    const int4 tile = __ldg(reinterpret_cast<const int4*>(params.tiles + item / units));
    const int unit = item % units;
    const int n = (tile.z + tile.w + kPrefillKvTokens - 1) / kPrefillKvTokens;
    const int position0 = tile.z + (row >> params.pack_log2);
    const int position1 = tile.z + ((row + 8) >> params.pack_log2);

    float o[D / 2];
    float s[64];
    std::uint32_t p[8][4];
    float m0 = -INFINITY, m1 = -INFINITY, l0 = 0.f, l1 = 0.f;
#pragma unroll
    for (int i = 0; i < D / 2; ++i) o[i] = 0.f;

    const auto start_scores = [&] {  // s = Q K^T of the next K tile, under way on return
      const int stage = k_count % Shape::kStages;
      const std::uint64_t k = k_desc + ((stage * Shape::kTileBytes) >> 4);
      ptx::wgmma_fence();
#pragma unroll
      for (int step = 0; step < kSteps; ++step) {
        const int at = ((step >> 2) * Shape::kHalfBytes + (step & 3) * 32) >> 4;
        ptx::wgmma_ss(s, q_desc + at, k + at, step > 0);
      }
      ptx::wgmma_commit();
    };
    const auto start_values = [&] {  // o += P V of the next V tile
      const int stage = v_count % Shape::kStages;
      const std::uint64_t v = v_desc + ((stage * Shape::kTileBytes) >> 4);
      ptx::wgmma_fence();
#pragma unroll
      for (int step = 0; step < kPrefillKvTokens / 16; ++step) ptx::wgmma_rs(o, p[step], v + ((step * 16 * 128) >> 4));
      ptx::wgmma_commit();
    };
    // What threads copied is made visible to the tensor cores here, by each reader, so that the producer never waits.
    const auto wait_full = [&](std::uint32_t barriers, int count) {
      ptx::barrier_wait(bar + barriers + (count % Shape::kStages) * 8, (count / Shape::kStages) & 1);
      if constexpr (kLoader == PrefillLoader::gather) ptx::fence_async_proxy();
    };
    const auto wait_k = [&] { wait_full(kKFull, k_count); };
    const auto wait_v = [&] { wait_full(kVFull, v_count); };

    // Masks s of tile j, turns it into probabilities, and says by what o and l so far must be scaled.
    float c0 = 0.f, c1 = 0.f;
    const auto softmax = [&](int j) {
      if ((j + 1) * kPrefillKvTokens > tile.z + 1) {  // some row of the tile ends before the last column
#pragma unroll
        for (int i = 0; i < 16; ++i) {
          const int at = j * kPrefillKvTokens + i * 8 + column;
          if (at > position0) s[i * 4] = -INFINITY;
          if (at + 1 > position0) s[i * 4 + 1] = -INFINITY;
          if (at > position1) s[i * 4 + 2] = -INFINITY;
          if (at + 1 > position1) s[i * 4 + 3] = -INFINITY;
        }
      }
      float t0 = m0, t1 = m1;
#pragma unroll
      for (int i = 0; i < 16; ++i) {
        t0 = fmaxf(t0, fmaxf(s[i * 4], s[i * 4 + 1]));
        t1 = fmaxf(t1, fmaxf(s[i * 4 + 2], s[i * 4 + 3]));
      }
      t0 = fmaxf(t0, __shfl_xor_sync(~0u, t0, 1));
      t0 = fmaxf(t0, __shfl_xor_sync(~0u, t0, 2));
      t1 = fmaxf(t1, __shfl_xor_sync(~0u, t1, 1));
      t1 = fmaxf(t1, __shfl_xor_sync(~0u, t1, 2));
      // A row may have seen no column yet (a chunk that starts inside a tile): take 0 for its maximum, all terms are 0.
      const float b0 = t0 == -INFINITY ? 0.f : t0 * scale;
      const float b1 = t1 == -INFINITY ? 0.f : t1 * scale;
      c0 = ptx::exp2_fast(m0 * scale - b0);
      c1 = ptx::exp2_fast(m1 * scale - b1);
      m0 = t0;
      m1 = t1;
      float sum0 = 0.f, sum1 = 0.f;
#pragma unroll
      for (int i = 0; i < 16; ++i) {
        s[i * 4] = ptx::exp2_fast(fmaf(s[i * 4], scale, -b0));
        s[i * 4 + 1] = ptx::exp2_fast(fmaf(s[i * 4 + 1], scale, -b0));
        s[i * 4 + 2] = ptx::exp2_fast(fmaf(s[i * 4 + 2], scale, -b1));
        s[i * 4 + 3] = ptx::exp2_fast(fmaf(s[i * 4 + 3], scale, -b1));
        sum0 += s[i * 4] + s[i * 4 + 1];
        sum1 += s[i * 4 + 2] + s[i * 4 + 3];
      }
      l0 = l0 * c0 + sum0;
      l1 = l1 * c1 + sum1;
    };
    const auto pack = [&] {
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        p[i][0] = ptx::pack_bf16(s[i * 8], s[i * 8 + 1]);
        p[i][1] = ptx::pack_bf16(s[i * 8 + 2], s[i * 8 + 3]);
        p[i][2] = ptx::pack_bf16(s[i * 8 + 4], s[i * 8 + 5]);
        p[i][3] = ptx::pack_bf16(s[i * 8 + 6], s[i * 8 + 7]);
      }
    };

    ptx::barrier_wait(bar + kQFull, turn & 1);
    ++turn;
    wait_k();
    start_scores();
    ptx::wgmma_wait<0>();
    release(bar + kKEmpty + (k_count % Shape::kStages) * 8);
    ++k_count;
    softmax(n - 1);
    pack();
    for (int j = n - 2; j >= 0; --j) {
      wait_k();
      ptx::named_sync(1 + group, 256);  // this warpgroup's turn on the tensor cores
      start_scores();
      wait_v();
      start_values();
      ptx::named_arrive(2 - group, 256);
      ptx::wgmma_wait<1>();
      release(bar + kKEmpty + (k_count % Shape::kStages) * 8);
      ++k_count;
      softmax(j);
      ptx::wgmma_wait<0>();
      release(bar + kVEmpty + (v_count % Shape::kStages) * 8);
      ++v_count;
#pragma unroll
      for (int i = 0; i < D / 8; ++i) {
        o[i * 4] *= c0;
        o[i * 4 + 1] *= c0;
        o[i * 4 + 2] *= c1;
        o[i * 4 + 3] *= c1;
      }
      pack();
    }
    release(bar + kQEmpty);
    wait_v();
    start_values();
    l0 += __shfl_xor_sync(~0u, l0, 1);
    l0 += __shfl_xor_sync(~0u, l0, 2);
    l1 += __shfl_xor_sync(~0u, l1, 1);
    l1 += __shfl_xor_sync(~0u, l1, 2);
    const float inverse0 = 1.f / l0;
    const float inverse1 = 1.f / l1;
    ptx::wgmma_wait<0>();
    release(bar + kVEmpty + (v_count % Shape::kStages) * 8);
    ++v_count;

    const int mask = (1 << params.pack_log2) - 1;
    const auto store = [&](int r, int offset, float inverse) {
      const int token = r >> params.pack_log2;
      if (token >= tile.w) return;
      ptx::bf16* out =
          params.out + (tile.y + token) * params.out_stride + ((unit << params.pack_log2) + (r & mask)) * D + column;
#pragma unroll
      for (int i = 0; i < D / 8; ++i) {
        *reinterpret_cast<std::uint32_t*>(out + i * 8) =
            ptx::pack_bf16(o[i * 4 + offset] * inverse, o[i * 4 + offset + 1] * inverse);
      }
    };
    store(row, 0, inverse0);
    store(row + 8, 2, inverse1);
  }
}

template <class Address, PrefillLoader kLoader, int D>
__global__ void __launch_bounds__(384, 1)
    prefill_kernel(const Address address, const __grid_constant__ PrefillParams params) {
  using Shape = PrefillShape<D>;
  extern __shared__ std::uint8_t shared[];
  const std::uint32_t base = (ptx::shared_address(shared) + 1023) & ~1023u;
  const std::uint32_t bar = base + Shape::kBarriers;
  // Rows past the end of a sequence are never loaded into V: they must be finite, because 0 * NaN is NaN.
  for (std::uint32_t at = threadIdx.x * 16; at < Shape::kStages * Shape::kTileBytes; at += 384 * 16) {
    asm volatile("st.shared.v4.b32 [%0], {%1,%1,%1,%1};" ::"r"(base + Shape::kV + at), "r"(0) : "memory");
  }
  if (threadIdx.x == 0) {
    const int producers = kLoader == PrefillLoader::tensor ? 1 : 128;
    ptx::barrier_init(bar + kQFull, 1);
    ptx::barrier_init(bar + kQEmpty, 8);
    for (int stage = 0; stage < Shape::kStages; ++stage) {
      ptx::barrier_init(bar + kKFull + stage * 8, producers);
      ptx::barrier_init(bar + kKEmpty + stage * 8, 8);
      ptx::barrier_init(bar + kVFull + stage * 8, producers);
      ptx::barrier_init(bar + kVEmpty + stage * 8, 8);
    }
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  }
  ptx::fence_async_proxy();
  __syncthreads();
  const int units = params.heads >> params.pack_log2;
  const int items = params.tile_count * units;
  ptx::wait_for_previous_grid();
  if (threadIdx.x < 128) {
    ptx::registers_shrink<kLoader == PrefillLoader::tensor ? 40 : 56>();
    if (kLoader == PrefillLoader::gather || threadIdx.x < 32)
      produce<Address, kLoader, D>(address, params, base, items, units);
  } else {
    ptx::registers_grow<kLoader == PrefillLoader::tensor ? 232 : 224>();
    consume<kLoader, D>(params, base, items, units);
  }
}

}  // namespace stowage::probe
