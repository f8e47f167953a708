// The loop in which most iterations run: pure decode from this boundary until a part has something else to do. It
// prices, clocks and books every iteration, touching nothing by request. Nobody can be admitted meanwhile: a head that
// was refused stays refused until memory is released, and the budget and the number of running requests stand still.
#include <algorithm>

#include "sim/serve/replica.hpp"

namespace stowage {

void Replica::run_stretch(const Quiet& alike) {
  const bool grows = kv_->growth().need != nullptr;
  if (server_.takes_time()) grows ? stretch<true, true>(alike) : stretch<true, false>(alike);
  else grows ? stretch<false, true>(alike) : stretch<false, false>(alike);
}

/// served: the front end takes time for every step's tokens; grows: decoders take memory meanwhile.
template <bool served, bool grows>
void Replica::stretch(const Quiet& alike) {
  const std::int64_t batch = batch_.decoders(), most = alike.clock - table_.lane_clock() + 1;
  const DecodeLine line = config_.cost.decode_line(batch);
  const std::int64_t unit_bytes = kv_->facts().unit_bytes;
  std::int64_t ran = 0;
  MemoryLevels level = level_;
  Growth memory = kv_->growth();
  LogHistogram::Cursor gaps(metrics_.tbt_ns, static_cast<std::uint64_t>(batch));
  Int128 live = 0, held = 0;  // tokens x ns, units x ns since `booked`
  std::int64_t now = now_, booked = now, kv_tokens = batch_.decode_tokens(), held_units = 0;
  std::int64_t bin_end = account_.bin_end_ns();
  TokenServer server = server_;
  const std::int64_t work = served ? server.work_ns(batch) : 0;
  do {
    const std::int64_t step = round_ns(line.ns(kv_tokens));
    held_units = memory.held;
    if (now + step > bin_end) [[unlikely]] {
      account_.add_within_bin(now - booked, live * bpt_, held * unit_bytes, level);
      level.live = kv_tokens * bpt_;
      level.held = held_units * unit_bytes;
      account_.add(step, level);
      live = held = 0;
      booked = now + step;
      bin_end = account_.bin_end_ns();
    } else {
      live += static_cast<Int128>(kv_tokens) * step;
      held += static_cast<Int128>(held_units) * step;
    }
    gaps.add(step);
    now += step;
    if constexpr (served) server.take(now, work);
    kv_tokens += batch;
    if constexpr (grows) memory.advance();
  } while (++ran < most && now < alike.ns && (!grows || memory.extend(now)));

  server_ = server;
  kv_->growth() = memory;
  account_.add_within_bin(now - booked, live * bpt_, held * unit_bytes, level);
  gaps.finish(static_cast<std::uint64_t>(ran), now - now_);
  metrics_.running_ns += static_cast<Int128>(batch) * (now - now_);
  metrics_.busy_ns += now - now_;
  metrics_.peak_held_bytes = std::max(metrics_.peak_held_bytes, held_units * unit_bytes);
  iterations_ += static_cast<std::uint64_t>(ran);
  Step& step = batch_.step();
  step.growth = ran;
  step.formed_ns = step.starts_ns = now_;
  step.ends_ns = now;
}
}  // namespace stowage
