// Scheduler `prefill-first` (vLLM 0.1 to 0.6 without chunked prefill, Vidur's `vllm`): whole prompts alone while any
// can be admitted, and everyone else pauses; else a token of everyone running.
// Rules: the project's semantics, "Scheduler prefill-first".
#include <fmt/format.h>

#include "sim/sched/rows.hpp"

namespace stowage {
namespace {

class PrefillFirst final : public Scheduler {
 public:
  explicit PrefillFirst(const SchedulerConfig& config) : budget_(config.max_batched_tokens) {}

  void form(Batch& batch) override {
    batch.pause_decoders();
    std::int64_t budget = budget_;
    while (batch.may_admit()) {
      const std::int64_t n = batch.left_of_head();
      if (n > budget) break;
      if (!batch.admit_head(n)) break;
      budget -= n;
    }
    if (!batch.has_prompts()) batch.decode();
  }

 private:
  std::int64_t budget_;  // tokens of a step
};

std::vector<SchedulerProblem> check(const SchedulerConfig& c) {
  std::vector<SchedulerProblem> out;
  if (c.chunked_prefill)
    out.push_back({"chunked_prefill", "policy prefill-first runs whole prompts; leave it out or write false", true});
  if (c.max_batched_tokens < c.max_model_len)
    out.push_back({"policy",
                   fmt::format("without chunked prefill a prompt must fit in one step: max_batched_tokens {} is less "
                               "than max_model_len {}; raise it or lower max_model_len",
                               c.max_batched_tokens, c.max_model_len)});
  if (c.max_batched_tokens < c.max_batch)
    out.push_back({"policy",
                   fmt::format("policy prefill-first decodes everyone running in one step: max_batched_tokens {} is "
                               "less than max_batch {}; raise it or lower max_batch",
                               c.max_batched_tokens, c.max_batch)});
  return out;
}
}  // namespace

SchedulerRow prefill_first_row() {
  return {.name = "prefill-first",
          .summary = "whole prompts alone while any can be admitted, else a token of everyone running (vLLM of 2023)",
          .chunks = false,
          .retired = "no scheduler that runs prompts first (vLLM had it through 0.6)",
          .ahead = false,
          .on_hardware = false,
          .check = check,
          .make = make_scheduler<PrefillFirst>};
}
}  // namespace stowage
