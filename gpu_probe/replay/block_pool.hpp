#pragma once
// The paged pool's own books, block by block: which block holds which tokens, and of whom. The engine decides how many
// blocks a request holds and, with prefix caching, how many of them it finds; the ids come from here, by the rules of
// vLLM's free queue (vllm/v1/core/kv_cache_utils.py; docs/semantics.md, S16). What the engine counts in runs is found
// again here in single blocks, so that a hit that no block holds, or a block that is held and taken, does not pass.
// No CUDA in here.
#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "gpu_probe/replay/fault.hpp"
#include "gpu_probe/replay/free_blocks.hpp"
#include "gpu_probe/replay/token_source.hpp"
#include "sim/kv/prefix_cache.hpp"
#include "sim/serve/executor.hpp"

namespace stowage::replay {

class BlockPool {
 public:
  /// Blocks of a row of the table: one row for each resident, long enough for max_model_len tokens.
  [[nodiscard]] static std::int64_t row_length(std::int64_t block_tokens, std::int64_t max_model_len) {
    return (max_model_len + block_tokens - 1) / block_tokens;
  }
  /// With prefix caching: where freed blocks without content go. Nothing = without it.
  [[nodiscard]] static std::optional<FreeOrder> sharing_of(const ManagerSpec& manager);

  /// `table`: [max_batch][row_length()], the caller's (page-locked, so that it can be sent as it is); zeroed here.
  BlockPool(std::int64_t blocks, std::int64_t block_tokens, std::int64_t max_batch, std::int64_t max_model_len,
            std::span<std::int32_t> table, std::optional<FreeOrder> sharing = {}, Fault fault = Fault::none);

  /// Does the plan's memory work in its order, and gives every scheduled request ceil((stored + count) / block_tokens)
  /// blocks. Throws std::logic_error when the books do not allow what the engine decided.
  void apply(const IterationPlan& plan);
  void release(Sid sid);

  /// Blocks that somebody holds; blocks that nobody holds and that can be found.
  [[nodiscard]] std::int64_t used() const { return used_; }
  [[nodiscard]] std::int64_t cached() const { return cached_; }
  [[nodiscard]] std::int64_t row_blocks() const { return stride_; }
  [[nodiscard]] std::span<std::int32_t> table() const { return table_; }
  /// Rows and columns of the plan last applied: what has to reach the device.
  [[nodiscard]] std::int64_t first_row() const { return first_row_; }
  [[nodiscard]] std::int64_t rows() const { return rows_; }
  [[nodiscard]] std::int64_t columns() const { return columns_; }
  [[nodiscard]] std::int64_t blocks_of(Sid sid) const {
    return std::ssize(residents_[static_cast<std::size_t>(sid)].blocks);
  }

 private:
  struct Block {
    std::int32_t holders = 0;
    std::optional<std::uint64_t> key;  // of its content and of all before it, once it can be found
  };
  struct Resident {
    std::vector<std::int32_t> blocks;
    std::int64_t named = 0;
    TokenSources sources;
    std::vector<std::uint64_t> keys;  // of its leading blocks, as far as asked for
  };
  [[nodiscard]] Resident& resident(Sid sid) { return residents_[static_cast<std::size_t>(sid)]; }
  [[nodiscard]] Block& block(std::int32_t b) { return blocks_[static_cast<std::size_t>(b)]; }
  [[nodiscard]] std::int32_t take();
  void share(const IterationPlan& plan, Sid sid, std::int64_t count);
  void name(Sid sid, std::int64_t blocks, std::int64_t named);
  /// sid gets blocks, of those taken, until it has `blocks`.
  void fill(Sid sid, std::int64_t blocks);
  void append(Sid sid, std::int32_t b);
  [[nodiscard]] std::uint64_t key(Resident& r, std::int64_t block);
  void plant(Fault fault, Sid sid, std::int32_t b);

  std::int64_t block_tokens_, stride_;
  std::optional<FreeOrder> sharing_;
  std::vector<Block> blocks_;
  FreeBlocks free_;
  std::vector<std::int32_t> taken_;  // by nobody yet
  std::unordered_map<std::uint64_t, std::vector<std::int32_t>> named_;  // blocks by key, in the order of naming
  std::int64_t used_ = 0, cached_ = 0, first_row_ = 0, rows_ = 0, columns_ = 0;
  std::vector<Resident> residents_;
  std::span<std::int32_t> table_;  // [max_batch][stride_]
  Fault fault_;
  std::optional<std::int32_t> stolen_;  // planted: what the next new entry of the table says instead
};

}  // namespace stowage::replay
