// Physical pages mapped on demand at request slots, written down block by block. A block is one page in each of the
// T tensors; the driver is charged a page at a time.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "tests/oracle/memory.hpp"

namespace stowage::oracle {
namespace {

/// Driver calls, in pages. Their time is the integer counts times the prices, never a running sum.
struct Calls {
  std::int64_t map = 0, unmap = 0;
  [[nodiscard]] double ns(const VmmCost& cost) const {
    return static_cast<double>(map) * (cost.map_ns + cost.set_access_ns) + static_cast<double>(unmap) * cost.unmap_ns;
  }
};

class VAttention final : public Memory {
 public:
  explicit VAttention(const RunConfig& c) : cost_(c.vmm), admit_full_(c.scheduler.admit_full) {
    const auto integer = [&](const char* key) { return std::get<std::int64_t>(c.manager.params.at(key)); };
    const auto word = [&](const char* key) { return std::get<std::string>(c.manager.params.at(key)); };
    const std::int64_t page = integer("page");
    tensors_ = word("layout") == "per-layer" ? 2 * c.kv.layers : 2;
    block_bytes_ = tensors_ * page * c.kv.gpus;  // the same page on each GPU, by one call that all make at once
    block_tokens_ = page * tensors_ / (c.kv.bytes_per_token.count() / c.kv.gpus);
    STOWAGE_ASSERT(block_tokens_ >= 1);
    background_ = word("mapping") == "background";
    eager_ = word("reclaim") == "eager";
    lookahead_ = integer("lookahead");
    lookahead_blocks_ = integer("lookahead_blocks");
    max_model_len_ = c.scheduler.max_model_len;
    pool_ = c.kv.pool.count();
    blocks_ = free_ = pool_ / block_bytes_;
    slots_.resize(static_cast<std::size_t>(c.scheduler.max_batch));
  }

  bool never_fits(const Resident& r) const override { return need(r.prompt + r.outputs - 1) > blocks_; }

  bool admit(Resident& r, std::int64_t n, std::size_t) override {
    const std::size_t s = pick_slot(need(n));
    if (admit_full_) {
      std::int64_t could_have = free_;
      for (std::size_t i = 0; i < slots_.size(); ++i)
        if (i != s) could_have += std::max<std::int64_t>(0, slots_[i].mapped - present_need(slots_[i]));
      if (need(r.target()) - slots_[s].mapped > could_have) return false;
    }
    if (!grow(s, need(n))) return false;
    slots_[s].owner = &r;
    return true;
  }

  bool extend(Resident& r, std::int64_t m) override { return grow(slot_of(r), need(m)); }

  void release(Resident& r) override {
    Slot& slot = slots_[slot_of(r)];
    slot.owner = nullptr;
    if (!eager_) return;
    free_ += slot.mapped;
    (background_ ? left_by_releases_ : at_boundary_).unmap += slot.mapped * tensors_;
    slot.mapped = 0;
  }

  std::int64_t held_bytes(const Resident& r) const override { return slots_[slot_of(r)].mapped * block_bytes_; }
  std::int64_t cached_bytes() const override {
    std::int64_t blocks = 0;
    for (const auto& slot : slots_)
      if (slot.owner == nullptr) blocks += slot.mapped;
    return blocks * block_bytes_;
  }
  std::int64_t lost_bytes() const override { return pool_ - blocks_ * block_bytes_; }

  double take_stall_ns(std::int64_t now) override {
    const double left = std::max(0.0, mapper_work_ns_ - static_cast<double>(now - mapper_start_));
    const double work = at_boundary_.ns(cost_);
    done_.map += at_boundary_.map;
    done_.unmap += at_boundary_.unmap;
    at_boundary_ = {};
    return work + left;
  }

  void run_beside(std::int64_t start, const std::vector<Resident*>& running) override {
    if (!background_) return;
    Calls run = left_by_releases_;
    left_by_releases_ = {};
    map_ahead(running, run);
    mapper_start_ = start;
    mapper_work_ns_ = run.ns(cost_);
    done_.map += run.map;
    done_.unmap += run.unmap;
  }

  RunResult::Vmm driver_totals() const override {
    const Calls all{done_.map + at_boundary_.map, done_.unmap + at_boundary_.unmap + left_by_releases_.unmap};
    RunResult::Vmm out;
    out.map_calls = static_cast<std::uint64_t>(all.map);
    out.unmap_calls = static_cast<std::uint64_t>(all.unmap);
    out.busy_ns = all.ns(cost_);
    return out;
  }

 private:
  struct Slot {
    std::int64_t mapped = 0;
    const Resident* owner = nullptr;
  };

  std::int64_t need(std::int64_t tokens) const { return (tokens + block_tokens_ - 1) / block_tokens_; }
  std::int64_t present_need(const Slot& slot) const { return slot.owner == nullptr ? 0 : need(slot.owner->secured); }
  std::int64_t want(const Resident& r, std::int64_t k) const {
    return need(std::min(r.computed + r.scheduled + k, max_model_len_));
  }
  std::size_t slot_of(const Resident& r) const {
    for (std::size_t i = 0; i < slots_.size(); ++i)
      if (slots_[i].owner == &r) return i;
    STOWAGE_ASSERT(false && "not resident");
    return 0;
  }

  std::size_t pick_slot(std::int64_t blocks) const {
    const std::size_t none = slots_.size();
    std::size_t best = none, most = none;
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      if (slots_[i].owner != nullptr) continue;
      if (slots_[i].mapped >= blocks && (best == none || slots_[i].mapped < slots_[best].mapped)) best = i;
      if (most == none || slots_[i].mapped > slots_[most].mapped) most = i;
    }
    STOWAGE_ASSERT(most != none);
    return best != none ? best : most;
  }

  /// Work a batch needs at its own boundary. All or nothing.
  bool grow(std::size_t s, std::int64_t blocks) {
    const std::int64_t missing = std::max<std::int64_t>(0, blocks - slots_[s].mapped);
    const std::vector<Slot> slots_before = slots_;
    const std::int64_t free_before = free_;
    std::int64_t unmapped = 0;
    for (std::size_t i = slots_.size(); i-- > 0;) {
      if (i == s) continue;
      while (free_ < missing && slots_[i].mapped > present_need(slots_[i])) {
        --slots_[i].mapped;
        ++free_;
        ++unmapped;
      }
    }
    if (free_ < missing) {
      slots_ = slots_before;
      free_ = free_before;
      return false;
    }
    slots_[s].mapped += missing;
    free_ -= missing;
    at_boundary_.map += missing * tensors_;
    at_boundary_.unmap += unmapped * tensors_;
    return true;
  }

  /// The mapper thread's run beside one iteration, after the unmapping that releases left.
  void map_ahead(const std::vector<Resident*>& running, Calls& run) {
    std::int64_t required = 0;
    for (const Resident* r : running) required += std::max<std::int64_t>(0, want(*r, 1) - slots_[slot_of(*r)].mapped);
    const auto reclaim = [&](bool active) {
      for (std::size_t i = slots_.size(); i-- > 0;) {
        if ((slots_[i].owner != nullptr) != active) continue;
        const std::int64_t spared = active ? want(*slots_[i].owner, 1) : 0;
        while (free_ < required && slots_[i].mapped > spared) {
          --slots_[i].mapped;
          ++free_;
          run.unmap += tensors_;
        }
      }
    };
    reclaim(false);
    reclaim(true);
    if (free_ < required) return;
    std::int64_t mapped_blocks = 0;
    for (std::int64_t k = 1; k <= lookahead_; ++k) {
      for (const Resident* r : running) {
        if (k > 1 && mapped_blocks >= lookahead_blocks_) return;
        Slot& slot = slots_[slot_of(*r)];
        const std::int64_t missing = want(*r, k) - slot.mapped;
        if (missing <= 0 || missing > free_) continue;
        slot.mapped += missing;
        free_ -= missing;
        mapped_blocks += missing;
        run.map += missing * tensors_;
      }
    }
  }

  VmmCost cost_;
  bool admit_full_ = false, background_ = false, eager_ = false;
  std::int64_t tensors_ = 0, block_bytes_ = 0, block_tokens_ = 0, lookahead_ = 0, lookahead_blocks_ = 0;
  std::int64_t max_model_len_ = 0, pool_ = 0, blocks_ = 0, free_ = 0;
  std::vector<Slot> slots_;
  Calls at_boundary_;       // synchronous work since the last iteration started
  Calls left_by_releases_;  // background: unmapping that the next mapper run does first
  Calls done_;
  std::int64_t mapper_start_ = 0;
  double mapper_work_ns_ = 0;
};
}  // namespace

std::unique_ptr<Memory> make_vattention(const RunConfig& config) { return std::make_unique<VAttention>(config); }
}  // namespace stowage::oracle
