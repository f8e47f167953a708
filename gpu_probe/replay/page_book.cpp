#include "gpu_probe/replay/page_book.hpp"

#include <algorithm>
#include <stdexcept>

namespace stowage::replay {

PageBook::PageBook(std::int64_t physical_blocks, std::int64_t slots, std::int64_t slot_blocks, PageCalls& calls)
    : calls_(calls),
      slot_blocks_(slot_blocks),
      physical_(static_cast<std::size_t>(slots * slot_blocks), none),
      slot_of_(static_cast<std::size_t>(slots), -1) {
  for (std::int64_t b = physical_blocks; b-- > 0;) free_.push_back(static_cast<std::int32_t>(b));
}

std::int32_t& PageBook::physical(std::int64_t slot, std::int64_t block) {
  if (block >= slot_blocks_) throw std::logic_error("replay: a slot is mapped beyond its addresses");
  return physical_[static_cast<std::size_t>(slot * slot_blocks_ + block)];
}

void PageBook::map(std::int64_t slot, std::int64_t block) {
  std::int32_t& behind = physical(slot, block);
  if (behind != none) throw std::logic_error("replay: the engine maps a block that is mapped");
  if (free_.empty()) throw std::logic_error("replay: no physical block is left that the engine counts on");
  calls_.map(slot, block, free_.back());
  behind = free_.back();
  free_.pop_back();
  ++mapped_;
  ++maps_;
}

void PageBook::unmap(std::int64_t slot, std::int64_t block) {
  std::int32_t& behind = physical(slot, block);
  if (behind == none) throw std::logic_error("replay: the engine unmaps a block that is not mapped");
  calls_.unmap(slot, block);
  free_.push_back(behind);
  behind = none;
  --mapped_;
  ++unmaps_;
}

/// Brings forward the unmapping of this block, or (block < 0) of the first that waits.
void PageBook::hurry(std::int64_t slot, std::int64_t block) {
  const auto it = std::find_if(beside_.begin(), beside_.end(), [&](const Todo& t) {
    return !t.map && (block < 0 || (t.slot == slot && t.block == block));
  });
  if (it == beside_.end()) return;  // map() says what is wrong
  const Todo todo = *it;
  beside_.erase(it);
  unmap(todo.slot, todo.block);
  ++hurried_;
}

void PageBook::apply_now(std::span<const MemoryOp> now, std::span<const MemoryOp> beside) {
  if (!beside_.empty()) throw std::logic_error("replay: the mapper has not done its last run");
  for (const MemoryOp& e : beside)
    for (std::int64_t i = 0; i < e.count; ++i) {
      // A mapping is taken down from its end.
      const bool maps = e.kind == MemoryOp::Kind::map;
      beside_.push_back({maps, e.slot, maps ? e.first + i : e.first + e.count - 1 - i});
    }
  for (const MemoryOp& e : now) {
    switch (e.kind) {
      case MemoryOp::Kind::place:
        slot_of_[static_cast<std::size_t>(e.sid)] = e.slot;
        break;
      case MemoryOp::Kind::release:
        slot_of_[static_cast<std::size_t>(e.sid)] = -1;
        break;
      case MemoryOp::Kind::unmap:
        for (std::int64_t i = e.count; i-- > 0;) unmap(e.slot, e.first + i);
        break;
      case MemoryOp::Kind::map:
        for (std::int64_t b = e.first; b < e.first + e.count; ++b) {
          if (physical(e.slot, b) != none) hurry(e.slot, b);
          if (free_.empty()) hurry(-1, -1);
          map(e.slot, b);
        }
        break;
      case MemoryOp::Kind::take:
      case MemoryOp::Kind::share:
      case MemoryOp::Kind::name: throw std::logic_error("replay: memory work of another manager than vattention");
    }
  }
}

void PageBook::run_beside() {
  while (!beside_.empty()) {
    const Todo todo = beside_.front();
    beside_.pop_front();
    if (todo.map)
      map(todo.slot, todo.block);
    else
      unmap(todo.slot, todo.block);
  }
}

void PageBook::reset() {
  beside_.clear();
  const auto slots = static_cast<std::int64_t>(slot_of_.size());
  for (std::int64_t slot = 0; slot < slots; ++slot)
    for (std::int64_t block = slot_blocks_; block-- > 0;)
      if (physical(slot, block) != none) unmap(slot, block);
  std::fill(slot_of_.begin(), slot_of_.end(), -1);
  // The same pages in the same order for every pass.
  std::sort(free_.begin(), free_.end(), std::greater<>{});
}

std::int64_t PageBook::mapped_of(std::int64_t slot) const {
  std::int64_t n = 0;
  while (n < slot_blocks_ && physical_[static_cast<std::size_t>(slot * slot_blocks_ + n)] != none) ++n;
  return n;
}

}  // namespace stowage::replay
