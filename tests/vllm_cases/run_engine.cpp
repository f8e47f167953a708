// The engine as a runner of cases.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <stdexcept>

#include "sim/serve/simulate.hpp"
#include "tests/differential/random_scenario.hpp"
#include "tests/vllm_cases/case.hpp"

namespace stowage::vllm_cases {

Decisions run_engine(const Scenario& s) {
  RunConfig config = s.config;
  config.workload = in_memory(s.requests, s.shapes, s.hash_tokens);
  Decisions out;
  out.requests.resize(s.requests.size());
  std::map<std::uint64_t, bool> resident;  // has had a row since it was admitted last
  RunHooks hooks;
  hooks.on_step = [&](const StepRecord& r) {
    Step step{r.formed_ns, r.begins_ns, r.ends_ns, {}, {}, r.free_units, r.running, r.waiting};
    step.preempted.assign(r.preempted.begin(), r.preempted.end());
    std::sort(step.preempted.begin(), step.preempted.end());
    for (const std::uint64_t id : r.preempted) resident[id] = false;
    for (const StepRecord::Row& row : r.rows) {
      step.rows.push_back({static_cast<std::int64_t>(row.id), row.before, row.tokens});
      if (!resident[row.id]) out.requests[row.id].hits.push_back(row.before);
      resident[row.id] = true;
    }
    out.steps.push_back(std::move(step));
  };
  hooks.on_request = [&](const RequestRecord& r) {
    out.requests[r.id].first = r.first_token_ns;
    out.requests[r.id].finish = r.finished_ns;
    out.requests[r.id].preemptions = r.preemptions;
  };
  const RunResult result = simulate(config, hooks);
  if (result.completed != s.requests.size())
    throw std::runtime_error(fmt::format("{} of {} requests completed", result.completed, s.requests.size()));
  return out;
}
}  // namespace stowage::vllm_cases
