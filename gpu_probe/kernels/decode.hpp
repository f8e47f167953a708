#pragma once
// Decode attention: one query token a request against its stored K and V, bf16, split over the context.
// Two kernels: one reads K and V and leaves partial sums, one combines the pieces of each request.
#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>

#include "gpu_probe/kernels/kv_view.hpp"
#include "gpu_probe/kernels/work_list.hpp"

namespace stowage::probe {

inline constexpr int kDecodeWarps = 8;  // per block of threads; one block an SM

/// The shapes and device buffers of one launch. Pointers stay; what they point at may change between graph replays.
struct DecodeArgs {
  const void* q = nullptr;              // bf16 [batch][q_stride], head h at h * head_dim
  std::int64_t q_stride = 0;            // elements
  void* out = nullptr;                  // bf16 [batch][out_stride]
  std::int64_t out_stride = 0;          // elements
  const DecodePiece* pieces = nullptr;  // DecodePlan::pieces, on the device
  const std::int32_t* first = nullptr;  // DecodePlan::first, on the device
  float* partial = nullptr;             // scratch, decode_scratch_bytes()
  int batch = 0;                        // rows, padded ones included
  int heads = 0;
  int kv_heads = 0;
  int head_dim = 0;  // 64 or 128
  float scale = 0;   // usually 1 / sqrt(head_dim)
  int blocks = 0;    // thread blocks: the number of SMs
};

/// Warps that work at once: `slots` of plan_decode().
[[nodiscard]] constexpr int decode_slots(int sms) { return sms * kDecodeWarps; }
[[nodiscard]] constexpr std::size_t decode_scratch_bytes(int max_pieces, int heads, int head_dim) {
  return static_cast<std::size_t>(max_pieces) * static_cast<std::size_t>(heads) *
         (static_cast<std::size_t>(head_dim) + 2) * sizeof(float);
}

/// Enqueues both kernels. Throws std::invalid_argument for a shape without a kernel (head size, group over 8, block).
/// max_pieces: what `partial` was sized for.
void launch_decode(const KvView& kv, const DecodeArgs& args, int max_pieces, cudaStream_t stream);

}  // namespace stowage::probe
