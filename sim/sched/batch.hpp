#pragma once
// Who is served by a replica: the waiting, the running, and its steps, from the one being formed to the oldest in
// flight. Schedulers decide through it; the engine runs what they decided and completes it. The sums that a price needs
// are kept incrementally: nothing here walks the batch.
//
// A step passes three points. Formed: its rows have their memory. Advanced, at the next boundary: what schedulers see
// counts it. Complete: its tokens are stored, its outputs delivered. With one step in flight the last two are one
// boundary (S1.7); with two a step is formed, and advanced, while the one before it runs (S17).
//
// What holds under every scheduler, and keeps this cheap: in a step all decoders grow by one token or none does; who
// runs and has a row in one step has one in the next, until its last.
#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include "base/request.hpp"
#include "sim/account/memory_account.hpp"
#include "sim/account/pauses.hpp"
#include "sim/kernel/ring_calendar.hpp"
#include "sim/kernel/sequence.hpp"
#include "sim/kv/manager.hpp"
#include "sim/run_config.hpp"
#include "sim/sched/step.hpp"
#include "sim/sched/waiting_queue.hpp"

namespace stowage {

class Batch {
 public:
  /// Keeps references to all of them.
  Batch(const RunConfig& config, SequenceTable& table, KvManager& kv, MemoryAccount& account);

  // --- For schedulers: the running.
  [[nodiscard]] std::int64_t decoders() const { return decoders_; }
  /// One token of every decoder. In running order, who finds no memory for it preempts the last of running until it
  /// has it or is gone itself.
  void decode();
  /// Until decode() no decoder grows in this step. They keep memory and place.
  void pause_decoders() { table_.pause(true); }
  /// Somebody runs whose prompt is not done.
  [[nodiscard]] bool has_partial() const { return !partial_.empty(); }
  /// decode(), and of each prompt under way what it lacks, at most `most` tokens; with the decoders' at most `budget`.
  /// Returns what is left of the budget.
  std::int64_t run_on(std::int64_t budget, std::int64_t most);
  [[nodiscard]] bool preempted() const { return !forming_->preempted.empty(); }

  // --- For schedulers: the waiting.
  /// Somebody waits, and may run beside those that do.
  [[nodiscard]] bool may_admit() const { return !waiting_.empty() && table_.running() < max_batch_; }
  /// Nobody else runs or waits.
  [[nodiscard]] bool alone() const { return table_.running() + waiting_.size() == 1; }
  /// Tokens of the head of waiting that are not stored: of its prompt, and outputs to compute again. To be asked before
  /// it is admitted.
  [[nodiscard]] std::int64_t left_of_head();
  /// The head of waiting runs, with the first `tokens` of its prompt in this step. False: the manager refuses.
  bool admit_head(std::int64_t tokens);
  [[nodiscard]] bool has_prompts() const { return !forming_->chunks.empty(); }

  // --- For the engine: a boundary.
  void arrive(const Request& r) { waiting_.push_back(r); }
  /// What is decided from here on counts the step formed last. To be called before the oldest is completed.
  void advance();
  /// The oldest step in flight is done: what it computed is stored. Its `finishing` are the caller's to bid farewell.
  Step& complete(std::int64_t now_ns);
  /// One of those that got their last token leaves running, or waiting when it was preempted meanwhile (S17.8); its row
  /// in the table is the caller's to destroy.
  void leave(Sid s);
  void leave_waiting(Sid s);
  void begin_step(std::int64_t now_ns) {
    now_ns_ = now_ns;
    advance();
    forming_->clear();
    table_.pause(false);
  }
  /// The scheduler has done its part.
  void end_forming();
  /// The step formed is in flight.
  void launch();
  /// When the next boundary will be, once the step being formed is launched.
  [[nodiscard]] std::int64_t next_boundary_ns() const {
    if (depth_ == 1) return forming_->ends_ns;
    return idle() ? now_ns_ : last().ends_ns;
  }
  /// `steps` like the one being formed were formed before it, and one fewer in flight than now are not complete.
  void grow(std::int64_t steps) {
    table_.advance(steps);
    decode_tokens_ += steps * decoders_;
    live_tokens_ += steps * decoders_;
  }

  /// The step being formed, or formed last.
  [[nodiscard]] Step& step() { return *forming_; }
  [[nodiscard]] const Step& step() const { return *forming_; }
  [[nodiscard]] bool full() const { return in_flight_ == depth_; }
  /// advance() has not yet counted the step formed last.
  [[nodiscard]] bool behind() const { return behind_; }
  [[nodiscard]] bool idle() const { return in_flight_ == 0; }
  [[nodiscard]] Step& oldest() { return in_flight_ == 2 ? other() : last(); }
  [[nodiscard]] const Step& oldest() const { return const_cast<Batch*>(this)->oldest(); }
  /// The one formed last of those in flight.
  [[nodiscard]] Step& last() { return steps_[last_]; }
  [[nodiscard]] const Step& last() const { return steps_[last_]; }

  [[nodiscard]] Pauses& pauses() { return pauses_; }
  [[nodiscard]] const Pauses& pauses() const { return pauses_; }
  /// Running, and without a token of the next step's growth: their prompts are not done, or they had their last row.
  [[nodiscard]] std::span<const Sid> not_decoding();
  [[nodiscard]] std::int64_t waiting() const { return waiting_.size(); }
  [[nodiscard]] std::int64_t retired() const { return retired_; }
  /// Of the decoders, as of the steps formed before this boundary.
  [[nodiscard]] std::int64_t decode_tokens() const { return decode_tokens_; }
  /// Of all that run, in memory.
  [[nodiscard]] std::int64_t live_tokens() const { return live_tokens_; }
  /// Clock of the lane when a step is formed after which the next decoder gets no row; RingCalendar::never.
  [[nodiscard]] std::int64_t next_finish() const { return finish_at_.min_key(); }

  /// Prompts of requests routed here, and what the preempted have to compute again, that hold no memory.
  void expect(std::int64_t tokens) { unadmitted_tokens_ += tokens; }
  /// What the preempted had to have again when they were admitted again, and what of it was still there.
  struct Resumed {
    std::int64_t tokens = 0, hit = 0;
  };
  [[nodiscard]] const Resumed& resumed() const { return resumed_; }
  [[nodiscard]] std::int64_t unadmitted_tokens() const { return unadmitted_tokens_; }

 private:
  std::int64_t extend_in_order(std::int64_t budget, std::int64_t most);
  bool extend_needy(std::int64_t order);
  bool continue_prompt(Sid s, std::int64_t tokens);
  void schedule(Sid s, std::int64_t tokens, bool first);
  void preempt(Sid s);
  void retire(Sid s);
  void release(Sid s);
  [[nodiscard]] bool stops_unforeseen(const Request& r) const { return depth_ == 2 && r.stops_by_itself(); }
  /// Tokens of the row of s in the last step, while that is in flight.
  [[nodiscard]] std::int64_t in_flight_of(Sid s) const;
  [[nodiscard]] Step& other() { return steps_[1 - last_]; }

  SequenceTable& table_;
  KvManager& kv_;
  MemoryAccount& account_;
  const StepCost& cost_;
  std::int64_t max_batch_, depth_;
  WaitingQueue waiting_;
  std::array<Step, 2> steps_;
  Step* forming_ = &steps_[0];
  std::size_t last_ = 0;         // of steps_: the one launched last
  std::int64_t in_flight_ = 0;
  bool behind_ = false;          // the last one is not advanced
  RingCalendar finish_at_;       // decoders by the clock of the iteration after which they are retired
  Pauses pauses_;
  std::int64_t now_ns_ = 0;
  std::int64_t decoders_ = 0, retired_ = 0;
  std::int64_t decode_tokens_ = 0, live_tokens_ = 0;
  std::vector<Sid> partial_;  // their prompts are not done with the steps formed before, in running order
  std::vector<Sid> not_decoding_;
  std::int64_t unadmitted_tokens_ = 0;
  std::int64_t found_ = 0;  // tokens of the head of waiting that are in memory
  /// With as many tokens or more the head of waiting was refused, and nothing was released since. A prefix cache may
  /// find more of it meanwhile.
  std::int64_t refused_tokens_ = nobody_refused;
  static constexpr std::int64_t nobody_refused = std::numeric_limits<std::int64_t>::max();
  Resumed resumed_;
};

// Called at every boundary, so that they had better be inlined.

inline void Batch::decode() {
  table_.pause(false);
  if (!kv_.extend_decoders(table_.lane_clock(), now_ns_)) extend_in_order(0, 0);
}

inline std::int64_t Batch::run_on(std::int64_t budget, std::int64_t most) {
  const bool last = partial_.empty() || (partial_.size() == 1 && table_.last_running() == partial_.front());
  if (!last) return extend_in_order(budget, most);
  decode();
  budget -= decoders_;
  if (partial_.empty()) return budget;
  const Sequence& q = table_[partial_.front()];
  const std::int64_t n = std::min({q.target() - q.computed, most, budget});
  return continue_prompt(partial_.front(), n) ? budget - n : budget;
}

inline std::int64_t Batch::left_of_head() {
  const Sid preempted = waiting_.first_preempted();
  const Request& head = preempted == no_sid ? waiting_.first_fresh() : table_[preempted].request;
  const std::int64_t known = preempted == no_sid ? head.prompt_tokens : table_[preempted].target();
  if (kv_.finds_prefixes()) found_ = kv_.lookup(head, known);
  return known - found_;
}

inline void Batch::schedule(Sid s, std::int64_t tokens, bool first) {
  Sequence& q = table_[s];
  q.chunk = tokens;
  forming_->shape.prefill_tokens += tokens;
  cost_.add_chunk(forming_->shape, tokens, q.computed);
  const bool completes = q.computed + tokens == q.target();
  forming_->chunks.push_back({s, first, completes});
  if (!completes) return;
  q.anchor = q.target() - table_.next_clock();
  // The step that delivers the last token is that many after this one; an end that nobody foresees shows a step later.
  finish_at_.insert(s, table_.next_clock() + q.request.output_tokens - q.produced - 2 +
                           (stops_unforeseen(q.request) ? 1 : 0));
  kv_.start_decoding(s);
}

inline bool Batch::admit_head(std::int64_t tokens) {
  table_.grant_before(SequenceTable::everyone);
  if (tokens >= refused_tokens_) {
    forming_->refused = true;
    return false;
  }
  const Sid preempted = waiting_.first_preempted();
  const bool fresh = preempted == no_sid;
  const Sid s = fresh ? table_.create(waiting_.first_fresh()) : preempted;
  Sequence& q = table_[s];
  q.computed = found_;
  if (!kv_.admit(s, found_ + tokens, now_ns_)) {
    q.computed = 0;
    if (fresh) table_.destroy(s);
    forming_->refused = true;
    if (!kv_.finds_prefixes()) refused_tokens_ = tokens;
    return false;
  }
  waiting_.pop_front();
  unadmitted_tokens_ -= q.target();
  live_tokens_ += found_;
  table_.append_running(s);
  if (q.first_scheduled_ns < 0) {
    q.first_scheduled_ns = now_ns_;
    q.hit = found_;
  } else {
    resumed_.tokens += q.target();
    resumed_.hit += found_;
  }
  schedule(s, tokens, true);
  return true;
}

inline void Batch::end_forming() {
  if (table_.paused()) {
    pauses_.begin(now_ns_, decoders_);
    forming_->stores = forming_->shape.prefill_tokens;
    return;
  }
  forming_->shape.decode_seqs = decoders_;
  forming_->shape.decode_kv_tokens = decode_tokens_;
  forming_->growth = 1;
  forming_->stores = forming_->shape.prefill_tokens + decoders_;
}

inline void Batch::launch() {
  last_ = static_cast<std::size_t>(forming_ - steps_.data());
  behind_ = true;
  ++in_flight_;
}

inline void Batch::advance() {
  if (!behind_) return;
  behind_ = false;
  Step& step = last();
  table_.advance(step.growth);
  decode_tokens_ += step.growth * decoders_;
  partial_.clear();
  for (const Chunk& c : step.chunks) {
    Sequence& q = table_[c.sid];
    q.computed += q.chunk;
    if (!c.completes) {
      partial_.push_back(c.sid);
      continue;
    }
    q.decoding = true;
    ++decoders_;
    decode_tokens_ += q.target();
  }
  const std::int64_t formed = table_.lane_clock() - 1;
  while (finish_at_.min_key() <= formed) retire(finish_at_.first(formed));
  forming_ = depth_ == 1 ? &last() : &other();
}

inline Step& Batch::complete(std::int64_t now_ns) {
  now_ns_ = now_ns;
  Step& step = oldest();
  --in_flight_;
  live_tokens_ += step.stores;
  if (step.finishing.size() > 1) std::sort(step.finishing.begin(), step.finishing.end());
  if (step.growth == 0) pauses_.join(now_ns, std::ssize(step.chunks));  // each completes
  return step;
}
}  // namespace stowage
