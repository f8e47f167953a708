#include "planner/uncertainty.hpp"

#include <fmt/format.h>
#include <tbb/info.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "planner/cost_draws.hpp"

namespace stowage {
namespace {
constexpr double precision = 0.02;  // of a rate in a draw: a fraction of what the draws differ by
constexpr std::size_t contenders_max = 4;
constexpr std::size_t requests_max = 8'000;  // of a draw's probe

std::vector<std::size_t> contenders_of(const Workbench& bench, const SearchResult& found, std::size_t winner) {
  std::vector<std::size_t> out = {winner};
  std::set<std::string> gpus = {bench.candidates[winner].hardware};
  for (const std::size_t i : found.ranking) {
    if (out.size() >= contenders_max) break;
    if (i != winner && (out.size() == 1 || gpus.insert(bench.candidates[i].hardware).second)) {
      gpus.insert(bench.candidates[i].hardware);
      out.push_back(i);
    }
  }
  return out;
}
}  // namespace

Uncertainty weigh(const Workbench& bench, const SearchResult& found, std::size_t winner, int jobs) {
  Uncertainty out;
  const PlanSpec& plan = bench.study.plan;
  out.draws = static_cast<std::uint64_t>(plan.draws);
  if (out.draws == 0) return out;
  const auto contenders = contenders_of(bench, found, winner);
  out.contenders = contenders.size();
  const std::size_t n = std::min(requests_max, bench.requests.size());
  const auto source = of_length(*bench.busiest.rows, n);
  const auto block = static_cast<std::size_t>(std::sqrt(static_cast<double>(source.size())));

  // rates[draw][contender]; each written by one task alone.
  std::vector<std::vector<double>> rates(out.draws, std::vector<double>(contenders.size()));
  const int cores = tbb::info::default_concurrency();
  tbb::task_arena arena(jobs > 0 ? std::min(jobs, cores) : cores);
  arena.execute([&] {
    tbb::parallel_for(std::uint64_t{0}, out.draws, [&](std::uint64_t d) {
      Rng rng(bench.study.seed, fmt::format("workload draw {}", d));
      const RequestSet set = request_set(block_bootstrap(source, block, rng));
      const RequestSet brief = brief_of(set);
      for (std::size_t k = 0; k < contenders.size(); ++k) {
        const Candidate& c = bench.candidates[contenders[k]];
        RunConfig run = c.config();
        run.cost = draw_cost(c, bench.study.seed, d);
        rates[d][k] = find_capacity(run, set, brief, plan.slo, precision, {true}).rate_per_s;
      }
    });
  });

  const Candidate& chosen = bench.candidates[winner];
  const std::int64_t decided = chosen.sizing->needed;
  std::map<std::int64_t, std::uint64_t> exactly;
  std::uint64_t enough = 0, won = 0, best_itself = 0;
  for (const auto& draw : rates) {
    out.rates.push_back(draw[0]);
    const std::int64_t replicas =
        draw[0] > 0 ? std::max<std::int64_t>(1, static_cast<std::int64_t>(std::ceil(bench.demand_per_s / draw[0])))
                    : INT64_MAX;
    if (replicas <= decided) ++enough;
    if (replicas != INT64_MAX) ++exactly[replicas];
    RankKey best{};
    std::size_t first = contenders.size();
    for (std::size_t k = 0; k < contenders.size(); ++k) {
      if (!(draw[k] > 0)) continue;
      const Candidate& c = bench.candidates[contenders[k]];
      const RankKey key = rank_key(bench.demand_per_s, draw[k], c.gpus, plan, c.price);
      // What costs the same is not a better decision: only the objective itself counts here.
      if (first == contenders.size() || std::pair(key[0], key[1]) < std::pair(best[0], best[1])) {
        best = key;
        first = k;
      }
    }
    if (first == contenders.size()) continue;
    // Two settings of the same GPUs are one purchase.
    const auto bought = [&](std::size_t k) {
      const Candidate& c = bench.candidates[contenders[k]];
      return draw[k] > 0 ? size_fleet(bench.demand_per_s, draw[k], c.gpus, plan, c.price).node_gpus : 0;
    };
    const bool same_gpu = bench.candidates[contenders[first]].hardware == chosen.hardware;
    if (first == 0) ++best_itself;
    if (first == 0 || (same_gpu && bought(first) == bought(0))) ++won;
  }
  const auto share = [&](std::uint64_t count) { return static_cast<double>(count) / static_cast<double>(out.draws); };
  out.suffices = share(enough);
  out.wins = share(won);
  out.best_settings = share(best_itself);
  std::uint64_t sum = 0;
  for (const auto& [replicas, count] : exactly) out.suffice_by_replicas[replicas] = share(sum += count);
  std::vector<double> sorted = out.rates;
  std::sort(sorted.begin(), sorted.end());
  out.rate_low = sorted[static_cast<std::size_t>(0.05 * static_cast<double>(sorted.size() - 1))];
  out.rate_high = sorted[static_cast<std::size_t>(std::ceil(0.95 * static_cast<double>(sorted.size() - 1)))];
  return out;
}
}  // namespace stowage
