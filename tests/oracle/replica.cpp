// Time and iterations (S1): completion, arrivals, forming, start.
#include "tests/oracle/replica.hpp"

#include <algorithm>
#include <cmath>
#include <deque>
#include <limits>
#include <utility>

#include "base/error.hpp"
#include "tests/oracle/books.hpp"
#include "tests/oracle/chip_clock.hpp"
#include "tests/oracle/deliveries.hpp"
#include "tests/oracle/memory.hpp"
#include "tests/oracle/scheduler.hpp"
#include "tests/oracle/work.hpp"

namespace stowage::oracle {
namespace {

/// S1.7: formed and not completed.
struct Step {
  std::vector<Row> rows;
  std::int64_t end_ns = 0;       // its outputs are out
  std::int64_t updating_ns = 0;  // S18.5
};

class SteppedReplica final : public Replica {
 public:
  SteppedReplica(const RunConfig& config, Options options)
      : c_(config),
        options_(std::move(options)),
        depth_(config.scheduler.async_scheduling ? 2 : 1),
        memory_(make_memory(config)),
        driver_(config.vmm),
        books_(config.kv, *memory_),
        deliveries_(config.frontend),
        bpt_(config.kv.bytes_per_token.count()) {}

  void start(std::int64_t first_arrival_ns) override { now_ = ended_ns_ = out_.first_arrival_ns = first_arrival_ns; }

  bool accepts(const Request& q) const override { return refusal(q) == nullptr; }

  /// S13.4: in order of arrival at the engine, behind equals.
  void deliver(const Request& q) override {
    const auto later = std::upper_bound(coming_.begin(), coming_.end(), q,
                                        [](const Request& a, const Request& b) { return a.arrival_ns < b.arrival_ns; });
    coming_.insert(later, q);
    out_.submitted += 1;
  }

  void run_until(std::int64_t horizon, bool to_an_end) override {
    for (;;) {
      if (std::ssize(in_flight_) == depth_ || (formed_nothing_ && !in_flight_.empty())) {
        if (in_flight_.front().end_ns > horizon) return;
        const Step oldest = std::move(in_flight_.front());  // S1.8
        in_flight_.pop_front();
        now_ = oldest.end_ns;
        complete(oldest);
        formed_nothing_ = false;
        if (to_an_end && !emissions_.empty()) return;
      }
      if (!in_flight_.empty()) now_ = std::max(now_, loop_free_);  // S18.8
      if (now_ >= horizon) return;
      take_up_arrivals();
      const Formed formed = form_and_start();
      formed_nothing_ = formed != Formed::step;
      if (!formed_nothing_ || !in_flight_.empty()) continue;               // S17.2, S17.3
      STOWAGE_ASSERT(queues_.waiting.empty() && queues_.running.empty());  // S1.25
      if (coming_.empty() || coming_.front().arrival_ns >= horizon) return;
      now_ = coming_.front().arrival_ns;  // S1.13, S1.24
    }
  }

  std::vector<Emission> take_emissions() override { return std::exchange(emissions_, {}); }

  std::int64_t wanted_bytes() const override {
    std::int64_t held = 0, tokens = 0;
    for (const Sequence* s : queues_.running) held += memory_->held_bytes(*s);
    for (const Sequence* s : queues_.waiting) tokens += s->target();
    for (const Request& q : coming_) tokens += accepts(q) ? q.prompt_tokens : 0;  // S12.10, S12.11
    return held + tokens * bpt_;
  }

  std::int64_t hit(const Request& q) const override {
    Sequence s;
    s.prompt = q.prompt_tokens;
    s.record.id = q.id;
    if (options_.contents != nullptr) s.content = &options_.contents->at(q.id);
    return memory_->lookup(s);
  }

  std::int64_t next_event_ns() const override {
    if (std::ssize(in_flight_) == depth_ || (formed_nothing_ && !in_flight_.empty())) return in_flight_.front().end_ns;
    if (!in_flight_.empty()) return std::max(now_, loop_free_);
    if (!queues_.running.empty() || !queues_.waiting.empty()) return now_;
    return coming_.empty() ? std::numeric_limits<std::int64_t>::max() : std::max(now_, coming_.front().arrival_ns);
  }

  std::int64_t ended_ns() const override { return ended_ns_; }

  OracleResult finish(std::int64_t end_ns) override {
    books_.close(end_ns);
    out_.segments = std::move(books_.segments());
    driver_.write(out_.vmm);
    deliveries_.write(out_);
    sum_up(out_, c_.kv.pool.count(), end_ns - out_.first_arrival_ns);
    return std::move(out_);
  }

 private:
  void complete(const Step& step) {
    for (const Row& row : step.rows)  // S1.15, S17.7
      if (row.residency == row.sequence->residency && !row.sequence->finished) row.sequence->completed += row.tokens;
    out_.peak_live_bytes = std::max(out_.peak_live_bytes, books_.live_bytes(queues_));  // S10.15
    std::vector<Sequence*> outputs;                                                     // S1.17
    for (const Row& row : step.rows)
      if (row.gives && !row.sequence->finished) outputs.push_back(row.sequence);  // S17.11
    deliveries_.take(outputs, now_);
    for (Sequence* s : outputs) {              // S1.19
      if (s->running) memory_->delivered(*s);  // S17.10
      if (s->delivered == s->stops_at) finish(*s);
    }
  }

  /// S1.18, S1.19, S1.20.
  void finish(Sequence& s) {
    s.finished = true;
    if (s.running) {
      books_.settle(s);
      WorkList work;
      memory_->release(s, work);
      driver_.take(work);
      std::erase(queues_.running, &s);
      s.running = false;
    } else {
      std::erase(queues_.waiting, &s);  // S17.8
    }
    deliveries_.finish(s, now_);
    out_.requests.push_back(s.record);
    ended_ns_ = now_;
    out_.makespan_ns = now_ - out_.first_arrival_ns;  // S11.7
    emissions_.push_back({Emission::Kind::finished, s.record.id, s.record.client_finished_ns});
  }

  /// S1.21, S2.7, S2.11.
  void take_up_arrivals() {
    for (; !coming_.empty() && coming_.front().arrival_ns <= now_; coming_.pop_front()) {
      const Request& q = coming_.front();
      if (const char* reason = refusal(q)) {
        reject(q, reason);
        continue;
      }
      auto s = std::make_unique<Sequence>();
      s->prompt = q.prompt_tokens;
      s->outputs = q.limit();
      s->stops_at = q.output_tokens;
      if (options_.contents != nullptr) s->content = &options_.contents->at(q.id);
      s->record.id = q.id;
      s->record.arrival_ns = q.arrival_ns;
      s->record.first_scheduled_ns = -1;
      s->record.prompt_tokens = q.prompt_tokens;
      s->record.output_tokens = q.output_tokens;
      s->record.client_arrival_ns = q.arrival_ns - client_delay_ns(c_.frontend, q);
      queues_.waiting.push_back(s.get());
      all_.push_back(std::move(s));
    }
  }

  void reject(const Request& first, const char* reason) {
    for (std::deque<Request> rejected{first}; !rejected.empty(); rejected.pop_front()) {
      const Request& q = rejected.front();
      out_.rejected += 1;
      out_.rejected_requests.push_back({q.id, q.prompt_tokens, q.output_tokens, reason});
      reason = "waits for one that was rejected";
      if (!options_.followers_of) continue;
      for (const Request& follower : options_.followers_of(q.id)) {  // S15.12
        out_.submitted += 1;
        rejected.push_back(follower);
      }
    }
  }

  [[nodiscard]] const char* refusal(const Request& q) const {
    Sequence s;
    s.prompt = q.prompt_tokens;
    s.outputs = q.limit();
    if (s.prompt + s.outputs > c_.scheduler.max_model_len) return "longer than max_model_len";  // S2.8
    return memory_->never_fits(s) ? "larger than the KV pool" : nullptr;                        // S2.9, S2.10
  }

  enum class Formed : std::uint8_t { nothing, preemption, step };
  /// S1.23.
  Formed form_and_start() {
    Boundary at(c_.scheduler, queues_, *memory_, [this](Sequence& victim) {
      books_.settle(victim);
      out_.preemptions += 1;
    });
    const bool alone = queues_.running.size() + queues_.waiting.size() == 1;
    if (!(alone && c_.scheduler.threshold_waived_alone))  // S3.22
      at.long_prefill_threshold = c_.scheduler.long_prefill_threshold;
    std::ranges::find(schedulers, std::string_view(c_.scheduler.policy), &SchedulerOf::policy)->form(at);
    if (!at.rows.empty()) memory_->beside(queues_.running, at.work);
    driver_.take(at.work);
    IterationRecord it;
    books_.stand_still(it, now_, queues_, at.head_blocked);  // S10.2
    if (at.rows.empty()) {
      if (!at.preempted()) return Formed::nothing;
      log(at, now_, now_);
      return Formed::preemption;
    }
    for (const Row& row : at.rows)
      if (row.sequence->record.first_scheduled_ns < 0) row.sequence->record.first_scheduled_ns = now_;  // S11.5

    const HostLoop& loop = c_.host_loop;
    const std::int64_t ready =  // S18.1
        now_ + std::llround(loop.form_ns + loop.form_per_request_ns * static_cast<double>(queues_.running.size()));
    it.index = out_.iterations.size();           // S1.27
    it.start_ns = std::max(ready, gpu_free_);    // S17.6
    it.stall_ns = std::llround(driver_.stall_ns(it.start_ns));                           // S1.3, S6.16
    it.step_ns = std::llround(price(at.rows, it));                                       // S1.3
    driver_.start_beside(it.start_ns + it.stall_ns);                                     // S6.14
    if (it.prefill_tokens > 0) clock_.prompt_ended(it.start_ns + it.stall_ns + it.step_ns);
    launch(at.rows, ready, it);
    log(at, it.start_ns, in_flight_.back().end_ns);
    note(it);
    return Formed::step;
  }

  /// S1.12, S18.
  void launch(const std::vector<Row>& rows, std::int64_t ready, const IterationRecord& it) {
    const HostLoop& loop = c_.host_loop;
    loop_free_ = ready;
    if (it.prefill_tokens > 0)  // S18.4
      loop_free_ += std::llround(it.prefill_tokens + it.decode_seqs <= loop.graph_tokens ? loop.launch_ns
                                                                                          : loop.launch_eager_ns);
    gpu_free_ = std::max(it.start_ns + it.stall_ns + it.step_ns, loop_free_);
    const auto outputs = std::ranges::count(rows, true, &Row::gives);
    const auto updating = std::llround(loop.update_ns + loop.update_per_output_ns * static_cast<double>(outputs));
    for (Step& before : in_flight_) before.end_ns = std::max(before.end_ns, loop_free_ + before.updating_ns);  // S18.7
    const std::int64_t from = in_flight_.empty() ? gpu_free_ : std::max(gpu_free_, in_flight_.back().end_ns);
    in_flight_.push_back({rows, from + updating, updating});  // S18.5
  }

  void log(const Boundary& at, std::int64_t start_ns, std::int64_t end_ns) const {
    if (!options_.on_step) return;
    StepLog step{now_,
                 start_ns,
                 end_ns,
                 at.rows,
                 {},
                 memory_->free_blocks(),
                 std::ssize(queues_.running),
                 std::ssize(queues_.waiting)};
    for (const Sequence* s : at.victims) step.preempted.push_back(s->record.id);
    std::sort(step.preempted.begin(), step.preempted.end());
    options_.on_step(step);
  }

  void note(const IterationRecord& it) {
    out_.iterations.push_back(it);
    out_.peak_committed_bytes = std::max(out_.peak_committed_bytes, it.held_bytes);  // S10.14
    out_.batch_max = std::max(out_.batch_max, it.running);                           // S11.8
    out_.vmm.stall_ns += it.stall_ns;                                                // S6.19
    out_.vmm.stall_max_ns = std::max(out_.vmm.stall_max_ns, it.stall_ns);
    out_.vmm.stalled_iterations += it.stall_ns > 0 ? 1 : 0;
  }

  /// S5, S14: counts the rows into `it` and prices them, unrounded.
  double price(const std::vector<Row>& rows, IterationRecord& it) {
    StepShape shape;
    for (const Row& row : rows) {  // S3.20, S5.1
      (row.decode ? shape.decode_seqs : shape.prefill_tokens) += row.tokens;
      if (row.decode)
        shape.decode_kv_tokens += row.before;
      else
        c_.cost.add_chunk(shape, row.tokens, row.before);  // S5.4
    }
    it.prefill_tokens = shape.prefill_tokens;
    it.decode_seqs = shape.decode_seqs;
    it.decode_kv_tokens = shape.decode_kv_tokens;
    const double ns = c_.cost.ns(shape);  // S5.3
    if (c_.cost.kind() == StepCost::Kind::linear) {
      const auto& l = c_.cost.linear();  // S5.2
      STOWAGE_ASSERT(ns == l.base_ns + l.per_prefill_token_ns * static_cast<double>(it.prefill_tokens) +
                               l.per_decode_seq_ns * static_cast<double>(it.decode_seqs) +
                               l.per_kv_token_ns * static_cast<double>(it.decode_kv_tokens) +
                               shape.prefill_attention_ns);
      return ns;
    }
    return clock_.price_ns(c_.cost, ns, shape, it.start_ns, it.stall_ns);
  }

  const RunConfig& c_;
  Options options_;
  std::ptrdiff_t depth_;  // S1.7: D
  std::unique_ptr<Memory> memory_;
  Driver driver_;
  Books books_;
  Deliveries deliveries_;
  ChipClock clock_;
  std::int64_t bpt_;

  std::int64_t now_ = 0, ended_ns_ = 0;
  std::deque<Request> coming_;  // routed here, not taken up
  std::vector<std::unique_ptr<Sequence>> all_;
  Queues queues_;
  std::deque<Step> in_flight_;
  bool formed_nothing_ = false;  // since a step completed
  std::int64_t gpu_free_ = 0;    // the end of the step launched last
  std::int64_t loop_free_ = 0;   // S18.8
  std::vector<Emission> emissions_;
  OracleResult out_;
};
}  // namespace

std::unique_ptr<Replica> make_replica(const RunConfig& config, Options options) {
  return std::make_unique<SteppedReplica>(config, std::move(options));
}
}  // namespace stowage::oracle
