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

Replica::Replica(const RunConfig& config, const RunHooks& hooks, std::int32_t index, Arrivals* source)
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
      source_(source != nullptr ? source : &arrivals_),
      contents_(source_->stream()),
      followed_(contents_ != nullptr && contents_->has_followers()),
      execution_(hooks.executor, table_, contents_),
      times_(hooks.times),
      bpt_(config.kv.bytes_per_token.count()),
      loop_(config.host_loop),
      loops_(config.host_loop.any() && !execution_ && times_ == nullptr),
      step_by_step_(hooks.on_iteration || hooks.on_step || execution_ || times_ != nullptr),
      run_stretch_(pick_stretch()) {
  STOWAGE_ASSERT(!execution_ || !config.scheduler.async_scheduling);
  STOWAGE_ASSERT(times_ == nullptr || (config.workload != nullptr && !execution_));
  if (contents_ != nullptr) kv_->read_contents(*contents_);
}

RunResult Replica::run() {
  start(arrivals_.next_ns() == Arrivals::none ? 0 : arrivals_.next_ns());
  run_until(Arrivals::none);
  return result();
}

void Replica::start(std::int64_t first_arrival_ns) {
  first_arrival_ns_ = now_ = free_from_ns_ = first_arrival_ns;
  account_.start(now_);
  execution_.start(now_);
  if (hooks_.trace && metrics_.replica() == 0) tracer_.emplace(config_, now_);  // of a fleet, the first
}

// Each is called from one place, run_until.

const char* Replica::refusal(const Request& r) const {
  if (r.prompt_tokens + static_cast<std::int64_t>(r.limit()) > config_.scheduler.max_model_len)
    return reject_too_long;
  return kv_->never_fits(r.prompt_tokens, r.limit()) ? reject_too_large : nullptr;
}

inline void Replica::hand_out(const Step& step) {
  if (step.handed_out) return;
  std::int64_t outputs = step.shape.decode_seqs - step.zombies;
  if (outputs > 0) {
    if (batch_.pauses().none()) metrics_.tbt_ns.add(now_ - handed_out_ns_, static_cast<std::uint64_t>(outputs));
    else batch_.pauses().end(now_, metrics_.tbt_ns);
  }
  for (const Chunk& c : step.chunks) outputs += c.completes ? 1 : 0;
  handed_out_ns_ = now_;
  if (server_.takes_time()) server_.take(now_, server_.work_ns(outputs));
  for (const Chunk& c : step.chunks) {
    if (!c.completes) continue;
    Sequence& q = table_[c.sid];
    if (tracer_ && q.running) tracer_->decodes(c.sid, now_);
    if (q.first_token_ns < 0) {
      q.first_token_ns = now_;
      q.client_first_ns = server_.client_ns(now_);
    } else {
      metrics_.tbt_ns.add(now_ - q.last_token_ns);
    }
    if (!q.running) q.last_token_ns = now_;  // preempted with this output on its way
  }
}

inline void Replica::complete() {
  batch_.advance();
  STOWAGE_ASSERT(batch_.oldest().ends_ns >= now_);
  now_ = batch_.oldest().ends_ns;
  const Step& step = batch_.complete(now_);
  hand_out(step);
  metrics_.peak_live_bytes =
      std::max(metrics_.peak_live_bytes, batch_.live_tokens() * bpt_ - kv_->shared_bytes());
  for (const auto& [order, s] : step.finishing) {
    if (table_[s].running) batch_.leave(s);
    else batch_.leave_waiting(s);
    if (tracer_) tracer_->finished(s, table_[s], now_);
    const Request& r = table_[s].request;
    const std::int64_t client_ns = server_.client_ns(now_);
    metrics_.finish(table_[s], now_, client_ns);
    if (followed_) release_followers(r, client_ns);
    if (r.content >= 0) contents_->drop(r);
    table_.destroy(s);
  }
  if (hooks_.on_progress && (++boundaries_ & 0xFFFF) == 0) hooks_.on_progress(now_, metrics_.completed());
}

inline void Replica::take_arrivals() {
  while (arrivals_.next_ns() <= now_) {
    const Request r = arrivals_.take();
    ++metrics_.submitted;
    if (const char* why = refusal(r)) reject(r, why);
    else batch_.arrive(r);
  }
}

/// S15.11
void Replica::release_followers(const Request& r, std::int64_t ended_ns) {
  ready_.clear();
  contents_->ended(r, ended_ns, ready_);
  for (const Request& follower : ready_) {
    STOWAGE_ASSERT(follower.arrival_ns >= ended_ns);
    source_->follow(follower);
    if (source_ != &arrivals_) horizon_ = std::min(horizon_, follower.arrival_ns);
  }
}

/// S15.12. The client knows at once.
void Replica::reject(const Request& r, const char* why) {
  metrics_.reject(r, why);
  ready_.clear();
  lost_.assign(1, r);
  for (std::size_t i = 0; i < lost_.size(); ++i) {
    const Request rejected = lost_[i];
    if (i > 0) {
      ++metrics_.submitted;
      metrics_.reject(rejected, reject_never_sent);
    }
    if (followed_) contents_->rejected(rejected, r.arrival_ns, lost_, ready_);
    if (rejected.content >= 0) contents_->drop(rejected);
  }
  for (const Request& next : ready_) source_->follow(next);
}

inline void Replica::check_books() const {
  const std::int64_t running = table_.running();
  STOWAGE_ASSERT(running == batch_.decoders() + batch_.retired() + std::ssize(batch_.step().chunks));
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
  const bool scheduler = batch_.step().chunks.empty();
  const bool steps = batch_.idle() || batch_.last().plain(batch_.decoders());
  const bool driver = kv_->work().driverless() && driver_.left_ns(std::max(now_, free_from_ns_)) == 0;
  if (!scheduler || !steps || !driver || !batch_.pauses().none()) return {table_.lane_clock() - 1, now_};
  if (loops_ && !loop_hides()) return {table_.lane_clock() - 1, now_};
  std::int64_t clock = std::min(kv_->quiet_until(), batch_.next_finish());
  if (batch_.preempted()) clock = std::min(clock, table_.lane_clock());  // the head of waiting is asked again
  return {clock, std::min(arrivals_.next_ns(), horizon_)};
}

void Replica::run_until(std::int64_t horizon_ns) {
  horizon_ = horizon_ns;
  for (;;) {
    const bool waits = batch_.full() || (nothing_to_form_ && !batch_.idle());
    if (waits) {
      if (batch_.oldest().ends_ns > horizon_) return;
      complete();
      nothing_to_form_ = false;
    }
    if (times_ != nullptr) pass_host_time(waits);
    if (loop_free_ns_ > now_ && !batch_.idle()) {  // S18.8
      now_ = loop_free_ns_;
      book_until(now_);
    }
    if (now_ >= horizon_) return;
    take_arrivals();
    form();
    if (tracer_ && now_ >= tracer_->next_sample_ns()) sample_pool();
    if (batch_.step().empty()) {
      if (hooks_.on_step && batch_.preempted()) record_step();
      nothing_to_form_ = true;
      if (!batch_.idle()) {
        book_until(batch_.oldest().ends_ns);
        continue;
      }
      STOWAGE_ASSERT(table_.running() == 0 && batch_.waiting() == 0);  // S1.25
      if (arrivals_.next_ns() >= horizon_) return;  // one with less delay may still come before it
      idle_cached_ = level_.cached;
      now_ = arrivals_.next_ns();
      execution_.idle_until(now_);
      continue;
    }
    catch_up_idle();
    const Quiet alike = quiet();
    if (alike.clock >= table_.lane_clock() && !step_by_step_ && !traces_iterations()) (this->*run_stretch_)(alike);
    else run_step();
    batch_.launch();
    nothing_to_form_ = false;
  }
}

void Replica::run_step() {
  Step& step = batch_.step();
  if (kv_->facts().pages_per_unit > 0) kv_->look_ahead(now_, batch_.not_decoding());
  const MapCounts beside = kv_->work().count(MemoryWork::When::beside);
  step.formed_ns = now_;
  const StepTime known = times_ != nullptr ? times_->of(iterations_) : StepTime{};
  const std::int64_t formed = now_ + known.launch_ns + forming_ns();
  step.begins_ns = std::max(formed, free_from_ns_);  // S17.6, S18.1
  std::int64_t stall = driver_.start(kv_->work(), step.begins_ns);
  std::int64_t took = times_ != nullptr
                          ? known.took_ns
                          : power_.step_ns(config_.cost, step.shape, step.begins_ns + stall, stall);
  if (!beside.none()) level_ = levels();
  if (execution_) {
    const StepTiming measured = execution_.run(iterations_, now_, *kv_);
    stall = measured.stall_ns;
    took = measured.step_ns;
  }
  kv_->work().clear();
  step.stall_ns = stall;
  step.took_ns = took;
  step.ends_ns = free_from_ns_ = step.begins_ns + stall + took;
  if (loops_) keep_loop_busy(formed);
  if (hooks_.on_iteration || traces_iterations()) record(beside);
  if (hooks_.on_step) record_step();
  if (tracer_ && stall > 0) tracer_->stalled(stall);
  metrics_.note_stall(stall);
  metrics_.peak_held_bytes = std::max(metrics_.peak_held_bytes, level_.held);
  book_until(batch_.next_boundary_ns());
  ++iterations_;
}
}  // namespace stowage
