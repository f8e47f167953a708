#include "planner/search.hpp"

#include <tbb/info.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <optional>

#include "planner/bound.hpp"
#include "sim/kv/registry.hpp"

namespace stowage {
namespace {
constexpr std::size_t round_size = 8;
constexpr double estimate_slack = 1.1;  // of a rate
constexpr double never = std::numeric_limits<double>::infinity();
constexpr RankKey worst = {never, never, never, never};

RankKey key_at(const Workbench& bench, const Candidate& c, double rate) {
  return rank_key(bench.demand_per_s, rate, c.gpus, bench.study.plan, c.price);
}

/// Best first; equals by number.
void sort_by_key(const Workbench& bench, std::vector<std::size_t>& order) {
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const auto &x = bench.candidates[a].key, &y = bench.candidates[b].key;
    return x != y ? x < y : a < b;
  });
}

/// A manager that engines ship, or as no engine has it.
std::size_t kind_of(const Candidate& c) {
  return 2 * static_cast<std::size_t>(find_manager(c.kind) - managers().data()) + (c.can_deploy() ? 0 : 1);
}
std::size_t kinds() { return 2 * managers().size(); }

/// What a candidate must be better than: the tenth of those that can be deployed, or the best of its kind, whichever
/// is worse. `worst` while there are too few.
class Incumbents {
 public:
  explicit Incumbents(const Workbench& bench) : bench_(bench) {}
  void add(std::size_t i) {
    const Candidate& c = bench_.candidates[i];
    if (!c.sizing) return;
    if (c.can_deploy()) {
      deployable_.push_back(i);
      sort_by_key(bench_, deployable_);
      if (deployable_.size() > ranked_max) deployable_.pop_back();
    }
    auto& best = kind_[kind_of(c)];
    if (!best || c.key < bench_.candidates[*best].key) best = i;
  }
  [[nodiscard]] RankKey to_beat(const Candidate& c) const {
    const auto& best = kind_[kind_of(c)];
    RankKey key = best ? bench_.candidates[*best].key : worst;
    if (c.can_deploy())
      key = std::max(key, deployable_.size() < ranked_max ? worst : bench_.candidates[deployable_.back()].key);
    return key;
  }

 private:
  const Workbench& bench_;
  std::vector<std::size_t> deployable_;
  std::vector<std::optional<std::size_t>> kind_ = std::vector<std::optional<std::size_t>>(kinds());
};

void settle(const Workbench& bench, Candidate& c) {
  c.fate = Fate::searched;
  if (!(c.capacity.rate_per_s > 0)) return;
  c.sizing = size_fleet(bench.demand_per_s, c.capacity.rate_per_s, c.gpus, bench.study.plan, c.price);
  c.key = key_at(bench, c, c.capacity.rate_per_s);
}

/// The slowest rate of the grid that would beat `key`; -1 when not even the bound does.
int needed_step(const Workbench& bench, const Candidate& c, const RateGrid& grid, const RankKey& key) {
  if (!(key_at(bench, c, grid.rate(0)) < key)) return -1;
  int good = 0, bad = grid.slowest() + 1;
  while (bad - good > 1) {
    const int middle = good + (bad - good) / 2;
    (key_at(bench, c, grid.rate(middle)) < key ? good : bad) = middle;
  }
  return good;
}

struct Spent {
  std::uint64_t probes = 0, requests = 0;
};

Spent evaluate(const Workbench& bench, Candidate& c, const RankKey& to_beat, const ProbeOptions& options) {
  Spent spent;
  const auto& slo = bench.study.plan.slo;
  if (to_beat != worst) {
    const RateGrid grid(c.bound_per_s, bench.study.plan.precision);
    const int step = needed_step(bench, c, grid, to_beat);
    if (step < 0) {
      c.fate = Fate::bounded;
      return spent;
    }
    const Probe probe = run_probe(c.config(), bench.requests, grid.rate(step), slo, options);
    spent = {1, probe.requests};
    if (!probe.met) {
      c.fate = Fate::dropped;
      return spent;
    }
  }
  c.capacity = find_capacity(c.config(), bench.requests, bench.brief, slo, bench.study.plan.precision, options);
  settle(bench, c);
  return {spent.probes + c.capacity.probes, spent.requests + c.capacity.requests};
}

/// Whether the estimates so far leave a candidate a chance, and if so its own estimate.
std::optional<double> estimate(const Workbench& bench, const Candidate& c, const RankKey& to_beat,
                               const ProbeOptions& options) {
  const RateGrid grid(c.bound_per_s, bench.study.plan.precision);
  const auto& slo = bench.study.plan.slo;
  std::optional<int> sustained;
  if (to_beat != worst) {
    const int step = needed_step(bench, c, grid, to_beat);
    if (step < 0) return std::nullopt;
    // A few requests judge roughly: only what misses with some room to spare is put last.
    sustained = std::min(grid.slowest(), step + grid.steps_of(estimate_slack));
    if (!about_sustained(c.config(), bench.brief, grid.rate(*sustained), slo, options)) return std::nullopt;
  }
  return grid.rate(estimate_step(c.config(), bench.brief, slo, grid, sustained, options));
}

/// The most promising first: the sooner there is something to beat, the fewer are searched to the end. By bound, then
/// by brief probes of those that could still matter if the estimates were right; the order decides nothing else.
void put_in_order(Workbench& bench, std::vector<std::size_t>& order, tbb::task_arena& arena, bool exhaustive) {
  sort_by_key(bench, order);
  if (exhaustive || order.size() <= round_size) return;
  Workbench guess = bench;  // its candidates settle at what the estimates say
  Incumbents incumbents(guess);
  std::vector<std::size_t> estimated, rest;
  constexpr std::size_t wide = 2 * round_size;
  for (std::size_t begin = 0; begin < order.size(); begin += wide) {
    const std::size_t end = std::min(order.size(), begin + wide);
    std::vector<std::optional<double>> rate(end - begin);
    arena.execute([&] {
      tbb::parallel_for(begin, end, [&](std::size_t i) {
        const Candidate& c = guess.candidates[order[i]];
        rate[i - begin] = estimate(bench, c, incumbents.to_beat(c), {true});
      });
    });
    for (std::size_t i = begin; i < end; ++i) {
      (rate[i - begin] ? estimated : rest).push_back(order[i]);
      if (!rate[i - begin]) continue;
      Candidate& c = guess.candidates[order[i]];
      c.capacity.rate_per_s = *rate[i - begin];
      settle(guess, c);
      incumbents.add(order[i]);
    }
  }
  sort_by_key(guess, estimated);
  order = std::move(estimated);
  order.insert(order.end(), rest.begin(), rest.end());
}
}  // namespace

SearchResult search(Workbench& bench, bool exhaustive, int jobs) {
  SearchResult out;
  std::vector<std::size_t> order;
  out.counts.candidates = bench.candidates.size();
  for (std::size_t i = 0; i < bench.candidates.size(); ++i) {
    Candidate& c = bench.candidates[i];
    if (c.fate == Fate::impossible) continue;
    order.push_back(i);
    c.bound_per_s = rate_bound(c.config(), bench.requests);
    c.key = key_at(bench, c, RateGrid(c.bound_per_s, bench.study.plan.precision).rate(0));
  }
  out.counts.impossible = bench.candidates.size() - order.size();
  const ProbeOptions options{true};
  const int cores = tbb::info::default_concurrency();
  tbb::task_arena arena(jobs > 0 ? std::min(jobs, cores) : cores);
  put_in_order(bench, order, arena, exhaustive);
  Incumbents incumbents(bench);
  const std::size_t round = exhaustive ? std::max<std::size_t>(1, order.size()) : round_size;
  for (std::size_t begin = 0; begin < order.size(); begin += round) {
    const std::size_t end = std::min(order.size(), begin + round);
    std::vector<Spent> spent(end - begin);
    arena.execute([&] {
      tbb::parallel_for(begin, end, [&](std::size_t i) {
        Candidate& c = bench.candidates[order[i]];
        spent[i - begin] = evaluate(bench, c, exhaustive ? worst : incumbents.to_beat(c), options);
      });
    });
    for (std::size_t i = begin; i < end; ++i) {
      incumbents.add(order[i]);
      out.counts.probes += spent[i - begin].probes;
      out.counts.requests += spent[i - begin].requests;
    }
  }

  std::vector<std::optional<std::size_t>> best(kinds());
  for (std::size_t i = 0; i < bench.candidates.size(); ++i) {
    const Candidate& c = bench.candidates[i];
    if (c.fate == Fate::bounded) ++out.counts.bounded;
    if (c.fate == Fate::dropped) ++out.counts.dropped;
    if (c.fate != Fate::searched) continue;
    ++out.counts.searched;
    out.searched.push_back(i);
    if (!c.sizing) continue;
    if (c.can_deploy()) out.ranking.push_back(i);
    auto& own = best[kind_of(c)];
    if (!own || c.key < bench.candidates[*own].key) own = i;
  }
  sort_by_key(bench, out.ranking);
  for (const auto& i : best)
    if (i) out.best_of_kind.push_back(*i);
  return out;
}
}  // namespace stowage
