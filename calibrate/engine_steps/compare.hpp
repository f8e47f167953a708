#pragma once
// The decisions of a logged engine against the simulator's, which is given the log's step times: so that prices are not
// judged. Twice: each request joins where the log says, and then every step must be equal; and each joins a constant
// time after its call, and then totals are compared.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "calibrate/engine_steps/log.hpp"

namespace stowage::engine_steps {

/// What a caller's request takes to the scheduler: 0.9 to 1.05 ms in the process of a vLLM 0.24 on an H200's host.
inline constexpr std::int64_t caller_delay_ns = 1'000'000;

/// Of a load, logged or simulated. Means are over the requests that got their last token in both, and are seen at the
/// engine: from the call to the update that brings the token, without the way back to the caller.
struct Totals {
  std::uint64_t steps = 0, preemptions = 0;
  std::int64_t hit_tokens = 0, resumed_hit_tokens = 0;  // found at the first admission, and at those after
  std::optional<double> ttft_s, tpot_s, e2e_s;          // tpot: of requests of more than one token
};

/// One property of a step, where log and simulator differ: "free blocks", as the log has it and as simulated.
struct Difference {
  std::string what, log, simulated;
};

struct LoadComparison {
  std::string name;
  std::uint64_t requests = 0;
  std::uint64_t unfinished = 0;  // in the log
  std::uint64_t rejected = 0;    // by the simulator: longer than max_model_len, or larger than the pool
  // --- Each joins as the log shows.
  std::uint64_t compared = 0, equal = 0;  // steps
  struct First {
    std::uint64_t step = 0;  // its number in the log
    std::vector<Difference> differences;
  };
  std::optional<First> first_difference;
  // --- As logged, as simulated with the log's joins, and with a constant delay.
  Totals log, joined, delayed;
};

struct RunComparison {
  std::string folder;
  Setup setup;
  std::vector<LoadComparison> loads;
  [[nodiscard]] bool all_equal() const;
};

/// simulated / logged - 1; nothing where either is not known.
[[nodiscard]] std::optional<double> error_of(const std::optional<double>& logged,
                                             const std::optional<double>& simulated);

[[nodiscard]] RunComparison compare_steps(const LoggedRun& run);

[[nodiscard]] std::string comparison_text(const RunComparison& comparison);
[[nodiscard]] std::string comparison_json(const RunComparison& comparison);
}  // namespace stowage::engine_steps
