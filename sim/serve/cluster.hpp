#pragma once
// A fleet: replicas behind a router (semantics S12). Every replica runs on its own clock and is brought up to an
// arrival only when the router has to know what it is doing then, so that long decode stretches stay whole; a router
// that looks at nothing costs no more than its replicas one after the other.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "sim/account/fleet_result.hpp"
#include "sim/serve/replica.hpp"
#include "sim/serve/router.hpp"

namespace stowage {

class Cluster final : private FleetView {
 public:
  /// A configuration without groups is a fleet of one.
  Cluster(const RunConfig& config, const RunHooks& hooks)
      : workload_(config.workload), hooks_(hooks), trace_(workload_.get()) {
    std::vector<ReplicaGroup> groups = config.fleet.groups;
    if (groups.empty()) groups.push_back({"", 1, 1, config.kv, config.cost, config.vmm});
    if (hooks.on_progress)
      hooks_.on_progress = [this, &hooks](std::int64_t simulated_ns, std::uint64_t) {
        std::uint64_t completed = 0;
        for (const auto& r : replicas_) completed += r->completed();
        hooks.on_progress(simulated_ns, completed);
      };
    std::vector<std::int64_t> weights;
    for (const ReplicaGroup& group : groups) {
      auto alike = std::make_unique<RunConfig>(config);
      alike->kv = group.kv;
      alike->cost = group.cost;
      alike->vmm = group.vmm;
      alike->workload = nullptr;
      const auto step_ns = static_cast<std::int64_t>(group.cost.least_step_ns());
      for (std::int64_t i = 0; i < group.replicas; ++i) {
        const auto index = static_cast<std::int32_t>(replicas_.size());
        replicas_.push_back(std::make_unique<Replica>(*alike, hooks_, index, &trace_));
        places_.push_back({group.weight, step_ns});
        names_.push_back(group.name);
        weights.push_back(group.weight);
      }
      configs_.push_back(std::move(alike));
    }
    const RouterRow* row = find_router(config.fleet.router);
    STOWAGE_ASSERT(row != nullptr);
    reads_ = row->reads;
    router_ = row->make(weights, config.fleet.seed);
  }

  RunResult run() {
    const std::int64_t first = trace_.next_ns() == Arrivals::none ? 0 : trace_.next_ns();
    for (auto& r : replicas_) r->start(first);
    const bool followed = trace_.stream() != nullptr && trace_.stream()->has_followers();
    for (;;) {
      if (followed) await_ends();
      if (trace_.next_ns() == Arrivals::none) break;
      route(trace_.take());
      if (hooks_.on_progress && (++routed_ & 0xFFFF) == 0) hooks_.on_progress(now_, 0);
    }
    std::int64_t end = first;
    for (auto& r : replicas_) {
      r->run_until(Arrivals::none);
      end = std::max(end, r->ended_ns());
    }
    FleetResult out;
    for (std::size_t i = 0; i < replicas_.size(); ++i) out.add(replicas_[i]->finish(end), names_[i]);
    return out.take();
  }

 private:
  struct Place {
    std::int64_t weight, step_ns;   // no step of this replica is shorter
    std::int64_t steady_until = 0;  // its requests stay and its memory does not shrink before
  };

  /// Runs the fleet until no end before the next arrival, or at it, can let another request arrive sooner. Who may end
  /// first runs, and no further than where the next of the others may: its own ends draw its horizon in.
  void await_ends() {
    for (;;) {
      std::size_t first = 0;
      std::int64_t first_ns = Arrivals::none, second_ns = Arrivals::none;
      for (std::size_t i = 0; i < replicas_.size(); ++i) {
        const std::int64_t ns = replicas_[i]->no_end_before(std::max<std::int64_t>(places_[i].step_ns, 1));
        if (ns < first_ns) {
          second_ns = std::exchange(first_ns, ns);
          first = i;
        } else {
          second_ns = std::min(second_ns, ns);
        }
      }
      if (first_ns == Arrivals::none || first_ns > trace_.next_ns()) return;
      replicas_[first]->run_until(std::min(second_ns, trace_.next_ns()));
    }
  }

  void route(Request r) {
    now_ = r.arrival_ns;
    routed_request_ = &r;
    const std::size_t i = router_->pick(*this);
    Replica& replica = *replicas_[i];
    if (configs_.front()->frontend.any()) r.arrival_ns += configs_.front()->frontend.delay_ns(r.prompt_tokens);
    replica.deliver(r);
    places_[i].steady_until = 0;
    if (replica.inbox() >= Arrivals::batch) replica.run_until(now_);  // memory does not grow with the trace
  }

  Load load(std::size_t i) override {
    Replica& replica = *replicas_[i];
    Place& place = places_[i];
    if (place.steady_until <= now_ || reads_ == Reads::kv) {
      replica.run_until(now_);
      place.steady_until = replica.steady_until(place.step_ns, reads_ == Reads::kv);
    }
    return known_load(i);
  }
  std::int64_t hit(std::size_t i) override {
    replicas_[i]->run_until(now_);
    return replicas_[i]->hit(*routed_request_);
  }
  [[nodiscard]] std::int64_t prompt_tokens() const override { return routed_request_->prompt_tokens; }
  Load at_least(std::size_t i) override {
    if (places_[i].steady_until > now_) return known_load(i);
    return {0, 1};
  }
  /// As of the time the replica was brought up to, with what was delivered since.
  [[nodiscard]] Load known_load(std::size_t i) const {
    const Replica& replica = *replicas_[i];
    if (reads_ != Reads::kv) return {replica.outstanding(), places_[i].weight};
    return {replica.wanted_bytes(), replica.pool_bytes() * places_[i].weight};
  }

  std::shared_ptr<const Workload> workload_;
  RunHooks hooks_;
  Arrivals trace_;
  std::vector<std::unique_ptr<RunConfig>> configs_;  // one a group
  std::vector<std::unique_ptr<Replica>> replicas_;
  std::vector<Place> places_;
  std::vector<std::string> names_;  // of their groups
  std::unique_ptr<Router> router_;
  Reads reads_ = Reads::nothing;
  const Request* routed_request_ = nullptr;  // while the router decides
  std::int64_t now_ = 0;
  std::uint64_t routed_ = 0;
};
}  // namespace stowage
