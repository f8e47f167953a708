#pragma once
#include <cstdint>

namespace stowage {

/// How K and V lie in memory, which decides the attention kernels.
struct KvLayout {
  std::int64_t block_tokens = 0;  // 0 = contiguous addresses
  bool mapped = false;            // contiguous addresses over pages mapped on demand
  bool operator==(const KvLayout&) const = default;
};
}  // namespace stowage
