#pragma once
// The configurations of a study: every point of its space with every manager of its scenario.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "planner/capacity.hpp"
#include "planner/requests.hpp"
#include "planner/sizing.hpp"
#include "planner/study.hpp"
#include "scenario/scenario.hpp"

namespace stowage {

/// How well a candidate's step prices are known. `linear` ones are the user's own word.
enum class Grounds : std::uint8_t { measured, scaled, published, roofline, linear };
inline constexpr std::array<std::string_view, 5> grounds_names = {"measured", "scaled", "published", "roofline",
                                                                 "linear"};

/// What became of a candidate.
enum class Fate : std::uint8_t {
  impossible,  // its weights or a block do not fit, or the scenario refuses it
  bounded,     // no rate that could help it is possible: not simulated
  dropped,     // simulated at the rate it needed to matter, and not up to it
  searched,    // its sustained rate was found
};
inline constexpr std::array<std::string_view, 4> fate_names = {"impossible", "bounded", "dropped", "searched"};

struct Candidate {
  std::uint64_t point = 0;
  std::size_t run = 0;  // which of the scenario's
  std::shared_ptr<const Scenario> scenario;
  std::string name;                                 // "h100-sxm-80gb x 2, paged-16, max_batch 256"
  std::string sets;                                 // --set ... to get it from the study's scenario
  std::string hardware, manager, kind, deployable;  // deployable: "vllm, trt-llm" or "none"
  std::int64_t gpus = 1;                            // of a replica
  Grounds grounds = Grounds::roofline;
  NodePrice price;

  Fate fate = Fate::searched;
  std::string reason;  // of an impossible one
  double bound_per_s = 0;
  Capacity capacity;             // of a searched one
  std::optional<Sizing> sizing;  // when it sustains any rate
  RankKey key{};

  [[nodiscard]] const RunConfig& config() const { return scenario->runs[run]; }
  [[nodiscard]] bool can_deploy() const { return deployable != "none"; }
};

struct Workbench {
  Study study;
  Space space;
  std::vector<Candidate> candidates;
  RequestSet requests;      // what every probe plays
  RequestSet brief;         // the first eighth of it: for estimates that only order the work
  RequestSet busiest;       // the window the demand comes from, as the workload has it
  double demand_per_s = 0;  // growth included
  std::string demand_text;  // where it comes from
  std::vector<std::string> notes;
  std::vector<std::string> warnings;  // of the workload, as Scenario::warnings; `notes` begin with them
  bool priced = false;
};

/// Resolves every point (on `jobs` threads), reads the requests, finds the demand. Throws InputError: nothing to
/// simulate, no SLO, a GPU without a price; InfeasibleError when no candidate is possible at all.
[[nodiscard]] Workbench set_up(Study study, int jobs);

/// "vllm serve meta-llama/... --tensor-parallel-size 2 ..."; empty when vLLM does not ship the manager or the policy.
[[nodiscard]] std::string vllm_command(const Candidate& candidate);
}  // namespace stowage
