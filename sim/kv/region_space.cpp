#include "sim/kv/region_space.hpp"

#include <algorithm>
#include <bit>
#include <set>
#include <vector>

#include "base/error.hpp"

namespace stowage {
namespace {

int log2_floor(std::int64_t x) { return static_cast<int>(std::bit_width(static_cast<std::uint64_t>(x))) - 1; }

class Slots final : public RegionSpace {
 public:
  Slots(std::int64_t pool, std::int64_t slot) : slot_(slot), count_(pool / slot), unusable_(pool - count_ * slot) {
    for (std::int64_t i = count_; i-- > 0;) free_.push_back(i);
  }
  std::optional<Region> take(std::int64_t tokens) override {
    STOWAGE_ASSERT(tokens <= slot_);
    if (free_.empty()) return std::nullopt;
    const std::int64_t index = free_.back();
    free_.pop_back();
    return Region{index * slot_, slot_};
  }
  void give_back(const Region& region) override { free_.push_back(region.begin / slot_); }
  bool ever_fits(std::int64_t tokens) const override { return count_ > 0 && tokens <= slot_; }
  std::int64_t unusable() const override { return unusable_; }

 private:
  std::int64_t slot_, count_, unusable_;
  std::vector<std::int64_t> free_;  // equal slots are alike, so which one is taken does not matter
};

class Buddy final : public RegionSpace {
 public:
  Buddy(std::int64_t pool, std::int64_t min_block) : min_(min_block), blocks_(pool / min_block) {
    unusable_ = pool - blocks_ * min_;
    // Greedy from address 0: the largest power of two that is aligned and still fits. Address 0 is aligned to all.
    std::int64_t at = 0;
    while (at < blocks_) {
      int order = log2_floor(blocks_ - at);
      if (at != 0) order = std::min<int>(order, std::countr_zero(static_cast<std::uint64_t>(at)));
      free_at(order).insert(at);
      largest_ = std::max(largest_, order);
      at += std::int64_t{1} << order;
    }
  }
  std::optional<Region> take(std::int64_t tokens) override {
    const int want = order_of(tokens);
    int order = want;
    while (order < static_cast<int>(free_.size()) && free_[static_cast<std::size_t>(order)].empty()) ++order;
    if (order >= static_cast<int>(free_.size())) return std::nullopt;
    auto& from = free_[static_cast<std::size_t>(order)];
    const std::int64_t at = *from.begin();
    from.erase(from.begin());
    for (; order > want; --order) free_at(order - 1).insert(at + (std::int64_t{1} << (order - 1)));
    return Region{at * min_, (std::int64_t{1} << want) * min_};
  }
  void give_back(const Region& region) override {
    std::int64_t at = region.begin / min_;
    int order = order_of(region.taken);
    // The initial cut has strictly falling orders, so no block of it ever finds a buddy: merging stops there by itself.
    for (;;) {
      const std::int64_t buddy = at ^ (std::int64_t{1} << order);
      auto& peers = free_at(order);
      const auto it = peers.find(buddy);
      if (it == peers.end()) break;
      peers.erase(it);
      at = std::min(at, buddy);
      ++order;
    }
    free_at(order).insert(at);
  }
  bool ever_fits(std::int64_t tokens) const override { return blocks_ > 0 && order_of(tokens) <= largest_; }
  std::int64_t unusable() const override { return unusable_; }

 private:
  [[nodiscard]] int order_of(std::int64_t tokens) const {
    const auto blocks = static_cast<std::uint64_t>((tokens + min_ - 1) / min_);
    return log2_floor(static_cast<std::int64_t>(std::bit_ceil(blocks)));
  }
  std::set<std::int64_t>& free_at(int order) {
    if (static_cast<std::size_t>(order) >= free_.size()) free_.resize(static_cast<std::size_t>(order) + 1);
    return free_[static_cast<std::size_t>(order)];
  }
  std::int64_t min_, blocks_, unusable_ = 0;
  int largest_ = -1;
  std::vector<std::set<std::int64_t>> free_;  // addresses in min_blocks, by order
};

class FirstFit final : public RegionSpace {
 public:
  explicit FirstFit(std::int64_t pool) : pool_(pool) {
    if (pool > 0) holes_.push_back({0, pool});
  }
  std::optional<Region> take(std::int64_t tokens) override {
    const auto it = std::find_if(holes_.begin(), holes_.end(), [&](const Hole& h) { return h.size >= tokens; });
    if (it == holes_.end()) return std::nullopt;
    const Region out{it->begin, tokens};
    it->begin += tokens;
    it->size -= tokens;
    if (it->size == 0) holes_.erase(it);
    return out;
  }
  void give_back(const Region& r) override {
    auto after = std::lower_bound(holes_.begin(), holes_.end(), r.begin,
                                  [](const Hole& h, std::int64_t begin) { return h.begin < begin; });
    const bool joins_after = after != holes_.end() && after->begin == r.begin + r.taken;
    const bool joins_before = after != holes_.begin() && std::prev(after)->begin + std::prev(after)->size == r.begin;
    if (joins_before && joins_after) {
      std::prev(after)->size += r.taken + after->size;
      holes_.erase(after);
    } else if (joins_before) {
      std::prev(after)->size += r.taken;
    } else if (joins_after) {
      after->begin = r.begin;
      after->size += r.taken;
    } else {
      holes_.insert(after, {r.begin, r.taken});
    }
  }
  bool ever_fits(std::int64_t tokens) const override { return tokens <= pool_; }
  std::int64_t unusable() const override { return 0; }

 private:
  struct Hole { std::int64_t begin, size; };
  std::int64_t pool_;
  std::vector<Hole> holes_;  // by address; at most one more than regions taken
};
}  // namespace

std::unique_ptr<RegionSpace> make_slots(std::int64_t pool_tokens, std::int64_t slot_tokens) {
  return std::make_unique<Slots>(pool_tokens, slot_tokens);
}
std::unique_ptr<RegionSpace> make_buddy(std::int64_t pool_tokens, std::int64_t min_block) {
  return std::make_unique<Buddy>(pool_tokens, min_block);
}
std::unique_ptr<RegionSpace> make_first_fit(std::int64_t pool_tokens) {
  return std::make_unique<FirstFit>(pool_tokens);
}
}  // namespace stowage
