#pragma once
// What a replay measured, and its files: measured.json (schema stowage.measured/1, docs/replay-format.md) and the CSV
// rows of iterations and requests. No CUDA in here.
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "gpu_probe/nvml.hpp"
#include "gpu_probe/report.hpp"
#include "sim/result.hpp"

namespace stowage::replay {

inline constexpr std::string_view measured_schema = "stowage.measured/1";

/// One prompt chunk of an iteration: `count` new tokens after `stored`.
struct Chunk {
  std::int64_t count = 0, stored = 0;
};

/// One iteration as it was: the engine's record with measured times, and what the GPU and the host did.
struct MeasuredIteration {
  IterationRecord record;
  std::vector<Chunk> chunks;
  std::int64_t host_ns = 0;            // of the step: scheduling, building and queueing, before the wait for the GPU
  std::int64_t gpu_ns = 0;             // first to last work of the step on the GPU; 0 = not known
  std::int64_t wait_ns = 0;            // of the stall: for the background thread
  std::int64_t units = 0;              // regions, blocks or pages really held
  std::uint64_t maps = 0, unmaps = 0;  // calls since the iteration before began, both threads
  std::int64_t map_ns = 0, set_access_ns = 0, unmap_ns = 0;  // their time
  std::int64_t beside_ns = 0;                                // of it by the background thread
  bool graph = false;
};

/// Calls of the driver over a whole pass, as made.
struct DriverTotals {
  std::uint64_t map_calls = 0, set_access_calls = 0, unmap_calls = 0, hurried_unmaps = 0;
  std::int64_t map_ns = 0, set_access_ns = 0, unmap_ns = 0, beside_ns = 0;
};

/// bf16 by request id.
using FirstLogits = std::map<std::uint64_t, std::vector<std::uint16_t>>;

/// One run of the scenario under one manager.
struct Pass {
  std::string state;                // "cold", "warm"
  std::string status = "complete";  // or "interrupted", "failed: …": then `result` is empty and the rows stop early
  std::optional<RunResult> result;
  DriverTotals driver;
  std::uint64_t tokens = 0;  // fingerprint of what was sampled
  probe::GpuState gpu;       // right after the last step
  std::uint64_t logits = 0;  // and of what it was sampled from, when tokens were asked for
  FirstLogits first_logits;  // of each request's first output, likewise
  std::vector<MeasuredIteration> iterations;
  std::vector<RequestRecord> requests;
};

struct ManagerRun {
  ManagerSpec manager;
  double start_up_s = 0;  // allocating and binding; of it `create_s` for physical handles
  double create_s = 0;
  double warm_up_s = 0;
  std::string prefill_loader;  // tensor, gather
  std::vector<Pass> passes;
};

struct MeasuredRun {
  std::string version, date, command;
  probe::DeviceInfo device;
  probe::HostInfo host;
  bool in_use_by_others = false;
  std::string scenario_file, scenario_yaml;
  std::string model;
  int layers = 0, model_layers = 0;
  std::size_t weight_bytes = 0;
  double load_s = 0;                       // making weights and activations
  std::vector<probe::CanaryPoint> canary;  // before the first and after the last pass
  std::string warm_up;
  std::string status = "complete";
  std::vector<std::string> notes;
  std::vector<ManagerRun> runs;
};

[[nodiscard]] nlohmann::ordered_json to_json(const MeasuredRun& run);
/// "manager,pass,index,…" and one row an iteration; columns in docs/replay-format.md.
[[nodiscard]] std::string iterations_csv(const MeasuredRun& run);
/// The columns of `stowage run`'s requests.csv, with the pass after the manager.
[[nodiscard]] std::string requests_csv(const MeasuredRun& run);
/// Writes measured.json, iterations.csv.gz and requests.csv.gz. Throws EnvironmentError.
void write_measured(const MeasuredRun& run, const std::string& folder);
/// A few lines for the screen.
[[nodiscard]] std::string to_text(const MeasuredRun& run);

/// decode, prefill or mixed.
[[nodiscard]] std::string_view regime_of(const IterationRecord& record);

}  // namespace stowage::replay
