#pragma once
// The decode kernel itself; decode.cu instantiates it.
//
// A warp takes one piece of one request and one KV head at a time and needs no other warp: a ring of K and V tiles (16
// tokens each) in its own shared memory, filled by cp.async, so that over 100 KB an SM are under way; the query heads
// of the group are the rows of the tensor-core tiles, so K and V are read once per KV head. Warps of one block take the
// KV heads of the same tokens, whose rows are neighbours in memory.
#include "gpu_probe/kernels/decode.hpp"
#include "gpu_probe/kernels/ptx.cuh"

namespace stowage::probe {

template <int D>
struct DecodeShape {
  static constexpr int kStages = D == 128 ? 3 : 5;
  static constexpr int kRowBytes = D * 2;
  static constexpr int kTileBytes = kTileTokens * kRowBytes;  // K or V
  static constexpr int kStageBytes = 2 * kTileBytes;
  static constexpr int kSharedBytes = kDecodeWarps * kStages * kStageBytes;
};

template <class Address, int D>
__global__ void __launch_bounds__(kDecodeWarps * 32, 1)
    decode_split(const Address address, const ptx::bf16* __restrict__ k, const ptx::bf16* __restrict__ v,
                 const DecodeArgs args, float* __restrict__ partial, float2* __restrict__ partial_ml,
                 float scale_log2) {
  using Shape = DecodeShape<D>;
  constexpr int kSteps = D / 16;
  constexpr int kChunks = D / 8;              // 16-byte chunks in a row
  constexpr int kRowsPerPass = 32 / kChunks;  // rows that one warp-wide copy covers
  constexpr int kPasses = kTileTokens / kRowsPerPass;
  extern __shared__ __align__(1024) std::uint8_t shared[];
  const int warp = threadIdx.x >> 5;
  const int lane = threadIdx.x & 31;
  const std::uint32_t ring = ptx::shared_address(shared) + warp * Shape::kStages * Shape::kStageBytes;
  const int g = lane >> 2;
  const int c2 = (lane & 3) * 2;
  const int group = args.heads / args.kv_heads;

  ptx::wait_for_previous_grid();
  const int items = args.first[args.batch] * args.kv_heads;
  const int slots = gridDim.x * kDecodeWarps;
  // A short list is spread over all SMs, one warp each; a long one keeps neighbouring heads on one SM.
  const bool spread = items * 2 <= slots;
  int item = spread ? warp * gridDim.x + blockIdx.x : blockIdx.x * kDecodeWarps + warp;
  for (; item < items; item += slots) {
    const int index = item / args.kv_heads;
    const int head = item - index * args.kv_heads;
    const int4 words = __ldg(reinterpret_cast<const int4*>(args.pieces) + index);
    const int request = words.x;
    const int begin = words.y;
    const int end = words.z;
    const int query_row = words.w & 0xffff;
    const int stride = static_cast<int>(static_cast<unsigned>(words.w) >> 16);
    const int step_tokens = stride * kTileTokens;
    const int tiles = ((end - begin + kTileTokens - 1) / kTileTokens + stride - 1) / stride;

    float o[2 * kSteps][4];
#pragma unroll
    for (int i = 0; i < 2 * kSteps; ++i) o[i][0] = o[i][1] = o[i][2] = o[i][3] = 0.f;
    float m = -INFINITY;
    float l = 0.f;

    const int chunk = lane % kChunks;
    const int row0 = lane / kChunks;
    const std::int64_t column = row0 * address.token_stride + head * D + chunk * 8;
    const std::int64_t pass_stride = kRowsPerPass * address.token_stride;
    // The row of the next tile to load is looked up one tile ahead: a block table costs no wait.
    std::int64_t next_row = address.row(request, begin);
    const auto load = [&](int tile) {
      const int token = begin + tile * step_tokens;
      std::int64_t at = next_row + column;
      if (tile + 1 < tiles) next_row = address.row(request, token + step_tokens);
      const std::uint32_t stage = ring + (tile % Shape::kStages) * Shape::kStageBytes;
#pragma unroll
      for (int pass = 0; pass < kPasses; ++pass) {
        const int row = row0 + pass * kRowsPerPass;
        const bool valid = token + row < end;
        const std::uint32_t to = stage + row * Shape::kRowBytes + ((chunk ^ (row & 7)) << 4);
        ptx::copy16(to, k + at, valid);
        ptx::copy16(to + Shape::kTileBytes, v + at, valid);
        at += pass_stride;
      }
    };
#pragma unroll
    for (int tile = 0; tile < Shape::kStages - 1; ++tile) {
      if (tile < tiles) load(tile);
      ptx::copy_commit();
    }
    // The query comes in while the first tiles do.
    std::uint32_t q[kSteps][2];
    const ptx::bf16* query =
        static_cast<const ptx::bf16*>(args.q) + query_row * args.q_stride + (head * group + g) * D + c2;
#pragma unroll
    for (int step = 0; step < kSteps; ++step) {
      q[step][0] = q[step][1] = 0;
      if (g < group) {
        q[step][0] = *reinterpret_cast<const std::uint32_t*>(query + step * 16);
        q[step][1] = *reinterpret_cast<const std::uint32_t*>(query + step * 16 + 8);
      }
    }
    for (int tile = 0; tile < tiles; ++tile) {
      ptx::copy_wait<Shape::kStages - 2>();
      __syncwarp();
      if (tile + Shape::kStages - 1 < tiles) load(tile + Shape::kStages - 1);
      ptx::copy_commit();
      const std::uint32_t stage = ring + (tile % Shape::kStages) * Shape::kStageBytes;
      const int matrix = lane >> 3;

      float s[2][4] = {};
#pragma unroll
      for (int step = 0; step < kSteps; ++step) {
        std::uint32_t b[4];
        const int row = (lane & 7) + (matrix >> 1) * 8;
        const int at = step * 2 + (matrix & 1);
        ptx::load_matrix(stage + row * Shape::kRowBytes + ((at ^ (row & 7)) << 4), b);
        ptx::mma(s[0], q[step][0], 0, q[step][1], 0, b[0], b[1]);
        ptx::mma(s[1], q[step][0], 0, q[step][1], 0, b[2], b[3]);
      }
      const int left = end - begin - tile * step_tokens;
      float top = m;
#pragma unroll
      for (int j = 0; j < 2; ++j) {
#pragma unroll
        for (int e = 0; e < 2; ++e) {
          s[j][e] = j * 8 + c2 + e < left ? s[j][e] * scale_log2 : -INFINITY;
          top = fmaxf(top, s[j][e]);
        }
      }
      top = fmaxf(top, __shfl_xor_sync(~0u, top, 1));
      top = fmaxf(top, __shfl_xor_sync(~0u, top, 2));
      const float correction = ptx::exp2_fast(m - top);
      m = top;
      l *= correction;
      std::uint32_t p[2];
#pragma unroll
      for (int j = 0; j < 2; ++j) {
        const float p0 = ptx::exp2_fast(s[j][0] - top);
        const float p1 = ptx::exp2_fast(s[j][1] - top);
        l += p0 + p1;
        p[j] = ptx::pack_bf16(p0, p1);
      }
#pragma unroll
      for (int i = 0; i < 2 * kSteps; ++i) {
        o[i][0] *= correction;
        o[i][1] *= correction;
      }
#pragma unroll
      for (int step = 0; step < kSteps; ++step) {
        std::uint32_t b[4];
        const int row = (lane & 7) + (matrix & 1) * 8;
        const int at = step * 2 + (matrix >> 1);
        ptx::load_matrix_transposed(stage + Shape::kTileBytes + row * Shape::kRowBytes + ((at ^ (row & 7)) << 4), b);
        ptx::mma(o[2 * step], p[0], 0, p[1], 0, b[0], b[1]);
        ptx::mma(o[2 * step + 1], p[0], 0, p[1], 0, b[2], b[3]);
      }
      __syncwarp();  // every lane has read the stage before the next load overwrites it
    }
    ptx::copy_wait<0>();
    l += __shfl_xor_sync(~0u, l, 1);
    l += __shfl_xor_sync(~0u, l, 2);
    if (g < group) {
      const std::int64_t row = static_cast<std::int64_t>(index) * args.heads + head * group + g;
      float* out = partial + row * D + c2;
#pragma unroll
      for (int i = 0; i < 2 * kSteps; ++i) *reinterpret_cast<float2*>(out + i * 8) = make_float2(o[i][0], o[i][1]);
      if ((lane & 3) == 0) partial_ml[row] = make_float2(m, l);
    }
  }
}

/// The weighted sum of the pieces of one (request, head), in an order that depends on nothing but their number: zeros
/// without pieces. kWarps = 1: a warp a row, for many rows; 4: four warps share a row's pieces, for few rows of many
/// pieces.
template <int D, int kWarps>
__global__ void __launch_bounds__(128)
    decode_combine(const DecodeArgs args, const float* __restrict__ partial, const float2* __restrict__ partial_ml) {
  constexpr int kPerLane = D / 32;
  constexpr int kUnroll = 8;
  __shared__ float shared_sum[kWarps][D];
  __shared__ float shared_l[kWarps];
  const int lane = threadIdx.x & 31;
  const int warp = threadIdx.x >> 5;
  const int row = kWarps == 1 ? blockIdx.x * 4 + warp : blockIdx.x;
  const int part = kWarps == 1 ? 0 : warp;
  ptx::wait_for_previous_grid();
  if (row >= args.batch * args.heads) return;  // whole blocks when kWarps > 1
  const int request = row / args.heads;
  const int head = row - request * args.heads;
  const int from = args.first[request];
  const int to = args.first[request + 1];
  float m = -INFINITY;
  for (int i = from + lane; i < to; i += 32)
    m = fmaxf(m, partial_ml[static_cast<std::int64_t>(i) * args.heads + head].x);
#pragma unroll
  for (int mask = 16; mask > 0; mask >>= 1) m = fmaxf(m, __shfl_xor_sync(~0u, m, mask));
  float sum[kPerLane] = {};
  float l = 0.f;
  for (int i = from + part; i < to; i += kWarps * kUnroll) {
    float2 ml[kUnroll];
    alignas(16) float values[kUnroll][kPerLane];
#pragma unroll
    for (int u = 0; u < kUnroll; ++u) {  // all loads first
      const int piece = min(i + u * kWarps, to - 1);
      const std::int64_t at = static_cast<std::int64_t>(piece) * args.heads + head;
      ml[u] = partial_ml[at];
      const float* from_piece = partial + at * D + lane * kPerLane;
      if constexpr (kPerLane == 4) {
        *reinterpret_cast<float4*>(values[u]) = __ldcg(reinterpret_cast<const float4*>(from_piece));
      } else {
        *reinterpret_cast<float2*>(values[u]) = __ldcg(reinterpret_cast<const float2*>(from_piece));
      }
    }
#pragma unroll
    for (int u = 0; u < kUnroll; ++u) {
      const float weight = i + u * kWarps < to ? ptx::exp2_fast(ml[u].x - m) : 0.f;
      l += ml[u].y * weight;
#pragma unroll
      for (int e = 0; e < kPerLane; ++e) sum[e] += values[u][e] * weight;
    }
  }
  if constexpr (kWarps > 1) {
#pragma unroll
    for (int e = 0; e < kPerLane; ++e) shared_sum[part][lane * kPerLane + e] = sum[e];
    if (lane == 0) shared_l[part] = l;
    __syncthreads();
    if (part != 0) return;
#pragma unroll
    for (int other = 1; other < kWarps; ++other) {
      l += shared_l[other];
#pragma unroll
      for (int e = 0; e < kPerLane; ++e) sum[e] += shared_sum[other][lane * kPerLane + e];
    }
  }
  const float inverse = l > 0.f ? 1.f / l : 0.f;
  ptx::bf16* out = static_cast<ptx::bf16*>(args.out) + request * args.out_stride + head * D + lane * kPerLane;
#pragma unroll
  for (int e = 0; e < kPerLane; e += 2) {
    *reinterpret_cast<std::uint32_t*>(out + e) = ptx::pack_bf16(sum[e] * inverse, sum[e + 1] * inverse);
  }
}

}  // namespace stowage::probe
