#pragma once
// Batching policies: one file and one row each. A scheduler is asked once a boundary that is not quiet, and says what
// the next step does by calling Batch. It sees no clock, and no request's output length.
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/run_config.hpp"
#include "sim/sched/batch.hpp"

namespace stowage {

class Scheduler {
 public:
  virtual ~Scheduler() = default;
  /// Forms the next step. Quiet contract: while nobody arrives, ends or is preempted, no prompt is under way and the
  /// manager has room, the next call would do the same: room for one more token of every decoder, and nothing else.
  virtual void form(Batch& batch) = 0;
};

/// A setting that does not go with the others: `named` = the message begins with the key's path.
struct SchedulerProblem {
  std::string_view key;
  std::string text;
  bool named = false;
};

struct SchedulerRow {
  std::string_view name;     // policy: of a scenario
  std::string_view summary;  // one line for the schema and the docs
  bool chunks = true;        // cuts prompts into chunks unless told otherwise; false = never
  std::string_view retired = {};  // why no engine of today runs it, as in "vLLM has no ..."; empty = deployable
  bool ahead = true;       // may form a step while one runs (async_scheduling)
  bool on_hardware = true;   // gpu_probe replay can run it
  std::vector<SchedulerProblem> (*check)(const SchedulerConfig&) = nullptr;
  std::unique_ptr<Scheduler> (*make)(const SchedulerConfig&) = nullptr;
};

[[nodiscard]] std::span<const SchedulerRow> schedulers();
/// nullptr when unknown.
[[nodiscard]] const SchedulerRow* find_scheduler(std::string_view name);
}  // namespace stowage
