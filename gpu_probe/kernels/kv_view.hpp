#pragma once
// Where a token's K and V lie. Every attention kernel of the probe takes its addresses from one of two policies and
// from nothing else, so that a measured difference between layouts is a difference of addresses, not of kernels.
//
// A layer's K (and V) of token t, head h, dimension d lies at base + row(request, t) + h * head_dim + d, in elements:
//   Contiguous   row = start[request] + t * token_stride                     (reserved regions, VMM-mapped slots)
//   Paged<B>     row = table[request][t / B] * block_stride + (t % B) * token_stride
// token_stride = kv_heads * head_dim in a per-layer layout; larger where the layers of a token lie side by side.
#include <cstdint>

#if defined(__CUDACC__)
#define STOWAGE_HD __host__ __device__ __forceinline__
#else
#define STOWAGE_HD inline
#endif

namespace stowage::probe {

/// Block sizes with a compiled kernel.
inline constexpr int kBlockSizes[] = {16, 32, 64, 128, 256};

struct Contiguous {
  static constexpr bool kPaged = false;
  const std::int64_t* start = nullptr;  // per request, elements
  std::int64_t token_stride = 0;        // elements

  /// Element offset of the token's row. Rows of tokens token .. token+15 follow at token_stride when token % 16 == 0.
  [[nodiscard]] STOWAGE_HD std::int64_t row(int request, int token) const {
    return start[request] + token * token_stride;
  }
};

template <int B>
struct Paged {
  static_assert(B >= 16 && (B & (B - 1)) == 0, "a tile of 16 tokens must lie in one block");
  static constexpr bool kPaged = true;
  const std::int32_t* table = nullptr;  // [request][table_stride]
  int table_stride = 0;                 // blocks
  std::int64_t block_stride = 0;        // elements
  std::int64_t token_stride = 0;        // elements

  [[nodiscard]] STOWAGE_HD std::int64_t row(int request, int token) const {
    const std::int64_t block = table[static_cast<std::int64_t>(request) * table_stride + token / B];
    return block * block_stride + (token % B) * token_stride;
  }
};

/// Any power of two as block size, for kernels that are not bound by memory: one instantiation instead of five.
struct PagedAny {
  static constexpr bool kPaged = true;
  const std::int32_t* table = nullptr;
  int table_stride = 0;
  int block_log2 = 0;
  std::int64_t block_stride = 0;
  std::int64_t token_stride = 0;

  [[nodiscard]] STOWAGE_HD int page(int request, int token) const {
    return table[static_cast<std::int64_t>(request) * table_stride + (token >> block_log2)];
  }
  [[nodiscard]] STOWAGE_HD std::int64_t row(int request, int token) const {
    return page(request, token) * block_stride + (token & ((1 << block_log2) - 1)) * token_stride;
  }
};

/// One layer's KV as the host hands it to a kernel. block = 0: contiguous. k and v point at bf16, 16-byte aligned.
/// start and table are device pointers whose contents may change between launches (and between graph replays).
struct KvView {
  void* k = nullptr;
  void* v = nullptr;
  int block = 0;                        // tokens; 0 = contiguous
  std::int64_t token_stride = 0;        // elements
  std::int64_t block_stride = 0;        // elements; paged
  const std::int64_t* start = nullptr;  // contiguous
  const std::int32_t* table = nullptr;  // paged
  int table_stride = 0;                 // blocks; paged
  std::int64_t extent_rows = 0;         // tokens (contiguous) or blocks (paged) that the address range spans
};

/// Calls f with the policy of the view. Returns false when no kernel is compiled for its block size.
template <class F>
bool with_policy(const KvView& view, F&& f) {
  const auto paged = [&]<int B>() {
    f(Paged<B>{view.table, view.table_stride, view.block_stride, view.token_stride});
    return true;
  };
  switch (view.block) {
    case 0:
      f(Contiguous{view.start, view.token_stride});
      return true;
    case 16:
      return paged.template operator()<16>();
    case 32:
      return paged.template operator()<32>();
    case 64:
      return paged.template operator()<64>();
    case 128:
      return paged.template operator()<128>();
    case 256:
      return paged.template operator()<256>();
    default:
      return false;
  }
}

/// The same with one policy for all block sizes.
template <class F>
void with_any_policy(const KvView& view, F&& f) {
  if (view.block == 0) {
    f(Contiguous{view.start, view.token_stride});
    return;
  }
  int log2 = 0;
  while ((1 << log2) < view.block) ++log2;
  f(PagedAny{view.table, view.table_stride, log2, view.block_stride, view.token_stride});
}

}  // namespace stowage::probe
