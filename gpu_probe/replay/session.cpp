#include "gpu_probe/replay/session.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

namespace stowage::replay {
namespace {
using std::chrono::nanoseconds;

std::vector<Chunk> chunks_of(const IterationPlan& plan) {
  std::vector<Chunk> out;
  for (const PlannedRequest& r : plan.requests)
    if (!r.decoding) out.push_back({r.count, r.stored});
  return out;
}
}  // namespace

Session::Session(probe::StepRunner& runner, KvStore& store, std::int64_t max_batch, probe::PrefillLoader loader,
                 std::uint64_t seed, bool keep_logits, cudaStream_t stream)
    : runner_(runner),
      store_(store),
      loader_(loader),
      stream_(stream),
      begun_(probe::make_event()),
      ended_(probe::make_event()),
      sampled_(static_cast<std::size_t>(max_batch) * sizeof(std::int32_t)),
      tokens_(max_batch, runner.shape().vocab, seed),
      keep_(keep_logits) {}

void Session::fold_logits(const IterationPlan& plan, const probe::StepBatch& batch) {
  const auto rows = static_cast<std::size_t>(std::count_if(batch.requests.begin(), batch.requests.end(),
                                                           [](const probe::StepRequest& r) { return r.sample; }));
  std::vector<std::uint16_t> logits(rows * static_cast<std::size_t>(runner_.shape().vocab));
  CUDA_CHECK(cudaMemcpy(logits.data(), runner_.logits(), logits.size() * sizeof logits[0], cudaMemcpyDeviceToHost));
  for (const std::uint16_t x : logits) logits_ = (logits_ ^ x) * 1099511628211U;
  auto row = logits.begin();
  for (const probe::StepRequest& r : batch.requests) {
    if (!r.sample) continue;
    const auto end = row + runner_.shape().vocab;
    const auto planned = std::ranges::find(plan.requests, r.slot, &PlannedRequest::sid);
    if (const auto [at, fresh] = first_logits_.try_emplace(planned->id); fresh) at->second.assign(row, end);
    row = end;
  }
}

void Session::start(std::int64_t first_arrival_ns) {
  at_start_ = before_ = store_.driver_work();
  hurried_at_start_ = store_.hurried();
  origin_ = Clock::now() - nanoseconds(first_arrival_ns);
}

void Session::check_held(const Occupancy& occupancy) const {
  const std::int64_t expected = occupancy.held + occupancy.cached;
  if (store_.held_bytes() != expected)
    throw std::logic_error(fmt::format("replay: the manager keeps {} bytes, the engine counts {}; a bug: please report",
                                       store_.held_bytes(), expected));
}

StepTiming Session::run(const IterationPlan& plan) {
  if (probe::stop_signal() != 0) throw Interrupted();
  const std::int64_t begin = now_ns();
  store_.wait_beside();
  const std::int64_t waited = now_ns();
  if (ran_) check_held(expected_);
  store_.prepare(plan);
  const std::int64_t ready = now_ns();
  const DriverWork work = store_.driver_work();  // before the other thread adds to it again
  const DriverWork since = work - before_;
  before_ = work;
  const std::int64_t units = store_.units_held();
  store_.start_beside();

  const probe::StepBatch& batch = tokens_.batch(plan);
  CUDA_CHECK(cudaEventRecord(begun_.get(), stream_));
  store_.upload(plan, stream_);
  const probe::StepShape shape = runner_.run(batch, stream_, {.loader = loader_});
  CUDA_CHECK(cudaMemcpyAsync(sampled_.as<>(), runner_.sampled(), sampled_.bytes(), cudaMemcpyDeviceToHost, stream_));
  CUDA_CHECK(cudaEventRecord(ended_.get(), stream_));
  const std::int64_t queued = now_ns();
  CUDA_CHECK(cudaStreamSynchronize(stream_));
  tokens_.sampled(plan, {sampled_.as<std::int32_t>(), sampled_.bytes() / sizeof(std::int32_t)});
  if (keep_) fold_logits(plan, batch);
  expected_ = plan.occupancy;
  ran_ = true;

  last_ = {};
  last_.chunks = chunks_of(plan);
  last_.host_ns = (begin - plan.start_ns) + (queued - ready);
  last_.gpu_ns = static_cast<std::int64_t>(probe::elapsed_us(begun_, ended_) * 1e3);
  last_.wait_ns = waited - begin;
  last_.units = units;
  last_.maps = since.maps;
  last_.unmaps = since.unmaps;
  last_.map_ns = since.map_ns;
  last_.set_access_ns = since.set_access_ns;
  last_.unmap_ns = since.unmap_ns;
  last_.beside_ns = since.beside_ns;
  last_.graph = shape.graph;
  // The stall is what waited for memory. Where the driver had nothing to do, there was nothing to wait for.
  const bool stalled = since.busy_ns() > since.beside_ns || (since.beside_ns > 0 && waited - begin > 2'000);
  const std::int64_t stall = stalled ? ready - begin : 0;
  return {stall, std::max<std::int64_t>(1, now_ns() - plan.start_ns - stall)};
}

void Session::idle_until(std::int64_t arrival_ns) {
  // Sleeping is coarse: the last fifth of a millisecond is waited out awake.
  for (;;) {
    if (probe::stop_signal() != 0) throw Interrupted();
    const std::int64_t left = arrival_ns - now_ns();
    if (left <= 0) return;
    if (left > 200'000) std::this_thread::sleep_for(nanoseconds(std::min<std::int64_t>(left - 200'000, 50'000'000)));
  }
}

void Session::finish(std::span<const MemoryOp> now, std::span<const MemoryOp> beside) {
  // At once: an idle chip changes its clocks within milliseconds.
  if (const probe::Nvml* nvml = probe::current_nvml()) gpu_ = nvml->state();
  store_.wait_beside();
  store_.finish(now, beside);
}

DriverTotals Session::driver() const {
  const DriverWork w = store_.driver_work() - at_start_;
  return {w.maps,   w.set_accesses,  w.unmaps,   store_.hurried() - hurried_at_start_,
          w.map_ns, w.set_access_ns, w.unmap_ns, w.beside_ns};
}

}  // namespace stowage::replay
