#pragma once
// What no simulation can beat: the work of the requests, priced at the best the engine could do.
#include "planner/requests.hpp"
#include "sim/run_config.hpp"

namespace stowage {

/// An upper bound on the requests a second that one replica can serve for ever. Every token passes through a step, a
/// step has at most max_batched_tokens tokens and max_batch requests, which hold no more than the pool together, and
/// one step runs at a time, so the time of all steps is at least
///   max over lines a + b x m below the price of a step of m tokens: a x fewest steps + b x tokens
///   + decode attention over all contexts + prefill attention over all pairs of a prompt
/// and for ever means that this time is not more than the requests' own. Preemption and waiting only add to it.
[[nodiscard]] double rate_bound(const RunConfig& run, const RequestSet& set);
}  // namespace stowage
