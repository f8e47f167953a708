#include "gpu_probe/kernels/elementwise.hpp"

#include "gpu_probe/kernels/launch.hpp"
#include "gpu_probe/kernels/ptx.cuh"

namespace stowage::probe {
namespace {
using ptx::bf16;

/// Eight bf16 as one 16-byte access.
struct alignas(16) Eight {
  __nv_bfloat162 pair[4];
};

__device__ __forceinline__ float block_sum(float x) {
  __shared__ float sums[32];
#pragma unroll
  for (int mask = 16; mask > 0; mask >>= 1) x += __shfl_xor_sync(~0u, x, mask);
  if ((threadIdx.x & 31) == 0) sums[threadIdx.x >> 5] = x;
  __syncthreads();
  const int warps = blockDim.x >> 5;
  x = (threadIdx.x & 31) < warps ? sums[threadIdx.x & 31] : 0.f;
#pragma unroll
  for (int mask = 16; mask > 0; mask >>= 1) x += __shfl_xor_sync(~0u, x, mask);
  return x;
}

__global__ void fill_uniform_kernel(bf16* data, std::size_t count, std::uint64_t seed, float scale) {
  const std::size_t stride = static_cast<std::size_t>(gridDim.x) * blockDim.x;
  for (std::size_t i = static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += stride) {
    std::uint64_t z = seed * 0x9e3779b97f4a7c15ULL + i * 0xd1342543de82ef95ULL;  // splitmix64's finaliser
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    z ^= z >> 31;
    data[i] = __float2bfloat16((static_cast<float>(z >> 40) * 0x1p-23f - 1.f) * scale);
  }
}

__global__ void embed_kernel(const Eight* embedding, const std::int32_t* tokens, const std::int32_t* slots,
                             const std::int32_t* last_token, Eight* out, int width) {
  ptx::wait_for_previous_grid();
  const int row = blockIdx.x;
  const int slot = slots[row];
  int id = tokens[row];
  if (id < 0 && slot >= 0) id = last_token[slot];
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    out[static_cast<std::int64_t>(row) * width + i] =
        slot >= 0 ? embedding[static_cast<std::int64_t>(id) * width + i] : Eight{};
  }
}

/// One block a row; the row stays in registers between the two passes (hidden <= 8 x 4 x blockDim).
__global__ void __launch_bounds__(1024) rms_norm_kernel(const Eight* x, Eight* residual, const Eight* weight,
                                                        Eight* out, int width, float inverse_hidden, float epsilon) {
  constexpr int kMax = 4;
  ptx::wait_for_previous_grid();
  const std::int64_t base = static_cast<std::int64_t>(blockIdx.x) * width;
  float2 values[kMax][4];
  float sum = 0.f;
#pragma unroll
  for (int n = 0; n < kMax; ++n) {
    const int i = threadIdx.x + n * blockDim.x;
    if (i >= width) break;
    Eight r = residual[base + i];
    const Eight add = x != nullptr ? x[base + i] : Eight{};
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      const float2 a = __bfloat1622float2(r.pair[e]);
      const float2 b = x != nullptr ? __bfloat1622float2(add.pair[e]) : make_float2(0.f, 0.f);
      // The stored residual is what is normed, so that a step's result depends on stored values alone.
      r.pair[e] = __floats2bfloat162_rn(a.x + b.x, a.y + b.y);
      values[n][e] = __bfloat1622float2(r.pair[e]);
      sum += values[n][e].x * values[n][e].x + values[n][e].y * values[n][e].y;
    }
    if (x != nullptr) residual[base + i] = r;
  }
  const float factor = rsqrtf(block_sum(sum) * inverse_hidden + epsilon);
#pragma unroll
  for (int n = 0; n < kMax; ++n) {
    const int i = threadIdx.x + n * blockDim.x;
    if (i >= width) break;
    const Eight w = weight[i];
    Eight y;
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      const float2 f = __bfloat1622float2(w.pair[e]);
      y.pair[e] = __floats2bfloat162_rn(values[n][e].x * factor * f.x, values[n][e].y * factor * f.y);
    }
    out[base + i] = y;
  }
}

__global__ void rope_table_kernel(float2* table, int positions, int half, float log2_theta) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= positions * half) return;
  const float angle =
      static_cast<float>(i / half) * exp2f(-log2_theta * static_cast<float>(i % half) / static_cast<float>(half));
  table[i] = make_float2(cosf(angle), sinf(angle));
}

/// One warp a (row, head) of Q, K or V. Lane l holds elements 2l, 2l+1 (+64 a turn) of each half.
template <class Address, int D>
__global__ void __launch_bounds__(256)
    rope_append_kernel(const Address address, bf16* k, bf16* v, const RopeArgs args) {
  constexpr int kHalf = D / 2;
  constexpr int kPairs = kHalf / 32;  // rotated pairs a lane: 2 for 128, 1 for 64
  ptx::wait_for_previous_grid();
  const int lane = threadIdx.x & 31;
  const int row = blockIdx.x;
  const int slot = args.slots[row];
  if (slot < 0) return;
  const int position = args.positions[row];
  const int all = args.heads + 2 * args.kv_heads;
  bf16* qkv = static_cast<bf16*>(args.qkv) + static_cast<std::int64_t>(row) * all * D;
  const std::int64_t at = address.row(slot, position);
  const float2* table = static_cast<const float2*>(args.cos_sin) + static_cast<std::int64_t>(position) * kHalf;
  for (int head = threadIdx.x >> 5; head < all; head += blockDim.x >> 5) {
    bf16* from = qkv + head * D;
    if (head >= args.heads + args.kv_heads) {
      bf16* to = v + at + (head - args.heads - args.kv_heads) * D;
      for (int i = lane * 2; i < D; i += 64)
        *reinterpret_cast<std::uint32_t*>(to + i) = *reinterpret_cast<const std::uint32_t*>(from + i);
      continue;
    }
    const bool is_q = head < args.heads;
    const bf16* norm = static_cast<const bf16*>(is_q ? args.q_norm : args.k_norm);
    float low[kPairs], high[kPairs];
    float sum = 0.f;
#pragma unroll
    for (int n = 0; n < kPairs; ++n) {
      low[n] = __bfloat162float(from[lane * kPairs + n]);
      high[n] = __bfloat162float(from[kHalf + lane * kPairs + n]);
      sum += low[n] * low[n] + high[n] * high[n];
    }
    if (norm != nullptr) {
#pragma unroll
      for (int mask = 16; mask > 0; mask >>= 1) sum += __shfl_xor_sync(~0u, sum, mask);
      const float factor = rsqrtf(sum / D + args.epsilon);
#pragma unroll
      for (int n = 0; n < kPairs; ++n) {
        low[n] *= factor * __bfloat162float(norm[lane * kPairs + n]);
        high[n] *= factor * __bfloat162float(norm[kHalf + lane * kPairs + n]);
      }
    }
    bf16* to = is_q ? from : k + at + (head - args.heads) * D;
#pragma unroll
    for (int n = 0; n < kPairs; ++n) {
      const float2 turn = table[lane * kPairs + n];
      to[lane * kPairs + n] = __float2bfloat16(low[n] * turn.x - high[n] * turn.y);
      to[kHalf + lane * kPairs + n] = __float2bfloat16(high[n] * turn.x + low[n] * turn.y);
    }
  }
}

__global__ void __launch_bounds__(256) silu_mul_kernel(const Eight* in, Eight* out, int width) {
  ptx::wait_for_previous_grid();
  const Eight* gate = in + static_cast<std::int64_t>(blockIdx.x) * 2 * width;
  Eight* to = out + static_cast<std::int64_t>(blockIdx.x) * width;
  for (int i = blockIdx.y * blockDim.x + threadIdx.x; i < width; i += gridDim.y * blockDim.x) {
    const Eight g = gate[i];
    const Eight u = gate[width + i];
    Eight y;
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      const float2 a = __bfloat1622float2(g.pair[e]);
      const float2 b = __bfloat1622float2(u.pair[e]);
      y.pair[e] = __floats2bfloat162_rn(a.x / (1.f + __expf(-a.x)) * b.x, a.y / (1.f + __expf(-a.y)) * b.y);
    }
    to[i] = y;
  }
}

__global__ void gather_rows_kernel(const Eight* in, const std::int32_t* index, Eight* out, int width) {
  ptx::wait_for_previous_grid();
  const Eight* from = in + static_cast<std::int64_t>(index[blockIdx.x]) * width;
  for (int i = threadIdx.x; i < width; i += blockDim.x)
    out[static_cast<std::int64_t>(blockIdx.x) * width + i] = from[i];
}

/// (value, index) packed so that the larger wins and, among equals, the lower index: order-preserving float bits above
/// the inverted index. NaN counts as the least.
__device__ __forceinline__ unsigned long long ranked(float value, int index) {
  std::uint32_t bits = __float_as_uint(value);
  bits = value != value ? 0u : (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
  return static_cast<unsigned long long>(bits) << 32 | static_cast<std::uint32_t>(~index);
}

__global__ void __launch_bounds__(1024)
    argmax_kernel(const Eight* logits, const std::int32_t* slots, std::int32_t* last_token, int width) {
  __shared__ unsigned long long best;
  ptx::wait_for_previous_grid();
  const int slot = slots[blockIdx.x];
  if (slot < 0) return;
  if (threadIdx.x == 0) best = 0;
  __syncthreads();
  unsigned long long mine = 0;
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    const Eight eight = logits[static_cast<std::int64_t>(blockIdx.x) * width + i];
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      const float2 pair = __bfloat1622float2(eight.pair[e]);
      mine = max(mine, max(ranked(pair.x, i * 8 + e * 2), ranked(pair.y, i * 8 + e * 2 + 1)));
    }
  }
#pragma unroll
  for (int mask = 16; mask > 0; mask >>= 1) mine = max(mine, __shfl_xor_sync(~0u, mine, mask));
  if ((threadIdx.x & 31) == 0) atomicMax(&best, mine);
  __syncthreads();
  if (threadIdx.x == 0) last_token[slot] = static_cast<std::int32_t>(~static_cast<std::uint32_t>(best));
}

void require_eights(int width, const char* what) {
  if (width % 8 != 0)
    throw std::invalid_argument(std::string(what) + ": " + std::to_string(width) + " is not a multiple of 8");
}
}  // namespace

void launch_fill_uniform(cudaStream_t stream, void* data, std::size_t count, std::uint64_t seed, float scale) {
  fill_uniform_kernel<<<2048, 256, 0, stream>>>(static_cast<bf16*>(data), count, seed, scale);
  check_launch(cudaGetLastError(), "fill");
}

void launch_embed(cudaStream_t stream, const void* embedding, const std::int32_t* tokens, const std::int32_t* slots,
                  const std::int32_t* last_token, void* out, int rows, int hidden) {
  require_eights(hidden, "embedding width");
  launch_after(embed_kernel, dim3(rows), dim3(256), 0, stream, "embed", static_cast<const Eight*>(embedding), tokens,
               slots, last_token, static_cast<Eight*>(out), hidden / 8);
}

void launch_rms_norm(cudaStream_t stream, const void* x, void* residual, const void* weight, void* out, int rows,
                     int hidden, float epsilon) {
  require_eights(hidden, "hidden size");
  const int width = hidden / 8;
  const int threads = width <= 1024 ? (width + 31) / 32 * 32 : 1024;
  if (width > 4 * threads) throw std::invalid_argument("RMS norm: hidden size over 32768");
  launch_after(rms_norm_kernel, dim3(rows), dim3(threads), 0, stream, "rms norm", static_cast<const Eight*>(x),
               static_cast<Eight*>(residual), static_cast<const Eight*>(weight), static_cast<Eight*>(out), width,
               1.f / static_cast<float>(hidden), epsilon);
}

void launch_rope_append(cudaStream_t stream, const KvView& kv, const RopeArgs& args) {
  with_any_policy(kv, [&](const auto& address) {
    using Address = std::decay_t<decltype(address)>;
    auto* k = static_cast<bf16*>(kv.k);
    auto* v = static_cast<bf16*>(kv.v);
    if (args.head_dim == 128) {
      launch_after(rope_append_kernel<Address, 128>, dim3(args.rows), dim3(256), 0, stream, "rope", address, k, v,
                   args);
    } else if (args.head_dim == 64) {
      launch_after(rope_append_kernel<Address, 64>, dim3(args.rows), dim3(256), 0, stream, "rope", address, k, v, args);
    } else {
      throw std::invalid_argument("rope: head size " + std::to_string(args.head_dim) + " is not 64 or 128");
    }
  });
}

void launch_rope_table(cudaStream_t stream, void* cos_sin, int positions, int head_dim, float theta) {
  const int count = positions * (head_dim / 2);
  rope_table_kernel<<<(count + 255) / 256, 256, 0, stream>>>(static_cast<float2*>(cos_sin), positions, head_dim / 2,
                                                             log2f(theta));
  check_launch(cudaGetLastError(), "rope table");
}

void launch_silu_mul(cudaStream_t stream, const void* in, void* out, int rows, int width) {
  require_eights(width, "intermediate size");
  const int turns = rows >= 512 ? 1 : (width / 8 + 255) / 256;  // few rows: spread each over several blocks
  launch_after(silu_mul_kernel, dim3(rows, turns), dim3(256), 0, stream, "silu", static_cast<const Eight*>(in),
               static_cast<Eight*>(out), width / 8);
}

void launch_gather_rows(cudaStream_t stream, const void* in, const std::int32_t* index, void* out, int rows,
                        int width) {
  require_eights(width, "row width");
  launch_after(gather_rows_kernel, dim3(rows), dim3(256), 0, stream, "gather rows", static_cast<const Eight*>(in),
               index, static_cast<Eight*>(out), width / 8);
}

void launch_argmax(cudaStream_t stream, const void* logits, const std::int32_t* slots, std::int32_t* last_token,
                   int rows, int vocab) {
  require_eights(vocab, "vocabulary");
  launch_after(argmax_kernel, dim3(rows), dim3(1024), 0, stream, "argmax", static_cast<const Eight*>(logits), slots,
               last_token, vocab / 8);
}

}  // namespace stowage::probe
