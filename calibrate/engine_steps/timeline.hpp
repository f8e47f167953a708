#pragma once
// What a log tells besides its batches: when each request joined and got its tokens, and how long each step took.
#include <cstdint>
#include <optional>
#include <vector>

#include "calibrate/engine_steps/log.hpp"
#include "sim/serve/step_times.hpp"

namespace stowage::engine_steps {

/// When a request got its first and its last token, in ns; nothing where it had not by the end.
struct Served {
  std::optional<std::int64_t> first_ns, last_ns;
};

struct Timeline {
  /// Places of the requests that joined, in the order in which they did, and the forming of the step at which each was
  /// there for the first time.
  struct Joined {
    std::size_t request = 0;
    std::int64_t at_ns = 0;
  };
  std::vector<Joined> joined;
  std::vector<Served> served;  // by place
  /// A step ends when its update begins. It starts at the end of the step before, or, with nothing in flight, when its
  /// launch is over: at the forming of the next one, where that comes sooner than its own end, else when schedule()
  /// returns. `waking_ns` counts from the first call of those that join.
  std::vector<StepTime> times;
};

/// A decoder has a row in every step until its last, and a step ends for all its rows: so a log that names prompts and
/// the preempted says when each request ends, and counts of running and waiting say how many have joined.
/// Throws InputError at the step that cannot be: more in flight than the setup has, or counts that do not add up.
[[nodiscard]] Timeline timeline_of(const LoggedLoad& load, bool async_scheduling);
}  // namespace stowage::engine_steps
