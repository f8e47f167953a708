#include "tests/oracle/books.hpp"

#include <algorithm>

#include "base/error.hpp"

namespace stowage::oracle {
namespace {
std::int64_t& at(OracleSegment& s, Part part) { return s.bytes[static_cast<std::size_t>(part)]; }
}  // namespace

std::int64_t Books::live_bytes(const Queues& q) const {
  std::int64_t tokens = 0;
  for (const Sequence* s : q.running) tokens += live_tokens(*s);
  return tokens * bpt_;
}

/// S16.17: what is shared counts for whoever was admitted first.
std::int64_t Books::live_tokens(const Sequence& s) const {
  return std::max<std::int64_t>(0, s.completed - memory_.shared_tokens(s));
}

/// S10.1.
OracleSegment Books::still(std::int64_t start_ns, const Queues& q, bool blocked) const {
  OracleSegment out{start_ns, start_ns, {}, std::ssize(q.running), std::ssize(q.waiting)};
  std::int64_t held = 0;
  for (const Sequence* s : q.running) {
    STOWAGE_ASSERT(memory_.held_bytes(*s) >= (s->scheduled - memory_.shared_tokens(*s)) * bpt_);  // S6.6
    held += memory_.held_bytes(*s);
  }
  const std::int64_t otherwise_free = pool_ - held - memory_.cached_bytes() - memory_.lost_bytes();
  STOWAGE_ASSERT(otherwise_free >= 0);
  at(out, Part::live) = live_bytes(q);
  at(out, Part::cached) = memory_.cached_bytes();                                   // S10.7
  at(out, Part::external) = memory_.lost_bytes() + (blocked ? otherwise_free : 0);  // S10.8, S10.9
  at(out, Part::free) = blocked ? 0 : otherwise_free;                               // S10.12
  return out;
}

void Books::stand_still(IterationRecord& it, std::int64_t now_ns, const Queues& q, bool head_blocked) {
  if (!segments_.empty()) segments_.back().end_ns = now_ns;
  OracleSegment s = still(now_ns, q, head_blocked);
  it.running = s.running;
  it.waiting = s.waiting;
  it.live_bytes = at(s, Part::live);
  it.cached_bytes = at(s, Part::cached);
  it.external_bytes = at(s, Part::external);
  it.free_bytes = at(s, Part::free);
  for (Sequence* r : q.running) {
    const std::int64_t held = memory_.held_bytes(*r);
    it.held_bytes += held;
    r->stays.push_back({segments_.size(), held, live_tokens(*r) * bpt_, memory_.shared_tokens(*r) * bpt_});
  }
  segments_.push_back(s);
}

void Books::settle(Sequence& s) {
  for (const auto& stay : s.stays) {
    const std::int64_t used = std::max(stay.live, s.completed * bpt_ - stay.shared);  // F x bpt
    at(segments_[stay.segment], Part::reserved) += std::min(stay.held, used) - stay.live;
    at(segments_[stay.segment], Part::internal) += std::max<std::int64_t>(0, stay.held - used);
  }
  s.stays.clear();
}

void Books::close(std::int64_t end_ns) {
  while (!segments_.empty() && segments_.back().start_ns >= end_ns) segments_.pop_back();
  if (!segments_.empty()) segments_.back().end_ns = end_ns;
}
}  // namespace stowage::oracle
