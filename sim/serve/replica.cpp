#include "sim/serve/replica.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "sim/kv/registry.hpp"

namespace stowage {
namespace {
const ManagerRow& manager_row(const RunConfig& config) {
  const ManagerRow* row = find_manager(config.manager.kind);
  STOWAGE_ASSERT(row != nullptr);
  return *row;
}
const SchedulerRow& scheduler_row(const RunConfig& config) {
  const SchedulerRow* row = find_scheduler(config.scheduler.policy);
  STOWAGE_ASSERT(row != nullptr);
  return *row;
}
}  // namespace

Replica::Replica(const RunConfig& config, const RunHooks& hooks, std::int32_t index)
    : config_(config),
      hooks_(hooks),
      table_(config.scheduler.max_batch),
      kv_(manager_row(config).make(config, table_)),
      account_(config.kv.pool.count(), kv_->facts().rounding_bytes),
      batch_(config, table_, *kv_, account_),
      scheduler_(scheduler_row(config).make(config.scheduler)),
      driver_(config.vmm, kv_->facts().pages_per_unit),
      metrics_(hooks, config.frontend, index),
      server_(config.frontend),
      arrivals_(config.workload.get()),
      execution_(hooks.executor, table_),
      bpt_(config.kv.bytes_per_token.count()),
      step_by_step_(hooks.on_iteration || execution_) {}

RunResult Replica::run() {
  start(arrivals_.next_ns() == Arrivals::none ? 0 : arrivals_.next_ns());
  run_until(Arrivals::none);
  return result();
}

void Replica::start(std::int64_t first_arrival_ns) {
  first_arrival_ns_ = now_ = first_arrival_ns;
  account_.start(now_);
  execution_.start(now_);
  if (hooks_.trace && metrics_.replica() == 0) tracer_.emplace(config_, now_);  // of a fleet, the first
}

// Each is called from one place, run_until.

inline const char* Replica::refusal(const Request& r) const {
  if (r.prompt_tokens + static_cast<std::int64_t>(r.output_tokens) > config_.scheduler.max_model_len)
    return reject_too_long;
  return kv_->never_fits(r.prompt_tokens, r.output_tokens) ? reject_too_large : nullptr;
}

inline void Replica::complete() {
  const Step& step = batch_.step();
  now_ = step.ends_ns;
  in_flight_ = false;
  batch_.complete(now_);
  for (const Chunk& c : step.chunks) {
    if (!c.completes) continue;
    Sequence& q = table_[c.sid];
    if (tracer_) tracer_->decodes(c.sid, now_);
    if (q.produced == 0) {
      q.first_token_ns = now_;
      q.client_first_ns = server_.client_ns(now_);
    } else {
      metrics_.tbt_ns.add(now_ - q.last_token_ns);
    }
  }
  metrics_.peak_live_tokens = std::max(metrics_.peak_live_tokens, batch_.live_tokens());
  for (const auto& [order, s] : batch_.finished()) {
    batch_.leave(s);
    if (tracer_) tracer_->finished(s, table_[s], now_);
    metrics_.finish(table_[s], now_, server_.client_ns(now_));
    table_.destroy(s);
  }
  if (hooks_.on_progress && (++boundaries_ & 0xFFFF) == 0) hooks_.on_progress(now_, metrics_.completed());
}

inline void Replica::take_arrivals() {
  while (arrivals_.next_ns() <= now_) {
    const Request r = arrivals_.take();
    ++metrics_.submitted;
    if (const char* why = refusal(r)) metrics_.reject(r, why);
    else batch_.arrive(r);
  }
}

inline void Replica::check_books() const {
  const std::int64_t running = table_.running();
  STOWAGE_ASSERT(running == batch_.decoders() + static_cast<std::int64_t>(batch_.step().chunks.size()));
  STOWAGE_ASSERT(metrics_.submitted == metrics_.completed() + metrics_.rejected() +
                                           static_cast<std::uint64_t>(running + batch_.waiting()));
  const MemoryLevels& l = level_;
  STOWAGE_ASSERT(l.live >= 0 && l.live <= l.held && l.cached >= 0 && l.round_up >= 0);
  STOWAGE_ASSERT(l.held + l.cached + l.round_up + kv_->facts().rounding_bytes <= config_.kv.pool.count());
  STOWAGE_ASSERT(running > 0 || l.held + l.round_up == 0);
}

inline void Replica::form() {
  batch_.begin_step(now_);
  scheduler_->form(batch_);
  batch_.end_forming();
  const Step& step = batch_.step();
  metrics_.preemptions += step.preempted.size();
  metrics_.batch_max = std::max(metrics_.batch_max, table_.running());
  level_ = levels();
  check_books();
  if (!tracer_) return;
  for (const Sid s : step.preempted) tracer_->preempted(s, now_);
  for (const Chunk& c : step.chunks)
    if (c.first) tracer_->admitted(c.sid, table_[c.sid], now_);
}

inline Replica::Quiet Replica::quiet() const {
  const Step& step = batch_.step();
  const bool scheduler = step.chunks.empty();
  const bool driver = kv_->work().driverless() && driver_.left_ns() == 0;
  if (!scheduler || !driver || !batch_.pauses().none()) return {table_.lane_clock() - 1, now_};
  std::int64_t clock = std::min(kv_->quiet_until(), batch_.next_finish());
  if (batch_.preempted()) clock = std::min(clock, table_.lane_clock());  // the head of waiting is asked again
  return {clock, std::min(arrivals_.next_ns(), horizon_)};
}

void Replica::run_until(std::int64_t horizon_ns) {
  horizon_ = horizon_ns;
  for (;;) {
    if (in_flight_) {
      if (batch_.step().ends_ns > horizon_ns) return;
      complete();
    }
    if (now_ >= horizon_ns) return;
    take_arrivals();
    form();
    if (tracer_ && now_ >= tracer_->next_sample_ns()) sample_pool();
    if (table_.running() == 0) {
      STOWAGE_ASSERT(batch_.waiting() == 0);          // a request that fits an empty pool was refused by one
      if (arrivals_.next_ns() >= horizon_ns) return;  // one with less delay may still come before it
      idle_cached_ = kv_->occupancy().cached;
      driver_.elapse(arrivals_.next_ns() - now_);
      now_ = arrivals_.next_ns();
      execution_.idle_until(now_);
      continue;
    }
    catch_up_idle();
    const Quiet alike = quiet();
    if (alike.clock >= table_.lane_clock() && !step_by_step_ && !traces_iterations()) run_stretch(alike);
    else run_step();
    in_flight_ = true;
  }
}

void Replica::run_step() {
  Step& step = batch_.step();
  kv_->look_ahead(now_, step.partial);
  const MapCounts beside = kv_->work().count(MemoryWork::When::beside);
  std::int64_t stall = driver_.start(kv_->work());
  std::int64_t took = power_.step_ns(config_.cost, step.shape, now_ + stall, stall);
  if (!beside.none()) level_ = levels();
  if (execution_) {
    const StepTiming measured = execution_.run(iterations_, now_, *kv_);
    stall = measured.stall_ns;
    took = measured.step_ns;
  }
  kv_->work().clear();
  step.formed_ns = now_;
  step.starts_ns = now_ + stall;
  step.ends_ns = step.starts_ns + took;
  if (hooks_.on_iteration || traces_iterations()) record(beside);
  if (tracer_ && stall > 0) tracer_->stalled(stall);
  metrics_.note_stall(stall);
  account_.add(stall + took, level_);
  metrics_.peak_held_bytes = std::max(metrics_.peak_held_bytes, level_.held);
  metrics_.running_ns += static_cast<Int128>(table_.running()) * (stall + took);
  metrics_.busy_ns += stall + took;
  if (step.shape.decode_seqs > 0) {
    if (batch_.pauses().none())
      metrics_.tbt_ns.add(stall + took, static_cast<std::uint64_t>(step.shape.decode_seqs));
    else batch_.pauses().end(step.ends_ns, metrics_.tbt_ns);
  }
  driver_.elapse(took);
  if (server_.takes_time()) {
    const auto done = std::ranges::count_if(step.chunks, [](const Chunk& c) { return c.completes; });
    server_.take(step.ends_ns, server_.work_ns(step.shape.decode_seqs + done));
  }
  ++iterations_;
}

void Replica::deliver(const Request& r) {
  if (refusal(r) == nullptr) {
    ++accepted_;
    batch_.expect(r.prompt_tokens);
  }
  arrivals_.push(r);
}

std::int64_t Replica::steady_until(std::int64_t step_ns, bool wanted_too) const {
  const Step& step = batch_.step();
  const std::int64_t from = in_flight_ ? step.ends_ns : now_;
  const std::int64_t clock = table_.lane_clock() + (in_flight_ ? step.growth : 0);
  const bool prompts = in_flight_ ? !step.chunks.empty() : batch_.partial() != no_sid;
  const bool may_admit = batch_.waiting() > 0 || arrivals_.next_ns() != Arrivals::none || prompts;
  if (may_admit || batch_.next_finish() < clock) return from;
  if (batch_.decoders() == 0) return Arrivals::none;  // idle
  const std::int64_t left = batch_.next_finish() - clock + 1;
  const auto& facts = kv_->facts();
  const std::int64_t most_held =
      facts.rounding_bytes + kv_->occupancy().held + batch_.decoders() * (left * bpt_ + facts.unit_bytes);
  if (most_held <= config_.kv.pool.count())
    step_ns = std::max(step_ns, static_cast<std::int64_t>(
                                    config_.cost.decode_line(batch_.decoders()).ns(batch_.decode_tokens())));
  else if (wanted_too)
    return from;  // preemption, and pages taken back from running requests, are possible
  return from + left * step_ns;
}
}  // namespace stowage
