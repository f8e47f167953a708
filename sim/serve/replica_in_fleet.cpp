// What a replica tells and takes where it stands in a fleet.
#include <algorithm>

#include "sim/serve/replica.hpp"

namespace stowage {

void Replica::deliver(const Request& r) {
  const char* why = refusal(r);
  if (why != nullptr && followed_) {  // others may arrive for it at once
    ++metrics_.submitted;
    return reject(r, why);
  }
  if (why == nullptr) {
    ++accepted_;
    batch_.expect(r.prompt_tokens);
  }
  arrivals_.push(r);
}

std::int64_t Replica::no_end_before(std::int64_t step_ns) const {
  if (!batch_.idle()) {
    // Where the next step is formed first, whoever arrives now joins it: even one that takes no time ends after that.
    const bool waits = batch_.full() || nothing_to_form_;
    return std::max({batch_.oldest().ends_ns, waits ? now_ : now_ + 1, steady_until(step_ns, false)});
  }
  if (table_.running() + batch_.waiting() > 0) return now_ + step_ns;
  return arrivals_.next_ns() == Arrivals::none ? Arrivals::none : std::max(now_, arrivals_.next_ns()) + step_ns;
}

std::int64_t Replica::steady_until(std::int64_t step_ns, bool wanted_too) const {
  const bool waits = batch_.full() || (nothing_to_form_ && !batch_.idle());  // else the next step is formed now
  const std::int64_t from = waits ? batch_.oldest().ends_ns : now_;
  if (batch_.waiting() > 0 || arrivals_.next_ns() != Arrivals::none) return from;
  if (batch_.idle() && table_.running() == 0) return Arrivals::none;
  const std::int64_t decoders = batch_.decoders();
  const bool steady = batch_.full() && batch_.last().plain(decoders) && batch_.oldest().plain(decoders);
  const std::int64_t ends = batch_.next_finish(), clock = table_.lane_clock() + (batch_.behind() ? 1 : 0);
  const std::int64_t left = ends - clock + (config_.scheduler.async_scheduling ? 0 : 1);  // S17.11: a step sooner
  if (!steady || ends < clock || left <= 0) return from;
  const auto& facts = kv_->facts();
  const std::int64_t most_held =
      facts.rounding_bytes + kv_->occupancy().held + decoders * (left * bpt_ + facts.unit_bytes);
  if (most_held <= config_.kv.pool.count())
    step_ns =
        std::max(step_ns, static_cast<std::int64_t>(config_.cost.decode_line(decoders).ns(batch_.decode_tokens())));
  else if (wanted_too)
    return from;  // preemption, and pages taken back from running requests, are possible
  return batch_.last().ends_ns + left * step_ns;
}
}  // namespace stowage
