// Readings, where the rules leave a choice (the most literal one is taken):
//  1. IterationRecord::index counts from 0; start_ns is the boundary (before the stall); running and waiting are the
//     lengths after the batch was formed; live_bytes is what is stored at the start, held_bytes leaves out buddy
//     round-up, which is in external_bytes.
//  2. What the mapper maps or unmaps counts from the boundary, so one iteration is one stretch of still memory.
//  3. "Refused at the last boundary" needs a real refusal by the manager there: a loop that ends for want of budget, of
//     batch slots, or because chunking is off refuses nobody, and the free bytes stay free. An idle gap has no head.
//  4. A pool's rounding is lost also in idle gaps; cached bytes stay cached while the head is blocked.
//  5. tpot is the exact quotient, not rounded to ns.
//  6. A queued unmapping (eager, background) that no later iteration starts counts in unmap_calls and busy_ns.
//  7. A zero-length iteration is an iteration; a boundary may follow another at the same time.
//  8. The driver's time is page counts times prices: map_pages x (map + set_access) + unmap_pages x unmap, for each lot
//     of work that is rounded together; what is left of the mapper is its unrounded work less the time since it began.
//  9. Rejections (too long first, then never fits) happen when the request arrives; a rejected arrival is a boundary.
// 10. Several GPUs: pool and bytes a token are all GPUs' together, T x page is one GPU's, map_calls those of one GPU.
// 11. In a fleet a request that this replica will reject is never outstanding, nor is its prompt wanted.
// 12. peak_committed takes iterations only.
#include "tests/oracle/oracle.hpp"

#include <algorithm>
#include <cmath>
#include <deque>
#include <iterator>
#include <limits>
#include <memory>
#include <tuple>

#include "base/error.hpp"
#include "tests/oracle/chip_clock.hpp"
#include "tests/oracle/fleet.hpp"
#include "tests/oracle/memory.hpp"

namespace stowage {
namespace oracle {
namespace {
using PartBytes = std::array<std::int64_t, part_count>;
std::int64_t& at(PartBytes& bytes, Part part) { return bytes[static_cast<std::size_t>(part)]; }

class Replica final : public SteppedReplica {
 public:
  explicit Replica(const RunConfig& config)
      : c_(config), memory_(make_memory(config)), bpt_(config.kv.bytes_per_token.count()) {}

  void start(std::int64_t first_arrival_ns) override { now_ = out_.first_arrival_ns = first_arrival_ns; }

  void deliver(const Request& q) override {
    // After all that arrive no later; from the back, as requests come nearly in order of arrival.
    const auto waiting = trace_.begin() + static_cast<std::ptrdiff_t>(next_);
    auto place = trace_.end();
    while (place != waiting && std::prev(place)->arrival_ns > q.arrival_ns) --place;
    trace_.insert(place, q);
  }

  void run_until(std::int64_t horizon) override {
    for (;;) {
      if (!batch_.empty()) {
        if (now_ > horizon) return;
        end_iteration();
        batch_.clear();
      }
      if (now_ >= horizon) return;
      let_arrive();
      form_batch();
      if (!batch_.empty()) {
        start_iteration();
        continue;
      }
      STOWAGE_ASSERT(waiting_.empty() && running_.empty());
      if (next_ == trace_.size() || trace_[next_].arrival_ns >= horizon) return;
      idle_.push_back(still(now_, trace_[next_].arrival_ns));
      now_ = trace_[next_].arrival_ns;
    }
  }

  [[nodiscard]] std::int64_t outstanding() const override {
    std::int64_t n = std::ssize(running_) + std::ssize(waiting_);
    for (std::size_t i = next_; i < trace_.size(); ++i) n += refusal(trace_[i]) == nullptr ? 1 : 0;
    return n;
  }
  [[nodiscard]] std::int64_t wanted_bytes() const override {
    std::int64_t held = 0, tokens = 0;
    for (const Resident* r : running_) held += memory_->held_bytes(*r);
    for (const Resident* r : waiting_) tokens += r->target();
    for (std::size_t i = next_; i < trace_.size(); ++i)
      if (refusal(trace_[i]) == nullptr) tokens += trace_[i].prompt_tokens;
    return held + tokens * bpt_;
  }

  [[nodiscard]] std::int64_t ended_ns() const override {
    return out_.segments.empty() ? out_.first_arrival_ns : out_.segments.back().end_ns;
  }
  OracleResult finish(std::int64_t end) override {
    if (end > ended_ns()) out_.segments.push_back(still(ended_ns(), end));
    out_.submitted = trace_.size();
    const auto totals = memory_->driver_totals();
    out_.vmm.map_calls = totals.map_calls;
    out_.vmm.unmap_calls = totals.unmap_calls;
    out_.vmm.busy_ns = totals.busy_ns;
    sum_up(out_, samples_, c_.kv.pool.count(), end - out_.first_arrival_ns);
    return std::move(out_);
  }

 private:
  // Step 1: tokens become stored, outputs are delivered, the finished release their memory.
  void end_iteration() {
    for (Resident* r : running_) {
      r->computed += r->scheduled;
      r->scheduled = 0;
      r->secured = r->computed;
    }
    out_.peak_live_bytes = std::max(out_.peak_live_bytes, live_bytes());
    const auto tokens =
        std::count_if(running_.begin(), running_.end(), [](const Resident* r) { return r->computed == r->target(); });
    const std::int64_t work = std::llround(c_.frontend.per_output_token_ns * static_cast<double>(tokens));
    server_free_ = std::max(server_free_, now_) + work;
    std::vector<Resident*> still_running;
    for (Resident* r : running_) {
      if (r->computed == r->target()) deliver(*r);
      if (r->produced < r->outputs) {
        still_running.push_back(r);
        continue;
      }
      settle(*r);
      memory_->release(*r);
      complete(*r);
    }
    running_ = still_running;
  }

  void deliver(Resident& r) {
    if (r.produced == 0) {
      r.record.first_token_ns = now_;
      r.record.client_first_token_ns = server_free_;
      samples_.ttft_ns.push_back(now_ - r.record.arrival_ns);
    } else {
      samples_.tbt_ns.push_back(now_ - r.last_token_ns);
    }
    r.last_token_ns = now_;
    r.produced += 1;
    r.decoding = true;
  }

  void complete(Resident& r) {
    r.record.finished_ns = now_;
    r.record.client_finished_ns = server_free_;
    out_.requests.push_back(r.record);
    out_.completed += 1;
    out_.prompt_tokens += static_cast<std::uint64_t>(r.prompt);
    out_.output_tokens += static_cast<std::uint64_t>(r.outputs);
    out_.makespan_ns = now_ - out_.first_arrival_ns;
    samples_.e2e_ns.push_back(now_ - r.record.arrival_ns);
    samples_.queue_ns.push_back(r.record.first_scheduled_ns - r.record.arrival_ns);
    if (r.outputs > 1) {
      const std::int64_t span = now_ - r.record.first_token_ns;
      out_.tpot_ns.values.push_back(static_cast<double>(span) / static_cast<double>(r.outputs - 1));
    }
  }

  /// A residency ends with F tokens stored: what it held beyond them was never to be used.
  void settle(Resident& r) {
    const std::int64_t used = r.computed * bpt_;
    for (const auto& stay : r.stays) {
      PartBytes& bytes = out_.segments[stay.segment].bytes;
      at(bytes, Part::reserved) += std::min(stay.held, used) - stay.live;
      at(bytes, Part::internal) += std::max<std::int64_t>(0, stay.held - used);
    }
    r.stays.clear();
  }

  // Step 2.
  void let_arrive() {
    for (; next_ < trace_.size() && trace_[next_].arrival_ns <= now_; ++next_) {
      const Request& q = trace_[next_];
      auto r = std::make_unique<Resident>();
      r->prompt = q.prompt_tokens;
      r->outputs = q.output_tokens;
      r->record.id = q.id;
      r->record.arrival_ns = q.arrival_ns;
      r->record.first_scheduled_ns = -1;
      r->record.prompt_tokens = q.prompt_tokens;
      r->record.output_tokens = q.output_tokens;
      r->record.client_arrival_ns =
          q.arrival_ns - std::llround(c_.frontend.per_request_ns + c_.frontend.per_prompt_token_ns * q.prompt_tokens);
      if (const char* reason = refusal(q)) {
        out_.rejected += 1;
        out_.rejected_requests.push_back({q.id, q.prompt_tokens, q.output_tokens, reason});
        continue;
      }
      waiting_.push_back(r.get());
      all_.push_back(std::move(r));
    }
  }

  [[nodiscard]] const char* refusal(const Request& q) const {
    Resident r;
    r.prompt = q.prompt_tokens;
    r.outputs = q.output_tokens;
    if (r.prompt + r.outputs > c_.scheduler.max_model_len) return "longer than max_model_len";
    return memory_->never_fits(r) ? "larger than the KV pool" : nullptr;
  }

  // Step 3.
  void form_batch() {
    batch_.clear();
    head_blocked_ = false;
    std::int64_t budget = c_.scheduler.max_batched_tokens;
    if (c_.scheduler.policy == SchedulerPolicy::prefill_first) {
      admit_waiting(budget);
      if (batch_.empty() && !extend_running(budget)) head_blocked_ = true;
    } else if (extend_running(budget)) {
      admit_waiting(budget);
    } else {
      head_blocked_ = true;
    }
  }

  /// False when it preempted.
  bool extend_running(std::int64_t& budget) {
    bool preempted = false;
    for (std::size_t i = 0; i < running_.size() && budget > 0; ++i) {
      Resident& r = *running_[i];
      const std::int64_t n = std::min(r.target() - r.computed, budget);
      bool gone = false;
      while (!gone && !memory_->extend(r, r.computed + n)) {
        Resident& victim = *running_.back();
        preempt(victim);
        preempted = true;
        gone = &victim == &r;
      }
      if (gone) break;
      schedule(r, n);
      budget -= n;
    }
    return !preempted;
  }

  void admit_waiting(std::int64_t budget) {
    while (!waiting_.empty() && budget > 0 && std::ssize(running_) < c_.scheduler.max_batch) {
      Resident& r = *waiting_.front();
      const std::int64_t n = std::min(r.target() - r.computed, budget);
      if (!c_.scheduler.chunked_prefill && n < r.target() - r.computed) break;
      if (!memory_->admit(r, n, running_.size())) {
        head_blocked_ = true;
        break;
      }
      waiting_.pop_front();
      running_.push_back(&r);
      schedule(r, n);
      budget -= n;
    }
  }

  void preempt(Resident& victim) {
    running_.pop_back();
    settle(victim);
    memory_->release(victim);
    victim.computed = victim.secured = 0;
    victim.decoding = false;
    victim.record.preemptions += 1;
    out_.preemptions += 1;
    waiting_.push_front(&victim);
  }

  void schedule(Resident& r, std::int64_t n) {
    r.scheduled = n;
    r.secured = r.computed + n;
    if (r.record.first_scheduled_ns < 0) r.record.first_scheduled_ns = now_;
    batch_.push_back(&r);
  }

  // Step 4.
  void start_iteration() {
    IterationRecord it;
    it.index = out_.iterations.size();
    it.start_ns = now_;
    it.stall_ns = std::llround(memory_->take_stall_ns(now_));
    it.step_ns = std::llround(price(it));
    if (it.prefill_tokens > 0) clock_.prompt_ended(now_ + it.stall_ns + it.step_ns);
    memory_->run_beside(now_ + it.stall_ns, running_);
    const std::int64_t end = now_ + it.stall_ns + it.step_ns;

    out_.segments.insert(out_.segments.end(), idle_.begin(), idle_.end());
    idle_.clear();
    OracleSegment segment = still(now_, end);
    it.running = segment.running;
    it.waiting = segment.waiting;
    it.live_bytes = at(segment.bytes, Part::live);
    it.cached_bytes = at(segment.bytes, Part::cached);
    it.external_bytes = at(segment.bytes, Part::external);
    it.free_bytes = at(segment.bytes, Part::free);
    for (Resident* r : running_) {
      it.held_bytes += memory_->held_bytes(*r);
      r->stays.push_back({out_.segments.size(), memory_->held_bytes(*r), r->computed * bpt_});
    }
    out_.segments.push_back(segment);
    out_.iterations.push_back(it);

    out_.peak_committed_bytes = std::max(out_.peak_committed_bytes, it.held_bytes);
    out_.batch_max = std::max(out_.batch_max, it.running);
    out_.vmm.stall_ns += it.stall_ns;
    out_.vmm.stall_max_ns = std::max(out_.vmm.stall_max_ns, it.stall_ns);
    out_.vmm.stalled_iterations += it.stall_ns > 0 ? 1 : 0;
    now_ = end;
  }

  /// Counts the batch into `it` and prices it, the chip's clock included.
  double price(IterationRecord& it) {
    StepShape shape;
    for (const Resident* r : batch_) {
      (r->decoding ? shape.decode_seqs : shape.prefill_tokens) += r->scheduled;
      if (r->decoding) shape.decode_kv_tokens += r->computed;
      else c_.cost.add_chunk(shape, r->scheduled, r->computed);
    }
    std::tie(it.prefill_tokens, it.decode_seqs, it.decode_kv_tokens) =
        std::tie(shape.prefill_tokens, shape.decode_seqs, shape.decode_kv_tokens);
    const double ns = c_.cost.ns(shape);
    if (c_.cost.kind() == StepCost::Kind::linear) {
      const auto& l = c_.cost.linear();
      STOWAGE_ASSERT(ns == l.base_ns + l.per_prefill_token_ns * static_cast<double>(it.prefill_tokens) +
                               l.per_decode_seq_ns * static_cast<double>(it.decode_seqs) +
                               l.per_kv_token_ns * static_cast<double>(it.decode_kv_tokens) +
                               shape.prefill_attention_ns);
      return ns;
    }
    return clock_.price_ns(c_.cost, ns, shape, now_, it.stall_ns);
  }

  std::int64_t live_bytes() const {
    std::int64_t tokens = 0;
    for (const Resident* r : running_) tokens += r->computed;
    return tokens * bpt_;
  }

  /// Memory as it stands now; reserved and internal are booked when each residency ends.
  OracleSegment still(std::int64_t start, std::int64_t end) const {
    OracleSegment s{start, end, {}, std::ssize(running_), std::ssize(waiting_)};
    std::int64_t held = 0;
    for (const Resident* r : running_) {
      STOWAGE_ASSERT(memory_->held_bytes(*r) >= (r->computed + r->scheduled) * bpt_);
      held += memory_->held_bytes(*r);
    }
    const std::int64_t otherwise_free = c_.kv.pool.count() - held - memory_->cached_bytes() - memory_->lost_bytes();
    STOWAGE_ASSERT(otherwise_free >= 0);
    at(s.bytes, Part::live) = live_bytes();
    at(s.bytes, Part::cached) = memory_->cached_bytes();
    at(s.bytes, Part::external) = memory_->lost_bytes() + (head_blocked_ ? otherwise_free : 0);
    at(s.bytes, Part::free) = head_blocked_ ? 0 : otherwise_free;
    return s;
  }

  const RunConfig& c_;
  std::vector<Request> trace_;  // delivered so far, by arrival at the engine
  std::unique_ptr<Memory> memory_;
  std::int64_t bpt_;
  std::size_t next_ = 0;  // first request of the trace that has not arrived
  std::int64_t now_ = 0;
  std::vector<std::unique_ptr<Resident>> all_;
  std::vector<Resident*> running_, batch_;
  std::deque<Resident*> waiting_;
  bool head_blocked_ = false;
  ChipClock clock_;
  std::int64_t server_free_ = 0;     // when the front end will have sent every token it was given
  std::vector<OracleSegment> idle_;  // gaps that count only if another iteration follows
  Samples samples_;
  OracleResult out_;
};
}  // namespace
}  // namespace oracle

std::unique_ptr<oracle::SteppedReplica> oracle::make_replica(const RunConfig& config) {
  return std::make_unique<Replica>(config);
}

OracleResult oracle_run(const RunConfig& config, const std::vector<Request>& requests) {
  oracle::Replica replica(config);
  replica.start(requests.empty() ? 0 : requests.front().arrival_ns);
  for (const Request& q : requests) replica.deliver(q);
  replica.run_until(std::numeric_limits<std::int64_t>::max());
  return replica.finish(replica.ended_ns());
}
}  // namespace stowage
