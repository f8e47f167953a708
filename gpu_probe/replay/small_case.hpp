#pragma once
// Small serving runs whose schedules are the same under every manager in them: for the self-test on the GPU, and for
// tests of the same claim without one.
#include <string>
#include <vector>

#include "gpu_probe/probe.hpp"
#include "sim/run_config.hpp"
#include "traces/workload.hpp"

namespace stowage::replay {

struct SmallCase {
  std::string name;
  probe::ModelShape shape;
  std::int64_t pool_tokens = 0;
  SchedulerConfig scheduler;
  std::string managers;  // YAML flow list
  std::vector<Request> requests;
  bool preempts = false;
  /// What prompts begin with (Request::content), and the session of each request, -1 = of none; empty = of none at all.
  PromptHashes hashes = {};
  std::vector<std::int32_t> sessions = {};

  [[nodiscard]] std::vector<RunConfig> runs() const;
};

[[nodiscard]] std::vector<SmallCase> small_cases();
/// Prompts that begin alike, with prefix caching and without: two schedules, but for each request the same outputs.
/// Blocks are found while they are held, when nobody holds them, and in the step that computes them; some are evicted.
[[nodiscard]] SmallCase sharing_case();

}  // namespace stowage::replay
