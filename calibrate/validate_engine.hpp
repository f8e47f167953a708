#pragma once
// A serving engine's own record of a pilot against the simulator: so that users see the error on their machine and
// their traffic before they trust a plan. Reads
//   - the result of `vllm bench serve --save-result --save-detailed` (vllm/benchmarks/serve.py): lengths, start times,
//     time to first token and gaps of each request; also several objects in one file (--append-result);
//   - the engine's start-up log, for "GPU KV cache size: 227,840 tokens" (vllm/v1/core/kv_cache_utils.py).
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "calibrate/validate.hpp"

namespace stowage {

struct EngineLog {
  std::vector<std::string> files;
  std::vector<RequestRecord> requests;             // by start; arrival_ns from the first; first_scheduled_ns unknown
  std::vector<std::vector<std::int64_t>> gaps_ns;  // of the same requests
  std::uint64_t failed = 0;                        // left out
  double duration_s = 0;
  std::optional<std::int64_t> kv_tokens;
  std::string model;  // as the client named it
};

/// Reads one or more files of either kind. Throws InputError for what is missing or damaged.
[[nodiscard]] EngineLog read_engine_log(const std::vector<std::string>& paths);

/// The log's requests as the workload of the scenario at `path`, and, unless `sets` gives a pool, the engine's own
/// pool. One comparison a manager of the scenario.
[[nodiscard]] Validation validate_engine(const EngineLog& log, const std::string& path, const ValidateOptions& options);
}  // namespace stowage
