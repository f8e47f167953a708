#pragma once
// The answer: which configuration, how many, what it costs, how sure, what would change it.
#include <optional>
#include <string>
#include <vector>

#include "planner/outlook.hpp"
#include "planner/uncertainty.hpp"

namespace stowage {

struct Saving {  // what a manager nobody ships would save
  std::size_t candidate = 0;
  std::int64_t gpus = 0;
  double usd_per_hour = 0;
};

/// Larger fleets are simulated by so many of their replicas.
inline constexpr std::int64_t fleet_simulated_max = 128;

struct Decision {
  std::string text;  // one sentence, the first line of every output
  bool feasible = false;
  std::optional<std::size_t> winner;  // a candidate
  std::string binding;                // what binds: the SLO target next to be missed, or what makes it infeasible
  std::string firmness;               // "firm", "likely", "a coin flip", "unproven (roofline)"
  std::vector<std::string> changes;   // what would change the decision
  std::vector<Saving> savings;
  std::optional<Probe> checked;   // the whole fleet of the winner at the demand, spare ones idle
  std::optional<Probe> one_less;  // and with one replica fewer
  double headroom_rate = 0;       // how much the demand may grow before the fleet misses its SLO: 1.3 = 30 %
  double headroom_length = 0;     // the same for the lengths of prompts and outputs; 0 = not even as they are
  double usd_per_million_output_tokens = 0, joules_per_output_token = 0;
};

struct Plan {
  Workbench bench;
  SearchResult found;
  Uncertainty uncertainty;
  Decision decision;
  std::optional<Outlook> outlook;  // of a feasible decision
};

/// The whole of `stowage plan`.
[[nodiscard]] Plan make_plan(Study study, int jobs);

/// Candidates that no other beats in both: cost a token and time per token at its sustained rate (all that were
/// searched and sustain a rate), by rising cost.
[[nodiscard]] std::vector<std::size_t> pareto_front(const Plan& plan);
/// The same of any two figures, each the less the better.
using Figure = std::function<double(const Candidate&)>;
[[nodiscard]] std::vector<std::size_t> pareto_front(const Plan& plan, const Figure& first, const Figure& second);
/// Per million output tokens, at the planned share of the sustained rate, whole GPUs but no idle ones: what compares
/// configurations. GPU-hours when there are no prices.
[[nodiscard]] double unit_cost(const Workbench& bench, const Candidate& candidate);

/// plan.json (docs/planning.md) and plan.csv: a row a candidate.
[[nodiscard]] std::string plan_json(const Plan& plan);
[[nodiscard]] std::string plan_csv(const Plan& plan);
}  // namespace stowage
