#pragma once
// One replica: the serving engine, simulated. Rules to the nanosecond and the byte: the project's semantics, which the
// plain oracle in tests/oracle walks token by token and must agree with exactly.
//
// At a boundary (the end of a step, or an arrival at an idle replica) the step that ends is completed, arrivals join,
// the scheduler forms the next step, memory is acquired, and the step starts, or waits for the one before it where two
// may be in flight.
//
// The quiet contract. The engine never walks the batch, and most iterations are the same as the one before but for
// growth: every decoder is one token longer. So at each boundary every part answers: until when is the next iteration
// the same as this one but for growth?
//   scheduler   while no prompt is in the step and none was preempted: then it gives every decoder a token (Scheduler)
//   steps       while one that is still in flight does the same for the same decoders
//   pauses      while everyone got his last token at this boundary
//   driver      while nothing is to be mapped or unmapped and the mapper has nothing before it
//   manager     KvManager::quiet_until, by the clock of the decoders' lane; lack of memory ends it sooner
//   calendars   until the next decoder finishes
//   source      until the next arrival, or the horizon to which a fleet lets this replica run
// The tight loop (stretch.cpp) runs to the least answer, at nanoseconds an iteration. Nothing else does; a new part
// that cannot answer makes every iteration a step of its own, and stays right.
#include <cstdint>
#include <memory>
#include <optional>

#include "models/cost/power_credit.hpp"
#include "sim/account/memory_account.hpp"
#include "sim/account/metrics.hpp"
#include "sim/account/token_server.hpp"
#include "sim/kernel/sequence.hpp"
#include "sim/kv/manager.hpp"
#include "sim/result.hpp"
#include "sim/run_config.hpp"
#include "sim/sched/batch.hpp"
#include "sim/sched/scheduler.hpp"
#include "sim/serve/arrivals.hpp"
#include "sim/serve/driver_lock.hpp"
#include "sim/serve/executor.hpp"
#include "sim/serve/step_times.hpp"
#include "sim/serve/tracer.hpp"

namespace stowage {

class Replica {
 public:
  /// Without a workload its requests are delivered by a fleet, in which it is number `index`, and come from `source`,
  /// to which those go back that wait for the end of others.
  Replica(const RunConfig& config, const RunHooks& hooks, std::int32_t index = 0, Arrivals* source = nullptr);

  /// The whole workload.
  RunResult run();

  // --- For a fleet.
  /// Nothing happens before the first arrival of all.
  void start(std::int64_t first_arrival_ns);
  /// To be taken up at the first boundary at or after r.arrival_ns, which run_until has not passed yet.
  void deliver(const Request& r);
  /// Runs every boundary before `horizon_ns`, and of one at it only what ends there: what arrives at the horizon may
  /// still join it. Everything that arrives earlier has been delivered. An end here for which another request waited
  /// draws the horizon in to that one's arrival.
  void run_until(std::int64_t horizon_ns);
  /// Before this time no request ends here, unless one is delivered; `step_ns` > 0: no step is shorter.
  [[nodiscard]] std::int64_t no_end_before(std::int64_t step_ns) const;
  /// Ends of the run of a fleet: this replica's own, then results over that of all.
  [[nodiscard]] std::int64_t ended_ns() const { return account_.now_ns(); }
  RunResult finish(std::int64_t end_ns);

  // --- What a router may look at, as of the horizon run to.
  /// Requests delivered, accepted and not yet finished.
  [[nodiscard]] std::int64_t outstanding() const {
    return accepted_ - static_cast<std::int64_t>(metrics_.completed());
  }
  /// Held by running requests, and the prompts (and recomputed outputs) of those not admitted.
  [[nodiscard]] std::int64_t wanted_bytes() const { return kv_->occupancy().held + batch_.unadmitted_tokens() * bpt_; }
  /// Tokens of its prompt that r would find here (S16.7).
  [[nodiscard]] std::int64_t hit(const Request& r) { return kv_->hit(r, batch_.behind()); }
  [[nodiscard]] std::int64_t pool_bytes() const { return config_.kv.pool.count(); }
  /// A time before which outstanding() stands still and wanted_bytes() does not fall, unless something is delivered;
  /// `step_ns` = no step is shorter. While nobody can be admitted, nobody ends and memory is plenty, the batch stays as
  /// it is, contexts only grow, and so does the price of a step.
  [[nodiscard]] std::int64_t steady_until(std::int64_t step_ns, bool wanted_too) const;
  [[nodiscard]] std::size_t inbox() const { return arrivals_.pushed(); }
  [[nodiscard]] std::uint64_t completed() const { return metrics_.completed(); }

 private:
  /// Until when iterations are alike: clock of the decoders' lane (less than now: not even the next), and time.
  struct Quiet {
    std::int64_t clock, ns;
  };

  // --- The boundary.
  void complete();
  /// The outputs of a step reach their requests.
  void hand_out(const Step& step);
  /// The host is busy before it forms the next step, by measured times.
  void pass_host_time(bool completed);
  void take_arrivals();
  /// Those that waited for its end arrive.
  void release_followers(const Request& r, std::int64_t ended_ns);
  /// Those that wait for its end will never be sent.
  void reject(const Request& r, const char* why);
  /// Why this request can never be served here, or nullptr.
  [[nodiscard]] const char* refusal(const Request& r) const;
  void form();
  /// Conservation of requests, tokens and bytes.
  void check_books() const;
  [[nodiscard]] Quiet quiet() const;

  /// Of the step being formed, once its rows are known.
  [[nodiscard]] std::int64_t forming_ns() const { return loops_ ? loop_.forming_ns(table_.running()) : 0; }
  /// The loop launches the step being formed, and meanwhile takes no outputs of the one before.
  void keep_loop_busy(std::int64_t formed_ns);
  /// Of decode steps alone the GPU sees nothing of the loop while two are in flight: a step takes longer than taking
  /// the outputs of one and forming another. Later steps take no less.
  [[nodiscard]] bool loop_hides() const;

  // --- What starts then: a step of its own, or a stretch of iterations that are alike.
  void run_step();
  template <bool served, bool grows, bool async>
  void stretch(const Quiet& alike);
  using Stretch = void (Replica::*)(const Quiet&);
  [[nodiscard]] Stretch pick_stretch() const;

  // --- Books.
  [[nodiscard]] MemoryLevels levels() const {
    const Occupancy o = kv_->occupancy();
    return {batch_.live_tokens() * bpt_ - o.shared, o.held, o.cached, o.round_up, table_.running(), batch_.waiting(),
            batch_.step().refused};
  }
  /// Levels stand until the next boundary, with somebody here.
  void book_until(std::int64_t next_ns) {
    if (level_.running == 0 && level_.waiting == 0) {
      idle_cached_ = level_.cached;
      return;
    }
    const std::int64_t dt = next_ns - account_.now_ns();
    account_.add(dt, level_);
    metrics_.running_ns += static_cast<Int128>(level_.running) * dt;
    metrics_.busy_ns += level_.running > 0 ? dt : 0;
  }
  /// Time that passed with nobody here is booked when the next iteration starts: after the last completion it does not
  /// count. Nothing is held then, and what is cached has not changed since.
  void catch_up_idle() {
    if (account_.now_ns() == now_) return;
    MemoryLevels idle;
    idle.cached = idle_cached_;
    account_.add(now_ - account_.now_ns(), idle);
  }
  [[nodiscard]] bool traces_iterations() const { return tracer_ && tracer_->wants_iterations(); }
  void sample_pool();
  void record(const MapCounts& beside);
  void record_step();
  RunResult result();

  const RunConfig& config_;
  const RunHooks& hooks_;
  SequenceTable table_;
  std::unique_ptr<KvManager> kv_;
  MemoryAccount account_;
  Batch batch_;
  std::unique_ptr<Scheduler> scheduler_;
  DriverLock driver_;
  PowerCredit power_;
  Metrics metrics_;
  TokenServer server_;
  Arrivals arrivals_;
  Arrivals* source_;         // of the requests, where those go that waited for others
  RequestStream* contents_;  // the source's; nullptr: nothing of the requests is asked
  bool followed_;            // there are requests that wait for the end of others
  std::vector<Request> ready_, lost_;
  std::optional<Tracer> tracer_;
  Execution execution_;
  const StepTimes* times_;  // nullptr: steps take what they cost
  MemoryLevels level_;  // at this boundary, once the batch has its memory
  std::int64_t bpt_;    // bytes per token
  HostLoop loop_;
  bool loops_;          // it takes time
  bool step_by_step_;   // someone listens to, or carries out, every iteration
  Stretch run_stretch_;

  std::int64_t now_ = 0, first_arrival_ns_ = 0, horizon_ = Arrivals::none;
  bool nothing_to_form_ = false;  // until the oldest step in flight is complete
  std::int64_t free_from_ns_ = 0;  // the end of the step formed last
  std::int64_t loop_free_ns_ = 0;  // S18.7
  std::int64_t handed_out_ns_ = 0;
  std::int64_t idle_cached_ = 0;
  std::int64_t accepted_ = 0;  // delivered, less those that can never be served
  std::uint64_t iterations_ = 0, boundaries_ = 0;
};
}  // namespace stowage
