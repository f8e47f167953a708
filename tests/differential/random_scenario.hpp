#pragma once
// Small random scenarios for differential tests: every manager and parameter, tight pools, bursts, ties, idle gaps,
// rejections. The same seed gives the same case on every platform.
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/request.hpp"
#include "sim/run_config.hpp"
#include "tests/oracle/content.hpp"

namespace stowage {

/// A workload of requests already in memory, in arrival order. `shapes`: what their prompts have in common; `follows`:
/// who waits for the end of whom; both by id.
[[nodiscard]] std::shared_ptr<const Workload> in_memory(std::vector<Request> requests,
                                                        const std::vector<oracle::PromptShape>& shapes = {},
                                                        std::int64_t hash_tokens = 1,
                                                        const std::vector<oracle::Follow>& follows = {});

struct Case {
  RunConfig config;
  std::vector<Request> requests;
  /// What their prompts have in common, by id; empty = nothing.
  std::vector<oracle::PromptShape> shapes = {};
  std::int64_t hash_tokens = 1;
  /// Who waits for the end of whom, by id; empty = nobody.
  std::vector<oracle::Follow> follows = {};
  /// Makes config.workload bring `requests`; call after changing them.
  void bind();
  /// Of the requests, for the oracle.
  [[nodiscard]] std::vector<oracle::Content> contents() const { return oracle::contents(shapes, hash_tokens); }
  [[nodiscard]] std::string describe() const;  // one paragraph for people
  [[nodiscard]] std::string literal() const;   // C++ that builds this case, for regressions_test.cpp
};

/// small: at most 60 requests and a few thousand iterations. large: hundreds of requests, batches up to 256, thousands
/// of outputs, for what only shows once tables wrap and bins merge.
enum class CaseSize : std::uint8_t { small, large };

/// No scenario errors: the engine has to run it to the end.
[[nodiscard]] Case random_case(std::uint64_t seed, CaseSize size = CaseSize::small);

/// The same behind a router: one to four replicas in up to three groups of their own pools and prices, every router,
/// weights, and in some a front end.
[[nodiscard]] Case random_fleet_case(std::uint64_t seed, CaseSize size = CaseSize::small);

/// Whether the rules allow the configuration at all (used by the shrinker).
[[nodiscard]] bool is_valid(const RunConfig& config);
}  // namespace stowage
