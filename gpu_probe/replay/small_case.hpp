#pragma once
// Small serving runs whose schedules are the same under every manager in them: for the self-test on the GPU, and for
// tests of the same claim without one.
#include <string>
#include <vector>

#include "gpu_probe/probe.hpp"
#include "sim/run_config.hpp"

namespace stowage::replay {

struct SmallCase {
  std::string name;
  probe::ModelShape shape;
  std::int64_t pool_tokens = 0;
  SchedulerConfig scheduler;
  std::string managers;  // YAML flow list
  std::vector<Request> requests;
  bool preempts = false;

  [[nodiscard]] std::vector<RunConfig> runs() const;
};

[[nodiscard]] std::vector<SmallCase> small_cases();

}  // namespace stowage::replay
