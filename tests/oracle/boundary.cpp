#include "tests/oracle/scheduler.hpp"

namespace stowage::oracle {

Sequence* Boundary::head() const {
  if (q_.waiting.empty() || std::ssize(running) >= c.max_batch) return nullptr;
  return q_.waiting.front();
}

bool Boundary::grow(Sequence& s, std::int64_t n) {
  while (!memory_.extend(s, s.scheduled + n, work)) {
    const bool itself = q_.running.back() == &s;
    preempt_last();
    if (itself) return false;
  }
  give_row(s, n);
  return true;
}

bool Boundary::admit_head(std::int64_t n) {
  Sequence& s = *q_.waiting.front();
  if (!memory_.admit(s, n, running.size(), work)) {
    head_blocked = true;
    return false;
  }
  q_.waiting.pop_front();
  q_.running.push_back(&s);
  give_row(s, n);
  return true;
}

void Boundary::give_row(Sequence& s, std::int64_t n) {
  rows.push_back({&s, s.scheduled, n});
  s.scheduled += n;
}

/// S3.8, S3.9, S3.10.
void Boundary::preempt_last() {
  Sequence& victim = *q_.running.back();
  settle_(victim);
  q_.running.pop_back();
  memory_.release(victim, work);
  victim.scheduled = victim.completed = 0;
  victim.decoding = false;
  victim.record.preemptions += 1;
  q_.waiting.push_front(&victim);
  preempted_ = head_blocked = true;
}
}  // namespace stowage::oracle
