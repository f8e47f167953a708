// S9: physical pages mapped on demand at request slots, block by block.
#include <algorithm>
#include <utility>

#include "base/error.hpp"
#include "tests/oracle/memory.hpp"

namespace stowage::oracle {
namespace {

class VAttention final : public Memory {
 public:
  explicit VAttention(const RunConfig& c) {
    tensors_ = word(c, "layout") == "per-layer" ? 2 * c.kv.layers : 2;                           // S9.1
    block_bytes_ = tensors_ * integer(c, "page") * c.kv.gpus;                                    // S9.2
    pool_ = c.kv.pool.count();                                                                   // S9.3
    blocks_ = free_ = pool_ / block_bytes_;                                                      // S9.3
    block_tokens_ = integer(c, "page") * tensors_ / (c.kv.bytes_per_token.count() / c.kv.gpus);  // S9.4
    STOWAGE_ASSERT(block_tokens_ >= 1);                                                          // S2.5
    slots_.resize(static_cast<std::size_t>(c.scheduler.max_batch));                              // S9.6
    max_model_len_ = c.scheduler.max_model_len;
    admit_full_ = c.scheduler.admit_full;
    background_ = word(c, "mapping") == "background";
    eager_ = word(c, "reclaim") == "eager";
    lookahead_ = integer(c, "lookahead");
    lookahead_blocks_ = integer(c, "lookahead_blocks");
  }

  bool never_fits(const Sequence& s) const override { return need(s.prompt + s.outputs - 1) > blocks_; }  // S2.10

  bool admit(Sequence& s, std::int64_t, std::int64_t n, std::size_t, WorkList& work) override {
    Slot& slot = pick_slot(need(n));
    if (admit_full_) {  // S9.14
      std::int64_t reachable = slot.mapped + free_;
      for (const Slot& other : slots_)
        if (&other != &slot) reachable += std::max<std::int64_t>(0, other.mapped - present_need(other));
      if (reachable < need(s.target())) return false;
    }
    if (!grow(slot, need(n), work)) return false;
    slot.owner = &s;
    return true;
  }

  bool extend(Sequence& s, std::int64_t m, WorkList& work) override { return grow(slot_of(s), need(m), work); }

  void release(Sequence& s, WorkList& work) override {  // S9.15
    Slot& slot = slot_of(s);
    slot.owner = nullptr;
    if (!eager_) return;
    list(work, Work::Kind::unmap, slot.mapped, background_ ? Work::Due::beside : Work::Due::boundary);  // S9.17, S9.18
    free_ += slot.mapped;
    slot.mapped = 0;
  }

  /// S9.19 to S9.28: the mapper's run.
  void beside(const std::vector<Sequence*>& running, WorkList& work) override {
    if (!background_) return;
    std::int64_t required = 0;  // S9.21
    for (const Sequence* s : running) required += std::max<std::int64_t>(0, want(*s, 1) - slot_of(*s).mapped);
    std::int64_t unmapped = reclaim(required, [&](const Slot& slot) {  // S9.22
      return slot.owner == nullptr ? 0 : slot.mapped;
    });
    unmapped += reclaim(required, [&](const Slot& slot) {  // S9.23
      return slot.owner == nullptr ? slot.mapped : want(*slot.owner, 1);
    });
    list(work, Work::Kind::unmap, unmapped, Work::Due::beside);
    if (free_ >= required) list(work, Work::Kind::map, map_ahead(running), Work::Due::beside);  // S9.24
  }

  std::int64_t held_bytes(const Sequence& s) const override { return slot_of(s).mapped * block_bytes_; }  // S9.30
  std::int64_t cached_bytes() const override {                                                            // S9.30
    std::int64_t blocks = 0;
    for (const Slot& slot : slots_)
      if (slot.owner == nullptr) blocks += slot.mapped;
    return blocks * block_bytes_;
  }
  std::int64_t lost_bytes() const override { return pool_ - blocks_ * block_bytes_; }

 private:
  struct Slot {
    std::int64_t mapped = 0;
    const Sequence* owner = nullptr;  // null = inactive
  };

  std::int64_t need(std::int64_t tokens) const { return ceil_div(tokens, block_tokens_); }                      // S9.5
  std::int64_t present_need(const Slot& s) const { return s.owner == nullptr ? 0 : need(s.owner->scheduled); }  // S9.7
  std::int64_t want(const Sequence& s, std::int64_t k) const {                                                  // S9.20
    return need(std::min(s.scheduled + k, max_model_len_));
  }
  const Slot& slot_of(const Sequence& s) const {
    const auto it = std::find_if(slots_.begin(), slots_.end(), [&](const Slot& slot) { return slot.owner == &s; });
    STOWAGE_ASSERT(it != slots_.end());
    return *it;
  }
  Slot& slot_of(const Sequence& s) { return const_cast<Slot&>(std::as_const(*this).slot_of(s)); }

  /// S9.8, S9.9.
  Slot& pick_slot(std::int64_t blocks) {
    Slot *tightest = nullptr, *fullest = nullptr;
    for (Slot& slot : slots_) {
      if (slot.owner != nullptr) continue;
      if (slot.mapped >= blocks && (tightest == nullptr || slot.mapped < tightest->mapped)) tightest = &slot;
      if (fullest == nullptr || slot.mapped > fullest->mapped) fullest = &slot;
    }
    STOWAGE_ASSERT(fullest != nullptr);
    return tightest != nullptr ? *tightest : *fullest;
  }

  /// Unmaps blocks until `wanted` are free, one at a time, slots from the highest index down, of each those above what
  /// it `keeps`; returns how many.
  template <class Keeps>
  std::int64_t reclaim(std::int64_t wanted, const Keeps& keeps) {
    std::int64_t unmapped = 0;
    for (auto slot = slots_.rbegin(); slot != slots_.rend(); ++slot) {
      while (free_ < wanted && slot->mapped > keeps(*slot)) {
        --slot->mapped;
        ++free_;
        ++unmapped;
      }
    }
    return unmapped;
  }

  /// S9.10 to S9.13.
  bool grow(Slot& slot, std::int64_t blocks, WorkList& work) {
    const std::int64_t missing = std::max<std::int64_t>(0, blocks - slot.mapped);
    const auto before = std::pair(slots_, free_);
    const std::int64_t unmapped = reclaim(missing, [&](const Slot& other) {  // S9.11, S9.12
      return &other == &slot ? other.mapped : present_need(other);
    });
    if (free_ < missing) {  // S9.13
      std::copy(before.first.begin(), before.first.end(), slots_.begin());
      free_ = before.second;
      return false;
    }
    slot.mapped += missing;
    free_ -= missing;
    list(work, Work::Kind::unmap, unmapped, Work::Due::boundary);  // S9.18
    list(work, Work::Kind::map, missing, Work::Due::boundary);
    return true;
  }

  /// S9.25 to S9.28; returns the blocks mapped.
  std::int64_t map_ahead(const std::vector<Sequence*>& running) {
    std::int64_t mapped = 0;
    for (std::int64_t k = 1; k <= lookahead_; ++k) {
      for (const Sequence* s : running) {
        if (k > 1 && mapped >= lookahead_blocks_) return mapped;  // S9.27
        Slot& slot = slot_of(*s);
        const std::int64_t missing = std::max<std::int64_t>(0, want(*s, k) - slot.mapped);
        if (missing > free_) continue;  // S9.26
        slot.mapped += missing;
        free_ -= missing;
        mapped += missing;
      }
    }
    return mapped;
  }

  /// S9.16.
  void list(WorkList& work, Work::Kind kind, std::int64_t blocks, Work::Due due) const {
    if (blocks > 0) work.push_back({kind, blocks * tensors_, due});
  }

  bool admit_full_ = false, background_ = false, eager_ = false;
  std::int64_t tensors_ = 0, block_bytes_ = 0, block_tokens_ = 0, lookahead_ = 0, lookahead_blocks_ = 0;
  std::int64_t max_model_len_ = 0, pool_ = 0, blocks_ = 0, free_ = 0;
  std::vector<Slot> slots_;
};
}  // namespace

std::unique_ptr<Memory> make_vattention(const RunConfig& config) { return std::make_unique<VAttention>(config); }
}  // namespace stowage::oracle
