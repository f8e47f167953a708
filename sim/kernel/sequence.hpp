#pragma once
// The requests that hold engine state (running, or preempted and waiting), and the running list in admission order.
//
// Decoders grow together, in a lane with a token clock: a step advances the clock by the tokens that each of them gets,
// so that nobody's length is ever updated: stored = anchor + clock. A step that pauses them advances it by nothing.
// Calendars of what happens to a decoder are keyed by the clock. There is one lane: every decoder gets what all get.
//
// What schedulers and managers see of a sequence counts the steps formed, complete or in flight: stored() before the
// step being formed, scheduled() with it. Tokens of a row still in flight are not in memory yet: kept() leaves them out
// where a sequence loses its place while they are on their way.
#include <cstdint>
#include <limits>
#include <vector>

#include "base/error.hpp"
#include "base/request.hpp"

namespace stowage {

using Sid = std::int32_t;  // index into the table; recycled when a request finishes
inline constexpr Sid no_sid = -1;

struct Sequence {
  Request request;
  std::int64_t order = 0;           // grows with every admission: the order of `running`
  std::int64_t anchor = 0;          // decoding: stored tokens = anchor + clock
  std::int64_t computed = 0;        // not decoding: stored tokens
  std::int64_t chunk = 0;           // tokens of its last row that was no decode
  std::int64_t hit = 0;             // tokens of its prompt that were there when it was admitted first
  std::int64_t unstored = 0;        // tokens in flight when it leaves its place
  std::int64_t produced = 0;        // outputs delivered, or on the way, before this residency's prefill ends
  std::int64_t first_scheduled_ns = -1, first_token_ns = -1, last_token_ns = -1;
  std::int64_t client_first_ns = -1;  // the first token, front end included
  std::int32_t preemptions = 0;
  Sid prev = no_sid, next = no_sid;  // running list
  bool running = false;
  bool decoding = false;  // gets a token of every step of its lane
  bool retired = false;   // had its last row: keeps its place until its output is delivered

  [[nodiscard]] std::int64_t target() const { return request.prompt_tokens + produced; }
};

class SequenceTable {
 public:
  explicit SequenceTable(std::int64_t max_batch) : rows_(static_cast<std::size_t>(max_batch)) {
    for (std::int64_t i = max_batch; i-- > 0;) free_.push_back(static_cast<Sid>(i));
  }

  [[nodiscard]] Sequence& operator[](Sid s) { return rows_[static_cast<std::size_t>(s)]; }
  [[nodiscard]] const Sequence& operator[](Sid s) const { return rows_[static_cast<std::size_t>(s)]; }

  [[nodiscard]] Sid create(const Request& request) {
    // At most max_batch exist: a fresh request is only taken up when no preempted one waits before it.
    STOWAGE_ASSERT(!free_.empty());
    const Sid s = free_.back();
    free_.pop_back();
    (*this)[s] = Sequence{};
    (*this)[s].request = request;
    return s;
  }
  void destroy(Sid s) { free_.push_back(s); }

  void append_running(Sid s) {
    Sequence& q = (*this)[s];
    q.running = true;
    q.order = ++orders_;
    q.prev = tail_;
    q.next = no_sid;
    if (tail_ != no_sid) (*this)[tail_].next = s;
    tail_ = s;
    ++running_;
  }
  void remove_running(Sid s) {
    Sequence& q = (*this)[s];
    if (q.next != no_sid) (*this)[q.next].prev = q.prev;
    else tail_ = q.prev;
    if (q.prev != no_sid) (*this)[q.prev].next = q.next;
    q.running = false;
    --running_;
  }
  [[nodiscard]] Sid last_running() const { return tail_; }
  [[nodiscard]] std::int64_t running() const { return running_; }
  [[nodiscard]] std::size_t capacity() const { return rows_.size(); }

  /// Tokens given to the steps formed before this boundary.
  [[nodiscard]] std::int64_t stored(Sid s) const {
    const Sequence& q = (*this)[s];
    return q.decoding ? q.anchor + clock_ : q.computed;
  }
  /// With the step being formed.
  [[nodiscard]] std::int64_t scheduled(Sid s) const {
    const Sequence& q = (*this)[s];
    if (q.decoding) return q.anchor + next_clock();
    return q.retired ? q.computed : q.computed + q.chunk;
  }
  /// Tokens in memory of one that is released now.
  [[nodiscard]] std::int64_t kept(Sid s) const { return stored(s) - (*this)[s].unstored; }
  /// What a manager must keep for `s` now: its stored tokens, or those of the next boundary once the scheduler has
  /// passed it at this boundary.
  [[nodiscard]] std::int64_t entitled(Sid s) const {
    return (*this)[s].order < granted_before_ ? scheduled(s) : stored(s);
  }

  /// Of the decoders' lane, as of the steps formed before this boundary.
  [[nodiscard]] std::int64_t lane_clock() const { return clock_; }
  /// With the step being formed: a prompt done in it decodes from there on.
  [[nodiscard]] std::int64_t next_clock() const { return clock_ + (paused_ ? 0 : 1); }
  /// In the step being formed decoders store nothing; until told otherwise.
  void pause(bool paused) { paused_ = paused; }
  [[nodiscard]] bool paused() const { return paused_; }
  void advance(std::int64_t tokens) {
    clock_ += tokens;
    granted_before_ = 0;
  }
  /// Requests admitted before `order` have been granted their tokens at this boundary.
  void grant_before(std::int64_t order) { granted_before_ = order; }
  static constexpr std::int64_t everyone = std::numeric_limits<std::int64_t>::max();

 private:
  std::vector<Sequence> rows_;
  std::vector<Sid> free_;
  Sid tail_ = no_sid;
  std::int64_t running_ = 0, orders_ = 0, clock_ = 0, granted_before_ = 0;
  bool paused_ = false;
};
}  // namespace stowage
