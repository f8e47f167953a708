#include "sim/serve/router.hpp"

#include <algorithm>
#include <array>
#include <numeric>

#include "base/error.hpp"
#include "base/rng.hpp"

namespace stowage {
namespace {
using Weights = std::span<const std::int64_t>;

/// a.amount / a.capacity < b.amount / b.capacity, exactly.
bool less(const Load& a, const Load& b) {
  if (a.capacity == b.capacity) return a.amount < b.amount;  // of like replicas
  __extension__ using Wide = __int128;
  return static_cast<Wide>(a.amount) * b.capacity < static_cast<Wide>(b.amount) * a.capacity;
}

/// Smooth weighted round-robin, as nginx has it: every replica gains its weight, the richest serves and pays the sum
/// of weights; the first of equals. With equal weights that is 0, 1, 2, ...
class RoundRobin final : public Router {
 public:
  RoundRobin(Weights weights, std::uint64_t)
      : weights_(weights.begin(), weights.end()),
        credit_(weights.size(), 0),
        sum_(std::accumulate(weights_.begin(), weights_.end(), std::int64_t{0})),
        even_(std::ranges::adjacent_find(weights_, std::not_equal_to{}) == weights_.end()) {}
  std::size_t pick(FleetView&) override {
    if (even_) {
      const std::size_t i = next_;
      next_ = next_ + 1 == weights_.size() ? 0 : next_ + 1;
      return i;
    }
    for (std::size_t i = 0; i < weights_.size(); ++i) credit_[i] += weights_[i];
    const auto richest = std::ranges::max_element(credit_);  // the first of equals
    *richest -= sum_;
    return static_cast<std::size_t>(richest - credit_.begin());
  }

 private:
  std::vector<std::int64_t> weights_, credit_;
  std::int64_t sum_;
  bool even_;
  std::size_t next_ = 0;
};

class Random final : public Router {
 public:
  Random(Weights weights, std::uint64_t seed) : rng_(seed, "router") {
    std::int64_t sum = 0;
    for (const std::int64_t w : weights) below_.push_back(static_cast<std::uint64_t>(sum += w));
  }
  std::size_t pick(FleetView&) override {
    const std::uint64_t x = rng_.below(below_.back());
    return static_cast<std::size_t>(std::ranges::upper_bound(below_, x) - below_.begin());
  }

 private:
  Rng rng_;
  std::vector<std::uint64_t> below_;  // sums of the weights so far
};

/// The least loaded of all; of equals the first after the one chosen last, round and round. Bounds are cheap and loads
/// are not, so the replica of the lowest bound is asked first: few others can then be less.
class Least final : public Router {
 public:
  Least(Weights weights, std::uint64_t) : bounds_(weights.size()), last_(weights.size() - 1) {}
  std::size_t pick(FleetView& fleet) override {
    const std::size_t size = bounds_.size(), start = after(last_);
    std::size_t best = 0;  // counted from `start`, as all below
    for (std::size_t n = 0, i = start; n < size; ++n, i = after(i)) {
      bounds_[n] = fleet.at_least(i);
      if (less(bounds_[n], bounds_[best])) best = n;
    }
    const auto replica = [&](std::size_t n) { return start + n < size ? start + n : start + n - size; };
    Load least = fleet.load(replica(best));
    for (std::size_t n = 0; n < size; ++n) {
      const auto better = [&](const Load& l) { return n < best ? !less(least, l) : less(l, least); };
      if (n == best || !better(bounds_[n])) continue;
      const Load load = fleet.load(replica(n));
      if (!better(load)) continue;
      least = load;
      best = n;
    }
    return last_ = replica(best);
  }

 private:
  [[nodiscard]] std::size_t after(std::size_t i) const { return i + 1 == bounds_.size() ? 0 : i + 1; }
  std::vector<Load> bounds_;
  std::size_t last_;
};

/// Cache-aware, as vLLM's router and SGLang's gateway are by default (share 0.3, 64 requests, 1.5 times), and exact
/// where these go by a record of what they sent: the replica that has most of the prompt, unless that is little or the
/// fleet is out of balance. Then the least loaded.
class PrefixAffinity final : public Router {
 public:
  PrefixAffinity(Weights weights, std::uint64_t seed) : replicas_(weights.size()), least_(weights, seed) {}
  std::size_t pick(FleetView& fleet) override {
    const std::size_t least = least_.pick(fleet);
    Load most = fleet.load(0);
    for (std::size_t i = 1; i < replicas_; ++i)
      if (less(most, fleet.load(i))) most = fleet.load(i);
    const Load low = fleet.load(least);
    const bool apart = less({low.amount + 64 * low.capacity, low.capacity}, most);
    if (apart && less({3 * low.amount, low.capacity}, {2 * most.amount, most.capacity})) return least;
    std::size_t best = least;
    std::int64_t found = fleet.hit(least);
    for (std::size_t i = 0; i < replicas_; ++i) {
      const std::int64_t hit = fleet.hit(i);
      if (hit > found || (hit == found && less(fleet.load(i), fleet.load(best)))) {
        best = i;
        found = hit;
      }
    }
    return 10 * found > 3 * fleet.prompt_tokens() ? best : least;
  }

 private:
  std::size_t replicas_;
  Least least_;
};

/// The less loaded of two different ones drawn at random; the first drawn of equals.
class PowerOfTwo final : public Router {
 public:
  PowerOfTwo(Weights weights, std::uint64_t seed) : rng_(seed, "router"), replicas_(weights.size()) {}
  std::size_t pick(FleetView& fleet) override {
    if (replicas_ == 1) return 0;
    const std::size_t first = rng_.below(replicas_);
    std::size_t second = rng_.below(replicas_ - 1);
    if (second >= first) ++second;
    return less(fleet.load(second), fleet.load(first)) ? second : first;
  }

 private:
  Rng rng_;
  std::size_t replicas_;
};

template <class R>
std::unique_ptr<Router> make(Weights weights, std::uint64_t seed) {
  STOWAGE_ASSERT(!weights.empty());
  return std::make_unique<R>(weights, seed);
}
}  // namespace

std::span<const RouterRow> routers() {
  static constexpr std::array rows = {
      RouterRow{"round-robin", "each in turn, by weight", Reads::nothing, false, make<RoundRobin>},
      RouterRow{"random", "any, by weight", Reads::nothing, true, make<Random>},
      RouterRow{"least-outstanding", "fewest requests under way", Reads::outstanding, false, make<Least>},
      RouterRow{"power-of-two", "fewer requests under way of two drawn", Reads::outstanding, true, make<PowerOfTwo>},
      RouterRow{"prefix-affinity", "most of the prompt in its prefix cache", Reads::prefixes, false,
                make<PrefixAffinity>},
      RouterRow{"least-kv", "least of its KV pool held or wanted", Reads::kv, false, make<Least>},
  };
  return rows;
}

const RouterRow* find_router(std::string_view name) {
  for (const RouterRow& row : routers())
    if (row.name == name) return &row;
  return nullptr;
}
}  // namespace stowage
