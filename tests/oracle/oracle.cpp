// Readings, where the rules leave a recorder a choice: IterationRecord::start_ns is the boundary (before the stall);
// running and waiting are the lengths after the batch was formed; live_bytes is what is stored at the boundary;
// held_bytes leaves out buddy round-up, which is in external_bytes.
#include "tests/oracle/oracle.hpp"

#include <limits>
#include <utility>

#include "tests/oracle/fleet.hpp"
#include "tests/oracle/memory.hpp"
#include "tests/oracle/replica.hpp"

namespace stowage {

std::unique_ptr<oracle::Memory> oracle::make_memory(const RunConfig& config) {
  struct Row {
    const char* kind;
    std::unique_ptr<Memory> (*make)(const RunConfig&);
  };
  const auto caching = config.manager.params.find("prefix_caching");
  if (caching != config.manager.params.end() && std::get<std::int64_t>(caching->second) != 0)
    return make_prefix_paged(config);
  for (const Row& row : {Row{"reserve", make_reserve}, Row{"paged", make_paged}, Row{"vattention", make_vattention}})
    if (config.manager.kind == row.kind) return row.make(config);
  return nullptr;
}

OracleResult oracle_run(const RunConfig& config, const std::vector<Request>& requests,
                        const std::vector<oracle::Content>& contents, const std::vector<oracle::Follow>& follows) {
  if (!follows.empty()) return std::move(oracle_fleet(config, requests, contents, follows).front());  // S12.7
  const auto replica = oracle::make_replica(config, {contents.empty() ? nullptr : &contents, {}, {}});
  replica->start(requests.empty() ? 0 : requests.front().arrival_ns);
  for (const Request& q : requests) replica->deliver(q);
  replica->run_until(std::numeric_limits<std::int64_t>::max());
  return replica->finish(replica->ended_ns());
}
}  // namespace stowage
