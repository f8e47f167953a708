#pragma once
// Latencies and counts of one run, kept as sketches: nothing here grows with the trace.
#include <algorithm>
#include <cstdint>

#include "sim/result.hpp"
#include "sim/run_config.hpp"
#include "sim/account/memory_account.hpp"
#include "sim/kernel/sequence.hpp"

namespace stowage {

class Metrics {
 public:
  Metrics(const RunHooks& hooks, const FrontendCost& frontend, std::int32_t replica)
      : hooks_(hooks), frontend_(frontend), client_(frontend.any()), replica_(replica) {}

  void reject(const Request& r, const char* reason);
  /// `client_ns`: when the client has the last token.
  void finish(const Sequence& q, std::int64_t now_ns, std::int64_t client_ns);
  void note_stall(std::int64_t stall) {
    if (stall == 0) return;
    stall_ns += stall;
    stall_max_ns = std::max(stall_max_ns, stall);
    ++stalled_iterations;
  }
  /// Writes everything kept here into `result`.
  void write(RunResult& result, std::int64_t first_arrival_ns) const;

  LogHistogram tbt_ns;  // the engine adds to it once an iteration, weighted by the decoding batch
  std::uint64_t submitted = 0, preemptions = 0;
  Int128 running_ns = 0;  // integral of running over busy time
  std::int64_t busy_ns = 0, batch_max = 0;
  std::int64_t stall_ns = 0, stall_max_ns = 0;
  std::uint64_t stalled_iterations = 0;
  std::int64_t peak_held_bytes = 0, peak_live_bytes = 0;
  [[nodiscard]] std::uint64_t completed() const { return completed_; }
  [[nodiscard]] std::uint64_t rejected() const { return rejected_; }
  [[nodiscard]] std::int32_t replica() const { return replica_; }

 private:
  const RunHooks& hooks_;
  const FrontendCost& frontend_;
  bool client_;  // clients see other times than the engine
  std::int32_t replica_;
  LogHistogram ttft_ns_, tpot_ps_, e2e_ns_, queue_ns_;
  LogHistogram client_ttft_ns_, client_e2e_ns_;  // with a front end only
  std::int64_t hit_tokens_ = 0;
  std::uint64_t completed_ = 0, rejected_ = 0, prompt_tokens_ = 0, output_tokens_ = 0;
  std::int64_t last_completion_ns_ = 0;
  std::vector<RejectedRequest> first_rejected_;
};
}  // namespace stowage
