#pragma once
// trace.perfetto.json: the recorded start of each run in the Chrome trace event format, for ui.perfetto.dev and
// chrome://tracing. One process a manager; in it the iterations (a stall nested at an iteration's start), the mapper,
// the requests on as few tracks as hold them side by side, and counters of KV memory and of requests running and
// waiting.
#include <string>

#include "reports/report_input.hpp"

namespace stowage {

/// At most RunTrace::max_iterations iterations and max_requests requests a manager, of the first 12 managers; what was
/// left out is said in `otherData`. Times in microseconds since the first arrival.
[[nodiscard]] std::string to_perfetto(const ReportInput& input);
}  // namespace stowage
