#pragma once
// One case of vLLM's own scheduler in virtual time: a scenario, and what vLLM decided in each step. The README beside
// the cases says what each field means.
#include <array>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/request.hpp"
#include "sim/run_config.hpp"
#include "tests/oracle/content.hpp"

namespace stowage::vllm_cases {

/// One batch, as it was formed; times in ns. Without rows only where it preempted somebody.
struct Step {
  std::int64_t formed = 0, start = 0, end = 0;
  std::vector<std::array<std::int64_t, 3>> rows;  // id, tokens computed before, tokens
  std::vector<std::int64_t> preempted;            // ascending
  std::int64_t free_blocks = 0, running = 0, waiting = 0;
  bool operator==(const Step&) const = default;
};
/// What became of one request; times in ns of its first and last output.
struct Served {
  std::int64_t first = 0, finish = 0, preemptions = 0;
  std::vector<std::int64_t> hits;  // tokens, at each admission
  bool operator==(const Served&) const = default;
};
/// What a scheduler made of a scenario; `requests` by id.
struct Decisions {
  std::vector<Step> steps;
  std::vector<Served> requests;
};

/// A scenario that a runner can run.
struct Scenario {
  RunConfig config;  // its manager has `prefix_caching` and `free_order` (S16.19)
  std::vector<Request> requests;            // ids 0, 1, ...
  std::vector<oracle::PromptShape> shapes;  // of each
  std::int64_t hash_tokens = 0;
};
using Runner = Decisions (*)(const Scenario&);

struct VllmCase {
  std::string skipped;  // why nobody runs it; empty = it is run
  Scenario scenario;
  nlohmann::json expect;
};

/// Throws std::exception: no JSON, a field missing or of another kind, a release of which the rules are not known.
[[nodiscard]] VllmCase read_case(const std::filesystem::path& path);
/// The first difference between what the case expects and what a runner made of it; empty when there is none.
[[nodiscard]] std::string first_difference(const nlohmann::json& expect, const Decisions& found);

/// By the plain oracle of tests/oracle, and by the engine.
[[nodiscard]] Decisions run_oracle(const Scenario& scenario);
[[nodiscard]] Decisions run_engine(const Scenario& scenario);
}  // namespace stowage::vllm_cases
