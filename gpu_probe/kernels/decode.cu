#include "gpu_probe/kernels/decode.cuh"

#include <cmath>
#include <stdexcept>
#include <string>

#include "gpu_probe/kernels/launch.hpp"

namespace stowage::probe {
namespace {

template <class Address, int D>
void launch_split(const Address& address, const KvView& kv, const DecodeArgs& args, int max_pieces,
                  cudaStream_t stream) {
  constexpr int kBytes = DecodeShape<D>::kSharedBytes;
  static const cudaError_t allowed =
      cudaFuncSetAttribute(decode_split<Address, D>, cudaFuncAttributeMaxDynamicSharedMemorySize, kBytes);
  check_launch(allowed, "decode: shared memory");
  auto* ml = reinterpret_cast<float2*>(args.partial + static_cast<std::size_t>(max_pieces) * args.heads * D);
  const float scale_log2 = args.scale * 1.4426950408889634f;  // log2(e): exp(x) = exp2(x log2 e)
  launch_after(decode_split<Address, D>, dim3(args.blocks), dim3(kDecodeWarps * 32), kBytes, stream, "decode", address,
               static_cast<const ptx::bf16*>(kv.k), static_cast<const ptx::bf16*>(kv.v), args, args.partial, ml,
               scale_log2);
  const int rows = args.batch * args.heads;
  const auto* partial = static_cast<const float*>(args.partial);
  const auto* partial_ml = static_cast<const float2*>(ml);
  if (rows <= args.blocks * 8) {  // all resident at once: spend more warps on each
    launch_after(decode_combine<D, 4>, dim3(rows), dim3(128), 0, stream, "decode combine", args, partial, partial_ml);
  } else {
    launch_after(decode_combine<D, 1>, dim3((rows + 3) / 4), dim3(128), 0, stream, "decode combine", args, partial,
                 partial_ml);
  }
}

}  // namespace

void launch_decode(const KvView& kv, const DecodeArgs& args, int max_pieces, cudaStream_t stream) {
  if (args.kv_heads <= 0 || args.heads % args.kv_heads != 0 || args.heads / args.kv_heads > 8) {
    throw std::invalid_argument("decode attention: " + std::to_string(args.heads) + " query heads over " +
                                std::to_string(args.kv_heads) + " KV heads; a group is 1 to 8 heads");
  }
  if (args.head_dim != 64 && args.head_dim != 128) {
    throw std::invalid_argument("decode attention: head size " + std::to_string(args.head_dim) + " is not 64 or 128");
  }
  const bool known = with_policy(kv, [&](const auto& address) {
    if (args.head_dim == 128) {
      launch_split<std::decay_t<decltype(address)>, 128>(address, kv, args, max_pieces, stream);
    } else {
      launch_split<std::decay_t<decltype(address)>, 64>(address, kv, args, max_pieces, stream);
    }
  });
  if (!known)
    throw std::invalid_argument("decode attention: no kernel for blocks of " + std::to_string(kv.block) + " tokens");
}

}  // namespace stowage::probe
