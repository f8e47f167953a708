// The host beside the GPU: the engine's loop, by its prices (semantics S18) or by measured times.
#include <algorithm>

#include "sim/serve/replica.hpp"

namespace stowage {

bool Replica::loop_hides() const {
  if (!config_.scheduler.async_scheduling) return true;
  const std::int64_t forming = forming_ns(), batch = batch_.decoders();
  const auto step_ns = static_cast<std::int64_t>(config_.cost.decode_line(batch).ns(batch_.decode_tokens()));
  return !batch_.idle() && now_ + forming <= free_from_ns_ && loop_.updating_ns(batch) + forming <= step_ns;
}

void Replica::keep_loop_busy(std::int64_t formed_ns) {
  Step& step = batch_.step();
  const StepShape& shape = step.shape;
  loop_free_ns_ = formed_ns + loop_.launching_ns(shape.prefill_tokens + shape.decode_seqs, !step.chunks.empty());
  free_from_ns_ = std::max(free_from_ns_, loop_free_ns_);  // S18.4
  std::int64_t outputs = shape.decode_seqs;
  for (const Chunk& c : step.chunks) outputs += c.completes ? 1 : 0;
  step.updating_ns = loop_.updating_ns(outputs);
  step.ends_ns = free_from_ns_ + step.updating_ns;  // S18.5
  if (batch_.idle()) return;
  Step& before = batch_.last();
  const std::int64_t promised = before.ends_ns;
  before.ends_ns = std::max(promised, loop_free_ns_ + before.updating_ns);  // S18.7
  step.ends_ns = std::max(step.ends_ns, before.ends_ns + step.updating_ns);
  if (before.ends_ns == promised) return;
  for (const Sid p : step.preempted)  // with an output of it on its way
    if (table_[p].last_token_ns == promised) table_[p].last_token_ns = before.ends_ns;
}

void Replica::pass_host_time(bool completed) {
  const StepTime next = times_->of(iterations_);
  std::int64_t until = now_;
  if (!batch_.idle()) {
    // It is the second from idle, or a step has ended. Processing its end takes no longer than the step behind it.
    until = completed ? std::min(now_ + next.handling_ns, batch_.oldest().ends_ns) : batch_.last().begins_ns;
  } else if (completed) {
    until += next.handling_ns;
  } else if (arrivals_.next_ns() <= now_) {
    until += next.waking_ns;
  }
  now_ = std::max(now_, until);
  book_until(now_);
}
}  // namespace stowage
