#pragma once
// The paged pool's own books: which block holds which tokens of whom. The engine decides how many blocks a request
// holds; the ids come from here, first freed first taken, as vLLM's free queue has it (vllm/v1/core/kv_cache_utils.py).
// No CUDA in here.
#include <cstdint>
#include <span>
#include <vector>

#include "sim/serve/executor.hpp"

namespace stowage::replay {

class BlockPool {
 public:
  /// A row of the block table for each of max_batch residents, long enough for max_model_len tokens.
  BlockPool(std::int64_t blocks, std::int64_t block_tokens, std::int64_t max_batch, std::int64_t max_model_len);

  /// Frees what left and gives every scheduled request ceil((stored + count) / block_tokens) blocks. Throws
  /// std::logic_error when the pool is short: the engine would never ask for it.
  void apply(const IterationPlan& plan);
  void release(Sid sid);

  [[nodiscard]] std::int64_t used() const { return used_; }
  [[nodiscard]] std::int64_t row_blocks() const { return stride_; }
  [[nodiscard]] std::span<const std::int32_t> table() const { return table_; }
  [[nodiscard]] std::span<std::int32_t> table() { return table_; }
  /// Rows and columns that were ever used: what has to reach the device.
  [[nodiscard]] std::int64_t rows_used() const { return rows_used_; }
  [[nodiscard]] std::int64_t columns_used() const { return columns_used_; }
  [[nodiscard]] std::int64_t blocks_of(Sid sid) const { return held_[static_cast<std::size_t>(sid)]; }

 private:
  [[nodiscard]] std::int32_t take();
  std::int64_t block_tokens_, stride_;
  std::vector<std::int32_t> free_;  // a ring
  std::size_t head_ = 0, free_count_;
  std::int64_t used_ = 0, rows_used_ = 0, columns_used_ = 0;
  std::vector<std::int64_t> held_;   // blocks, by resident
  std::vector<std::int32_t> table_;  // [max_batch][stride_]
};

}  // namespace stowage::replay
