#pragma once
// Who is served by a replica: the waiting, the running, and the step that is formed from them. Schedulers decide
// through it; the engine runs what they decided and completes it. The sums that a step's price needs are kept
// incrementally: nothing here walks the batch.
//
// What holds under every scheduler, and keeps this cheap: in a step all decoders grow by one token or none does; at
// most one prompt is not done after it, and it is the last of running.
#include <algorithm>
#include <cstdint>
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
  /// The running request whose prompt is not done, or no_sid.
  [[nodiscard]] Sid partial() const { return partial_; }
  /// Tokens of its prompt, and outputs to compute again, that are not stored.
  [[nodiscard]] std::int64_t left(Sid s) const { return table_[s].target() - table_[s].computed; }
  /// `tokens` more of partial(). False: there is no memory for them, and it is preempted.
  bool continue_prompt(std::int64_t tokens);
  [[nodiscard]] bool preempted() const { return !step_.preempted.empty(); }

  // --- For schedulers: the waiting.
  /// Somebody waits, and may run beside those that do.
  [[nodiscard]] bool may_admit() const { return !waiting_.empty() && table_.running() < max_batch_; }
  /// left() of the head of waiting.
  [[nodiscard]] std::int64_t left_of_head() const;
  /// The head of waiting runs, with the first `tokens` of its prompt in this step. False: the manager refuses.
  bool admit_head(std::int64_t tokens);
  [[nodiscard]] bool has_prompts() const { return !step_.chunks.empty(); }

  // --- For the engine: a boundary.
  void arrive(const Request& r) { waiting_.push_back(r); }
  void begin_step(std::int64_t now_ns) {
    now_ = now_ns;
    step_.clear();
    table_.pause(false);
  }
  /// The scheduler has done its part.
  void end_forming();
  /// The step is done: what it computed is stored.
  void complete(std::int64_t now_ns);
  /// Those that got their last token with it, in running order.
  [[nodiscard]] std::span<const std::pair<std::int64_t, Sid>> finished();
  /// One of them leaves running; its row in the table is the caller's to destroy.
  void leave(Sid s);

  [[nodiscard]] Step& step() { return step_; }
  [[nodiscard]] const Step& step() const { return step_; }
  [[nodiscard]] Pauses& pauses() { return pauses_; }
  [[nodiscard]] const Pauses& pauses() const { return pauses_; }
  [[nodiscard]] std::int64_t waiting() const { return waiting_.size(); }
  [[nodiscard]] std::int64_t decode_tokens() const { return decode_tokens_; }
  [[nodiscard]] std::int64_t live_tokens() const { return decode_tokens_ + prefilled_; }
  /// Clock of the lane when the next decoder, at the end of an iteration, gets its last token; RingCalendar::never.
  [[nodiscard]] std::int64_t next_finish() const { return finish_at_.min_key(); }

  /// Prompts of requests routed here, and what the preempted have to compute again, that hold no memory.
  void expect(std::int64_t tokens) { unadmitted_tokens_ += tokens; }
  [[nodiscard]] std::int64_t unadmitted_tokens() const { return unadmitted_tokens_; }

 private:
  void extend_one_by_one();
  void schedule(Sid s, std::int64_t tokens, bool first);
  void preempt(Sid s);

  SequenceTable& table_;
  KvManager& kv_;
  MemoryAccount& account_;
  const StepCost& cost_;
  std::int64_t max_batch_;
  WaitingQueue waiting_;
  Step step_;
  RingCalendar finish_at_;  // decoders by the clock of the iteration that delivers their last token
  Pauses pauses_;
  std::int64_t now_ = 0;
  std::int64_t decoders_ = 0;
  std::int64_t decode_tokens_ = 0;  // stored by them, in sum
  std::int64_t prefilled_ = 0;      // stored by partial_
  Sid partial_ = no_sid;
  std::int64_t unadmitted_tokens_ = 0;
  std::vector<std::pair<std::int64_t, Sid>> finished_;  // order of admission, sid
};

// Called at every boundary, so that they had better be inlined.

inline void Batch::decode() {
  table_.pause(false);
  if (!kv_.extend_decoders(table_.lane_clock(), now_)) extend_one_by_one();
}

inline std::int64_t Batch::left_of_head() const {
  const WaitingQueue::Entry& head = waiting_.front();
  return head.preempted == no_sid ? head.request.prompt_tokens : table_[head.preempted].target();
}

inline void Batch::schedule(Sid s, std::int64_t tokens, bool first) {
  Sequence& q = table_[s];
  q.chunk = tokens;
  step_.shape.prefill_tokens += tokens;
  cost_.add_chunk(step_.shape, tokens, q.computed);
  const bool completes = q.computed + tokens == q.target();
  step_.chunks.push_back({s, first, completes});
  if (!completes) return;
  q.anchor = q.target() - table_.next_clock();
  finish_at_.insert(s, table_.next_clock() + q.request.output_tokens - q.produced - 2);
  kv_.start_decoding(s);
}

inline bool Batch::admit_head(std::int64_t tokens) {
  table_.grant_before(SequenceTable::everyone);
  const WaitingQueue::Entry head = waiting_.front();
  const bool fresh = head.preempted == no_sid;
  const Sid s = fresh ? table_.create(head.request) : head.preempted;
  if (!kv_.admit(s, tokens, now_)) {
    if (fresh) table_.destroy(s);
    step_.refused = true;
    return false;
  }
  waiting_.pop_front();
  unadmitted_tokens_ -= table_[s].target();
  table_.append_running(s);
  if (table_[s].first_scheduled_ns < 0) table_[s].first_scheduled_ns = now_;
  schedule(s, tokens, true);
  return true;
}

inline void Batch::end_forming() {
  const std::vector<Chunk>& chunks = step_.chunks;
  step_.partial = !chunks.empty() && !chunks.back().completes ? chunks.back().sid : no_sid;
  if (table_.paused()) return pauses_.begin(now_, decoders_);
  step_.shape.decode_seqs = decoders_;
  step_.shape.decode_kv_tokens = decode_tokens_;
  step_.growth = 1;
}

inline void Batch::complete(std::int64_t now_ns) {
  now_ = now_ns;
  table_.advance(step_.growth);
  decode_tokens_ += step_.growth * decoders_;
  if (step_.growth == 0) pauses_.join(now_, std::ssize(step_.chunks));  // each completes
  for (const Chunk& c : step_.chunks) {
    Sequence& q = table_[c.sid];
    q.computed += q.chunk;
    if (!c.completes) continue;
    q.decoding = true;
    q.chunk = 1;
    ++decoders_;
    decode_tokens_ += q.target();
  }
  partial_ = step_.partial;
  prefilled_ = partial_ != no_sid ? table_[partial_].computed : 0;
}

inline std::span<const std::pair<std::int64_t, Sid>> Batch::finished() {
  const std::int64_t ended = table_.lane_clock() - 1;
  if (finish_at_.min_key() > ended) return {};
  finished_.clear();
  finish_at_.for_each(ended, [&](Sid s) { finished_.emplace_back(table_[s].order, s); });
  if (finished_.size() > 1) std::sort(finished_.begin(), finished_.end());
  return finished_;
}

inline void Batch::leave(Sid s) {
  finish_at_.remove(s);
  decode_tokens_ -= table_.stored(s);
  --decoders_;
  pauses_.leave(now_);
  kv_.release(s, now_, account_);
  table_.remove_running(s);
}
}  // namespace stowage
