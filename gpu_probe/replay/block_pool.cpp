#include "gpu_probe/replay/block_pool.hpp"

#include <algorithm>
#include <numeric>
#include <stdexcept>

#include "base/error.hpp"

namespace stowage::replay {

BlockPool::BlockPool(std::int64_t blocks, std::int64_t block_tokens, std::int64_t max_batch, std::int64_t max_model_len,
                     std::span<std::int32_t> table)
    : block_tokens_(block_tokens),
      stride_(row_length(block_tokens, max_model_len)),
      free_(static_cast<std::size_t>(blocks)),
      free_count_(static_cast<std::size_t>(blocks)),
      held_(static_cast<std::size_t>(max_batch), 0),
      table_(table) {
  STOWAGE_ASSERT(table.size() == static_cast<std::size_t>(max_batch * stride_));
  std::iota(free_.begin(), free_.end(), 0);
  std::fill(table_.begin(), table_.end(), 0);
}

std::int32_t BlockPool::take() {
  if (free_count_ == 0) throw std::logic_error("replay: the paged pool has no block left that the engine counts on");
  const std::int32_t block = free_[head_];
  head_ = (head_ + 1) % free_.size();
  --free_count_;
  ++used_;
  return block;
}

void BlockPool::release(Sid sid) {
  std::int64_t& held = held_[static_cast<std::size_t>(sid)];
  const std::int32_t* row = table_.data() + sid * stride_;
  // Last block first: the tail of a sequence is the first to be taken again.
  for (std::int64_t b = held; b-- > 0;) free_[(head_ + free_count_++) % free_.size()] = row[b];
  used_ -= held;
  held = 0;
}

void BlockPool::apply(const IterationPlan& plan) {
  for (const MemoryOp& e : plan.now)
    if (e.kind == MemoryOp::Kind::release) release(e.sid);
  Sid low = static_cast<Sid>(held_.size()), high = no_sid;
  columns_ = 0;
  for (const PlannedRequest& r : plan.requests) {
    const std::int64_t need = (r.stored + r.count + block_tokens_ - 1) / block_tokens_;
    std::int64_t& held = held_[static_cast<std::size_t>(r.sid)];
    if (need > stride_) throw std::logic_error("replay: a request is longer than its row of the block table");
    while (held < need) table_[static_cast<std::size_t>(r.sid * stride_ + held++)] = take();
    low = std::min(low, r.sid);
    high = std::max(high, r.sid);
    columns_ = std::max(columns_, held);
  }
  first_row_ = low;
  rows_ = std::max<std::int64_t>(0, high + 1 - low);
}

}  // namespace stowage::replay
