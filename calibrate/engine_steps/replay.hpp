#pragma once
// A logged load once more, through the simulator, with given joins and the log's step times.
#include <cstdint>
#include <vector>

#include "calibrate/engine_steps/timeline.hpp"

namespace stowage::engine_steps {

struct Replay {
  std::vector<LoggedStep> steps;  // those with rows, the first `most` of them
  std::vector<Served> served;     // by place
  std::uint64_t rejected = 0;     // can never be served: longer than max_model_len, or larger than the pool
};

/// `joins` in order of time. The k-th step takes what the log's k-th took; those beyond the log, what its last one did.
[[nodiscard]] Replay replay(const Setup& setup, const LoggedLoad& load, const std::vector<Timeline::Joined>& joins,
                            const std::vector<StepTime>& times, std::size_t most);
}  // namespace stowage::engine_steps
