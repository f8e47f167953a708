#pragma once
// One replica: the serving engine, simulated. Rules to the nanosecond and the byte: the project's semantics, which the
// plain oracle in tests/oracle walks token by token and must agree with exactly.
//
// The engine never walks the batch. Under `vllm` every running request is scheduled in every iteration, because a
// request is only admitted into budget that is left, so `running` never exceeds the budget; hence all decoders grow by
// one token an iteration, at most one prompt is unfinished and it is the last of running. Under `prefill-first` all
// decoders grow in an iteration of decodes and none in one of prompts alone, which the table does not count. Kept
// incrementally: the batch, the sum of contexts, finishers by iteration, and in the manager the iteration at which each
// request needs memory. Between two events (arrival, finisher, memory that needs a decision) iterations run in
// `decode_stretch`.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/error.hpp"
#include "models/cost/power_credit.hpp"
#include "sim/kernel/ring_calendar.hpp"
#include "sim/kv/policy.hpp"
#include "sim/result.hpp"
#include "sim/run_config.hpp"
#include "sim/serve/arrivals.hpp"
#include "sim/serve/executor.hpp"
#include "sim/serve/memory_account.hpp"
#include "sim/serve/metrics.hpp"
#include "sim/serve/pauses.hpp"
#include "sim/serve/sequence.hpp"
#include "sim/serve/token_server.hpp"
#include "sim/serve/tracer.hpp"

namespace stowage {

template <KvPolicy Kv>
class Replica {
 public:
  /// Without a workload its requests are delivered by a fleet, in which it is number `index`.
  Replica(const RunConfig& config, const RunHooks& hooks, std::int32_t index = 0)
      : config_(config),
        hooks_(hooks),
        table_(config.scheduler.max_batch),
        kv_(config, table_),
        account_(config.kv.pool.count(), kv_.rounding_bytes()),
        metrics_(hooks, config.frontend, index),
        server_(config.frontend),
        arrivals_(config.workload.get()),
        finish_at_(config.scheduler.max_model_len + 2, table_.capacity()),
        bpt_(config.kv.bytes_per_token.count()),
        execution_(hooks.executor, table_),
        prefill_first_(config.scheduler.policy == SchedulerPolicy::prefill_first),
        step_by_step_(hooks.on_iteration || execution_) {
    if constexpr (requires { kv_.log_to(execution_.log()); })
      if (execution_) kv_.log_to(execution_.log());
  }

  RunResult run() {
    start(arrivals_.next_ns() == Arrivals::none ? 0 : arrivals_.next_ns());
    run_until(Arrivals::none);
    return result();
  }

  /// Nothing happens before the first arrival of all.
  void start(std::int64_t first_arrival_ns) {
    first_arrival_ns_ = now_ = first_arrival_ns;
    account_.start(now_);
    execution_.start(now_);
    if (hooks_.trace && metrics_.replica() == 0) tracer_.emplace(config_, now_);  // of a fleet, the first
  }
  /// To be taken up at the first boundary at or after r.arrival_ns, which run_until has not passed yet.
  void deliver(const Request& r) {
    if (refusal(r) == nullptr) {
      ++accepted_;
      unadmitted_tokens_ += r.prompt_tokens;
    }
    arrivals_.push(r);
  }
  /// Runs every boundary before `horizon_ns`, and of one at it only what ends there: what arrives at the horizon may
  /// still join it. Everything that arrives earlier has been delivered.
  void run_until(std::int64_t horizon_ns) {
    horizon_ = horizon_ns;
    for (;;) {
      if (in_flight_) {
        if (now_ > horizon_ns) return;
        retire_finished();
        in_flight_ = false;
        report_progress();
      }
      if (now_ >= horizon_ns) return;
      take_arrivals();
      form_batch();
      if (tracer_ && now_ >= tracer_->next_sample_ns()) sample_pool();
      if (table_.running() == 0) {
        STOWAGE_ASSERT(waiting_.empty());  // a request that fits an empty pool was refused by one
        if (arrivals_.next_ns() >= horizon_ns) return;  // one with less delay may still come before it
        idle_cached_ = kv_.occupancy().cached;
        kv_.idle(arrivals_.next_ns() - now_);
        now_ = arrivals_.next_ns();
        execution_.idle_until(now_);
        continue;
      }
      catch_up_idle();
      const std::int64_t quiet_until = kv_.quiet_until();
      const bool quiet = chunks_.empty() && pauses_.none() && quiet_until >= table_.iteration();
      if (quiet && !step_by_step_ && !traces_iterations()) run_decodes(quiet_until);
      else run_iteration();
      in_flight_ = true;
    }
  }

  // --- What a router may look at, as of the horizon run to.
  /// Requests delivered, accepted and not yet finished.
  [[nodiscard]] std::int64_t outstanding() const {
    return accepted_ - static_cast<std::int64_t>(metrics_.completed());
  }
  /// Held by running requests, and the prompts (and recomputed outputs) of those not admitted.
  [[nodiscard]] std::int64_t wanted_bytes() const { return kv_.occupancy().held + unadmitted_tokens_ * bpt_; }
  [[nodiscard]] std::int64_t pool_bytes() const { return config_.kv.pool.count(); }
  /// A time before which outstanding() stands still and wanted_bytes() does not fall, unless something is delivered;
  /// `step_ns` = no step is shorter. While nobody can be admitted, nobody ends and memory is plenty, the batch stays as
  /// it is, contexts only grow, and so does the price of a step.
  [[nodiscard]] std::int64_t steady_until(std::int64_t step_ns, bool wanted_too) const;
  [[nodiscard]] std::size_t inbox() const { return arrivals_.pushed(); }
  [[nodiscard]] std::uint64_t completed() const { return metrics_.completed(); }

  /// Ends of the run of a fleet: this replica's own, then results over that of all.
  [[nodiscard]] std::int64_t ended_ns() const { return account_.now_ns(); }
  RunResult finish(std::int64_t end_ns) {
    MemoryLevels idle;
    idle.cached = kv_.occupancy().cached;
    account_.add(end_ns - account_.now_ns(), idle);
    return result();
  }

 private:
  struct Chunk {
    Sid sid;
    bool completes;  // the prompt (or what is recomputed) is done with this chunk
  };

  // --- The boundary: arrivals, then the batch.
  void take_arrivals() {
    while (arrivals_.next_ns() <= now_) {
      const Request r = arrivals_.take();
      ++metrics_.submitted;
      if (const char* why = refusal(r)) metrics_.reject(r, why);
      else waiting_.push_back(r);
    }
  }
  /// Why this request can never be served here, or nullptr.
  [[nodiscard]] const char* refusal(const Request& r) const {
    if (r.prompt_tokens + static_cast<std::int64_t>(r.output_tokens) > config_.scheduler.max_model_len)
      return "longer than max_model_len";
    return kv_.never_fits(r.prompt_tokens, r.output_tokens) ? "larger than the KV pool" : nullptr;
  }

  void form_batch() {
    chunks_.clear();
    shape_ = {};
    blocked_ = false;
    prefill_first_ ? form_prompts_or_decodes() : form_mixed();
    metrics_.batch_max = std::max(metrics_.batch_max, table_.running());
  }

  /// Scheduler `vllm`.
  void form_mixed() {
    preempted_ = !kv_.extend_decoders(now_) && extend_one_by_one();
    std::int64_t budget = config_.scheduler.max_batched_tokens - decoders_;
    if (partial_ != no_sid) {
      Sequence& q = table_[partial_];
      const std::int64_t n = std::min(q.target() - q.computed, budget);
      table_.grant_before(q.order);
      if (kv_.extend(partial_, q.computed + n, now_)) {
        schedule_chunk(partial_, n);
        budget -= n;
      } else {
        preempt(partial_);  // it is the last of running
        preempted_ = true;
      }
    }
    if (preempted_) blocked_ = true;
    else admit_waiting(budget);
  }
  void form_prompts_or_decodes();

  /// Decoders that need memory are asked in running order; each failure preempts the last of running. True if any was.
  bool extend_one_by_one();

  void admit_waiting(std::int64_t budget) {
    table_.grant_before(SequenceTable::everyone);
    while (!waiting_.empty() && budget > 0 && table_.running() < config_.scheduler.max_batch) {
      const WaitingQueue::Entry head = waiting_.front();
      const bool fresh = head.preempted == no_sid;
      const std::int64_t produced = fresh ? 0 : table_[head.preempted].produced;
      const std::int64_t target = head.request.prompt_tokens + produced;
      const std::int64_t n = std::min(target, budget);
      if (!config_.scheduler.chunked_prefill && n < target) return;
      const Sid s = fresh ? table_.create(head.request) : head.preempted;
      if (!kv_.admit(s, n, now_)) {
        if (fresh) table_.destroy(s);
        blocked_ = true;
        return;
      }
      waiting_.pop_front();
      unadmitted_tokens_ -= target;
      table_.append_running(s);
      if (table_[s].first_scheduled_ns < 0) table_[s].first_scheduled_ns = now_;
      if (tracer_) tracer_->admitted(s, table_[s], now_);
      schedule_chunk(s, n);
      budget -= n;
    }
  }

  void schedule_chunk(Sid s, std::int64_t n) {
    Sequence& q = table_[s];
    q.chunk = n;
    shape_.prefill_tokens += n;
    config_.cost.add_chunk(shape_, n, q.computed);
    const bool completes = q.computed + n == q.target();
    chunks_.push_back({s, completes});
    if (!completes) return;
    q.anchor = q.target() - table_.next_iteration();
    finish_at_.insert(s, table_.next_iteration() + q.request.output_tokens - q.produced - 2);
    kv_.start_decoding(s);
  }

  void preempt(Sid s);

  // --- One iteration, in full.
  void run_iteration() {
    partial_ = !chunks_.empty() && !chunks_.back().completes ? chunks_.back().sid : no_sid;
    shape_.decode_seqs = table_.paused() ? 0 : decoders_;
    shape_.decode_kv_tokens = table_.paused() ? 0 : decode_kv_;
    const DriverCalls calls = tracer_ ? kv_.driver_calls() : DriverCalls{};
    std::int64_t stall = kv_.begin_iteration(now_, partial_);
    std::int64_t step = power_.step_ns(config_.cost, shape_, now_ + stall, stall);
    const MemoryLevels levels = current_levels();
    if (execution_) {
      const StepTiming took = execution_.run(iterations_, now_, kv_.occupancy());
      stall = took.stall_ns;
      step = took.step_ns;
    }
    if (hooks_.on_iteration || traces_iterations()) record(stall, step, levels, calls);
    if (tracer_ && stall > 0) tracer_->stalled(stall);
    metrics_.note_stall(stall);
    account_.add(stall + step, levels);
    metrics_.peak_held_bytes = std::max(metrics_.peak_held_bytes, levels.held);
    metrics_.running_ns += static_cast<Int128>(table_.running()) * (stall + step);
    metrics_.busy_ns += stall + step;
    now_ += stall + step;
    if (shape_.decode_seqs > 0) {
      if (pauses_.none()) metrics_.tbt_ns.add(stall + step, static_cast<std::uint64_t>(decoders_));
      else pauses_.end(now_, metrics_.tbt_ns);
    }
    end_iteration(step);
  }

  void end_iteration(std::int64_t step) {
    kv_.end_iteration(step);
    if (server_.takes_time()) {
      const auto done = std::count_if(chunks_.begin(), chunks_.end(), [](const Chunk& c) { return c.completes; });
      server_.take(now_, server_.work_ns(shape_.decode_seqs + done));
    }
    table_.advance(table_.paused() ? 0 : 1);
    ++iterations_;
    decode_kv_ += shape_.decode_seqs;
    if (table_.paused()) pauses_.join(now_, std::ssize(chunks_));  // each completes
    for (const Chunk& c : chunks_) {
      Sequence& q = table_[c.sid];
      q.computed += q.chunk;
      if (!c.completes) continue;
      q.decoding = true;
      q.chunk = 1;
      ++decoders_;
      if (tracer_) tracer_->decodes(c.sid, now_);
      decode_kv_ += q.target();
      if (q.produced == 0) {
        q.first_token_ns = now_;
        q.client_first_ns = server_.client_ns(now_);
      } else {
        metrics_.tbt_ns.add(now_ - q.last_token_ns);
      }
    }
    prefilled_ = partial_ != no_sid ? table_[partial_].computed : 0;
    metrics_.peak_live_tokens = std::max(metrics_.peak_live_tokens, live_tokens());
  }

  void retire_finished() {
    const std::int64_t ended = table_.iteration() - 1;
    if (finish_at_.min_key() > ended) return;
    finished_.clear();
    finish_at_.for_each(ended, [&](Sid s) { finished_.emplace_back(table_[s].order, s); });
    std::sort(finished_.begin(), finished_.end());
    for (const auto& [order, s] : finished_) {
      finish_at_.remove(s);
      decode_kv_ -= table_.stored(s);
      --decoders_;
      pauses_.leave(now_);
      execution_.release(s);
      kv_.release(s, now_, account_);
      table_.remove_running(s);
      if (tracer_) tracer_->finished(s, table_[s], now_);
      metrics_.finish(table_[s], now_, server_.client_ns(now_));
      table_.destroy(s);
    }
  }

  // --- Pure decode from this boundary to the next event: price, clock and book every iteration, touching nothing by
  // request. Nobody can be admitted meanwhile: a head that was refused stays refused until memory is released, and the
  // budget and the number of running requests stand still.
  void run_decodes(std::int64_t quiet_until) {
    server_.takes_time() ? decode_stretch<true>(quiet_until) : decode_stretch<false>(quiet_until);
  }
  template <bool served>
  void decode_stretch(std::int64_t quiet_until);

  // --- Books.
  [[nodiscard]] std::int64_t live_tokens() const { return decode_kv_ + prefilled_; }
  [[nodiscard]] MemoryLevels current_levels() const {
    const Occupancy o = kv_.occupancy();
    return {live_tokens() * bpt_, o.held, o.cached, o.round_up, table_.running(), waiting_.size(), blocked_};
  }
  /// Time that passed with nothing running is booked when the next iteration starts: after the last completion it
  /// does not count. Nothing is held then, and what is cached has not changed since.
  void catch_up_idle() {
    if (account_.now_ns() == now_) return;
    MemoryLevels idle;
    idle.cached = idle_cached_;
    account_.add(now_ - account_.now_ns(), idle);
  }
  [[nodiscard]] bool traces_iterations() const { return tracer_ && tracer_->wants_iterations(); }
  void sample_pool();

  void record(std::int64_t stall, std::int64_t step, const MemoryLevels& levels, const DriverCalls& before);
  void report_progress() {
    if (hooks_.on_progress && (++boundaries_ & 0xFFFF) == 0) hooks_.on_progress(now_, metrics_.completed());
  }

  RunResult result();

  const RunConfig& config_;
  const RunHooks& hooks_;
  SequenceTable table_;
  Kv kv_;
  MemoryAccount account_;
  Metrics metrics_;
  TokenServer server_;
  Arrivals arrivals_;
  WaitingQueue waiting_;
  std::optional<Tracer> tracer_;
  RingCalendar finish_at_;  // by the iteration at whose end a decoder delivers its last token
  std::int64_t bpt_;
  Execution execution_;
  PowerCredit power_;
  bool prefill_first_;
  bool step_by_step_;  // someone listens to, or carries out, every iteration

  std::int64_t now_ = 0, first_arrival_ns_ = 0;
  std::int64_t decoders_ = 0;   // B
  std::int64_t decode_kv_ = 0;  // sum of the decoders' stored tokens
  std::int64_t prefilled_ = 0;  // stored tokens of the request whose prompt is not done
  Sid partial_ = no_sid;        // the one running request whose prompt is not done
  bool preempted_ = false;      // at the last boundary
  bool blocked_ = false;        // the manager refused the head of waiting, or this boundary preempted
  std::int64_t idle_cached_ = 0;
  bool in_flight_ = false;           // an iteration is under way and ends at now_
  std::int64_t horizon_ = Arrivals::none;
  std::int64_t accepted_ = 0;           // delivered, less those that can never be served
  std::int64_t unadmitted_tokens_ = 0;  // of the accepted that hold no memory; only deliver() adds to it
  std::uint64_t iterations_ = 0, boundaries_ = 0;
  StepShape shape_;
  std::vector<Chunk> chunks_;
  Pauses pauses_;
  std::vector<std::pair<std::int64_t, Sid>> finished_;
};
}  // namespace stowage

#include "sim/serve/replica_parts.hpp"
