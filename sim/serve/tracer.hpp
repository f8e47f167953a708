#pragma once
// Records a RunTrace beside a running replica. The engine calls it at events (admission, first token, preemption,
// completion, a stall) and where it samples the pool; all times are those of the simulated clock.
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <vector>

#include "sim/kv/manager.hpp"
#include "sim/run_config.hpp"
#include "sim/run_trace.hpp"
#include "sim/kernel/sequence.hpp"

namespace stowage {

class Tracer {
 public:
  Tracer(const RunConfig& config, std::int64_t origin_ns);

  // --- Lives of requests.
  void admitted(Sid s, const Sequence& q, std::int64_t now);
  void decodes(Sid s, std::int64_t now);
  void preempted(Sid s, std::int64_t now);
  void finished(Sid s, const Sequence& q, std::int64_t now);
  void stalled(std::int64_t ns) {
    total_stall_ns_ += ns;
    trace_->stall_ns.add(ns);
  }

  // --- The first iterations, in full.
  [[nodiscard]] bool wants_iterations() const { return trace_->iterations.size() < RunTrace::max_iterations; }
  /// `beside`: blocks of `pages` pages that the mapper takes care of while it runs, in mapper_ns.
  void iteration(const IterationRecord& r, const MapCounts& beside, std::int64_t pages, double mapper_ns);

  // --- The pool, now and then.
  [[nodiscard]] std::int64_t next_sample_ns() const { return next_sample_ns_; }
  void begin_column(std::int64_t now, bool refused);
  void add(const Extent& extent, std::int64_t live_bytes);

  [[nodiscard]] std::shared_ptr<const RunTrace> finish(const LogHistogram& ttft_ns);

 private:
  struct Life {
    std::vector<PhaseSpan> spans;
    std::int64_t stall_before_ns = 0;  // total when the last span began
  };
  void begin(Life& life, Phase phase, std::int64_t from_ns, std::int64_t now) const;
  void end(Life& life, std::int64_t now) const;
  void fill(std::int64_t from, std::int64_t to, std::size_t what);

  std::shared_ptr<RunTrace> trace_ = std::make_shared<RunTrace>();
  std::int64_t origin_ns_, pool_bytes_;
  std::int64_t total_stall_ns_ = 0;
  std::vector<Life> lives_;                      // by Sid
  std::map<std::size_t, RequestTrace> by_ttft_;  // the first request in each bucket of LogHistogram
  std::int64_t next_sample_ns_;
  std::int64_t stacked_ = 0;                        // bytes, of the column being made
  std::vector<std::array<std::int64_t, 3>> piece_;  // bytes by kind, of the column being made
};
}  // namespace stowage
