#pragma once
// One function per scheduler, each defined in the scheduler's own file; registry.cpp lists them.
#include <memory>

#include "sim/sched/scheduler.hpp"

namespace stowage {
[[nodiscard]] SchedulerRow vllm_row();
[[nodiscard]] SchedulerRow prefill_first_row();

/// SchedulerRow::make of a class.
template <class Policy>
std::unique_ptr<Scheduler> make_scheduler(const SchedulerConfig& config) {
  return std::make_unique<Policy>(config);
}
}  // namespace stowage
