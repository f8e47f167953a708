#pragma once
// The requests that hold engine state (running, or preempted and waiting), and the running list in admission order.
// A decoding request stores one token an iteration, so its length is never updated: stored = anchor + iteration.
// Iterations of prompts alone (scheduler `prefill-first`), in which decoders are paused, are not counted.
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
  std::int64_t anchor = 0;          // decoding: stored tokens = anchor + iteration
  std::int64_t computed = 0;        // not decoding: stored tokens
  std::int64_t chunk = 0;           // tokens scheduled in the iteration being formed or run (of decoders: 1)
  std::int64_t produced = 0;        // outputs delivered before this residency's prefill ends
  std::int64_t first_scheduled_ns = -1, first_token_ns = -1, last_token_ns = -1;
  std::int64_t client_first_ns = -1;  // the first token, front end included
  std::int32_t preemptions = 0;
  Sid prev = no_sid, next = no_sid;  // running list
  bool running = false, decoding = false;

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

  /// Tokens in memory at the boundary now.
  [[nodiscard]] std::int64_t stored(Sid s) const {
    const Sequence& q = (*this)[s];
    return q.decoding ? q.anchor + iteration_ : q.computed;
  }
  /// Tokens in memory when the iteration being formed ends.
  [[nodiscard]] std::int64_t stored_after(Sid s) const {
    const Sequence& q = (*this)[s];
    return q.decoding ? q.anchor + next_iteration() : q.computed + q.chunk;
  }
  /// What a manager must keep for `s` now: its stored tokens, or those of the next boundary once the scheduler has
  /// passed it at this boundary.
  [[nodiscard]] std::int64_t entitled(Sid s) const {
    return (*this)[s].order < granted_before_ ? stored_after(s) : stored(s);
  }

  [[nodiscard]] std::int64_t iteration() const { return iteration_; }
  /// The first in which a prompt done in the iteration being formed can decode.
  [[nodiscard]] std::int64_t next_iteration() const { return iteration_ + decode_step_; }
  /// In the iteration being formed decoders store nothing; until told otherwise.
  void pause(bool paused) { decode_step_ = paused ? 0 : 1; }
  [[nodiscard]] bool paused() const { return decode_step_ == 0; }
  void advance(std::int64_t iterations) {
    iteration_ += iterations;
    granted_before_ = 0;
  }
  /// Requests admitted before `order` have been granted their tokens at this boundary.
  void grant_before(std::int64_t order) { granted_before_ = order; }
  static constexpr std::int64_t everyone = std::numeric_limits<std::int64_t>::max();

 private:
  std::vector<Sequence> rows_;
  std::vector<Sid> free_;
  Sid tail_ = no_sid;
  std::int64_t running_ = 0, orders_ = 0, iteration_ = 0, granted_before_ = 0, decode_step_ = 1;
};
}  // namespace stowage
