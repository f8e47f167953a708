#pragma once
// What a transformer step does besides matrix products and attention: bf16 in and out, float inside.
#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>

#include "gpu_probe/kernels/kv_view.hpp"

namespace stowage::probe {

/// Uniform in [-scale, scale), rounded to bf16: weights. Never zeros, which run faster than real data.
void launch_fill_uniform(cudaStream_t stream, void* data, std::size_t count, std::uint64_t seed, float scale);

/// out[row] = embedding[id]: id = tokens[row], or where that is -1 last_token[slots[row]]. Rows with slots[row] < 0
/// (padding) become zeros.
void launch_embed(cudaStream_t stream, const void* embedding, const std::int32_t* tokens, const std::int32_t* slots,
                  const std::int32_t* last_token, void* out, int rows, int hidden);

/// residual += x (x may be null), then out = residual / rms(residual) * weight. All [rows][hidden] (LLaMA; vLLM's
/// fused_add_rms_norm). hidden: a multiple of 8.
void launch_rms_norm(cudaStream_t stream, const void* x, void* residual, const void* weight, void* out, int rows,
                     int hidden, float epsilon);

struct RopeArgs {
  void* qkv = nullptr;  // [rows][(heads + 2 kv_heads) head_dim]; Q is rotated in place
  const std::int32_t* positions = nullptr;
  const std::int32_t* slots = nullptr;  // row of the block table or of start[]; < 0: padding, nothing is written
  const void* cos_sin = nullptr;        // float2 [max position][head_dim / 2], launch_rope_table()
  const void* q_norm = nullptr;  // bf16 [head_dim]: RMS norm of each head before the rotation (Qwen3); null: none
  const void* k_norm = nullptr;
  int rows = 0, heads = 0, kv_heads = 0, head_dim = 0;
  float epsilon = 1e-5F;
};
/// Rotates Q and K (halves paired, as in GPT-NeoX) and stores K and V of each row at its position.
void launch_rope_append(cudaStream_t stream, const KvView& kv, const RopeArgs& args);
/// cos and sin of position x theta^(-2i / head_dim).
void launch_rope_table(cudaStream_t stream, void* cos_sin, int positions, int head_dim, float theta);

/// out[row][i] = silu(in[row][i]) * in[row][width + i]; in is [rows][2 width].
void launch_silu_mul(cudaStream_t stream, const void* in, void* out, int rows, int width);

/// out[i] = in[index[i]], rows of `width` bf16 (a multiple of 8).
void launch_gather_rows(cudaStream_t stream, const void* in, const std::int32_t* index, void* out, int rows, int width);

/// Greedy sampling: the lowest index of the largest logit, to last_token[slots[row]]; rows with slots[row] < 0 are left
/// out.
void launch_argmax(cudaStream_t stream, const void* logits, const std::int32_t* slots, std::int32_t* last_token,
                   int rows, int vocab);

}  // namespace stowage::probe
