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
      finish_at_(config.scheduler.max_model_len + 2, table.capacity()) {}

void Batch::extend_one_by_one() {
  kv_.begin_needy();
  for (Sid r = kv_.next_needy(); r != no_sid; r = kv_.next_needy()) {
    table_.grant_before(table_[r].order);
    while (!kv_.extend(r, table_.stored(r) + 1, now_)) {
      const Sid last = table_.last_running();
      preempt(last);
      if (last == r) return;
    }
  }
}

bool Batch::continue_prompt(std::int64_t tokens) {
  const Sequence& q = table_[partial_];
  table_.grant_before(q.order);
  if (kv_.extend(partial_, q.computed + tokens, now_)) {
    schedule(partial_, tokens, false);
    return true;
  }
  preempt(partial_);
  return false;
}

void Batch::preempt(Sid s) {
  Sequence& q = table_[s];
  kv_.release(s, now_, account_);
  if (q.decoding) {
    const std::int64_t stored = table_.stored(s);
    q.produced = stored + 1 - q.request.prompt_tokens;
    q.last_token_ns = pauses_.leave(now_);
    decode_tokens_ -= stored;
    --decoders_;
    finish_at_.remove(s);
  } else {
    partial_ = no_sid;
    prefilled_ = 0;
  }
  table_.remove_running(s);
  q.decoding = false;
  q.computed = 0;
  unadmitted_tokens_ += q.target();
  ++q.preemptions;
  waiting_.push_front(q.request, s);
  step_.preempted.push_back(s);
  step_.refused = true;
}

}  // namespace stowage
