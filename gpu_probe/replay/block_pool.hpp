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
  /// Blocks of a row of the table: one row for each resident, long enough for max_model_len tokens.
  [[nodiscard]] static std::int64_t row_length(std::int64_t block_tokens, std::int64_t max_model_len) {
    return (max_model_len + block_tokens - 1) / block_tokens;
  }
  /// `table`: [max_batch][row_length()], the caller's (page-locked, so that it can be sent as it is); zeroed here.
  BlockPool(std::int64_t blocks, std::int64_t block_tokens, std::int64_t max_batch, std::int64_t max_model_len,
            std::span<std::int32_t> table);

  /// Frees what left and gives every scheduled request ceil((stored + count) / block_tokens) blocks. Throws
  /// std::logic_error when the pool is short: the engine would never ask for it.
  void apply(const IterationPlan& plan);
  void release(Sid sid);

  [[nodiscard]] std::int64_t used() const { return used_; }
  [[nodiscard]] std::int64_t row_blocks() const { return stride_; }
  [[nodiscard]] std::span<std::int32_t> table() const { return table_; }
  /// Rows and columns of the plan last applied: what has to reach the device.
  [[nodiscard]] std::int64_t first_row() const { return first_row_; }
  [[nodiscard]] std::int64_t rows() const { return rows_; }
  [[nodiscard]] std::int64_t columns() const { return columns_; }
  [[nodiscard]] std::int64_t blocks_of(Sid sid) const { return held_[static_cast<std::size_t>(sid)]; }

 private:
  [[nodiscard]] std::int32_t take();
  std::int64_t block_tokens_, stride_;
  std::vector<std::int32_t> free_;  // a ring
  std::size_t head_ = 0, free_count_;
  std::int64_t used_ = 0, first_row_ = 0, rows_ = 0, columns_ = 0;
  std::vector<std::int64_t> held_;  // blocks, by resident
  std::span<std::int32_t> table_;   // [max_batch][stride_]
};

}  // namespace stowage::replay
