#pragma once
// What a report samples of one run, bounded whatever the run's length: the pool's occupancy, the lives of a few
// requests, the first iterations. Recorded only when asked for (RunHooks::trace); no result depends on it.
#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/histogram.hpp"

namespace stowage {

/// Where a request's time goes. `preempted`: back in the queue; `recompute`: its prefill done again; `decode` has the
/// pauses of scheduler `prefill-first` in it.
enum class Phase : std::uint8_t { queue, prefill, decode, preempted, recompute };
inline constexpr std::array<std::string_view, 5> phase_names = {"queue", "prefill", "decode", "preempted", "recompute"};

struct PhaseSpan {
  Phase phase = Phase::queue;
  std::int64_t from_ns = 0, to_ns = 0;  // since the first arrival
  std::int64_t stalled_ns = 0;          // of it, waiting for memory to be mapped
};
/// One finished request, phase after phase without gaps from arrival to its last token.
struct RequestTrace {
  std::uint64_t id = 0;
  std::int32_t prompt_tokens = 0, output_tokens = 0;
  std::vector<PhaseSpan> spans;
};

/// The pool at one instant, in `RunTrace::occupancy_rows` equal pieces from the bottom up.
struct OccupancyColumn {
  std::int64_t at_ns = 0;  // since the first arrival
  bool refused = false;    // the manager refused the head of the queue: what is free is of no use now
  /// Of each piece, in fifteenths: tokens; held by a request without a token in it; cached. The rest is free.
  std::vector<std::array<std::uint8_t, 3>> cells;
};

struct TracedIteration {
  std::int64_t start_ns = 0, stall_ns = 0, step_ns = 0;  // start since the first arrival
  std::int64_t prefill_tokens = 0, decode_seqs = 0, running = 0, waiting = 0;
  std::int64_t live_bytes = 0, held_bytes = 0, cached_bytes = 0;
  std::int64_t pages_mapped = 0, pages_unmapped = 0, mapper_ns = 0;  // mapper: beside the step, from start + stall on
};

struct RunTrace {
  static constexpr std::size_t occupancy_rows = 96, max_columns = 192, max_iterations = 2000, max_requests = 400;
  /// Columns are at least `occupancy_interval_ns` apart; more come while the run is short, and every second one goes
  /// when there are `max_columns`.
  std::vector<OccupancyColumn> occupancy;
  std::int64_t occupancy_interval_ns = 0;
  /// Regions have addresses (`reserve`). Else memory is stacked by request: pages have no order that matters.
  bool occupancy_by_address = false;

  /// Requests whose TTFT is that of the median and of the 99th percentile (same bucket of the histogram: within 0.8 %).
  RequestTrace median, worst;
  std::vector<RequestTrace> requests;       // the first to finish, at most max_requests, in order of completion
  std::vector<TracedIteration> iterations;  // the first max_iterations
  LogHistogram stall_ns;                    // iterations that had to wait for mapping, by how long
};
}  // namespace stowage
