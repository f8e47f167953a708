#include "sim/sched/batch.hpp"

#include <algorithm>

#include "base/error.hpp"

namespace stowage {

Batch::Batch(const RunConfig& config, SequenceTable& table, KvManager& kv, MemoryAccount& account)
    : table_(table),
      kv_(kv),
      account_(account),
      cost_(config.cost),
      max_batch_(config.scheduler.max_batch),
      depth_(config.scheduler.async_scheduling ? 2 : 1),
      finish_at_(config.scheduler.max_model_len + 3, table.capacity()) {}

/// S3.3 to S3.7, where it matters who asks for memory first. Between two prompts under way decoders may stand. Of the
/// budget everyone but the last gets what he wants: he wants no more than at the step before, and got it then.
std::int64_t Batch::extend_in_order(std::int64_t budget, std::int64_t most) {
  kv_.begin_needy();
  std::int64_t prompts = 0;
  for (std::size_t i = 0; i < partial_.size() && most > 0; ++i) {
    const Sid s = partial_[i];
    if (!extend_needy(table_[s].order) || !table_[s].running) return budget - decoders_ - prompts;
    const std::int64_t n = std::min({table_[s].target() - table_[s].computed, most, budget - decoders_ - prompts});
    if (!continue_prompt(s, n)) return budget - decoders_ - prompts;
    prompts += n;
  }
  extend_needy(SequenceTable::everyone);
  return budget - decoders_ - prompts;
}

/// Of the decoders admitted before `order`. False: one of them is gone, and nobody is left behind it.
bool Batch::extend_needy(std::int64_t order) {
  for (Sid s = kv_.next_needy(order); s != no_sid; s = kv_.next_needy(order)) {
    table_.grant_before(table_[s].order);
    while (!kv_.extend(s, table_.stored(s) + 1, now_ns_)) {
      const Sid last = table_.last_running();
      preempt(last);
      if (last == s) return false;
    }
  }
  return true;
}

/// False: it is gone.
bool Batch::continue_prompt(Sid s, std::int64_t tokens) {
  table_.grant_before(table_[s].order);
  while (!kv_.extend(s, table_[s].computed + tokens, now_ns_)) {
    const Sid last = table_.last_running();
    preempt(last);
    if (last == s) return false;
  }
  schedule(s, tokens, false);
  return true;
}

std::span<const Sid> Batch::not_decoding() {
  not_decoding_.clear();
  if (!idle())
    for (const auto& [order, s] : last().finishing)
      if (table_[s].running) not_decoding_.push_back(s);
  for (const Chunk& c : forming_->chunks)
    if (!c.completes) not_decoding_.push_back(c.sid);
  return not_decoding_;
}

std::int64_t Batch::in_flight_of(Sid s) const {
  if (idle()) return 0;
  const Sequence& q = table_[s];
  return (q.decoding || q.retired) && table_.stored(s) > q.target() ? 1 : q.chunk;
}

void Batch::retire(Sid s) {
  Sequence& q = table_[s];
  const std::int64_t stored = table_.stored(s);
  finish_at_.remove(s);
  if (stops_unforeseen(q.request)) {  // S17.11: it has a row in the last step, and ends with the one before
    STOWAGE_ASSERT(full());
    other().finishing.emplace_back(q.order, s);
    q.unstored = 1;
    ++last().zombies;
    --last().stores;
  } else {
    last().finishing.emplace_back(q.order, s);
  }
  decode_tokens_ -= stored;
  --decoders_;
  ++retired_;
  q.computed = stored;
  q.decoding = false;
  q.retired = true;
  if (depth_ == 2) kv_.stop_decoding(s);
}

void Batch::release(Sid s) {
  kv_.release(s, now_ns_, account_);
  refused_tokens_ = nobody_refused;
}

void Batch::leave(Sid s) {
  --retired_;
  live_tokens_ -= table_.kept(s);
  pauses_.leave(now_ns_);
  release(s);
  table_.remove_running(s);
}

void Batch::leave_waiting(Sid s) {
  unadmitted_tokens_ -= table_[s].target();
  waiting_.remove(s);
  refused_tokens_ = nobody_refused;
}

void Batch::preempt(Sid s) {
  Sequence& q = table_[s];
  const std::int64_t stored = table_.stored(s), in_flight = in_flight_of(s);
  q.unstored = in_flight;
  release(s);
  live_tokens_ -= stored - in_flight;
  if (in_flight > 0) last().stores -= in_flight;  // S17.7
  if (q.decoding || q.retired) {
    // Where the row in flight is the end of its prompt, its delivery says when it got its last token.
    if (in_flight == 0) q.last_token_ns = pauses_.leave(now_ns_);
    else if (stored > q.target()) q.last_token_ns = last().ends_ns;
    q.produced = stored + 1 - q.request.prompt_tokens;
  } else {
    std::erase(partial_, s);
  }
  if (q.decoding) {
    decode_tokens_ -= stored;
    --decoders_;
    finish_at_.remove(s);
    if (q.produced == q.request.output_tokens && !idle())  // S17.8, by itself
      last().finishing.emplace_back(q.order, s);
  } else if (q.retired) {
    --retired_;
  }
  table_.remove_running(s);
  q.decoding = q.retired = false;
  q.computed = q.chunk = q.unstored = 0;
  unadmitted_tokens_ += q.target();
  ++q.preemptions;
  waiting_.push_front(s);
  forming_->preempted.push_back(s);
  forming_->refused = true;
}

}  // namespace stowage
