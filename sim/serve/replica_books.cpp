// What a replica writes down of its run.
#include <algorithm>

#include "sim/serve/replica.hpp"

namespace stowage {

void Replica::sample_pool() {
  tracer_->begin_column(now_, batch_.step().refused);
  kv_->each_extent([&](const Extent& e) { tracer_->add(e, e.owner == no_sid ? 0 : table_.stored(e.owner) * bpt_); });
}

void Replica::record(const MapCounts& beside) {
  const Step& step = batch_.step();
  const MemoryLevels& l = level_;
  IterationRecord r;
  r.replica = metrics_.replica();
  r.index = iterations_;
  r.start_ns = step.begins_ns;
  r.stall_ns = step.stall_ns;
  r.step_ns = step.took_ns;
  r.prefill_tokens = step.shape.prefill_tokens;
  r.decode_seqs = step.shape.decode_seqs;
  r.decode_kv_tokens = step.shape.decode_kv_tokens;
  r.running = l.running;
  r.waiting = l.waiting;
  r.live_bytes = l.live;
  r.held_bytes = l.held;
  r.cached_bytes = l.cached;
  const std::int64_t fixed = kv_->facts().rounding_bytes + l.round_up;
  const std::int64_t rest = config_.kv.pool.count() - fixed - l.held - l.cached;
  r.external_bytes = fixed + (l.blocked ? rest : 0);
  r.free_bytes = l.blocked ? 0 : rest;
  if (traces_iterations())
    tracer_->iteration(r, beside, kv_->facts().pages_per_unit, driver_.left_ns(step.begins_ns + step.stall_ns));
  if (hooks_.on_iteration) hooks_.on_iteration(r);
}

void Replica::record_step() {
  const Step& step = batch_.step();
  const bool ran = !step.empty();
  StepRecord r{now_, ran ? step.begins_ns : now_, ran ? step.ends_ns : now_, {}, {}, 0, 0, 0, metrics_.replica()};
  Sid s = table_.last_running();
  for (std::int64_t i = table_.running(); i-- > 0; s = table_[s].prev) {
    const Sequence& q = table_[s];
    if (q.retired || (q.decoding && step.growth == 0)) continue;
    r.rows.push_back({q.request.id, table_.stored(s), q.decoding ? 1 : q.chunk,
                      q.decoding ? table_.scheduled(s) : q.target(), q.decoding});
  }
  std::reverse(r.rows.begin(), r.rows.end());
  for (const Sid p : step.preempted) r.preempted.push_back(table_[p].request.id);
  const auto& facts = kv_->facts();
  r.free_units = (config_.kv.pool.count() - facts.rounding_bytes - level_.held - level_.round_up) / facts.unit_bytes;
  r.running = table_.running();
  r.waiting = batch_.waiting();
  hooks_.on_step(r);
}

RunResult Replica::result() {
  RunResult out;
  out.name = config_.manager.name;
  out.manager = config_.manager;
  metrics_.write(out, first_arrival_ns_);
  out.iterations = iterations_;
  out.prefix.caching = kv_->finds_prefixes();
  out.prefix.resumed_tokens = batch_.resumed().tokens;
  out.prefix.resumed_hit_tokens = batch_.resumed().hit;
  out.pool_bytes = config_.kv.pool.count();
  out.pool_tokens = kv_->facts().pool_tokens;
  out.bytes_per_token = bpt_;
  out.peak_committed_bytes = metrics_.peak_held_bytes;
  out.peak_live_bytes = metrics_.peak_live_bytes;
  out.mean_fraction = account_.mean_fraction();
  out.series = account_.series();
  if (tracer_) out.trace = tracer_->finish(out.ttft_ns);
  driver_.add(kv_->work());
  const DriverCalls calls = driver_.calls();
  execution_.finish(kv_->work());
  out.vmm.map_calls = calls.maps;
  out.vmm.unmap_calls = calls.unmaps;
  out.vmm.busy_ns = static_cast<double>(calls.maps) * (config_.vmm.map_ns + config_.vmm.set_access_ns) +
                    static_cast<double>(calls.unmaps) * config_.vmm.unmap_ns;
  return out;
}

RunResult Replica::finish(std::int64_t end_ns) {
  MemoryLevels idle;
  idle.cached = kv_->occupancy().cached;
  account_.add(end_ns - account_.now_ns(), idle);
  return result();
}
}  // namespace stowage
