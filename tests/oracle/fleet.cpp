#include "tests/oracle/fleet.hpp"

#include <algorithm>
#include <limits>
#include <memory>
#include <set>
#include <vector>

#include "base/error.hpp"
#include "tests/oracle/deliveries.hpp"
#include "tests/oracle/replica.hpp"
#include "tests/oracle/router.hpp"

namespace stowage {
namespace oracle {
namespace {

class Cluster {
 public:
  Cluster(const RunConfig& config, const std::vector<Content>& contents, const std::vector<Follow>& follows)
      : c_(config), follows_(follows) {
    std::vector<ReplicaGroup> groups = c_.fleet.groups;
    if (groups.empty()) groups.push_back({"", 1, 1, c_.kv, c_.cost, c_.vmm});
    for (const auto& g : groups) {  // S12.1, S12.2
      for (std::int64_t i = 0; i < g.replicas; ++i) {
        configs_.push_back(std::make_unique<RunConfig>(c_));
        configs_.back()->kv = g.kv;
        configs_.back()->cost = g.cost;
        configs_.back()->vmm = g.vmm;
        replicas_.push_back(make_replica(*configs_.back(), {contents.empty() ? nullptr : &contents,
                                                         {},
                                                         [this](std::uint64_t id) { return followers_of(id); }}));
        loads_.push_back({g.weight, g.kv.pool.count(), 0, 0});
      }
    }
  }

  std::vector<OracleResult> run(const std::vector<Request>& requests) {
    Router router(c_.fleet.router, c_.fleet.seed, replicas_.size());
    for (const Request& q : requests)
      if (follows_.empty() || follows_[q.id].after < 0) coming_.insert(q);
      else waiting_.push_back(q);
    const std::int64_t first = coming_.empty() ? 0 : coming_.begin()->arrival_ns;
    for (auto& r : replicas_) r->start(first);  // S12.21
    while (run_to_next_arrival()) {             // S12.3
      const Request q = *coming_.begin();
      coming_.erase(coming_.begin());
      for (std::size_t i = 0; i < replicas_.size(); ++i) loads_[i].hit = replicas_[i]->hit(q);
      send(q, router.pick(loads_, q.prompt_tokens));
    }
    std::int64_t end = first;
    for (auto& r : replicas_) end = std::max(end, r->ended_ns());
    std::vector<OracleResult> out;
    for (auto& r : replicas_) out.push_back(r->finish(end));
    return out;
  }

 private:
  static constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

  /// False: nothing arrives any more, and all is done. Where somebody waits for an end, event by event of all replicas:
  /// first what completes then, then what arrives for it, then what is formed.
  bool run_to_next_arrival() {
    const auto next = [&] { return coming_.empty() ? never : coming_.begin()->arrival_ns; };
    while (!waiting_.empty()) {
      std::int64_t event = never;
      for (auto& r : replicas_) event = std::min(event, r->next_event_ns());
      if (event == never || event > next()) break;
      run_until(event, true);
      if (next() <= event) break;
      run_until(event + 1, true);
    }
    run_until(next());
    return !coming_.empty();
  }

  /// S12.4, S12.5; then the books of the router follow what was emitted.
  void run_until(std::int64_t horizon_ns, bool to_an_end = false) {
    for (std::size_t i = 0; i < replicas_.size(); ++i) {
      replicas_[i]->run_until(horizon_ns, to_an_end);
      for (const Emission& e : replicas_[i]->take_emissions()) {
        STOWAGE_ASSERT(e.kind == Emission::Kind::finished);
        loads_[i].outstanding -= 1;  // S12.8
        release_followers(e.request, e.at_ns);
      }
      loads_[i].wanted_bytes = replicas_[i]->wanted_bytes();  // S12.9
    }
  }

  /// Takes those that wait for `id`.
  std::vector<Request> followers_of(std::uint64_t id) {
    std::vector<Request> out;
    std::erase_if(waiting_, [&](const Request& q) {
      if (follows_[q.id].after != static_cast<std::int64_t>(id)) return false;
      out.push_back(q);
      return true;
    });
    return out;
  }
  void release_followers(std::uint64_t id, std::int64_t ended_ns) {  // S15.10, S15.11
    for (Request& q : followers_of(id)) {
      q.arrival_ns = std::max(q.arrival_ns, ended_ns + follows_[q.id].think_ns);
      coming_.insert(q);
    }
  }

  void send(Request q, std::size_t to) {
    if (replicas_[to]->accepts(q)) loads_[to].outstanding += 1;  // S12.8, S12.11
    q.arrival_ns += client_delay_ns(c_.frontend, q);             // S13.2, S13.5
    replicas_[to]->deliver(q);
  }

  struct ByArrival {  // S15.13
    bool operator()(const Request& a, const Request& b) const {
      return a.arrival_ns != b.arrival_ns ? a.arrival_ns < b.arrival_ns : a.id < b.id;
    }
  };

  const RunConfig& c_;
  const std::vector<Follow>& follows_;
  std::multiset<Request, ByArrival> coming_;
  std::vector<Request> waiting_;  // for the end of others
  std::vector<std::unique_ptr<RunConfig>> configs_;
  std::vector<std::unique_ptr<Replica>> replicas_;
  std::vector<Load> loads_;
};
}  // namespace
}  // namespace oracle

std::vector<OracleResult> oracle_fleet(const RunConfig& config, const std::vector<Request>& requests,
                                       const std::vector<oracle::Content>& contents,
                                       const std::vector<oracle::Follow>& follows) {
  return oracle::Cluster(config, contents, follows).run(requests);
}
}  // namespace stowage
