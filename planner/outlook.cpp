#include "planner/outlook.hpp"

#include <tbb/info.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <array>

#include "base/error.hpp"

namespace stowage {
namespace {
/// Of the sustained rate: coarse where nothing happens, fine around the knee.
constexpr std::array<double, 12> shares = {0.1, 0.25, 0.4, 0.55, 0.7, 0.8, 0.9, 0.95, 1.0, 1.05, 1.15, 1.3};
constexpr double precision = 0.02;           // of a changed rate
constexpr std::size_t requests_max = 8'000;  // of its probes
constexpr double change = 0.2;

std::vector<SloSet> with_limits(std::vector<SloSet> slo, double factor) {
  for (SloSet& set : slo) {
    for (PlanTarget& t : set.targets) t.limit_ns *= factor;
    if (!set.goodput) continue;
    for (auto* limit : {&set.goodput->ttft_ns, &set.goodput->tpot_ns, &set.goodput->e2e_ns})
      if (*limit) **limit *= factor;
  }
  return slo;
}

RunConfig with_pool(RunConfig run, double factor) {
  run.kv.pool = Bytes{static_cast<std::int64_t>(static_cast<double>(run.kv.pool.count()) * factor)};
  return run;
}

struct Change {
  RunConfig run;
  double lengths = 1, limits = 1;
};

std::optional<double> changed_rate(const Workbench& bench, const std::vector<Request>& rows, const Change& c) {
  try {
    const RequestSet set = request_set(c.lengths == 1 ? rows : with_lengths(rows, c.lengths));
    const double rate = find_capacity(c.run, set, brief_of(set), with_limits(bench.study.plan.slo, c.limits), precision,
                                      {true})
                            .rate_per_s;
    return rate > 0 ? std::optional(rate) : std::nullopt;
  } catch (const InfeasibleError&) { return std::nullopt; }
}
}  // namespace

Outlook look_around(const Workbench& bench, const SearchResult& found, std::size_t winner, int jobs) {
  Outlook out;
  const Candidate& w = bench.candidates[winner];
  out.curves.push_back({winner, {}});
  for (const std::size_t i : found.best_of_kind)
    if (bench.candidates[i].kind != w.kind) out.curves.push_back({i, {}});
  for (Curve& curve : out.curves) curve.probes.resize(shares.size());

  const std::vector<Request> rows = of_length(*bench.busiest.rows, std::min(requests_max, bench.requests.size()));
  const RunConfig& run = w.config();
  const std::vector<Change> changes = {{run},
                                       {run, 1 - change},
                                       {run, 1 + change},
                                       {run, 1, 1 - change},
                                       {run, 1, 1 + change},
                                       {with_pool(run, 0.9)},
                                       {with_pool(run, 1.1)}};
  std::vector<std::optional<double>> rates(changes.size());

  const std::size_t probes = out.curves.size() * shares.size();
  const int cores = tbb::info::default_concurrency();
  tbb::task_arena arena(jobs > 0 ? std::min(jobs, cores) : cores);
  arena.execute([&] {
    tbb::parallel_for(std::size_t{0}, probes + changes.size(), [&](std::size_t i) {
      if (i >= probes) {
        rates[i - probes] = changed_rate(bench, rows, changes[i - probes]);
        return;
      }
      Curve& curve = out.curves[i / shares.size()];
      const Candidate& c = bench.candidates[curve.candidate];
      const double share = shares[i % shares.size()];
      // The probe at the sustained rate is known.
      curve.probes[i % shares.size()] = share == 1
                                            ? *c.capacity.at
                                            : run_probe(c.config(), bench.requests, share * c.capacity.rate_per_s,
                                                        bench.study.plan.slo, {false});
    });
  });
  out.base_per_s = rates[0].value_or(0);
  out.what_if = {{"prompt and output lengths", "20 % shorter", "20 % longer", rates[1], rates[2], ""},
                 {"limits of the SLO", "20 % tighter", "20 % looser", rates[3], rates[4], ""},
                 {"KV pool", "10 % smaller", "10 % larger", rates[5], rates[6], ""},
                 {"prefix-hit rate", "", "", {}, {}, "not modelled"}};
  return out;
}
}  // namespace stowage
