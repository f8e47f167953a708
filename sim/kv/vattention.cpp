// vAttention (Prabhu et al., ASPLOS 2025): every request contiguous in virtual memory, physical pages mapped on demand.
// A block is one page in each of the T tensors (K and V of every layer, or two when sliced); a slot is one request's
// range of all tensors and keeps its mapping under deferred reclamation. Rules: semantics S9; where the
// paper and its code differ: docs/design.md.
//
// Nothing here walks the batch: a decoder needs its next block at a known iteration (`cross_`), slots that may have
// blocks to spare are kept as bit sets, and iterations without either are skipped (quiet_until).
#include <algorithm>
#include <set>

#include "base/error.hpp"
#include "sim/kernel/divisor.hpp"
#include "sim/kernel/ring_calendar.hpp"
#include "sim/kv/held_history.hpp"
#include "sim/kv/manager.hpp"
#include "sim/kv/slot_set.hpp"
#include "sim/kv/vattention_shape.hpp"
#include "sim/run_config.hpp"

namespace stowage {
namespace {
using When = MemoryWork::When;

class VAttention final : public KvManager {
 public:
  VAttention(const RunConfig& config, const SequenceTable& table)
      : table_(table),
        per_block_(vattention_page_tokens(config)),
        block_bytes_(vattention_block_bytes(config)),
        bpt_(config.kv.bytes_per_token.count()),
        blocks_(config.kv.pool.count() / block_bytes_),
        max_len_(config.scheduler.max_model_len),
        lookahead_(config.manager.integer("lookahead")),
        lookahead_blocks_(config.manager.integer("lookahead_blocks")),
        background_(config.manager.choice("mapping") == "background"),
        eager_(config.manager.choice("reclaim") == "eager"),
        admit_full_(config.scheduler.admit_full),
        mapped_(table.capacity(), 0),
        owner_(table.capacity(), no_sid),
        slot_of_(table.capacity(), -1),
        history_(table.capacity()),
        idle_mapped_(table.capacity()),
        maybe_spare_(table.capacity()),
        in_calendar_(table.capacity(), false),
        cross_(config.scheduler.max_model_len + 2 * per_block_.size() + lookahead_ + 2, table.capacity()) {
    facts_ = {block_bytes_, blocks_ * per_block_.size(), config.kv.pool.count() - blocks_ * block_bytes_,
              vattention_tensors(config)};
    for (std::int64_t i = 0; i < slots(); ++i) inactive_.emplace_hint(inactive_.end(), 0, i);
  }

  [[nodiscard]] bool never_fits(std::int64_t prompt, std::int64_t output) const override {
    return need(prompt + output - 1) > blocks_;
  }

  bool admit(Sid s, std::int64_t tokens, std::int64_t now) override {
    const std::int64_t blocks = need(tokens);
    const std::int64_t slot = pick_slot(blocks);
    const std::int64_t wanted = admit_full_ ? std::max(blocks, need(table_[s].target())) : blocks;
    if (!can_grow(slot, wanted)) return false;
    inactive_.erase({mapped_[at(slot)], slot});
    idle_mapped_.erase(slot);
    owner_[at(slot)] = s;
    slot_of_[at(s)] = slot;
    cached_ -= mapped_[at(slot)];
    growth_.held += mapped_[at(slot)];
    history_.begin(s);
    work_.place(s, slot, 0, 0);
    if (mapped_[at(slot)] > 0) maybe_spare_.insert(slot);
    grow(slot, blocks, now);
    record(s, now);
    return true;
  }

  bool extend(Sid s, std::int64_t tokens, std::int64_t now) override {
    const std::int64_t slot = slot_of_[at(s)], blocks = need(tokens);
    if (blocks <= mapped_[at(slot)]) return true;
    if (!can_grow(slot, blocks)) return false;
    grow(slot, blocks, now);
    record(s, now);
    return true;
  }

  void begin_needy() override {
    needy_.clear();
    serving_ = true;
    cross_.for_each(table_.lane_clock(), [&](Sid s) { push_needy(s); });
  }
  Sid next_needy(std::int64_t order) override {
    while (!needy_.empty()) {
      if (needy_.front().first >= order) return no_sid;
      std::pop_heap(needy_.begin(), needy_.end(), std::greater<>{});
      const Sid s = needy_.back().second;
      needy_.pop_back();
      if (table_[s].running && in_calendar_[at(s)] && cross_.key(s) <= table_.lane_clock()) return s;
    }
    if (order == SequenceTable::everyone) serving_ = false;
    return no_sid;
  }

  void start_decoding(Sid s) override {
    cross_.insert(s, crossing(s));
    in_calendar_[at(s)] = true;
  }

  void stop_decoding(Sid s) override {
    cross_.remove(s);
    in_calendar_[at(s)] = false;
  }
  void release(Sid s, std::int64_t now, MemoryAccount& account) override {
    history_.settle(s, table_.kept(s) * bpt_, now, account);
    work_.release(s);
    const std::int64_t slot = slot_of_[at(s)];
    if (in_calendar_[at(s)]) stop_decoding(s);
    slot_of_[at(s)] = -1;
    owner_[at(slot)] = no_sid;
    maybe_spare_.erase(slot);
    std::int64_t& mapped = mapped_[at(slot)];
    growth_.held -= mapped;
    if (eager_) {
      work_.unmap(slot, 0, mapped, background_ ? When::beside : When::now);
      mapped = 0;
    } else {
      cached_ += mapped;
      if (mapped > 0) idle_mapped_.insert(slot);
    }
    inactive_.emplace(mapped, slot);
  }

  void look_ahead(std::int64_t now, std::span<const Sid> others) override {
    serving_ = false;
    if (background_) run_mapper(now, others);
  }

  [[nodiscard]] std::int64_t quiet_until() const override {
    return cross_.empty() ? RingCalendar::never : cross_.min_key() - 1 - window();
  }
  void each_extent(const std::function<void(const Extent&)>& visit) const override {
    for (std::size_t i = 0; i < mapped_.size(); ++i)
      if (mapped_[i] > 0) visit({-1, mapped_[i] * block_bytes_, owner_[i]});
  }

 private:
  [[nodiscard]] bool decoders_have_room() const override { return cross_.min_key() > table_.lane_clock(); }
  [[nodiscard]] std::int64_t mapped(Sid s) const { return mapped_[at(slot_of_[at(s)])]; }
  static std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }
  [[nodiscard]] std::int64_t need(std::int64_t tokens) const { return per_block_.ceil(tokens); }
  /// How many iterations before a crossing the mapper may act on it.
  [[nodiscard]] std::int64_t window() const {
    if (!background_) return 0;
    return free() > 0 && lookahead_blocks_ > 0 ? std::max<std::int64_t>(lookahead_, 1) : 1;
  }
  /// First iteration at whose boundary s lacks a block: anchor + i + 1 > mapped x per_block.
  [[nodiscard]] std::int64_t crossing(Sid s) const { return mapped(s) * per_block_.size() - table_[s].anchor; }

  /// Best fit among inactive slots: the smallest mapping that suffices, else the largest; lowest index on ties.
  [[nodiscard]] std::int64_t pick_slot(std::int64_t blocks) const {
    STOWAGE_ASSERT(!inactive_.empty());  // as many slots as requests may run
    const auto fit = inactive_.lower_bound({blocks, 0});
    return (fit != inactive_.end() ? fit : inactive_.lower_bound({inactive_.rbegin()->first, 0}))->second;
  }

  [[nodiscard]] std::int64_t spare_now(std::int64_t slot) const {
    const Sid s = owner_[at(slot)];
    return mapped_[at(slot)] - (s == no_sid ? 0 : need(table_.entitled(s)));
  }
  /// Could `slot` grow to `blocks` with what is free or can be reclaimed from others?
  [[nodiscard]] bool can_grow(std::int64_t slot, std::int64_t blocks) {
    const bool idle = owner_[at(slot)] == no_sid;
    std::int64_t lacking = blocks - mapped_[at(slot)] - free() - (cached_ - (idle ? mapped_[at(slot)] : 0));
    for (std::int64_t i = slots(); lacking > 0;) {
      i = maybe_spare_.highest_below(i);
      if (i < 0) return false;
      const std::int64_t spare = spare_now(i);
      if (spare <= 0) maybe_spare_.erase(i);  // needs only grow until something is mapped there again
      else if (i != slot) lacking -= spare;
    }
    return true;
  }
  /// can_grow has said yes.
  void grow(std::int64_t slot, std::int64_t blocks, std::int64_t now) {
    const std::int64_t missing = std::max<std::int64_t>(0, blocks - mapped_[at(slot)]);
    for (std::int64_t i = slots(); free() < missing;) {
      i = idle_mapped_.highest_below(i, &maybe_spare_);
      STOWAGE_ASSERT(i >= 0);
      if (i == slot) continue;
      const std::int64_t take = std::min(spare_now(i), missing - free());
      if (take <= 0) continue;
      unmap(i, take, now, When::now);
    }
    if (missing > 0) map(slot, missing, When::now);
  }

  void map(std::int64_t slot, std::int64_t blocks, When when) {
    work_.map(slot, mapped_[at(slot)], blocks, when);
    growth_.held += blocks;
    mapped_[at(slot)] += blocks;
    maybe_spare_.insert(slot);
    reschedule(owner_[at(slot)]);
  }
  void unmap(std::int64_t slot, std::int64_t blocks, std::int64_t now, When when) {
    mapped_[at(slot)] -= blocks;
    work_.unmap(slot, mapped_[at(slot)], blocks, when);
    const Sid s = owner_[at(slot)];
    if (s == no_sid) {
      cached_ -= blocks;
      inactive_.erase({mapped_[at(slot)] + blocks, slot});
      inactive_.emplace(mapped_[at(slot)], slot);
      if (mapped_[at(slot)] == 0) idle_mapped_.erase(slot);
      return;
    }
    growth_.held -= blocks;
    record(s, now);
    reschedule(s);
    if (serving_ && in_calendar_[at(s)] && cross_.key(s) <= table_.lane_clock()) push_needy(s);
  }
  void reschedule(Sid s) {
    if (s != no_sid && in_calendar_[at(s)]) cross_.move(s, crossing(s));
  }
  void push_needy(Sid s) {
    needy_.emplace_back(table_[s].order, s);
    std::push_heap(needy_.begin(), needy_.end(), std::greater<>{});
  }
  [[nodiscard]] std::int64_t slots() const { return static_cast<std::int64_t>(mapped_.size()); }
  [[nodiscard]] std::int64_t free() const { return blocks_ - growth_.held - cached_; }

  /// want(s, k): blocks for k tokens beyond the end of the running iteration.
  [[nodiscard]] std::int64_t want(Sid s, std::int64_t k) const {
    return need(std::min(table_.scheduled(s) + k, max_len_));
  }
  [[nodiscard]] std::int64_t lacks(Sid s, std::int64_t k) const { return want(s, k) - mapped(s); }
  /// Running requests that lack a block for k more tokens and did not for k - 1, in running order.
  void gather(std::int64_t k, std::span<const Sid> others) {
    candidates_.clear();
    const auto take = [&](Sid s) {
      if (lacks(s, k) > 0) candidates_.emplace_back(table_[s].order, s);
    };
    cross_.for_each(table_.next_clock() + k - 1, take);
    for (const Sid s : others) take(s);
    std::sort(candidates_.begin(), candidates_.end());
  }

  /// The unmapping that releases left stands in work() already.
  void run_mapper(std::int64_t now, std::span<const Sid> others) {
    if (cross_.min_key() >= table_.next_clock() + std::max<std::int64_t>(lookahead_, 1) && others.empty()) return;
    gather(1, others);
    std::int64_t required = 0;
    for (const auto& [order, s] : candidates_) required += lacks(s, 1);
    if (free() < required) reclaim_for_mapper(required, now);
    if (free() >= required) map_ahead(others, now);
  }

  void map_ahead(std::span<const Sid> others, std::int64_t now) {
    std::int64_t mapped = 0;
    for (std::int64_t k = 1; k <= lookahead_ && free() > 0; ++k) {
      if (k > 1) gather(k, others);  // k = 1 was gathered to find what is required
      for (const auto& [order, s] : candidates_) {
        if (k > 1 && mapped >= lookahead_blocks_) return;
        const std::int64_t blocks = lacks(s, k);
        if (blocks <= 0 || blocks > free()) continue;  // all or nothing
        map(slot_of_[at(s)], blocks, When::beside);
        record(s, now);
        mapped += blocks;
      }
    }
  }

  /// Inactive slots first, then blocks of active ones beyond want(s, 1); highest index down.
  void reclaim_for_mapper(std::int64_t required, std::int64_t now) {
    const auto take = [&](std::int64_t slot, std::int64_t spare) {
      const std::int64_t blocks = std::min(spare, required - free());
      if (blocks > 0) unmap(slot, blocks, now, When::beside);
    };
    for (std::int64_t i = slots(); free() < required && (i = idle_mapped_.highest_below(i)) >= 0;)
      take(i, mapped_[at(i)]);
    for (std::int64_t i = slots(); free() < required && (i = maybe_spare_.highest_below(i)) >= 0;)
      take(i, -lacks(owner_[at(i)], 1));
  }
  void record(Sid s, std::int64_t now) { history_.hold(s, mapped(s) * block_bytes_, now); }
  const SequenceTable& table_;
  Divisor per_block_;
  std::int64_t block_bytes_, bpt_, blocks_, max_len_, lookahead_, lookahead_blocks_;
  bool background_, eager_, admit_full_;
  std::vector<std::int64_t> mapped_;    // by slot
  std::set<std::pair<std::int64_t, std::int64_t>> inactive_;  // (mapped blocks, slot)
  std::vector<Sid> owner_;              // by slot
  std::vector<std::int64_t> slot_of_;   // by request
  HeldHistory history_;
  SlotSet idle_mapped_;                 // inactive slots with mapped blocks
  SlotSet maybe_spare_;                 // active slots that may hold more than they need; may err on the full side
  std::vector<char> in_calendar_;       // by request
  RingCalendar cross_;
  bool serving_ = false;                // between begin_needy and the last next_needy
  std::vector<std::pair<std::int64_t, Sid>> needy_, candidates_;
};
}  // namespace

std::unique_ptr<KvManager> make_vattention(const RunConfig& config, const SequenceTable& table) {
  return std::make_unique<VAttention>(config, table);
}
}  // namespace stowage
