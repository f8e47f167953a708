#include "gpu_probe/replay/block_pool.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

#include "base/error.hpp"

namespace stowage::replay {
namespace {
[[noreturn]] void bug(const std::string& what) { throw std::logic_error("replay: " + what + "; a bug: please report"); }
}  // namespace

std::optional<FreeOrder> BlockPool::sharing_of(const ManagerSpec& manager) {
  if (!manager.flag("prefix_caching")) return std::nullopt;
  return manager.choice("free_order") == "as_freed" ? FreeOrder::as_freed : FreeOrder::unnamed_first;
}

BlockPool::BlockPool(std::int64_t blocks, std::int64_t block_tokens, std::int64_t max_batch, std::int64_t max_model_len,
                     std::span<std::int32_t> table, std::optional<FreeOrder> sharing, Fault fault)
    : block_tokens_(block_tokens),
      stride_(row_length(block_tokens, max_model_len)),
      sharing_(sharing),
      blocks_(static_cast<std::size_t>(blocks)),
      free_(blocks),
      residents_(static_cast<std::size_t>(max_batch)),
      table_(table),
      fault_(fault) {
  STOWAGE_ASSERT(table.size() == static_cast<std::size_t>(max_batch * stride_));
  std::fill(table_.begin(), table_.end(), 0);
}

std::int32_t BlockPool::take() {
  if (free_.empty()) bug("the paged pool has no block left that the engine counts on");
  const std::int32_t b = free_.front();
  free_.remove(b);
  Block& taken = block(b);
  if (taken.holders != 0) bug(fmt::format("block {} is taken while it is held", b));
  if (taken.key) {
    const auto found = named_.find(*taken.key);
    std::erase(found->second, b);
    if (found->second.empty()) named_.erase(found);
    taken.key.reset();
    --cached_;
  }
  taken.holders = 1;
  ++used_;
  return b;
}

std::uint64_t BlockPool::key(Resident& r, std::int64_t index) {
  while (std::ssize(r.keys) <= index) {
    std::uint64_t key = r.keys.empty() ? 0 : r.keys.back();
    const std::int64_t first = std::ssize(r.keys) * block_tokens_;
    for (std::int64_t t = first; t < first + block_tokens_; ++t) key = r.sources.chained(key, t);
    r.keys.push_back(key);
  }
  return r.keys[static_cast<std::size_t>(index)];
}

void BlockPool::append(Sid sid, std::int32_t b) {
  Resident& r = resident(sid);
  if (std::ssize(r.blocks) >= stride_) bug("a request is longer than its row of the block table");
  table_[static_cast<std::size_t>(sid * stride_ + std::ssize(r.blocks))] = b;
  r.blocks.push_back(b);
}

void BlockPool::fill(Sid sid, std::int64_t blocks) {
  while (blocks_of(sid) < blocks) {
    if (!sharing_) {
      append(sid, take());
    } else {
      if (taken_.empty()) bug("a request needs a block that the engine took for nobody");
      append(sid, taken_.back());
      taken_.pop_back();
    }
    if (stolen_) table_[static_cast<std::size_t>(sid * stride_ + blocks_of(sid) - 1)] = *std::exchange(stolen_, {});
  }
}

void BlockPool::share(const IterationPlan& plan, Sid sid, std::int64_t count) {
  const auto row = std::ranges::find(plan.requests, sid, &PlannedRequest::sid);
  if (row == plan.requests.end()) bug("a request is admitted and not in the batch");
  if (row->stored != count * block_tokens_) bug("a request begins with other tokens than it has found");
  Resident& r = resident(sid);
  STOWAGE_ASSERT(r.blocks.empty());
  r = {};
  r.sources = TokenSources(row->id, row->content);
  for (std::int64_t i = 0; i < count; ++i) {
    const auto found = named_.find(key(r, i));
    if (found == named_.end()) bug(fmt::format("request {} finds a prefix that no block holds", row->id));
    const std::int32_t b = found->second.front();
    append(sid, b);
    if (block(b).holders++ == 0) {
      free_.remove(b);
      --cached_;
      ++used_;
      plant(Fault::evicted_while_held, sid, b);
    }
    plant(Fault::shared_off_by_one, sid, b);
  }
  r.named = count;
}

void BlockPool::name(Sid sid, std::int64_t blocks, std::int64_t named) {
  fill(sid, blocks);
  Resident& r = resident(sid);
  for (; r.named < named; ++r.named) {
    const std::int32_t b = r.blocks[static_cast<std::size_t>(r.named)];
    block(b).key = key(r, r.named);
    named_[*block(b).key].push_back(b);
  }
}

void BlockPool::release(Sid sid) {
  Resident& r = resident(sid);
  // Last block first: the tail of a sequence is the first to be taken again.
  for (; !r.blocks.empty(); r.blocks.pop_back()) {
    const std::int32_t b = r.blocks.back();
    if (block(b).holders == 0) bug(fmt::format("block {} is freed twice", b));
    if (--block(b).holders > 0) {
      plant(Fault::freed_while_shared, sid, b);
      continue;
    }
    --used_;
    if (block(b).key) ++cached_;
    if (!block(b).key && sharing_ == FreeOrder::unnamed_first) free_.push_front(b);
    else free_.push_back(b);
  }
}

void BlockPool::plant(Fault fault, Sid sid, std::int32_t b) {
  if (fault != fault_) return;
  fault_ = Fault::none;
  if (fault != Fault::shared_off_by_one) {
    stolen_ = b;
    return;
  }
  const std::int32_t next = (b + 1) % static_cast<std::int32_t>(blocks_.size());
  table_[static_cast<std::size_t>(sid * stride_ + blocks_of(sid) - 1)] = next;
}

void BlockPool::apply(const IterationPlan& plan) {
  for (const MemoryOp& e : plan.now) {
    switch (e.kind) {
      case MemoryOp::Kind::release: release(e.sid); break;
      case MemoryOp::Kind::take:
        for (std::int64_t i = 0; i < e.count; ++i) taken_.push_back(take());
        break;
      case MemoryOp::Kind::share: share(plan, e.sid, e.count); break;
      case MemoryOp::Kind::name: name(e.sid, e.first, e.count); break;
      default: bug("memory work of another manager than paged");
    }
  }
  Sid low = static_cast<Sid>(residents_.size()), high = no_sid;
  columns_ = 0;
  for (const PlannedRequest& r : plan.requests) {
    fill(r.sid, (r.stored + r.count + block_tokens_ - 1) / block_tokens_);
    low = std::min(low, r.sid);
    high = std::max(high, r.sid);
    columns_ = std::max(columns_, blocks_of(r.sid));
  }
  if (!taken_.empty()) bug(fmt::format("{} blocks were taken that nobody needs", taken_.size()));
  first_row_ = low;
  rows_ = std::max<std::int64_t>(0, high + 1 - low);
}

}  // namespace stowage::replay
