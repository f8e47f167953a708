#pragma once
// One replica: the serving engine, simulated. Rules to the nanosecond and the byte: the project's semantics, which the
// plain oracle in tests/oracle walks token by token and must agree with exactly.
//
// The engine never walks the batch. Every running request is scheduled in every iteration, because a request is only
// admitted into budget that is left, so `running` never exceeds the budget; hence all decoders grow by one token an
// iteration, at most one prompt is unfinished and it is the last of running. Kept incrementally: the batch, the sum of
// contexts, finishers by iteration, and in the manager the iteration at which each request needs memory. Between two
// events (arrival, finisher, memory that needs a decision) iterations run in `decode_stretch`.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/error.hpp"
#include "sim/kernel/ring_calendar.hpp"
#include "sim/kv/policy.hpp"
#include "sim/result.hpp"
#include "sim/run_config.hpp"
#include "sim/serve/arrivals.hpp"
#include "sim/serve/memory_account.hpp"
#include "sim/serve/metrics.hpp"
#include "sim/serve/sequence.hpp"
#include "sim/serve/tracer.hpp"

namespace stowage {

template <KvPolicy Kv>
class Replica {
 public:
  Replica(const RunConfig& config, const RunHooks& hooks)
      : config_(config),
        hooks_(hooks),
        table_(config.scheduler.max_batch),
        kv_(config, table_),
        account_(config.kv.pool.count(), kv_.rounding_bytes()),
        metrics_(hooks),
        arrivals_(config.workload->open()),
        finish_at_(config.scheduler.max_model_len + 2, table_.capacity()),
        bpt_(config.kv.bytes_per_token.count()) {}

  RunResult run() {
    first_arrival_ns_ = now_ = arrivals_.next_ns() == Arrivals::none ? 0 : arrivals_.next_ns();
    account_.start(now_);
    if (hooks_.trace) tracer_.emplace(config_, now_);
    for (;;) {
      take_arrivals();
      form_batch();
      if (tracer_ && now_ >= tracer_->next_sample_ns()) sample_pool();
      if (table_.running() == 0) {
        STOWAGE_ASSERT(waiting_.empty());  // a request that fits an empty pool was refused by one
        if (arrivals_.next_ns() == Arrivals::none) break;
        idle_cached_ = kv_.occupancy().cached;
        kv_.idle(arrivals_.next_ns() - now_);
        now_ = arrivals_.next_ns();
        continue;
      }
      catch_up_idle();
      const std::int64_t quiet_until = kv_.quiet_until();
      if (chunks_.empty() && quiet_until >= table_.iteration() && !wants_iterations()) decode_stretch(quiet_until);
      else run_iteration();
      retire_finished();
      report_progress();
    }
    return result();
  }

 private:
  struct Chunk {
    Sid sid;
    bool completes;  // the prompt (or what is recomputed) is done with this chunk
  };

  // --- The boundary: arrivals, then the batch (scheduler `vllm`).
  void take_arrivals() {
    while (arrivals_.next_ns() <= now_) {
      const Request r = arrivals_.take();
      ++metrics_.submitted;
      if (r.prompt_tokens + static_cast<std::int64_t>(r.output_tokens) > config_.scheduler.max_model_len)
        metrics_.reject(r, "longer than max_model_len");
      else if (kv_.never_fits(r.prompt_tokens, r.output_tokens))
        metrics_.reject(r, "larger than the KV pool");
      else
        waiting_.push_back(r);
    }
  }

  void form_batch() {
    chunks_.clear();
    shape_ = {};
    blocked_ = false;
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
    metrics_.batch_max = std::max(metrics_.batch_max, table_.running());
  }

  /// Decoders that need memory are asked in running order; each failure preempts the last of running. True if any was.
  bool extend_one_by_one() {
    bool preempted = false;
    kv_.begin_needy();
    for (Sid r = kv_.next_needy(); r != no_sid; r = kv_.next_needy()) {
      table_.grant_before(table_[r].order);
      while (!kv_.extend(r, table_.stored(r) + 1, now_)) {
        const Sid last = table_.last_running();
        preempt(last);
        preempted = true;
        if (last == r) return true;
      }
    }
    return preempted;
  }

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
    shape_.prefill_attention_ns += config_.cost.chunk_ns(n, q.computed);
    const bool completes = q.computed + n == q.target();
    chunks_.push_back({s, completes});
    if (!completes) return;
    q.anchor = q.target() - (table_.iteration() + 1);
    finish_at_.insert(s, table_.iteration() + q.request.output_tokens - q.produced - 1);
    kv_.start_decoding(s);
  }

  void preempt(Sid s) {
    Sequence& q = table_[s];
    kv_.release(s, now_, account_);
    if (q.decoding) {
      const std::int64_t stored = table_.stored(s);
      q.produced = stored + 1 - q.request.prompt_tokens;
      q.last_token_ns = now_;
      decode_kv_ -= stored;
      --decoders_;
      finish_at_.remove(s);
    } else {
      partial_ = no_sid;
      prefilled_ = 0;
    }
    table_.remove_running(s);
    if (tracer_) tracer_->preempted(s, now_);
    q.decoding = false;
    q.computed = 0;
    ++q.preemptions;
    ++metrics_.preemptions;
    waiting_.push_front(q.request, s);
  }

  // --- One iteration, in full.
  void run_iteration() {
    partial_ = !chunks_.empty() && !chunks_.back().completes ? chunks_.back().sid : no_sid;
    shape_.decode_seqs = decoders_;
    shape_.decode_kv_tokens = decode_kv_;
    const DriverCalls calls = tracer_ ? kv_.driver_calls() : DriverCalls{};
    const std::int64_t stall = kv_.begin_iteration(now_, partial_);
    const std::int64_t step = round_ns(config_.cost.ns(shape_));
    const MemoryLevels levels = current_levels();
    if (wants_iterations()) record(stall, step, levels, calls);
    note_stall(stall);
    account_.add(stall + step, levels);
    metrics_.peak_held_bytes = std::max(metrics_.peak_held_bytes, levels.held);
    metrics_.running_ns += static_cast<Int128>(table_.running()) * (stall + step);
    metrics_.busy_ns += stall + step;
    if (decoders_ > 0) metrics_.tbt_ns.add(stall + step, static_cast<std::uint64_t>(decoders_));
    now_ += stall + step;
    end_iteration(step);
  }

  void end_iteration(std::int64_t step) {
    kv_.end_iteration(step);
    table_.advance(1);
    ++iterations_;
    decode_kv_ += decoders_;
    for (const Chunk& c : chunks_) {
      Sequence& q = table_[c.sid];
      q.computed += q.chunk;
      if (!c.completes) continue;
      q.decoding = true;
      q.chunk = 1;
      ++decoders_;
      if (tracer_) tracer_->decodes(c.sid, now_);
      decode_kv_ += q.target();
      if (q.produced == 0) q.first_token_ns = now_;
      else metrics_.tbt_ns.add(now_ - q.last_token_ns);
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
      kv_.release(s, now_, account_);
      table_.remove_running(s);
      if (tracer_) tracer_->finished(s, table_[s], now_);
      metrics_.finish(table_[s], now_);
      table_.destroy(s);
    }
  }

  // --- Pure decode from this boundary to the next event: price, clock and book every iteration, touching nothing by
  // request. Nobody can be admitted meanwhile: a head that was refused stays refused until memory is released, and the
  // budget and the number of running requests stand still.
  void decode_stretch(std::int64_t quiet_until) {
    const DecodeLine line = config_.cost.decode_line(decoders_);
    const std::int64_t next_arrival = arrivals_.next_ns();
    // The boundary after a preemption asks the head of waiting again, so nothing is skipped there.
    const std::int64_t most = preempted_ ? 1 : std::min(finish_at_.min_key(), quiet_until) - table_.iteration() + 1;
    std::int64_t ran = 0;
    const std::int64_t unit_bytes = kv_.unit_bytes(), batch = decoders_;
    MemoryLevels levels = current_levels();
    auto memory = kv_.stretch();
    LogHistogram::Cursor gaps(metrics_.tbt_ns, static_cast<std::uint64_t>(batch));
    Int128 live = 0, held = 0;  // tokens x ns, units x ns since `booked`
    std::int64_t now = now_, booked = now, kv_tokens = decode_kv_, held_units = 0;
    std::int64_t bin_end = account_.bin_end_ns();
    do {
      const std::int64_t step = round_ns(line.ns(kv_tokens));
      held_units = memory.held_units();
      if (now + step > bin_end) [[unlikely]] {
        account_.add_within_bin(now - booked, live * bpt_, held * unit_bytes, levels);
        levels.live = kv_tokens * bpt_;
        levels.held = held_units * unit_bytes;
        account_.add(step, levels);
        live = held = 0;
        booked = now + step;
        bin_end = account_.bin_end_ns();
      } else {
        live += static_cast<Int128>(kv_tokens) * step;
        held += static_cast<Int128>(held_units) * step;
      }
      gaps.add(step);
      now += step;
      kv_tokens += batch;
      memory.advance();
    } while (++ran < most && now < next_arrival && memory.extend(now));

    kv_.end_stretch(memory);
    account_.add_within_bin(now - booked, live * bpt_, held * unit_bytes, levels);
    gaps.finish(static_cast<std::uint64_t>(ran), now - now_);
    metrics_.running_ns += static_cast<Int128>(batch) * (now - now_);
    metrics_.busy_ns += now - now_;
    metrics_.peak_held_bytes = std::max(metrics_.peak_held_bytes, held_units * unit_bytes);
    metrics_.peak_live_tokens = std::max(metrics_.peak_live_tokens, kv_tokens);
    now_ = now;
    decode_kv_ = kv_tokens;
    iterations_ += static_cast<std::uint64_t>(ran);
    table_.advance(ran);
  }

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
  void note_stall(std::int64_t stall) {
    if (stall == 0) return;
    if (tracer_) tracer_->stalled(stall);
    metrics_.stall_ns += stall;
    metrics_.stall_max_ns = std::max(metrics_.stall_max_ns, stall);
    ++metrics_.stalled_iterations;
  }

  bool wants_iterations() const { return hooks_.on_iteration || (tracer_ && tracer_->wants_iterations()); }
  void sample_pool() {
    tracer_->begin_column(now_, blocked_);
    kv_.each_extent([&](const Extent& e) { tracer_->add(e, e.owner == no_sid ? 0 : table_.stored(e.owner) * bpt_); });
  }
  void record(std::int64_t stall, std::int64_t step, const MemoryLevels& l, const DriverCalls& calls) {
    const StepShape& s = shape_;
    IterationRecord r{iterations_, now_, stall, step, s.prefill_tokens, s.decode_seqs, s.decode_kv_tokens};
    r.running = l.running, r.waiting = l.waiting;
    r.live_bytes = l.live, r.held_bytes = l.held, r.cached_bytes = l.cached;
    const std::int64_t fixed = kv_.rounding_bytes() + l.round_up;
    const std::int64_t rest = config_.kv.pool.count() - fixed - l.held - l.cached;
    r.external_bytes = fixed + (l.blocked ? rest : 0);
    r.free_bytes = l.blocked ? 0 : rest;
    if (tracer_ && tracer_->wants_iterations()) tracer_->iteration(r, calls, kv_.driver_calls());
    if (hooks_.on_iteration) hooks_.on_iteration(r);
  }

  void report_progress() {
    if (hooks_.on_progress && (++boundaries_ & 0xFFFF) == 0) hooks_.on_progress(now_, metrics_.completed());
  }

  RunResult result() {
    RunResult out;
    out.name = config_.manager.name;
    out.manager = config_.manager;
    metrics_.write(out, first_arrival_ns_);
    out.iterations = iterations_;
    out.pool_bytes = config_.kv.pool.count();
    out.pool_tokens = kv_.pool_tokens();
    out.bytes_per_token = bpt_;
    out.peak_committed_bytes = metrics_.peak_held_bytes;
    out.peak_live_bytes = metrics_.peak_live_tokens * bpt_;
    out.mean_fraction = account_.mean_fraction();
    out.series = account_.series();
    if (tracer_) out.trace = tracer_->finish(out.ttft_ns);
    const DriverCalls calls = kv_.finish_driver_work();
    out.vmm.map_calls = calls.maps;
    out.vmm.unmap_calls = calls.unmaps;
    out.vmm.busy_ns = static_cast<double>(calls.maps) * (config_.vmm.map_ns + config_.vmm.set_access_ns) +
                      static_cast<double>(calls.unmaps) * config_.vmm.unmap_ns;
    return out;
  }

  const RunConfig& config_;
  const RunHooks& hooks_;
  SequenceTable table_;
  Kv kv_;
  MemoryAccount account_;
  Metrics metrics_;
  Arrivals arrivals_;
  WaitingQueue waiting_;
  std::optional<Tracer> tracer_;
  RingCalendar finish_at_;  // by the iteration at whose end a decoder delivers its last token
  std::int64_t bpt_;

  std::int64_t now_ = 0, first_arrival_ns_ = 0;
  std::int64_t decoders_ = 0;   // B
  std::int64_t decode_kv_ = 0;  // sum of the decoders' stored tokens
  std::int64_t prefilled_ = 0;  // stored tokens of the request whose prompt is not done
  Sid partial_ = no_sid;        // the one running request whose prompt is not done
  bool preempted_ = false;      // at the last boundary
  bool blocked_ = false;        // the manager refused the head of waiting, or this boundary preempted
  std::int64_t idle_cached_ = 0;
  std::uint64_t iterations_ = 0, boundaries_ = 0;
  StepShape shape_;
  std::vector<Chunk> chunks_;
  std::vector<std::pair<std::int64_t, Sid>> finished_;
};

template <KvPolicy Kv>
RunResult run_replica(const RunConfig& config, const RunHooks& hooks) {
  return Replica<Kv>(config, hooks).run();
}
}  // namespace stowage
