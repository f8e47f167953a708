#include "tests/oracle/fleet.hpp"

#include <cmath>
#include <limits>
#include <string>

#include "base/error.hpp"
#include "base/rng.hpp"

namespace stowage {
namespace oracle {
namespace {

class Fleet {
 public:
  explicit Fleet(const RunConfig& config) : c_(config), rng_(config.fleet.seed, "router") {
    std::vector<ReplicaGroup> groups = c_.fleet.groups;
    if (groups.empty()) groups.push_back({"", 1, 1, c_.kv, c_.cost, c_.vmm});
    for (const auto& g : groups) {
      for (std::int64_t i = 0; i < g.replicas; ++i) {
        auto own = std::make_unique<RunConfig>(c_);
        own->kv = g.kv;
        own->cost = g.cost;
        own->vmm = g.vmm;
        replicas_.push_back(make_replica(*own));
        weights_.push_back(g.weight);
        pools_.push_back(g.kv.pool.count());
        credits_.push_back(0);
        configs_.push_back(std::move(own));
      }
    }
    last_ = replicas_.size() - 1;
  }

  std::vector<OracleResult> run(const std::vector<Request>& requests) {
    const std::int64_t first = requests.empty() ? 0 : requests.front().arrival_ns;
    for (auto& r : replicas_) r->start(first);
    for (Request q : requests) {
      for (auto& r : replicas_) r->run_until(q.arrival_ns);
      const std::size_t i = pick();
      q.arrival_ns += std::llround(c_.frontend.per_request_ns + c_.frontend.per_prompt_token_ns * q.prompt_tokens);
      replicas_[i]->deliver(q);
    }
    std::int64_t end = first;
    for (auto& r : replicas_) {
      r->run_until(std::numeric_limits<std::int64_t>::max());
      end = std::max(end, r->ended_ns());
    }
    std::vector<OracleResult> out;
    for (auto& r : replicas_) out.push_back(r->finish(end));
    return out;
  }

 private:
  std::size_t pick() {
    const std::size_t n = replicas_.size();
    const std::string& name = c_.fleet.router;
    if (name == "random") {
      std::int64_t sum = 0;
      for (const std::int64_t w : weights_) sum += w;
      auto ticket = static_cast<std::int64_t>(rng_.below(static_cast<std::uint64_t>(sum)));
      std::size_t i = 0;
      while (ticket >= weights_[i]) ticket -= weights_[i++];
      return i;
    }
    if (name == "round-robin") {
      std::size_t best = 0;
      std::int64_t sum = 0;
      for (std::size_t i = 0; i < n; ++i) {
        sum += weights_[i];
        credits_[i] += weights_[i];
        if (credits_[i] > credits_[best]) best = i;
      }
      credits_[best] -= sum;
      return best;
    }
    if (name == "power-of-two") {
      if (n == 1) return 0;
      const std::size_t a = rng_.below(n);
      std::size_t b = rng_.below(n - 1);
      if (b >= a) b += 1;
      return busier(a, b) ? b : a;
    }
    STOWAGE_ASSERT(name == "least-outstanding" || name == "least-kv");
    std::size_t best = (last_ + 1) % n;
    for (std::size_t k = 2; k <= n; ++k)
      if (busier(best, (last_ + k) % n)) best = (last_ + k) % n;
    last_ = best;
    return best;
  }

  /// Is replica a's load greater than b's? Fractions of small numbers: exact in 128 bits.
  [[nodiscard]] bool busier(std::size_t a, std::size_t b) const {
    if (c_.fleet.router == "least-kv") {
      const __int128 left = static_cast<__int128>(replicas_[a]->wanted_bytes()) * pools_[b] * weights_[b];
      const __int128 right = static_cast<__int128>(replicas_[b]->wanted_bytes()) * pools_[a] * weights_[a];
      return left > right;
    }
    return replicas_[a]->outstanding() * weights_[b] > replicas_[b]->outstanding() * weights_[a];
  }

  const RunConfig& c_;
  Rng rng_;
  std::vector<std::unique_ptr<RunConfig>> configs_;
  std::vector<std::unique_ptr<SteppedReplica>> replicas_;
  std::vector<std::int64_t> weights_, pools_, credits_;
  std::size_t last_ = 0;
};
}  // namespace
}  // namespace oracle

std::vector<OracleResult> oracle_fleet(const RunConfig& config, const std::vector<Request>& requests) {
  return oracle::Fleet(config).run(requests);
}
}  // namespace stowage
