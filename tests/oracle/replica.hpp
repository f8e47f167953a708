#pragma once
// One replica, step by step. It emits what a cluster needs to know; it knows nothing of other replicas.
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "sim/run_config.hpp"
#include "tests/oracle/oracle.hpp"
#include "tests/oracle/sequence.hpp"

namespace stowage::oracle {

/// S1.20, S15.11: what left a replica, and when its client had it whole.
struct Emission {
  enum class Kind : std::uint8_t { finished };
  Kind kind;
  std::uint64_t request;
  std::int64_t at_ns;
};

class Replica {
 public:
  virtual ~Replica() = default;
  /// S12.21: nothing happens before the first arrival of all.
  virtual void start(std::int64_t first_arrival_ns) = 0;
  /// S2.8 to S2.10: would it be served here?
  [[nodiscard]] virtual bool accepts(const Request& request) const = 0;
  /// request.arrival_ns: at the engine.
  virtual void deliver(const Request& request) = 0;
  /// S12.4, S12.5: boundaries before the horizon, and the completion of the first one at it.
  /// `to_an_end`: or until something is emitted.
  virtual void run_until(std::int64_t horizon_ns, bool to_an_end = false) = 0;
  /// What was emitted since the last call.
  [[nodiscard]] virtual std::vector<Emission> take_emissions() = 0;
  [[nodiscard]] virtual std::int64_t wanted_bytes() const = 0;  // S12.9
  [[nodiscard]] virtual std::int64_t hit(const Request& request) const = 0;  // S12.26
  /// When its next step completes, or is formed; the largest number when it sleeps for good.
  [[nodiscard]] virtual std::int64_t next_event_ns() const = 0;
  /// Its last completion.
  [[nodiscard]] virtual std::int64_t ended_ns() const = 0;
  [[nodiscard]] virtual OracleResult finish(std::int64_t end_ns) = 0;
};

/// One formed batch, for those who compare step by step. One without rows is told only if it preempted somebody.
struct StepLog {
  std::int64_t formed_ns, start_ns, end_ns;
  std::vector<Row> rows;
  std::vector<std::uint64_t> preempted;  // ascending
  std::int64_t free_blocks, running, waiting;
};

/// What RunConfig has no words for yet.
struct Options {
  const std::vector<Content>* contents = nullptr;  // by id
  std::function<void(const StepLog&)> on_step;
  std::function<std::vector<Request>(std::uint64_t)> followers_of;  // S15.12: who waits for this one, and no longer
};
[[nodiscard]] std::unique_ptr<Replica> make_replica(const RunConfig& config, Options options = {});
}  // namespace stowage::oracle
