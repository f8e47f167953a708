#include "gpu_probe/kernels/prefill.cuh"

#include <cstdio>
#include <stdexcept>
#include <string>

#include "gpu_probe/kernels/launch.hpp"

namespace stowage::probe {
namespace {

using Encode = decltype(&cuTensorMapEncodeTiled);

Encode tensor_map_encoder() {
  static const Encode encode = [] {
    void* function = nullptr;
    cudaDriverEntryPointQueryResult found = cudaDriverEntryPointSymbolNotFound;
    check_launch(
        cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &function, 12000, cudaEnableDefault, &found),
        "cuTensorMapEncodeTiled");
    if (found != cudaDriverEntryPointSuccess) throw std::runtime_error("the driver has no cuTensorMapEncodeTiled");
    return reinterpret_cast<Encode>(function);
  }();
  return encode;
}

/// bf16, 128-byte swizzle, boxes 64 columns wide. dims and strides from the innermost; the innermost stride is implied.
CUtensorMap encode(const void* base, int rank, const cuuint64_t* dims, const cuuint64_t* strides,
                   const cuuint32_t* box) {
  CUtensorMap map;
  const cuuint32_t ones[5] = {1, 1, 1, 1, 1};
  const CUresult status = tensor_map_encoder()(&map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, static_cast<cuuint32_t>(rank),
                                               const_cast<void*>(base), dims, strides, box, ones,
                                               CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
                                               CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  if (status != CUDA_SUCCESS) throw std::runtime_error("cuTensorMapEncodeTiled: error " + std::to_string(status));
  return map;
}

CUtensorMap encode_kv(const void* base, const KvView& kv, int kv_heads, int head_dim, int box_rows) {
  const auto u = [](std::int64_t x) { return static_cast<cuuint64_t>(x); };
  const bool paged = kv.block > 0;
  const cuuint64_t dims[4] = {u(head_dim), u(kv_heads), u(paged ? kv.block : kv.extent_rows),
                              u(paged ? kv.extent_rows : 1)};
  // A dimension of size 1 needs a stride all the same; any multiple of 16 does.
  const cuuint64_t strides[3] = {u(head_dim * 2), u(kv.token_stride * 2),
                                 u((paged ? kv.block_stride : kv.token_stride) * 2)};
  const cuuint32_t box[4] = {64, 1, static_cast<cuuint32_t>(box_rows), 1};
  return encode(base, 4, dims, strides, box);
}

int log2_of(int power_of_two) {
  int n = 0;
  while ((1 << n) < power_of_two) ++n;
  return n;
}

template <class Address, PrefillLoader kLoader, int D>
void launch_one(const Address& address, const PrefillParams& params, int blocks, cudaStream_t stream) {
  constexpr int kBytes = PrefillShape<D>::kSharedBytes;
  static const cudaError_t allowed =
      cudaFuncSetAttribute(prefill_kernel<Address, kLoader, D>, cudaFuncAttributeMaxDynamicSharedMemorySize, kBytes);
  check_launch(allowed, "prefill: shared memory");
  launch_after(prefill_kernel<Address, kLoader, D>, dim3(blocks), dim3(384), kBytes, stream, "prefill", address,
               params);
}

template <int D>
void launch_shape(const KvView& kv, const PrefillParams& params, PrefillLoader loader, int blocks,
                  cudaStream_t stream) {
  with_any_policy(kv, [&](const auto& address) {
    using Address = std::decay_t<decltype(address)>;
    if (loader == PrefillLoader::tensor) {
      launch_one<Address, PrefillLoader::tensor, D>(address, params, blocks, stream);
    } else {
      launch_one<Address, PrefillLoader::gather, D>(address, params, blocks, stream);
    }
  });
}

}  // namespace

PrefillMaps make_prefill_maps(const KvView& kv, int kv_heads, int head_dim) {
  PrefillMaps maps;
  const int boxes[3] = {kv.block == 0 ? kPrefillKvTokens : std::min(kv.block, kPrefillKvTokens), 16, 1};
  for (int i = 0; i < 3; ++i) {
    maps.k[i] = encode_kv(kv.k, kv, kv_heads, head_dim, boxes[i]);
    maps.v[i] = encode_kv(kv.v, kv, kv_heads, head_dim, boxes[i]);
  }
  return maps;
}

void launch_prefill(const PrefillMaps& maps, const KvView& kv, const PrefillArgs& args, PrefillLoader loader,
                    cudaStream_t stream) {
  if (args.head_dim != 64 && args.head_dim != 128) {
    throw std::invalid_argument("prefill attention: head size " + std::to_string(args.head_dim) + " is not 64 or 128");
  }
  if (args.tile_count == 0) return;
  const int pack = prefill_pack(args.heads, args.kv_heads);
  const auto u = [](std::int64_t x) { return static_cast<cuuint64_t>(x); };
  const cuuint64_t dims[3] = {u(args.head_dim), u(args.heads), u(args.q_rows)};
  const cuuint64_t strides[2] = {u(args.head_dim * 2), u(args.q_stride * 2)};
  const cuuint32_t box[3] = {64, static_cast<cuuint32_t>(pack), static_cast<cuuint32_t>(kPrefillRows / pack)};
  PrefillParams params;
  params.q = encode(args.q, 3, dims, strides, box);
  params.kv = maps;
  params.k = static_cast<const ptx::bf16*>(kv.k);
  params.v = static_cast<const ptx::bf16*>(kv.v);
  params.out = static_cast<ptx::bf16*>(args.out);
  params.out_stride = args.out_stride;
  params.tiles = args.tiles;
  params.tile_count = args.tile_count;
  params.heads = args.heads;
  params.kv_heads = args.kv_heads;
  params.pack_log2 = log2_of(pack);
  params.scale_log2 = args.scale * 1.4426950408889634f;
  const int blocks = std::min(args.blocks, args.tile_count * (args.heads / pack));
  if (args.head_dim == 128) {
    launch_shape<128>(kv, params, loader, blocks, stream);
  } else {
    launch_shape<64>(kv, params, loader, blocks, stream);
  }
}

}  // namespace stowage::probe
