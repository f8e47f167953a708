#pragma once
// The judge of the engine: a plain, second implementation of the simulation rules. It walks every request in every
// iteration and keeps every interval of memory, so that nothing in it can drift; it is slow on purpose.
#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "base/request.hpp"
#include "sim/result.hpp"
#include "sim/run_config.hpp"
#include "tests/oracle/content.hpp"

namespace stowage {

/// Every value of one metric (ns), sorted, so that percentiles are true ones.
struct OracleDistribution {
  std::vector<double> values;
  static constexpr double none = std::numeric_limits<double>::quiet_NaN();
  double mean = none, max = none;  // S11.12
  /// Nearest rank: the value at rank ceil(permille / 1000 x count).
  [[nodiscard]] double percentile(std::uint64_t permille) const;
  void take(const std::vector<std::int64_t>& list);  // and their mean
  void sort();                                       // and the maximum
};

/// A stretch of time in which memory stands still: one iteration, or an idle gap. The parts sum to the pool.
struct OracleSegment {
  std::int64_t start_ns = 0, end_ns = 0;
  std::array<std::int64_t, part_count> bytes{};  // indexed by Part
  std::int64_t running = 0, waiting = 0;
};

struct OracleResult {
  std::vector<IterationRecord> iterations;
  std::vector<RequestRecord> requests;  // in order of completion, running order within a boundary
  std::vector<RejectedRequest> rejected_requests;
  std::vector<OracleSegment> segments;  // first arrival to last completion, without holes

  std::uint64_t submitted = 0, completed = 0, rejected = 0, unfinished = 0, preemptions = 0;
  std::int64_t first_arrival_ns = 0, makespan_ns = 0;
  std::uint64_t prompt_tokens = 0, output_tokens = 0;
  OracleDistribution ttft_ns, tbt_ns, tpot_ns, e2e_ns, queue_ns;
  double batch_mean = OracleDistribution::none;
  std::int64_t batch_max = 0;
  std::int64_t peak_committed_bytes = 0, peak_live_bytes = 0;
  std::array<__int128, part_count> byte_ns{};      // integral of each part over the run
  std::array<double, part_count> mean_fraction{};  // of the pool
  RunResult::Vmm vmm;
};

namespace oracle {
/// Everything that follows from the segments and latencies of a run of `span_ns`.
void sum_up(OracleResult& out, std::int64_t pool_bytes, std::int64_t span_ns);
}  // namespace oracle

/// `requests` in arrival order. The configuration must be sound (no scenario errors); config.workload is not read.
/// `contents` by id; none = prompts have nothing in common. `follows` by id; none = nobody waits for another.
[[nodiscard]] OracleResult oracle_run(const RunConfig& config, const std::vector<Request>& requests,
                                      const std::vector<oracle::Content>& contents = {},
                                      const std::vector<oracle::Follow>& follows = {});
}  // namespace stowage
