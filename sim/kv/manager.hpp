#pragma once
// What the engine asks of a memory manager. A manager is a final class in one .cpp file of this folder. It keeps books
// and decides; it has no clock and spends no time: what its decisions ask of the driver goes into work().
//
// The engine calls it at boundaries where something happens, never once an iteration: between two such boundaries it
// runs on growth(), a few numbers that say what the decoders take while they do nothing but grow.
//
// Contract, checked for every manager by tests/contract:
//   - a call that returns false changes nothing;
//   - held + cached + round_up + rounding + free == pool, all >= 0, after every call;
//   - releasing everybody leaves held == 0 and round_up == 0;
//   - same calls, same answers.
// Managers see a request's prompt and stored tokens through SequenceTable; only `reserve` may look at its output
// length, which `length: pow2` and `oracle` are handed on purpose.
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <span>

#include "sim/account/memory_account.hpp"
#include "sim/kernel/sequence.hpp"
#include "sim/kv/memory_work.hpp"

namespace stowage {

/// Bytes by owner; what is left of the pool is free. Memory that several residents hold counts once in `held`; `shared`
/// says how much more it would be if each had his own.
struct Occupancy {
  std::int64_t held = 0, cached = 0, round_up = 0, shared = 0;
};

/// Memory in one piece, of a resident or cached (owner == no_sid). Tokens fill it from its start.
struct Extent {
  std::int64_t at = -1;  // byte of the pool; -1 = has no address: pages, stacked in the order they are told
  std::int64_t bytes = 0;
  Sid owner = no_sid;
};

/// Memory of decoders that grow by a token an iteration and do nothing else: at the boundary where the clock of their
/// lane shows c they take need[c mod size] units of those free. The engine's tight loop keeps a copy in registers.
struct Growth {
  std::int64_t held = 0, units = 0;    // by residents; all that may be held
  std::int64_t evictable = 0;          // beyond these, kept for nobody: taken when there are no others
  const std::int64_t* need = nullptr;  // [size]; nullptr = decoders take nothing while they only grow
  std::size_t size = 1, phase = 0;     // phase = clock mod size
  std::int64_t* taken_ns = nullptr;    // [mask + 1]: when the boundary of a clock was
  std::uint64_t mask = 0;
  std::int64_t clock = 0;

  [[nodiscard]] std::int64_t free() const { return units - held; }
  /// The clock goes on.
  void advance() {
    if (++phase == size) phase = 0;
  }
  /// The clock shows `now`, which is at most one more than before.
  void reach(std::int64_t now) {
    if (clock == now) return;
    clock = now;
    advance();
  }
  /// At the boundary of clock `at` all decoders get room for one token, or nothing changes.
  bool extend(std::int64_t at, std::int64_t now_ns) {
    if (need[phase] > free()) return false;
    held += need[phase];
    taken_ns[static_cast<std::uint64_t>(at) & mask] = now_ns;
    return true;
  }
  void mark(std::int64_t now_ns) { taken_ns[static_cast<std::uint64_t>(clock) & mask] = now_ns; }
};

class KvManager {
 public:
  /// What does not change during a run. A unit is the least that is taken: a block, or the bytes of a token.
  struct Facts {
    std::int64_t unit_bytes = 0, pool_tokens = 0;  // tokens an empty pool can hold
    std::int64_t rounding_bytes = 0;               // of the pool, lost to rounding
    std::int64_t pages_per_unit = 0;               // driver calls to map one; 0 = never maps
  };

  virtual ~KvManager() = default;
  KvManager(const KvManager&) = delete;
  KvManager& operator=(const KvManager&) = delete;

  [[nodiscard]] const Facts& facts() const { return facts_; }
  [[nodiscard]] Occupancy occupancy() const {
    return {growth_.held * facts_.unit_bytes, cached_ * facts_.unit_bytes, round_up_ * facts_.unit_bytes,
            shared_bytes()};
  }
  /// Of occupancy().
  [[nodiscard]] std::int64_t shared_bytes() const { return shared_ * facts_.unit_bytes; }
  /// Decided and not yet part of a step.
  [[nodiscard]] MemoryWork& work() { return work_; }
  [[nodiscard]] const MemoryWork& work() const { return work_; }
  /// For who carries the work out: what decoders took so far stands in work() too.
  virtual void write_down_growth() {}

  /// Requests may find leading tokens of their prompts in memory: lookup() is worth a call.
  [[nodiscard]] bool finds_prefixes() const { return finds_prefixes_; }
  /// Where contents of prompts stand, for a manager that finds prefixes. Lives as long as the manager is used.
  virtual void read_contents(const RequestStream&) {}
  /// How many leading tokens of a request that waits are there, of the `known` that it has to store. Changes nothing.
  [[nodiscard]] virtual std::int64_t lookup(const Request&, std::int64_t known) {
    (void)known;
    return 0;
  }
  /// The same of a request that has not arrived, between two boundaries, for a router. `behind`: the table's clock does
  /// not count the step formed last.
  [[nodiscard]] virtual std::int64_t hit(const Request&, bool behind) {
    (void)behind;
    return 0;
  }
  /// Could an empty pool hold this request to its end?
  [[nodiscard]] virtual bool never_fits(std::int64_t prompt, std::int64_t output) const = 0;
  /// Room for `tokens` of a new resident in all, of which table.computed are there: lookup() has just said so. `now_ns`
  /// is only written down, for what is booked at the end.
  [[nodiscard]] virtual bool admit(Sid s, std::int64_t tokens, std::int64_t now_ns) = 0;
  /// Room for `tokens` in all.
  [[nodiscard]] virtual bool extend(Sid s, std::int64_t tokens, std::int64_t now_ns) = 0;
  /// All decoding residents get room for one more token at this boundary, where their lane's clock shows `clock`, or
  /// nothing changes and the engine goes through those that need memory one by one, in running order: begin_needy(),
  /// then next_needy(), which is no_sid when none is left that was admitted before `order`.
  [[nodiscard]] bool extend_decoders(std::int64_t clock, std::int64_t now_ns) {
    if (growth_.need == nullptr) return decoders_have_room();
    growth_.reach(clock);
    if (growth_.extend(clock, now_ns)) return true;
    return make_room(growth_.need[growth_.phase]) && growth_.extend(clock, now_ns);
  }
  virtual void begin_needy() {}
  [[nodiscard]] virtual Sid next_needy(std::int64_t order) {
    (void)order;
    return no_sid;
  }
  /// s decodes from the next boundary on; its anchor is set.
  virtual void start_decoding(Sid) {}
  /// s decodes no more, and keeps its memory until it is released. Not called where that follows at once.
  virtual void stop_decoding(Sid) {}
  /// s leaves: settle what it held beyond its table.kept() tokens (account.book_internal), free its memory.
  virtual void release(Sid s, std::int64_t now_ns, MemoryAccount& account) = 0;
  /// The batch is formed and has its memory: decide what is done beside its step. `others` are the running requests
  /// that do not decode: their prompts are not done in it, or they had their last row. While table.paused() decoders
  /// neither store nor need anything.
  virtual void look_ahead(std::int64_t, std::span<const Sid>) {}

  /// Quiet contract: the clock of the last iteration, from the one being formed on, that certainly needs nothing but
  /// growth() of this manager. Less than the present clock when this one needs more.
  [[nodiscard]] virtual std::int64_t quiet_until() const { return std::numeric_limits<std::int64_t>::max(); }
  /// What the iterations up to there take, from the present boundary on, whose own growth is done. The engine writes
  /// back where they stopped.
  [[nodiscard]] Growth& growth() { return growth_; }

  /// For reports, seldom called, may walk the batch: every extent, which sum to held + round_up + cached.
  virtual void each_extent(const std::function<void(const Extent&)>& visit) const = 0;

 protected:
  KvManager() = default;
  /// So many units more for growth(), of those that are kept for nobody.
  [[nodiscard]] virtual bool make_room(std::int64_t units) {
    (void)units;
    return false;
  }
  /// Where growth_ has no needs: nobody who decodes lacks room for one more token.
  [[nodiscard]] virtual bool decoders_have_room() const { return true; }

  Facts facts_;
  Growth growth_;                           // and what residents hold, growing or not
  std::int64_t cached_ = 0, round_up_ = 0, shared_ = 0;  // units
  bool finds_prefixes_ = false;
  MemoryWork work_;
};
}  // namespace stowage
