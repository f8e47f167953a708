#pragma once
// The tokens themselves: random prompts by seed, and what was sampled. Turns a plan into the ids and rows that a step
// computes. Prompts that begin alike (token_source.hpp) have equal tokens there. No CUDA in here.
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "gpu_probe/step_batch.hpp"
#include "sim/serve/executor.hpp"

namespace stowage::replay {

class TokenBook {
 public:
  TokenBook(std::int64_t max_batch, int vocab, std::uint64_t seed);

  /// The step's batch, requests with one new token first. Valid until the next call.
  [[nodiscard]] const probe::StepBatch& batch(const IterationPlan& plan);
  /// Books what the step of this plan sampled; sampled[sid] is the token of each request that completes.
  void sampled(const IterationPlan& plan, std::span<const std::int32_t> sampled);

  /// Prompt and outputs by request id, of those known so far.
  [[nodiscard]] std::map<std::uint64_t, std::vector<std::int32_t>> sequences() const;
  /// A fingerprint of every token sampled, in order: equal for equal runs.
  [[nodiscard]] std::uint64_t fingerprint() const { return fingerprint_; }

 private:
  struct Row {
    std::uint64_t id = 0;
    bool used = false;
    std::vector<std::int32_t> tokens;
  };
  Row& row(const PlannedRequest& r);
  [[nodiscard]] const std::vector<std::int32_t>& tokens_of(std::uint64_t id) const;
  void add(const PlannedRequest& r);

  int vocab_;
  std::uint64_t seed_;
  std::vector<Row> rows_;  // by resident
  std::map<std::uint64_t, std::vector<std::int32_t>> finished_;
  probe::StepBatch batch_;
  std::uint64_t fingerprint_ = 1469598103934665603U;
};

/// Token `position` of request `id`'s own prompt: the same under every manager.
[[nodiscard]] std::int32_t prompt_token(std::uint64_t seed, std::uint64_t id, std::int64_t position, int vocab);

}  // namespace stowage::replay
