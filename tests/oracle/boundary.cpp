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

bool Boundary::admit_head(std::int64_t from, std::int64_t n) {
  Sequence& s = *q_.waiting.front();
  if (!memory_.admit(s, from, from + n, running.size(), work)) {
    head_blocked = true;
    return false;
  }
  q_.waiting.pop_front();
  q_.running.push_back(&s);
  s.running = true;
  s.scheduled = s.completed = from;  // S16.9
  if (s.record.first_scheduled_ns < 0) s.record.hit_tokens = static_cast<std::int32_t>(from);
  give_row(s, n);
  return true;
}

void Boundary::give_row(Sequence& s, std::int64_t n) {
  Row row{&s, s.scheduled, n, s.residency, s.decoding, false};
  s.scheduled += n;
  if (s.scheduled == s.target()) {  // S1.17
    row.gives = s.decoding = true;
    s.ordered += 1;
  }
  rows.push_back(row);
}

/// S3.8, S3.9, S3.10.
void Boundary::preempt_last() {
  Sequence& victim = *q_.running.back();
  settle_(victim);
  q_.running.pop_back();
  memory_.release(victim, work);
  victim.scheduled = victim.completed = 0;
  victim.residency += 1;  // S17.7
  victim.running = victim.decoding = false;
  victim.record.preemptions += 1;
  q_.waiting.push_front(&victim);
  victims.push_back(&victim);
  head_blocked = true;
}
}  // namespace stowage::oracle
