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

#include "sim/kv/manager.hpp"
#include "sim/kv/memory_work.hpp"
#include "sim/result.hpp"
#include "sim/kernel/sequence.hpp"

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
  PromptContent content = {};  // what its prompt is made of, during run(); empty when it decodes
};

struct IterationPlan {
  std::uint64_t index = 0;
  std::int64_t start_ns = 0;  // the boundary's time on the engine's clock
  std::span<const PlannedRequest> requests;
  std::span<const MemoryOp> now, beside;
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
  virtual void finish(std::span<const MemoryOp> now, std::span<const MemoryOp> beside) = 0;
};

/// The engine's side: forms the plan and hands it over. Costs O(batch) an iteration, which only a real run pays.
class Execution {
 public:
  /// `contents`: of the requests; nullptr = nothing of them is asked.
  Execution(StepExecutor* executor, const SequenceTable& table, const RequestStream* contents)
      : executor_(executor), table_(table), contents_(contents) {}
  explicit operator bool() const { return executor_ != nullptr; }
  void start(std::int64_t first_arrival_ns) {
    if (executor_ != nullptr) executor_->start(first_arrival_ns);
  }
  void idle_until(std::int64_t arrival_ns) {
    if (executor_ != nullptr) executor_->idle_until(arrival_ns);
  }
  [[nodiscard]] StepTiming run(std::uint64_t index, std::int64_t now_ns, KvManager& kv) {
    kv.write_down_growth();
    rows_.clear();
    Sid s = table_.last_running();
    for (std::int64_t i = table_.running(); i-- > 0; s = table_[s].prev) {
      const Sequence& q = table_[s];
      const std::int64_t stored = table_.stored(s);
      if (q.decoding && table_.paused()) break;  // and so are all before it
      rows_.push_back({s, q.request.id, q.request.prompt_tokens, stored, q.decoding ? 1 : q.chunk, q.decoding,
                       q.decoding || stored + q.chunk == q.target()});
      if (contents_ != nullptr && !q.decoding) rows_.back().content = contents_->content(q.request);
    }
    std::reverse(rows_.begin(), rows_.end());
    return executor_->run({index, now_ns, rows_, kv.work().now(), kv.work().beside(), kv.occupancy()});
  }
  void finish(const MemoryWork& left) {
    if (executor_ != nullptr) executor_->finish(left.now(), left.beside());
  }

 private:
  StepExecutor* executor_;
  const SequenceTable& table_;
  const RequestStream* contents_;
  std::vector<PlannedRequest> rows_;
};
}  // namespace stowage
