#include "tests/oracle/fleet.hpp"

#include <algorithm>
#include <limits>
#include <memory>

#include "tests/oracle/deliveries.hpp"
#include "tests/oracle/replica.hpp"
#include "tests/oracle/router.hpp"

namespace stowage {
namespace oracle {
namespace {

class Cluster {
 public:
  Cluster(const RunConfig& config, const std::vector<Content>& contents) : c_(config) {
    std::vector<ReplicaGroup> groups = c_.fleet.groups;
    if (groups.empty()) groups.push_back({"", 1, 1, c_.kv, c_.cost, c_.vmm});
    for (const auto& g : groups) {  // S12.1, S12.2
      for (std::int64_t i = 0; i < g.replicas; ++i) {
        configs_.push_back(std::make_unique<RunConfig>(c_));
        configs_.back()->kv = g.kv;
        configs_.back()->cost = g.cost;
        configs_.back()->vmm = g.vmm;
        replicas_.push_back(make_replica(*configs_.back(), {contents.empty() ? nullptr : &contents, {}}));
        loads_.push_back({g.weight, g.kv.pool.count(), 0, 0});
      }
    }
  }

  std::vector<OracleResult> run(const std::vector<Request>& requests) {
    Router router(c_.fleet.router, c_.fleet.seed, replicas_.size());
    const std::int64_t first = requests.empty() ? 0 : requests.front().arrival_ns;
    for (auto& r : replicas_) r->start(first);  // S12.21
    for (const Request& q : requests) {         // S12.3
      run_until(q.arrival_ns);
      send(q, router.pick(loads_));
    }
    run_until(std::numeric_limits<std::int64_t>::max());
    std::int64_t end = first;
    for (auto& r : replicas_) end = std::max(end, r->ended_ns());
    std::vector<OracleResult> out;
    for (auto& r : replicas_) out.push_back(r->finish(end));
    return out;
  }

 private:
  /// S12.4, S12.5; then the books of the router follow what was emitted.
  void run_until(std::int64_t horizon_ns) {
    for (std::size_t i = 0; i < replicas_.size(); ++i) {
      replicas_[i]->run_until(horizon_ns);
      for (const Emission& e : replicas_[i]->take_emissions())
        if (e.kind == Emission::Kind::finished) loads_[i].outstanding -= 1;  // S12.8
      loads_[i].wanted_bytes = replicas_[i]->wanted_bytes();                 // S12.9
    }
  }

  void send(Request q, std::size_t to) {
    if (replicas_[to]->accepts(q)) loads_[to].outstanding += 1;  // S12.8, S12.11
    q.arrival_ns += client_delay_ns(c_.frontend, q);             // S13.2, S13.5
    replicas_[to]->deliver(q);
  }

  const RunConfig& c_;
  std::vector<std::unique_ptr<RunConfig>> configs_;
  std::vector<std::unique_ptr<Replica>> replicas_;
  std::vector<Load> loads_;
};
}  // namespace
}  // namespace oracle

std::vector<OracleResult> oracle_fleet(const RunConfig& config, const std::vector<Request>& requests,
                                       const std::vector<oracle::Content>& contents) {
  return oracle::Cluster(config, contents).run(requests);
}
}  // namespace stowage
