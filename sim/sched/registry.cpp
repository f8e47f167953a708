#include <array>

#include "sim/sched/rows.hpp"

namespace stowage {

std::span<const SchedulerRow> schedulers() {
  static const std::array rows = {vllm_row(), prefill_first_row()};
  return rows;
}

const SchedulerRow* find_scheduler(std::string_view name) {
  for (const SchedulerRow& row : schedulers())
    if (row.name == name) return &row;
  return nullptr;
}
}  // namespace stowage
