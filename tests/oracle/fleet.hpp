#pragma once
// S12: replicas behind a router. Before every arrival all of them are brought up to it.
#include <vector>

#include "tests/oracle/oracle.hpp"

namespace stowage {

/// One result a replica, all over the fleet's whole run. No groups = one replica. `requests` by arrival at the client.
[[nodiscard]] std::vector<OracleResult> oracle_fleet(const RunConfig& config, const std::vector<Request>& requests,
                                                     const std::vector<oracle::Content>& contents = {},
                                                     const std::vector<oracle::Follow>& follows = {});
}  // namespace stowage
