#pragma once
// The serving loop: for each plan of the engine, memory, then the step, then the clock. The engine forms the next batch
// only when this one's tokens are there, as an engine without asynchronous scheduling does.
#include <chrono>
#include <memory>
#include <span>

#include "gpu_probe/replay/kv_store.hpp"
#include "gpu_probe/replay/measured.hpp"
#include "gpu_probe/replay/token_book.hpp"
#include "gpu_probe/step.hpp"
#include "sim/serve/executor.hpp"

namespace stowage::replay {

/// The user wants an end: what was measured is kept.
struct Interrupted : std::runtime_error {
  Interrupted() : std::runtime_error("interrupted") {}
};

class Session final : public StepExecutor {
 public:
  /// `stream`: one for all passes, so that none differs from another by where its graphs are launched.
  Session(probe::StepRunner& runner, KvStore& store, std::int64_t max_batch, probe::PrefillLoader loader,
          std::uint64_t seed, bool keep_logits, cudaStream_t stream);

  void start(std::int64_t first_arrival_ns) override;
  [[nodiscard]] StepTiming run(const IterationPlan& plan) override;
  void idle_until(std::int64_t arrival_ns) override;
  void finish(std::span<const MemoryOp> now, std::span<const MemoryOp> beside) override;

  /// What the last iteration was made of; the engine's record is the caller's to add.
  [[nodiscard]] MeasuredIteration& last() { return last_; }
  [[nodiscard]] const TokenBook& tokens() const { return tokens_; }
  /// With keep_logits: a fingerprint of every logit that was sampled from, in order; and those of each request's first
  /// output.
  [[nodiscard]] std::uint64_t logits() const { return logits_; }
  [[nodiscard]] const FirstLogits& first_logits() const { return first_logits_; }
  [[nodiscard]] DriverTotals driver() const;
  [[nodiscard]] const probe::GpuState& gpu_at_end() const { return gpu_; }

 private:
  using Clock = std::chrono::steady_clock;
  [[nodiscard]] std::int64_t now_ns() const { return std::chrono::nanoseconds(Clock::now() - origin_).count(); }
  void check_held(const Occupancy& occupancy) const;
  void fold_logits(const IterationPlan& plan, const probe::StepBatch& batch);

  probe::StepRunner& runner_;
  KvStore& store_;
  probe::PrefillLoader loader_;
  cudaStream_t stream_;
  probe::Event begun_, ended_;
  probe::PinnedBuffer sampled_;
  TokenBook tokens_;
  bool keep_;
  std::uint64_t logits_ = 1469598103934665603U;
  FirstLogits first_logits_;
  MeasuredIteration last_;
  DriverWork at_start_, before_;
  std::uint64_t hurried_at_start_ = 0;
  Clock::time_point origin_;
  probe::GpuState gpu_;
  Occupancy expected_;
  bool ran_ = false;
};

}  // namespace stowage::replay
