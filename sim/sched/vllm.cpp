// Scheduler `vllm`: the running first, each with as many tokens as it lacks, then the waiting into what is left of the
// token budget, first come, first served; who lacks memory preempts the last of running, who recomputes.
// Rules: the project's semantics, "Scheduler vllm".
#include <fmt/format.h>

#include <algorithm>

#include "sim/sched/rows.hpp"

namespace stowage {
namespace {

class Vllm final : public Scheduler {
 public:
  explicit Vllm(const SchedulerConfig& config)
      : budget_(config.max_batched_tokens),
        threshold_(config.long_prefill_threshold > 0 && config.chunked_prefill ? config.long_prefill_threshold
                                                                               : config.max_batched_tokens),
        waived_alone_(config.threshold_waived_alone),
        chunks_(config.chunked_prefill) {}

  void form(Batch& batch) override {
    const std::int64_t most = waived_alone_ && batch.alone() ? budget_ : threshold_;  // S3.21, S3.22
    std::int64_t budget = batch.run_on(budget_, most);                                // S3.2 to S3.10
    if (batch.preempted()) return;                                                    // S3.11
    while (batch.may_admit() && budget > 0) {                                         // S3.12
      const std::int64_t left = batch.left_of_head(), n = std::min({left, most, budget});
      if (!chunks_ && n < left) return;   // S3.14
      if (!batch.admit_head(n)) return;   // S3.15, S3.16
      budget -= n;
    }
  }

 private:
  std::int64_t budget_, threshold_;  // tokens of a step, and of a prompt in it
  bool waived_alone_, chunks_;
};

std::vector<SchedulerProblem> check(const SchedulerConfig& c) {
  std::vector<SchedulerProblem> out;
  if (!c.chunked_prefill && c.max_batched_tokens < c.max_model_len)
    out.push_back({"chunked_prefill",
                   fmt::format("without chunked prefill a prompt must fit in one step: max_batched_tokens {} is less "
                               "than max_model_len {}; raise it, lower max_model_len or set chunked_prefill: true",
                               c.max_batched_tokens, c.max_model_len)});
  return out;
}
}  // namespace

SchedulerRow vllm_row() {
  return {.name = "vllm",
          .summary = "decodes first, then prompts within the token budget, in chunks or whole (today's vLLM)",
          .check = check,
          .make = make_scheduler<Vllm>};
}
}  // namespace stowage
