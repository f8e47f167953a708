// PagedAttention (vLLM): a pool of equal blocks and a block table per request (Kwon et al., SOSP 2023, section 4).
// Decoding requests cross into a new block every block_size iterations, so those that cross together form a residue
// class: memory for a whole boundary is one subtraction of the class's count.
#include <algorithm>
#include <bit>
#include <cmath>

#include "base/error.hpp"
#include "sim/kv/manager_calls.hpp"
#include "sim/kv/policy.hpp"
#include "sim/kv/rows.hpp"
#include "sim/serve/cluster.hpp"

namespace stowage {
namespace {

class Paged final {
 public:
  Paged(const RunConfig& config, const SequenceTable& table)
      : table_(table),
        size_(config.manager.integer("block_size")),
        block_bytes_(size_ * config.kv.bytes_per_token.count()),
        blocks_(config.kv.pool.count() / block_bytes_),
        free_(blocks_),
        // floor of the double product, as semantics.md has it
        watermark_(static_cast<std::int64_t>(config.manager.fraction("watermark") * static_cast<double>(blocks_))),
        admit_full_(config.scheduler.admit_full),
        rounding_(config.kv.pool.count() - blocks_ * block_bytes_),
        count_(static_cast<std::size_t>(size_), 0),
        classes_(static_cast<std::size_t>(size_)),
        state_(table.capacity()),
        time_mask_(std::bit_ceil(static_cast<std::uint64_t>(size_) + 1) - 1),
        boundary_ns_(time_mask_ + 1, 0) {}

  [[nodiscard]] std::int64_t rounding_bytes() const { return rounding_; }
  [[nodiscard]] std::int64_t pool_tokens() const { return blocks_ * size_; }
  [[nodiscard]] std::int64_t unit_bytes() const { return block_bytes_; }
  [[nodiscard]] std::int64_t held_units() const { return blocks_ - free_; }
  [[nodiscard]] Occupancy occupancy() const { return {held_units() * block_bytes_, 0, 0}; }
  [[nodiscard]] bool never_fits(std::int64_t prompt, std::int64_t output) const {
    return blocks_for(prompt + output - 1) > blocks_;
  }

  bool admit(Sid s, std::int64_t tokens, std::int64_t now) {
    const std::int64_t spare = table_.running() > 0 ? free_ - watermark_ : free_;
    const std::int64_t take = blocks_for(tokens);
    if (take > spare || (admit_full_ && blocks_for(table_[s].target()) > spare)) return false;
    state(s) = {take, now, no_sid, no_sid};
    free_ -= take;
    return true;
  }
  /// For a request whose prompt is not done, or one decoder of the class that crosses at this boundary.
  bool extend(Sid s, std::int64_t tokens, std::int64_t now) {
    State& st = state(s);
    const std::int64_t held = table_[s].decoding ? blocks_for(tokens - 1) : st.blocks;
    const std::int64_t take = std::max<std::int64_t>(0, blocks_for(tokens) - held);
    if (take > free_) return false;
    free_ -= take;
    if (table_[s].decoding) {
      mark_boundary(now);
    } else if (take > 0) {
      st.blocks += take;
      st.block_since_ns = now;
    }
    return true;
  }

  bool extend_decoders(std::int64_t now) {
    const std::int64_t crossing = count_[phase_];
    if (crossing > free_) return false;
    free_ -= crossing;
    mark_boundary(now);
    return true;
  }
  void begin_needy() {
    needy_.clear();
    for (Sid s = classes_[phase_].head; s != no_sid; s = state(s).next) needy_.push_back(s);
    std::reverse(needy_.begin(), needy_.end());  // handed out from the back, in running order
  }
  Sid next_needy() {
    while (!needy_.empty()) {
      const Sid s = needy_.back();
      needy_.pop_back();
      if (table_[s].running) return s;
    }
    return no_sid;
  }

  void start_decoding(Sid s) {
    // Crosses at boundaries where anchor + iteration is a multiple of the block size. Requests join in running order
    // and always behind those already here, so each class list is in running order.
    const std::int64_t next = table_.iteration() + 1;
    const auto to_crossing = static_cast<std::size_t>((size_ - (table_[s].anchor + next) % size_) % size_);
    std::size_t c = phase_ + 1 + to_crossing;
    while (c >= classes_.size()) c -= classes_.size();
    Class& k = classes_[c];
    State& st = state(s);
    st.residue = static_cast<std::int64_t>(c);
    st.prev = k.tail;
    st.next = no_sid;
    (k.tail != no_sid ? state(k.tail).next : k.head) = s;
    k.tail = s;
    ++count_[c];
  }

  void release(Sid s, std::int64_t now, MemoryAccount& account) {
    const std::int64_t stored = table_.stored(s);
    State& st = state(s);
    const std::int64_t blocks = blocks_for(stored);
    std::int64_t since = st.block_since_ns;
    if (table_[s].decoding) {
      // The last block came at the boundary whose iteration stored the block's first token, if that was a decode.
      const std::int64_t first_token = (blocks - 1) * size_;
      if (blocks > st.blocks)
        since = boundary_ns_[static_cast<std::uint64_t>(first_token - table_[s].anchor) & time_mask_];
      leave_class(st);
    } else {
      STOWAGE_ASSERT(blocks == st.blocks);
    }
    account.book_internal(since, now, (blocks * size_ - stored) * (block_bytes_ / size_));
    free_ += blocks;
    st = State{};
  }

  std::int64_t begin_iteration(std::int64_t, Sid) { return 0; }
  void end_iteration(std::int64_t) {
    if (!table_.paused() && ++phase_ == classes_.size()) phase_ = 0;
  }
  void idle(std::int64_t) {}
  [[nodiscard]] std::int64_t quiet_until() const { return RingCalendar::never; }
  DriverCalls finish_driver_work() { return {}; }
  [[nodiscard]] DriverCalls driver_calls() const { return {}; }
  template <class Visit>
  void each_extent(Visit visit) const {
    for (Sid s = 0; s < static_cast<Sid>(state_.size()); ++s) {
      if (!table_[s].running) continue;
      const std::int64_t blocks =
          table_[s].decoding ? blocks_for(table_.stored_after(s)) : state_[static_cast<std::size_t>(s)].blocks;
      visit(Extent{-1, blocks * block_bytes_, s});
    }
  }

  struct Stretch {
    const std::int64_t* crossing;
    std::size_t size, phase;
    std::int64_t free, blocks;
    std::int64_t* boundary_ns;
    std::uint64_t mask, iteration;

    void advance() {
      ++iteration;
      if (++phase == size) phase = 0;
    }
    bool extend(std::int64_t now) {
      if (crossing[phase] > free) return false;
      free -= crossing[phase];
      boundary_ns[iteration & mask] = now;
      return true;
    }
    [[nodiscard]] std::int64_t held_units() const { return blocks - free; }
  };
  [[nodiscard]] Stretch stretch() {
    return {count_.data(), count_.size(),       phase_,     free_,
            blocks_,       boundary_ns_.data(), time_mask_, static_cast<std::uint64_t>(table_.iteration())};
  }
  void end_stretch(const Stretch& s) {
    phase_ = s.phase;
    free_ = s.free;
  }

 private:
  struct State {
    std::int64_t blocks = 0;          // held when the prompt was done (or so far, while it is not)
    std::int64_t block_since_ns = 0;  // when the last of them was taken
    Sid prev = no_sid, next = no_sid;
    std::int64_t residue = -1;
  };
  struct Class {
    Sid head = no_sid, tail = no_sid;
  };
  [[nodiscard]] std::int64_t blocks_for(std::int64_t tokens) const { return (tokens + size_ - 1) / size_; }
  [[nodiscard]] State& state(Sid s) { return state_[static_cast<std::size_t>(s)]; }
  void mark_boundary(std::int64_t now) {
    boundary_ns_[static_cast<std::uint64_t>(table_.iteration()) & time_mask_] = now;
  }
  void leave_class(State& st) {
    Class& k = classes_[static_cast<std::size_t>(st.residue)];
    (st.prev != no_sid ? state(st.prev).next : k.head) = st.next;
    (st.next != no_sid ? state(st.next).prev : k.tail) = st.prev;
    --count_[static_cast<std::size_t>(st.residue)];
  }

  const SequenceTable& table_;
  std::int64_t size_, block_bytes_, blocks_, free_, watermark_;
  bool admit_full_;
  std::int64_t rounding_;
  std::vector<std::int64_t> count_;  // decoders by the iteration, modulo block size, at which they cross
  std::vector<Class> classes_;       // and the list of them
  std::vector<State> state_;
  std::size_t phase_ = 0;  // iteration modulo block size
  std::uint64_t time_mask_;
  std::vector<std::int64_t> boundary_ns_;  // start of the last block_size iterations
  std::vector<Sid> needy_;
};
static_assert(KvPolicy<Paged>);

constexpr ParamSpec params[] = {
    {"block_size", ParamType::tokens, "16", "", 1, 65536, "tokens of one KV block"},
    {"watermark", ParamType::fraction, "0", "", 0, 1, "share of the blocks kept free at admission (vLLM v0: 0.01)"},
};

std::string default_name(const ManagerSpec& spec) { return "paged-" + std::to_string(spec.integer("block_size")); }

void check(const RunConfig& config) {
  const std::int64_t block = config.manager.integer("block_size") * config.kv.bytes_per_token.count();
  if (config.kv.pool.count() < block)
    throw InfeasibleError("the KV pool of " + std::to_string(config.kv.pool.count()) +
                          " bytes holds not one block of " + std::to_string(block) +
                          " bytes; give it more memory or a smaller block_size");
}
LeastHeld least_held(const RunConfig& config) { return {config.manager.integer("block_size")}; }
}  // namespace

ManagerRow paged_row() {
  return {"paged",
          "block pool and block tables (PagedAttention, vLLM)",
          "vllm, trt-llm",
          params,
          default_name,
          check,
          least_held,
          run_serving<Paged>,
          make_calls<Paged>};
}
}  // namespace stowage
