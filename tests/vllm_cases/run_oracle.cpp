// The plain oracle as a runner of cases.
#include <fmt/format.h>

#include <limits>
#include <map>
#include <stdexcept>

#include "tests/oracle/replica.hpp"
#include "tests/vllm_cases/case.hpp"

namespace stowage::vllm_cases {
namespace {

Step as_step(const oracle::StepLog& log) {
  Step out{log.formed_ns, log.start_ns, log.end_ns, {}, {}, log.free_blocks, log.running, log.waiting};
  for (const oracle::Row& row : log.rows)
    out.rows.push_back({static_cast<std::int64_t>(row.sequence->record.id), row.before, row.tokens});
  out.preempted.assign(log.preempted.begin(), log.preempted.end());
  return out;
}
}  // namespace

Decisions run_oracle(const Scenario& s) {
  const auto tokens = oracle::contents(s.shapes, s.hash_tokens);
  Decisions out;
  out.requests.resize(s.requests.size());
  std::map<std::uint64_t, std::int64_t> residency;  // the last one seen of each request
  oracle::Options options;
  options.contents = &tokens;
  options.on_step = [&](const oracle::StepLog& log) {
    out.steps.push_back(as_step(log));
    for (const oracle::Row& row : log.rows) {
      const std::uint64_t id = row.sequence->record.id;
      const auto [seen, fresh] = residency.try_emplace(id, row.residency);
      if (!fresh && seen->second == row.residency) continue;
      seen->second = row.residency;
      out.requests[id].hits.push_back(row.before);
    }
  };
  const auto replica = oracle::make_replica(s.config, options);
  replica->start(s.requests.front().arrival_ns);
  for (const Request& q : s.requests) replica->deliver(q);
  replica->run_until(std::numeric_limits<std::int64_t>::max());
  const OracleResult result = replica->finish(replica->ended_ns());
  if (result.requests.size() != s.requests.size())
    throw std::runtime_error(fmt::format("{} of {} requests completed", result.requests.size(), s.requests.size()));
  for (const RequestRecord& r : result.requests) {
    Served& served = out.requests[r.id];
    served.first = r.first_token_ns;
    served.finish = r.finished_ns;
    served.preemptions = static_cast<std::int64_t>(r.preemptions);
  }
  return out;
}
}  // namespace stowage::vllm_cases
