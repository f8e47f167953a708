#pragma once
// The door through which a real serving loop runs the engine's decisions: before each iteration the engine hands over
// what it scheduled and what its memory manager decided, and goes on with the times that really passed. Scheduling and
// memory stay the engine's own code, so that a real run and a simulated one cannot differ in them.
//
// Without an executor none of this is touched.
#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "sim/kv/policy.hpp"
#include "sim/result.hpp"
#include "sim/serve/sequence.hpp"

namespace stowage {

/// One scheduled request, in running order.
struct PlannedRequest {
  Sid sid = no_sid;      // its place in the engine from admission to its end, preemptions included; < max_batch
  std::uint64_t id = 0;  // Request::id
  std::int32_t prompt_tokens = 0;
  std::int64_t stored = 0;  // tokens whose K and V are in memory
  std::int64_t count = 0;   // new tokens of this iteration
  bool decoding = false;    // count is 1 and the token is the last one sampled
  bool completes = false;   // its last new token yields an output token
};

/// One decision about memory, in the order taken. Which fields mean what:
///   place    reserve: sid's region is tokens [first, first + count) of the pool; vattention: sid sits in `slot`
///   map      vattention: blocks [first, first + count) of `slot` are mapped, a page in each tensor
///   unmap    the same, unmapped
///   release  sid left: finished or preempted
/// Paged takes ceil((stored + count) / block_size) blocks for each scheduled request; which ones, it does not say.
struct MemoryEvent {
  enum class Kind : std::uint8_t { place, map, unmap, release };
  Kind kind = Kind::place;
  Sid sid = no_sid;
  std::int64_t slot = -1, first = 0, count = 0;
};

/// Written by the engine and its manager, emptied once the executor has read it.
class MemoryLog {
 public:
  /// When: `now` must be done before the iteration starts; `beside` is the mapper's, which works beside it. Of those,
  /// the unmapping left by releases comes first: its blocks count as free already, and may be in a `now` event.
  enum class When : std::uint8_t { now, beside };

  void place(Sid sid, std::int64_t slot, std::int64_t first, std::int64_t count) {
    now_.push_back({MemoryEvent::Kind::place, sid, slot, first, count});
  }
  void map(std::int64_t slot, std::int64_t first, std::int64_t count, When when) {
    if (count > 0) of(when).push_back({MemoryEvent::Kind::map, no_sid, slot, first, count});
  }
  void unmap(std::int64_t slot, std::int64_t first, std::int64_t count, When when) {
    if (count > 0) of(when).push_back({MemoryEvent::Kind::unmap, no_sid, slot, first, count});
  }
  void release(Sid sid) { now_.push_back({MemoryEvent::Kind::release, sid, -1, 0, 0}); }

  [[nodiscard]] std::span<const MemoryEvent> now() const { return now_; }
  [[nodiscard]] std::span<const MemoryEvent> beside() const { return beside_; }
  void clear() {
    now_.clear();
    beside_.clear();
  }

 private:
  std::vector<MemoryEvent>& of(When when) { return when == When::now ? now_ : beside_; }
  std::vector<MemoryEvent> now_, beside_;
};

struct IterationPlan {
  std::uint64_t index = 0;
  std::int64_t start_ns = 0;  // the boundary's time on the engine's clock
  std::span<const PlannedRequest> requests;
  std::span<const MemoryEvent> now, beside;
  Occupancy occupancy;  // once all of it is done
};

struct StepTiming {
  std::int64_t stall_ns = 0, step_ns = 0;  // stall: waiting for memory; step: all the rest until the next boundary
};

class StepExecutor {
 public:
  virtual ~StepExecutor() = default;
  /// Before anything else. The engine's clock starts here, at the first arrival.
  virtual void start(std::int64_t first_arrival_ns) = 0;
  /// Runs one iteration to its end. May throw: the run is then given up.
  [[nodiscard]] virtual StepTiming run(const IterationPlan& plan) = 0;
  /// Nothing to run before the next arrival.
  virtual void idle_until(std::int64_t arrival_ns) = 0;
  /// The run is over; memory work that was left for an iteration that never came.
  virtual void finish(std::span<const MemoryEvent> now, std::span<const MemoryEvent> beside) = 0;
};

/// The engine's side: forms the plan and hands it over. Costs O(batch) an iteration, which only a real run pays.
class Execution {
 public:
  Execution(StepExecutor* executor, const SequenceTable& table) : executor_(executor), table_(table) {}
  explicit operator bool() const { return executor_ != nullptr; }
  [[nodiscard]] MemoryLog& log() { return log_; }
  void start(std::int64_t first_arrival_ns) {
    if (executor_ != nullptr) executor_->start(first_arrival_ns);
  }
  void idle_until(std::int64_t arrival_ns) {
    if (executor_ != nullptr) executor_->idle_until(arrival_ns);
  }
  void release(Sid s) {
    if (executor_ != nullptr) log_.release(s);
  }
  [[nodiscard]] StepTiming run(std::uint64_t index, std::int64_t now_ns, const Occupancy& occupancy) {
    rows_.clear();
    Sid s = table_.last_running();
    for (std::int64_t i = table_.running(); i-- > 0; s = table_[s].prev) {
      const Sequence& q = table_[s];
      const std::int64_t stored = table_.stored(s);
      if (q.decoding && table_.paused()) break;  // and so are all before it
      rows_.push_back({s, q.request.id, q.request.prompt_tokens, stored, q.chunk, q.decoding,
                       q.decoding || stored + q.chunk == q.target()});
    }
    std::reverse(rows_.begin(), rows_.end());
    const StepTiming took = executor_->run({index, now_ns, rows_, log_.now(), log_.beside(), occupancy});
    log_.clear();
    return took;
  }
  void finish() {
    if (executor_ != nullptr) executor_->finish(log_.now(), log_.beside());
  }

 private:
  StepExecutor* executor_;
  const SequenceTable& table_;
  MemoryLog log_;
  std::vector<PlannedRequest> rows_;
};
}  // namespace stowage
