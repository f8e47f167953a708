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
  explicit Vllm(const SchedulerConfig& config) : budget_(config.max_batched_tokens), chunks_(config.chunked_prefill) {}

  void form(Batch& batch) override {
    batch.decode();
    std::int64_t budget = budget_ - batch.decoders();
    if (batch.partial() != no_sid) {
      const std::int64_t n = std::min(batch.left(batch.partial()), budget);
      if (batch.continue_prompt(n)) budget -= n;
    }
    if (batch.preempted()) return;
    while (batch.may_admit() && budget > 0) {
      const std::int64_t n = std::min(batch.left_of_head(), budget);
      if (!chunks_ && n < batch.left_of_head()) return;
      if (!batch.admit_head(n)) return;
      budget -= n;
    }
  }

 private:
  std::int64_t budget_;  // tokens of a step
  bool chunks_;
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
