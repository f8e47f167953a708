// vAttention (Prabhu et al., ASPLOS 2025): every request contiguous in virtual memory, physical pages mapped on demand.
// A block is one page in each of the T tensors (K and V of every layer, or two when sliced); a slot is one request's
// range of all tensors and keeps its mapping under deferred reclamation. Rules: semantics S9; where the
// paper and its code differ: docs/design.md.
//
// Nothing here walks the batch: a decoder needs its next block at a known iteration (`cross_`), slots that may have
// blocks to spare are kept as bit sets, and iterations without either are skipped (quiet_until).
#include <algorithm>
#include <set>

#include "base/config.hpp"
#include "base/error.hpp"
#include "sim/kernel/ring_calendar.hpp"
#include "sim/kv/driver_lock.hpp"
#include "sim/kv/manager_calls.hpp"
#include "sim/kv/policy.hpp"
#include "sim/kv/rows.hpp"
#include "sim/kv/slot_set.hpp"
#include "sim/kv/vattention_shape.hpp"
#include "sim/serve/cluster.hpp"

namespace stowage {
namespace {

class VAttention final {
 public:
  VAttention(const RunConfig& config, const SequenceTable& table)
      : table_(table),
        tensors_(vattention_tensors(config)),
        per_block_(vattention_page_tokens(config)),
        block_bytes_(vattention_block_bytes(config)),
        bpt_(config.kv.bytes_per_token.count()),
        blocks_(config.kv.pool.count() / block_bytes_),
        free_(blocks_),
        max_len_(config.scheduler.max_model_len),
        lookahead_(config.manager.integer("lookahead")),
        lookahead_blocks_(config.manager.integer("lookahead_blocks")),
        background_(config.manager.choice("mapping") == "background"),
        eager_(config.manager.choice("reclaim") == "eager"),
        admit_full_(config.scheduler.admit_full),
        rounding_(config.kv.pool.count() - blocks_ * block_bytes_),
        driver_(config.vmm, tensors_),
        mapped_(table.capacity(), 0),
        owner_(table.capacity(), no_sid),
        slot_of_(table.capacity(), -1),
        history_(table.capacity()),
        idle_mapped_(table.capacity()),
        maybe_spare_(table.capacity()),
        in_calendar_(table.capacity(), false),
        cross_(config.scheduler.max_model_len + 2 * per_block_ + lookahead_ + 2, table.capacity()) {
    for (std::int64_t i = 0; i < slots(); ++i) inactive_.emplace_hint(inactive_.end(), 0, i);
  }

  [[nodiscard]] std::int64_t rounding_bytes() const { return rounding_; }
  [[nodiscard]] std::int64_t pool_tokens() const { return blocks_ * per_block_; }
  [[nodiscard]] std::int64_t unit_bytes() const { return block_bytes_; }
  [[nodiscard]] std::int64_t held_units() const { return held_; }
  [[nodiscard]] Occupancy occupancy() const { return {held_ * block_bytes_, cached_ * block_bytes_, 0}; }
  [[nodiscard]] bool never_fits(std::int64_t prompt, std::int64_t output) const {
    return need(prompt + output - 1) > blocks_;
  }

  bool admit(Sid s, std::int64_t tokens, std::int64_t now) {
    const std::int64_t blocks = need(tokens);
    const std::int64_t slot = pick_slot(blocks);
    const std::int64_t wanted = admit_full_ ? std::max(blocks, need(table_[s].target())) : blocks;
    if (!can_grow(slot, wanted)) return false;
    inactive_.erase({mapped_[at(slot)], slot});
    idle_mapped_.erase(slot);
    owner_[at(slot)] = s;
    slot_of_[at(s)] = slot;
    cached_ -= mapped_[at(slot)];
    held_ += mapped_[at(slot)];
    history_[at(s)].clear();
    if (log_ != nullptr) log_->place(s, slot, 0, 0);
    note_spare(slot);
    grow(slot, blocks, now);
    record(s, now);
    return true;
  }

  bool extend(Sid s, std::int64_t tokens, std::int64_t now) {
    const std::int64_t slot = slot_of_[at(s)];
    const std::int64_t blocks = need(tokens);
    if (blocks <= mapped_[at(slot)]) return true;
    if (!can_grow(slot, blocks)) return false;
    grow(slot, blocks, now);
    record(s, now);
    return true;
  }

  bool extend_decoders(std::int64_t) { return cross_.min_key() > table_.iteration(); }
  void begin_needy() {
    needy_.clear();
    serving_ = true;
    cross_.for_each(table_.iteration(), [&](Sid s) { push_needy(s); });
  }
  Sid next_needy() {
    while (!needy_.empty()) {
      std::pop_heap(needy_.begin(), needy_.end(), std::greater<>{});
      const Sid s = needy_.back().second;
      needy_.pop_back();
      if (table_[s].running && in_calendar_[at(s)] && cross_.key(s) <= table_.iteration()) return s;
    }
    serving_ = false;
    return no_sid;
  }

  void start_decoding(Sid s) {
    cross_.insert(s, crossing(s));
    in_calendar_[at(s)] = true;
  }

  void release(Sid s, std::int64_t now, MemoryAccount& account) {
    settle(s, now, account);
    const std::int64_t slot = slot_of_[at(s)];
    if (in_calendar_[at(s)]) {
      cross_.remove(s);
      in_calendar_[at(s)] = false;
    }
    slot_of_[at(s)] = -1;
    owner_[at(slot)] = no_sid;
    maybe_spare_.erase(slot);
    std::int64_t& mapped = mapped_[at(slot)];
    held_ -= mapped;
    if (eager_) {
      if (log_ != nullptr) log_->unmap(slot, 0, mapped, background_ ? MemoryLog::When::beside : MemoryLog::When::now);
      free_ += mapped;
      if (background_) queued_unmaps_ += mapped;
      else driver_.unmap_now(mapped);
      mapped = 0;
    } else {
      cached_ += mapped;
      if (mapped > 0) idle_mapped_.insert(slot);
    }
    inactive_.emplace(mapped, slot);
  }

  std::int64_t begin_iteration(std::int64_t now, Sid partial) {
    serving_ = false;
    const std::int64_t stall = driver_.take_stall();
    if (background_) run_mapper(now, partial);
    return stall;
  }
  void end_iteration(std::int64_t step_ns) { driver_.elapse(step_ns); }
  void idle(std::int64_t gap_ns) { driver_.elapse(gap_ns); }

  [[nodiscard]] std::int64_t quiet_until() const {
    const std::int64_t iteration = table_.iteration();
    if (driver_.busy() || queued_unmaps_ > 0) return iteration - 1;
    const std::int64_t next = cross_.min_key();
    return next == RingCalendar::never ? next : next - 1 - window();
  }
  [[nodiscard]] StillStretch stretch() const { return {held_}; }
  void end_stretch(const StillStretch&) {}
  void log_to(MemoryLog& log) { log_ = &log; }
  DriverCalls finish_driver_work() {
    driver_.unmap_now(queued_unmaps_);
    queued_unmaps_ = 0;
    return driver_calls();
  }
  DriverCalls driver_calls() const { return {driver_.map_pages(), driver_.unmap_pages(), driver_.left_ns()}; }
  template <class Visit>
  void each_extent(Visit visit) const {
    for (std::size_t i = 0; i < mapped_.size(); ++i)
      if (mapped_[i] > 0) visit(Extent{-1, mapped_[i] * block_bytes_, owner_[i]});
  }

 private:
  struct Change { std::int64_t since_ns, blocks; };
  [[nodiscard]] std::int64_t mapped(Sid s) const { return mapped_[at(slot_of_[at(s)])]; }
  static std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }
  [[nodiscard]] std::int64_t need(std::int64_t tokens) const { return (tokens + per_block_ - 1) / per_block_; }
  /// How many iterations before a crossing the mapper may act on it.
  [[nodiscard]] std::int64_t window() const {
    if (!background_) return 0;
    return free_ > 0 && lookahead_blocks_ > 0 ? std::max<std::int64_t>(lookahead_, 1) : 1;
  }
  /// First iteration at whose boundary s lacks a block: anchor + i + 1 > mapped x per_block.
  [[nodiscard]] std::int64_t crossing(Sid s) const { return mapped(s) * per_block_ - table_[s].anchor; }

  /// Best fit among inactive slots: the smallest mapping that suffices, else the largest; lowest index on ties.
  [[nodiscard]] std::int64_t pick_slot(std::int64_t blocks) const {
    STOWAGE_ASSERT(!inactive_.empty());  // as many slots as requests may run
    auto fit = inactive_.lower_bound({blocks, 0});
    if (fit == inactive_.end()) fit = inactive_.lower_bound({inactive_.rbegin()->first, 0});
    return fit->second;
  }

  [[nodiscard]] std::int64_t spare_now(std::int64_t slot) const {
    const Sid s = owner_[at(slot)];
    return mapped_[at(slot)] - (s == no_sid ? 0 : need(table_.entitled(s)));
  }
  /// Could `slot` grow to `blocks` with what is free or can be reclaimed from others?
  [[nodiscard]] bool can_grow(std::int64_t slot, std::int64_t blocks) {
    const bool idle = owner_[at(slot)] == no_sid;
    std::int64_t lacking = blocks - mapped_[at(slot)] - free_ - (cached_ - (idle ? mapped_[at(slot)] : 0));
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
    for (std::int64_t i = slots(); free_ < missing;) {
      i = idle_mapped_.highest_below(i, &maybe_spare_);
      STOWAGE_ASSERT(i >= 0);
      if (i == slot) continue;
      const std::int64_t take = std::min(spare_now(i), missing - free_);
      if (take <= 0) continue;
      unmap(i, take, now, MemoryLog::When::now);
      driver_.unmap_now(take);
    }
    if (missing == 0) return;
    map(slot, missing, MemoryLog::When::now);
    driver_.map_now(missing);
  }

  void map(std::int64_t slot, std::int64_t blocks, MemoryLog::When when) {
    if (log_ != nullptr) log_->map(slot, mapped_[at(slot)], blocks, when);
    free_ -= blocks;
    held_ += blocks;
    mapped_[at(slot)] += blocks;
    maybe_spare_.insert(slot);
    reschedule(owner_[at(slot)]);
  }
  void unmap(std::int64_t slot, std::int64_t blocks, std::int64_t now, MemoryLog::When when) {
    free_ += blocks;
    mapped_[at(slot)] -= blocks;
    if (log_ != nullptr) log_->unmap(slot, mapped_[at(slot)], blocks, when);
    const Sid s = owner_[at(slot)];
    if (s == no_sid) {
      cached_ -= blocks;
      inactive_.erase({mapped_[at(slot)] + blocks, slot});
      inactive_.emplace(mapped_[at(slot)], slot);
      if (mapped_[at(slot)] == 0) idle_mapped_.erase(slot);
      return;
    }
    held_ -= blocks;
    record(s, now);
    reschedule(s);
    if (serving_ && in_calendar_[at(s)] && cross_.key(s) <= table_.iteration()) push_needy(s);
  }
  void note_spare(std::int64_t slot) { if (mapped_[at(slot)] > 0) maybe_spare_.insert(slot); }
  void reschedule(Sid s) {
    if (s != no_sid && in_calendar_[at(s)]) cross_.move(s, crossing(s));
  }
  void push_needy(Sid s) {
    needy_.emplace_back(table_[s].order, s);
    std::push_heap(needy_.begin(), needy_.end(), std::greater<>{});
  }
  [[nodiscard]] std::int64_t slots() const { return static_cast<std::int64_t>(mapped_.size()); }

  /// want(s, k): blocks for k tokens beyond the end of the running iteration.
  [[nodiscard]] std::int64_t want(Sid s, std::int64_t k) const {
    return need(std::min(table_.stored_after(s) + k, max_len_));
  }
  [[nodiscard]] std::int64_t lacks(Sid s, std::int64_t k) const { return want(s, k) - mapped(s); }
  /// Running requests that lack a block for k more tokens and did not for k - 1, in running order.
  void gather(std::int64_t k, Sid partial) {
    candidates_.clear();
    const auto take = [&](Sid s) {
      if (lacks(s, k) > 0) candidates_.emplace_back(table_[s].order, s);
    };
    cross_.for_each(table_.next_iteration() + k - 1, take);
    std::sort(candidates_.begin(), candidates_.end());
    if (partial != no_sid) take(partial);  // last of running
  }

  void run_mapper(std::int64_t now, Sid partial) {
    std::int64_t unmapped = queued_unmaps_, mapped = 0;
    queued_unmaps_ = 0;
    if (cross_.min_key() < table_.next_iteration() + std::max<std::int64_t>(lookahead_, 1) || partial != no_sid) {
      gather(1, partial);
      std::int64_t required = 0;
      for (const auto& [order, s] : candidates_) required += lacks(s, 1);
      if (free_ < required) unmapped += reclaim_for_mapper(required, now);
      if (free_ >= required) mapped = map_ahead(partial, now);
    }
    driver_.start_background(mapped, unmapped);
  }

  std::int64_t map_ahead(Sid partial, std::int64_t now) {
    std::int64_t mapped = 0;
    for (std::int64_t k = 1; k <= lookahead_ && free_ > 0; ++k) {
      if (k > 1) gather(k, partial);  // k = 1 was gathered to find what is required
      for (const auto& [order, s] : candidates_) {
        if (k > 1 && mapped >= lookahead_blocks_) return mapped;
        const std::int64_t blocks = lacks(s, k);
        if (blocks <= 0 || blocks > free_) continue;  // all or nothing
        map(slot_of_[at(s)], blocks, MemoryLog::When::beside);
        record(s, now);
        mapped += blocks;
      }
    }
    return mapped;
  }

  /// Inactive slots first, then blocks of active ones beyond want(s, 1); highest index down.
  std::int64_t reclaim_for_mapper(std::int64_t required, std::int64_t now) {
    std::int64_t unmapped = 0;
    const auto take = [&](std::int64_t slot, std::int64_t spare) {
      const std::int64_t blocks = std::min(spare, required - free_);
      if (blocks <= 0) return;
      unmap(slot, blocks, now, MemoryLog::When::beside);
      unmapped += blocks;
    };
    for (std::int64_t i = slots(); free_ < required && (i = idle_mapped_.highest_below(i)) >= 0;)
      take(i, mapped_[at(i)]);
    for (std::int64_t i = slots(); free_ < required && (i = maybe_spare_.highest_below(i)) >= 0;)
      take(i, -lacks(owner_[at(i)], 1));
    return unmapped;
  }

  void record(Sid s, std::int64_t now) {
    auto& h = history_[at(s)];
    const std::int64_t blocks = mapped_[at(slot_of_[at(s)])];
    if (!h.empty() && h.back().since_ns == now) h.back().blocks = blocks;
    else h.push_back({now, blocks});
  }
  void settle(Sid s, std::int64_t now, MemoryAccount& account) const {
    const std::int64_t used = table_.stored(s) * bpt_;
    const auto& h = history_[at(s)];
    for (std::size_t i = 0; i < h.size(); ++i) {
      const std::int64_t until = i + 1 < h.size() ? h[i + 1].since_ns : now;
      account.book_internal(h[i].since_ns, until, std::max<std::int64_t>(0, h[i].blocks * block_bytes_ - used));
    }
  }

  const SequenceTable& table_;
  std::int64_t tensors_, per_block_, block_bytes_, bpt_, blocks_, free_, max_len_, lookahead_, lookahead_blocks_;
  bool background_, eager_, admit_full_;
  std::int64_t rounding_;
  DriverLock driver_;
  MemoryLog* log_ = nullptr;            // of a real run
  std::int64_t held_ = 0, cached_ = 0;  // blocks of active and inactive slots
  std::int64_t queued_unmaps_ = 0;      // left by releases, for the mapper's next run
  std::vector<std::int64_t> mapped_;    // by slot
  std::set<std::pair<std::int64_t, std::int64_t>> inactive_;  // (mapped blocks, slot)
  std::vector<Sid> owner_;              // by slot
  std::vector<std::int64_t> slot_of_;   // by request
  std::vector<std::vector<Change>> history_;  // by request: what it held since when
  SlotSet idle_mapped_;                 // inactive slots with mapped blocks
  SlotSet maybe_spare_;                 // active slots that may hold more than they need; may err on the full side
  std::vector<char> in_calendar_;       // by request
  RingCalendar cross_;
  bool serving_ = false;                // between begin_needy and the last next_needy
  std::vector<std::pair<std::int64_t, Sid>> needy_, candidates_;
};
static_assert(KvPolicy<VAttention>);

constexpr ParamSpec params[] = {
    {"page", ParamType::bytes, "2MiB", "", 4096, 1LL << 34, "physical page mapped at a time, in each tensor"},
    {"layout", ParamType::choice, "per-layer", "per-layer sliced", 0, 0, "K and V tensors per layer, or one of each"},
    {"mapping", ParamType::choice, "background", "sync background", 0, 0, "map when needed, or ahead beside the step"},
    {"lookahead", ParamType::count, "9", "", 0, 4096, "tokens the mapper looks ahead"},
    {"lookahead_blocks", ParamType::count, "2", "", 0, 1 << 20, "blocks after which a mapper run stops looking ahead"},
    {"reclaim", ParamType::choice, "deferred", "eager deferred", 0, 0, "unmap when a request ends, or when needed"},
};

std::string default_name(const ManagerSpec& spec) {
  std::string name = "vattention-" + format_bytes(Bytes{spec.integer("page")});
  if (spec.choice("layout") != "per-layer") name += "-" + spec.choice("layout");
  if (spec.choice("mapping") != "background") name += "-" + spec.choice("mapping");
  if (spec.choice("reclaim") != "deferred") name += "-" + spec.choice("reclaim");
  return name;
}

void check(const RunConfig& config) {
  if (vattention_page_tokens(config) < 1)
    throw InputError({}, "a page of " + format_bytes(Bytes{config.manager.integer("page")}) +
                             " is smaller than one token's share of a tensor; use a larger page");
  const std::int64_t block = vattention_block_bytes(config);
  if (config.kv.pool.count() < block)
    throw InfeasibleError("the KV pool of " + std::to_string(config.kv.pool.count()) +
                          " bytes holds not one page in each tensor (" + std::to_string(block) +
                          " bytes); give it more memory or use a smaller page");
}
LeastHeld least_held(const RunConfig& config) { return {vattention_page_tokens(config)}; }
}  // namespace

ManagerRow vattention_row() {
  return {"vattention", "contiguous virtual memory, physical pages mapped on demand (vAttention)", "none",
          params,       default_name, check, least_held, run_serving<VAttention>, make_calls<VAttention>};
}
}  // namespace stowage
