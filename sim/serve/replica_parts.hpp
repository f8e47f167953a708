#pragma once
// Members of Replica that stand apart: scheduler `prefill-first`, what lack of memory does, the loop in which most
// iterations run, and what is written down of a run.
#include "sim/serve/replica.hpp"

namespace stowage {

template <KvPolicy Kv>
void Replica<Kv>::form_prompts_or_decodes() {
  preempted_ = false;
  table_.pause(true);
  admit_waiting(config_.scheduler.max_batched_tokens);
  if (!chunks_.empty()) return pauses_.begin(now_, decoders_);
  table_.pause(false);
  preempted_ = !kv_.extend_decoders(now_) && extend_one_by_one();
  if (preempted_) blocked_ = true;
}

template <KvPolicy Kv>
bool Replica<Kv>::extend_one_by_one() {
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

template <KvPolicy Kv>
void Replica<Kv>::preempt(Sid s) {
  Sequence& q = table_[s];
  execution_.release(s);
  kv_.release(s, now_, account_);
  if (q.decoding) {
    const std::int64_t stored = table_.stored(s);
    q.produced = stored + 1 - q.request.prompt_tokens;
    q.last_token_ns = pauses_.leave(now_);
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
  unadmitted_tokens_ += q.target();
  ++q.preemptions;
  ++metrics_.preemptions;
  waiting_.push_front(q.request, s);
}

template <KvPolicy Kv>
template <bool served>
void Replica<Kv>::decode_stretch(std::int64_t quiet_until) {
  const DecodeLine line = config_.cost.decode_line(decoders_);
  const std::int64_t next_arrival = std::min(arrivals_.next_ns(), horizon_);
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
  TokenServer server = server_;
  const std::int64_t work = served ? server.work_ns(batch) : 0;
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
    if constexpr (served) server.take(now, work);
    kv_tokens += batch;
    memory.advance();
  } while (++ran < most && now < next_arrival && memory.extend(now));

  server_ = server;
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

template <KvPolicy Kv>
std::int64_t Replica<Kv>::steady_until(std::int64_t step_ns, bool wanted_too) const {
  const bool may_admit = !waiting_.empty() || arrivals_.next_ns() != Arrivals::none || partial_ != no_sid;
  if (may_admit || finish_at_.min_key() < table_.iteration()) return now_;
  if (finish_at_.empty()) return Arrivals::none;  // idle
  const std::int64_t left = finish_at_.min_key() - table_.iteration() + 1;
  const std::int64_t most_held =
      kv_.rounding_bytes() + kv_.occupancy().held + decoders_ * (left * bpt_ + kv_.unit_bytes());
  if (most_held <= config_.kv.pool.count())
    step_ns = std::max(step_ns, static_cast<std::int64_t>(config_.cost.decode_line(decoders_).ns(decode_kv_)));
  else if (wanted_too)
    return now_;  // preemption, and pages taken back from running requests, are possible
  return now_ + left * step_ns;
}

template <KvPolicy Kv>
void Replica<Kv>::sample_pool() {
  tracer_->begin_column(now_, blocked_);
  kv_.each_extent([&](const Extent& e) { tracer_->add(e, e.owner == no_sid ? 0 : table_.stored(e.owner) * bpt_); });
}

template <KvPolicy Kv>
void Replica<Kv>::record(std::int64_t stall, std::int64_t step, const MemoryLevels& l, const DriverCalls& before) {
  IterationRecord r;
  r.replica = metrics_.replica();
  r.index = iterations_;
  r.start_ns = now_;
  r.stall_ns = stall;
  r.step_ns = step;
  r.prefill_tokens = shape_.prefill_tokens;
  r.decode_seqs = shape_.decode_seqs;
  r.decode_kv_tokens = shape_.decode_kv_tokens;
  r.running = l.running;
  r.waiting = l.waiting;
  r.live_bytes = l.live;
  r.held_bytes = l.held;
  r.cached_bytes = l.cached;
  const std::int64_t fixed = kv_.rounding_bytes() + l.round_up;
  const std::int64_t rest = config_.kv.pool.count() - fixed - l.held - l.cached;
  r.external_bytes = fixed + (l.blocked ? rest : 0);
  r.free_bytes = l.blocked ? 0 : rest;
  if (traces_iterations()) tracer_->iteration(r, before, kv_.driver_calls());
  if (hooks_.on_iteration) hooks_.on_iteration(r);
}

template <KvPolicy Kv>
RunResult Replica<Kv>::result() {
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
  execution_.finish();
  out.vmm.map_calls = calls.maps;
  out.vmm.unmap_calls = calls.unmaps;
  out.vmm.busy_ns = static_cast<double>(calls.maps) * (config_.vmm.map_ns + config_.vmm.set_access_ns) +
                    static_cast<double>(calls.unmaps) * config_.vmm.unmap_ns;
  return out;
}
}  // namespace stowage
