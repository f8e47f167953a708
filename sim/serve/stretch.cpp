// The loop in which most iterations run: pure decode from this boundary until a part has something else to do. It
// prices, clocks and books every iteration, touching nothing by request. Nobody can be admitted meanwhile: a head that
// was refused stays refused until memory is released, and the budget and the number of running requests stand still.
#include <algorithm>
#include <utility>

#include "sim/serve/replica.hpp"

namespace stowage {

Replica::Stretch Replica::pick_stretch() const {
  const auto of = [&]<bool served, bool grows>() -> Stretch {
    if (config_.scheduler.async_scheduling) return &Replica::stretch<served, grows, true>;
    return &Replica::stretch<served, grows, false>;
  };
  const bool grows = kv_->growth().need != nullptr;
  if (server_.takes_time()) return grows ? of.operator()<true, true>() : of.operator()<true, false>();
  return grows ? of.operator()<false, true>() : of.operator()<false, false>();
}

/// served: the front end takes time for every step's tokens; grows: decoders take memory meanwhile; async: when a step
/// is formed the one before it is in flight, and the next boundary is when that one ends.
template <bool served, bool grows, bool async>
void Replica::stretch(const Quiet& alike) {
  const std::int64_t batch = batch_.decoders();
  DecodeCursor price(config_.cost.decode_line(batch));
  LogHistogram::Cursor gaps(metrics_.tbt_ns, static_cast<std::uint64_t>(batch));
  const std::int64_t unit_bytes = kv_->facts().unit_bytes, shared = kv_->shared_bytes();
  Growth memory = kv_->growth();
  const std::int64_t first = table_.lane_clock(), last = alike.clock, until_ns = alike.ns;
  std::int64_t clock = first, now = now_, booked = now, ends = free_from_ns_, next = 0;
  std::int64_t kv_tokens = batch_.decode_tokens();
  const std::int64_t unstored = kv_tokens - batch_.live_tokens();  // in flight: as much at every boundary
  Int128 live = 0, held = 0;  // tokens x ns, units x ns since `booked`
  std::int64_t bin_end = account_.bin_end_ns();
  const std::int64_t work = served ? server_.work_ns(batch) : 0;
  const std::int64_t forming = async ? 0 : forming_ns(), updating = loops_ ? loop_.updating_ns(batch) : 0;
  bool evicting = grows && memory.evictable > 0 && memory.units == memory.held;  // all that is free is kept
  if (evicting) memory.units += std::exchange(memory.evictable, 0);
  const auto book = [&](std::int64_t until) {
    const std::int64_t dt = until - booked;
    const Int128 cached = evicting ? (static_cast<Int128>(memory.units) * dt - held) * unit_bytes
                                   : static_cast<Int128>(level_.cached) * dt;
    account_.add_within_bin(dt, live * bpt_ - static_cast<Int128>(shared) * dt, held * unit_bytes, cached, level_);
    live = held = 0;
    booked = until;
  };
  for (;;) {
    const std::int64_t before = ends;
    ends = (async ? before : now + forming) + round_ns(price.ns(kv_tokens));
    next = (async ? before : ends) + updating;
    const std::int64_t gap = next - now, stored = async ? kv_tokens - unstored : kv_tokens;
    if (next > bin_end) [[unlikely]] {
      book(now);
      level_.live = stored * bpt_ - shared;
      level_.held = memory.held * unit_bytes;
      if (evicting) level_.cached = memory.free() * unit_bytes;
      account_.add(gap, level_);
      booked = next;
      bin_end = account_.bin_end_ns();
    } else {
      live += static_cast<Int128>(stored) * gap;
      held += static_cast<Int128>(memory.held) * gap;
    }
    gaps.add(gap);
    kv_tokens += batch;
    if constexpr (served) server_.take(next, work);
    if constexpr (grows) memory.advance();
    if (++clock > last || next >= until_ns) break;
    if (grows && !memory.extend(clock, next)) {
      if (memory.evictable == 0) break;  // from here on what decoders take is what was kept for nobody
      book(next);
      memory.units += std::exchange(memory.evictable, 0);
      evicting = true;
      if (!memory.extend(clock, next)) break;
    }
    now = next;
  }

  // Steps were formed while the lane's clock showed `first` to clock - 1, the last of them at `now`. Booked and handed
  // out is all until the next boundary.
  if constexpr (grows) {
    kv_->growth().held = memory.held;
    kv_->growth().phase = memory.phase;
    kv_->growth().clock = clock;
  }
  book(next);
  gaps.finish(static_cast<std::uint64_t>(clock - first), next - now_);
  metrics_.running_ns += static_cast<Int128>(batch) * (next - now_);
  metrics_.busy_ns += next - now_;
  metrics_.peak_held_bytes = std::max(metrics_.peak_held_bytes, memory.held * unit_bytes);
  iterations_ += static_cast<std::uint64_t>(clock - first);
  now_ = now;
  handed_out_ns_ = next;
  batch_.grow(clock - 1 - first);
  Step& step = batch_.step();
  step.formed_ns = now;
  step.begins_ns = async ? next - updating : now + forming;
  free_from_ns_ = ends;
  step.updating_ns = updating;
  step.ends_ns = ends + updating;
  loop_free_ns_ = now + forming_ns();
  if constexpr (async) batch_.last().ends_ns = next;
  (async ? batch_.last() : step).handed_out = true;
}
}  // namespace stowage
