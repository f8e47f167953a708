#pragma once
// How many sequences fit, what each manager and setting wastes, what mapping asks of the driver, and whether paying
// for it makes sense: arithmetic, no simulation. The managers and settings are those of their rows (fit_cases of
// sim/kv/registry.hpp); a sequence of P prompt and O output tokens ends with P + O - 1 stored.
#include <cstdint>
#include <string>
#include <vector>

#include "base/units.hpp"
#include "models/cost/step_cost.hpp"
#include "models/hardware/hardware.hpp"
#include "models/llm/model.hpp"
#include "models/memory_budget.hpp"

namespace stowage {

/// A request of the workload: its prompt and output tokens.
struct FitLength {
  std::int64_t prompt = 0, output = 0;
  [[nodiscard]] std::int64_t stored() const { return prompt + output - 1; }
};

struct FitInput {
  ModelSpec model;
  HardwareSpec hardware;
  Layout layout;
  MemoryBudget budget;
  std::int64_t max_batch = 256, max_model_len = 8192;
  FitLength p50, p95, max;    // of P + O
  double arrivals_per_s = 0;  // of the workload; 0 = not known
  StepCost cost;
  bool calibrated = false;
};

/// Driver work of a manager that maps pages, on one GPU, while it serves the median request as fast as it can (or as
/// fast as they arrive, if that is slower) and no page is kept from an earlier request.
struct FitMapping {
  Bytes page;
  std::int64_t tensors = 0;  // virtual tensors: 2 x layers, 2 sliced
  std::int64_t tokens_per_page = 0;
  std::int64_t live_mappings = 0;  // all pages mapped
  double requests_per_s = 0;
  double calls_per_s = 0, driver_calls_per_s = 0;  // map and set-access, a pair for each page; needed and given
  std::string source;                              // of the driver's times
};

struct FitManager {
  std::string name;                        // "paged 16", "vattention 2MiB sliced"
  std::int64_t p50 = 0, p95 = 0, max = 0;  // sequences that fit by memory, whatever max_batch says
  double waste_bytes = 0;                  // a request, all GPUs together: held when it ends but never used, on average
  bool mapped = false;
  FitMapping mapping;
};

struct FitReport {
  Bytes pool;  // all GPUs of the replica
  std::int64_t pool_tokens = 0;
  std::vector<FitManager> managers;
  std::vector<std::string> verdict;  // sentences
};

/// A process may have so many pages mapped at once: published for an H100, driver 580 (about 520,000 a context).
inline constexpr std::int64_t live_mappings_max = 520'000;

[[nodiscard]] FitReport fit(const FitInput& input);
}  // namespace stowage
