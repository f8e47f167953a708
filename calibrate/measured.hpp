#pragma once
// Reads what `gpu_probe replay` wrote: measured.json (schema stowage.measured/1) and the CSV files beside it
// (docs/replay-format.md).
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "models/cost/profile.hpp"
#include "sim/result.hpp"

namespace stowage {

/// One measured iteration: the engine's record with measured times, and the prompt chunks it computed.
struct MeasuredIteration {
  struct Chunk {
    std::int64_t count = 0, stored = 0;  // new tokens, after so many
  };
  IterationRecord record;
  std::vector<Chunk> chunks;
  std::int64_t gpu_ns = 0, host_ns = 0;
  int line = 0;  // of the file of iterations
};

/// One run of the scenario under one manager.
struct MeasuredPass {
  std::string state;                      // cold, warm
  std::string status;                     // complete, interrupted, failed: …
  std::map<std::string, double> numbers;  // of the result by path: "kv.peak_live_bytes"; empty unless complete
  std::uint64_t driver_maps = 0, driver_unmaps = 0;
  std::vector<MeasuredIteration> iterations;
  std::vector<RequestRecord> requests;
  [[nodiscard]] bool complete() const { return status == "complete"; }
};

struct MeasuredManager {
  std::string name;
  std::vector<MeasuredPass> passes;
};

struct MeasuredFile {
  std::string path, iterations_path, date, gpu, driver, model, status;
  std::int64_t layers = 0, model_layers = 0;
  std::string scenario;  // YAML
  std::vector<std::string> notes;
  CanaryTimes canary;
  std::vector<MeasuredManager> managers;
};

/// `path`: the file, or the folder that holds measured.json. Throws InputError for what is missing or damaged.
[[nodiscard]] MeasuredFile load_measured(const std::string& path);
}  // namespace stowage
