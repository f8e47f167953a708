#pragma once
// The keys of measured.json, map by map (docs/replay-format.md). Others are refused: a number under a mistyped name
// would not be compared, without a word.
#include <map>
#include <string_view>
#include <vector>

namespace stowage::measured_keys {

using Names = std::vector<std::string_view>;

inline const Names of_file = {"schema", "version", "date", "command", "status", "device", "host", "in_use_by_others",
    "model", "layers", "model_layers", "weight_bytes", "load_s", "canary", "warm_up", "scenario_file", "scenario",
    "notes", "files", "runs"};
inline const Names of_device = {"name", "sms", "memory_bytes", "free_bytes", "sm_clock_max_mhz", "driver",
    "runtime_cuda", "card"};
inline const Names of_host = {"cpu", "logical_cpus", "kernel", "hypervisor"};
inline const Names of_files = {"iterations", "requests"};
inline const Names of_canary = {"after", "at_s", "name", "keys", "unit", "n", "median", "p5", "p95", "stop", "mean",
    "min", "p99", "max", "rel_noise", "sm_clock_mhz", "extra"};
inline const Names of_run = {"name", "kind", "prefill_loader", "start_up_s", "create_handles_s", "warm_up_s",
    "passes", "repeat"};
inline const Names of_repeat = {"same_schedule", "iteration_mape", "iteration_bias", "iteration_p95", "makespan"};
inline const Names of_pass = {"state", "status", "iterations", "result", "driver", "step_us", "host_us", "tokens",
    "gpu_at_end"};
inline const Names of_driver = {"map_calls", "set_access_calls", "unmap_calls", "hurried_unmap_calls", "map_s",
    "set_access_s", "unmap_s", "beside_s"};
inline const Names of_regimes = {"decode", "mixed", "prefill"};
inline const Names of_times = {"count", "mean", "p50", "p95", "max", "total_s"};
inline const Names of_gpu = {"sm_clock_mhz", "memory_clock_mhz", "power_w", "temperature_c", "memory_temperature_c",
    "clock_reasons"};
/// Of the result: what is in a map of numbers, no map (nothing), or what is not read.
inline const Names of_latency = {"mean", "p50", "p90", "p95", "p99", "max", "count"};
inline const std::map<std::string_view, Names> of_result = {
    {"makespan_s", {}},
    {"iterations", {}},
    {"wall_s", {}},
    {"requests", {"submitted", "completed", "rejected", "unfinished", "preemptions"}},
    {"throughput", {"requests_per_s", "prompt_tokens_per_s", "output_tokens_per_s"}},
    {"ttft_s", of_latency},
    {"tbt_s", of_latency},
    {"tpot_s", of_latency},
    {"e2e_s", of_latency},
    {"queue_s", of_latency},
    {"client_ttft_s", of_latency},
    {"client_e2e_s", of_latency},
    {"batch", {"mean", "max"}},
    {"kv",
     {"pool_bytes", "pool_tokens", "bytes_per_token", "peak_committed_bytes", "peak_live_bytes", "mean_fraction"}},
    {"prefix",
     {"queried_tokens", "hit_tokens", "hit_fraction", "resumed_tokens", "resumed_hit_tokens", "cached_blocks_mean"}},
    {"vmm", {"map_calls", "unmap_calls", "busy_s", "stall_s", "stall_max_s", "stalled_iterations"}}};
inline const Names not_read = {"name", "manager", "first_rejected"};
}  // namespace stowage::measured_keys
