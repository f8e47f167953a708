#pragma once
// The oracle's replicas, taken step by step, and its fleet: before every arrival all of them are brought up to it.
#include <cstdint>
#include <memory>
#include <vector>

#include "tests/oracle/oracle.hpp"

namespace stowage {
namespace oracle {

class SteppedReplica {
 public:
  virtual ~SteppedReplica() = default;
  virtual void start(std::int64_t first_arrival_ns) = 0;
  virtual void deliver(const Request& request) = 0;  // arrival_ns at the engine
  /// Boundaries before the horizon, and step 1 of the first one at it.
  virtual void run_until(std::int64_t horizon_ns) = 0;
  [[nodiscard]] virtual std::int64_t outstanding() const = 0;
  [[nodiscard]] virtual std::int64_t wanted_bytes() const = 0;
  /// End of the last iteration.
  [[nodiscard]] virtual std::int64_t ended_ns() const = 0;
  [[nodiscard]] virtual OracleResult finish(std::int64_t end_ns) = 0;
};
[[nodiscard]] std::unique_ptr<SteppedReplica> make_replica(const RunConfig& config);
}  // namespace oracle

/// One result a replica, all over the fleet's whole run. No groups = one replica. `requests` by arrival at the client.
[[nodiscard]] std::vector<OracleResult> oracle_fleet(const RunConfig& config, const std::vector<Request>& requests);
}  // namespace stowage
