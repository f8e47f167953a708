#include "planner/decision.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <tuple>

#include "base/error.hpp"
#include "planner/spec_sheet.hpp"

namespace stowage {
namespace {
constexpr double firm_from = 0.9, likely_from = 0.7;
constexpr std::uint64_t draws_least = 10;  // fewer cannot tell 90 % from certainty

std::string money(double usd) { return usd >= 100 ? fmt::format("{:.0f} USD", usd) : fmt::format("{:.2f} USD", usd); }
std::string plural(std::int64_t n, std::string_view noun) { return fmt::format("{} {}{}", n, noun, n == 1 ? "" : "s"); }
std::string percent(double share) { return fmt::format("{:.0f} %", share * 100); }

std::string firmness_of(const Candidate& c, const Uncertainty& u) {
  if (c.grounds == Grounds::roofline) return "unproven (roofline)";
  if (u.draws == 0) return "not weighed (no draws)";
  if (u.draws < draws_least) return fmt::format("too few draws to say ({})", u.draws);
  const double sure = std::min(u.suffices, u.wins);
  const std::string word = sure >= firm_from ? "firm" : sure >= likely_from ? "likely" : "a coin flip";
  // Prices stretched to a shape or a GPU that nobody measured carry an error that no draw knows.
  if (c.grounds == Grounds::scaled) return (word == "firm" ? "likely" : word) + " (scaled prices)";
  if (c.grounds == Grounds::published) return (word == "firm" ? "likely" : word) + " (prices published by others)";
  return c.grounds == Grounds::linear ? word + " (given your coefficients)" : word;
}

/// The fleet at the demand behind the scenario's router; of a very large one so many replicas at their share of it.
Probe fleet_at(const Workbench& bench, const Candidate& c, std::int64_t replicas) {
  const std::int64_t simulated = std::min(replicas, fleet_simulated_max);
  // Each replica needs a run long enough to judge: 2,000 requests, as far as that stays affordable.
  const auto wanted = std::clamp<std::size_t>(static_cast<std::size_t>(simulated) * 2000, bench.requests.size(),
                                              std::max<std::size_t>(bench.requests.size(), 200'000));
  // Repeated rows must not come to the same replica in every turn of a router that takes turns.
  std::vector<Request> rows = *bench.busiest.rows;
  while (rows.size() < wanted && rows.size() > 1 && std::gcd(rows.size(), static_cast<std::size_t>(simulated)) > 1)
    rows.pop_back();
  const RequestSet set = request_set(of_length(rows, wanted));
  const double share = static_cast<double>(simulated) / static_cast<double>(replicas);
  return run_probe(fleet_of(c.config(), simulated), set, bench.demand_per_s * share, bench.study.plan.slo,
                   {false});
}

/// The largest factor on all lengths that one replica's share of the demand still stands, to 2 %; 0 when not even 1.
double length_headroom(const Workbench& bench, const Candidate& c) {
  const double rate = bench.demand_per_s / static_cast<double>(c.sizing->needed);
  const auto stands = [&](double factor) {
    const RequestSet set = request_set(with_lengths(*bench.requests.rows, factor));
    return run_probe(c.config(), set, rate, bench.study.plan.slo, {true}).met;
  };
  if (!stands(1)) return 0;
  double good = 1, bad = 4;
  if (stands(bad)) return bad;
  while (bad / good > 1.02) {
    const double middle = std::sqrt(good * bad);
    (stands(middle) ? good : bad) = middle;
  }
  return good;
}

/// "16 of 16,000 requests (0.1 %) are not served: longer than max_model_len"; empty when all are.
std::string unserved_text(const Probe& p) {
  if (p.rejected == 0) return "";
  return fmt::format("{} of {} requests ({:.2g} %) {} not served: {}", p.rejected, p.requests,
                     static_cast<double>(p.rejected) / static_cast<double>(p.requests) * 100,
                     p.rejected == 1 ? "is" : "are", p.rejected_why);
}

/// At what price another GPU's best would win, and what more demand would need.
std::vector<std::string> changes_of(const Plan& plan) {
  std::vector<std::string> out;
  const Workbench& bench = plan.bench;
  const Candidate& w = bench.candidates[*plan.decision.winner];
  const Sizing& s = *w.sizing;
  const double knee = bench.study.plan.knee;
  const double full = static_cast<double>(s.needed) * knee * w.capacity.rate_per_s;
  out.push_back(fmt::format("demand above {:.4g} requests/s ({:+.0f} %) needs {}", full,
                            (full / bench.demand_per_s - 1) * 100, plural(s.replicas + 1, "replica")));
  if (bench.priced && bench.study.plan.objective == Objective::cost) {
    std::map<std::string, std::size_t> best;
    for (const std::size_t i : plan.found.ranking) best.emplace(bench.candidates[i].hardware, i);
    for (const auto& [gpu, i] : best) {
      if (gpu == w.hardware) continue;
      const Sizing& other = *bench.candidates[i].sizing;
      out.push_back(fmt::format("{} would win below {} a node-hour (now {})", gpu,
                                money(s.usd_per_hour / static_cast<double>(other.nodes)),
                                money(bench.candidates[i].price.usd_per_hour)));
    }
  }
  if (w.capacity.beyond && !w.capacity.beyond->targets.empty())
    out.push_back(w.capacity.beyond->binding() == "saturation"
                      ? std::string("saturation binds: a replica can do no more, however loose the targets")
                      : fmt::format("{} binds: a looser target there raises what a replica sustains",
                                    w.capacity.beyond->binding()));
  return out;
}

/// Why nothing will do: the candidate that comes nearest, at the slowest rate tried.
void explain_infeasible(Plan& plan) {
  Decision& d = plan.decision;
  const Workbench& bench = plan.bench;
  std::optional<Probe> nearest;
  const Candidate* who = nullptr;
  double least = -std::numeric_limits<double>::infinity();
  for (const std::size_t i : plan.found.searched) {
    const Candidate& c = bench.candidates[i];
    const RateGrid grid(c.bound_per_s, bench.study.plan.precision);
    const Probe probe =
        run_probe(c.config(), bench.requests, grid.rate(grid.slowest()), bench.study.plan.slo, {false});
    double worst = 0;
    for (const auto& t : probe.targets) worst = std::min(worst, t.margin);
    if (worst > least || who == nullptr) {
      least = worst;
      nearest = probe;
      who = &c;
    }
  }
  STOWAGE_ASSERT(who != nullptr);
  d.binding = nearest->binding();
  std::string by;
  for (const auto& t : nearest->targets)
    if (t.key == d.binding)
      by = t.key.starts_with("goodput")
               ? fmt::format("{:.4g} % of the requests good and {:.4g} % asked for", t.achieved * 100, t.limit * 100)
               : fmt::format("{} instead of {}",
                             std::isfinite(t.achieved) ? format_duration(std::round(t.achieved / 1e3) * 1e3) : "never",
                             format_duration(t.limit));
  const std::string unserved = unserved_text(*nearest);
  d.text = fmt::format(
      "Nothing meets the SLO, at any rate: {} binds; {} comes nearest, with {} at {:.3g} requests/s{}{}.", d.binding,
      who->name, by.empty() ? "a queue that grows" : by, nearest->rate_per_s, unserved.empty() ? "" : "; ", unserved);
}

void decide(Plan& plan, int jobs) {
  Decision& d = plan.decision;
  const Workbench& bench = plan.bench;
  const PlanSpec& spec = bench.study.plan;
  if (plan.found.ranking.empty()) {
    const auto& best = plan.found.best_of_kind;
    if (best.empty()) return explain_infeasible(plan);
    const auto least = std::min_element(best.begin(), best.end(), [&](std::size_t a, std::size_t b) {
      return bench.candidates[a].key < bench.candidates[b].key;
    });
    const Candidate& c = bench.candidates[*least];
    d.binding = "deployable";
    d.text = fmt::format("No engine ships what meets the SLO here; {} of {} would.",
                         plural(c.sizing->replicas, "replica"), c.name);
    return;
  }
  const std::size_t chosen = plan.found.ranking.front();
  const Candidate& w = bench.candidates[chosen];
  const Sizing& s = *w.sizing;
  d.winner = chosen;
  d.feasible = w.key[0] == 0;
  if (w.capacity.beyond) d.binding = w.capacity.beyond->binding();
  if (!d.feasible) {
    const bool gpus = spec.gpus_max && s.node_gpus > *spec.gpus_max;
    d.binding = gpus ? "limits.gpus" : "limits.usd_per_hour";
    const double over = gpus ? static_cast<double>(s.node_gpus) / static_cast<double>(*spec.gpus_max)
                             : s.usd_per_hour / *spec.usd_per_hour_max;
    d.text = fmt::format(
        "The demand cannot be met within {}: {:.4g} requests/s need {} GPUs in {} ({}), {:.2f} times "
        "the limit.",
        d.binding, bench.demand_per_s, s.node_gpus, plural(s.nodes, "node"), w.name, over);
    return;
  }
  plan.uncertainty = weigh(bench, plan.found, chosen, jobs);
  d.firmness = firmness_of(w, plan.uncertainty);
  d.checked = fleet_at(bench, w, s.needed);
  if (s.needed > 1) d.one_less = fleet_at(bench, w, s.needed - 1);
  d.headroom_rate = static_cast<double>(s.needed) * w.capacity.rate_per_s / bench.demand_per_s;
  d.headroom_length = length_headroom(bench, w);
  const double tokens_per_s = bench.demand_per_s * d.checked->output_tokens_a_request;
  d.usd_per_million_output_tokens = s.usd_per_hour / (tokens_per_s * 3600 / 1e6);
  d.joules_per_output_token = s.watts / tokens_per_s;
  d.text = fmt::format("{} of {} {} ({}{}): {}", plural(s.replicas, "replica"), w.name,
                       s.replicas == 1 ? "serves this" : "serve this", plural(s.nodes, "node"),
                       bench.priced ? fmt::format(", {} an hour", money(s.usd_per_hour)) : "", d.firmness);
  if (plan.uncertainty.draws > 0)
    d.text += fmt::format("; {} suffice{} in {} of draws", plural(s.needed * w.gpus, "GPU"),
                          s.needed * w.gpus == 1 ? "s" : "", percent(plan.uncertainty.suffices));
  // The sizing is arithmetic, the fleet a simulation: where they part, the simulation is to be believed.
  if (!d.checked->met) d.text += fmt::format("; but simulated at the demand it misses {}", d.checked->binding());
  if (d.checked->rejected > 0) d.text += "; " + unserved_text(*d.checked);
  d.text += ".";
  if (const std::string caveat = spec_sheet_caveat(bench.candidates, plan.found.ranking); !caveat.empty())
    d.text += " " + caveat;
  d.changes = changes_of(plan);
  plan.outlook = look_around(bench, plan.found, chosen, jobs);
  for (const std::size_t i : plan.found.best_of_kind) {
    const Candidate& c = bench.candidates[i];
    const bool saves = c.sizing->gpus < s.gpus || c.sizing->usd_per_hour < s.usd_per_hour;
    if (!c.can_deploy() && c.key < w.key && saves)
      d.savings.push_back({i, s.gpus - c.sizing->gpus, s.usd_per_hour - c.sizing->usd_per_hour});
  }
}
}  // namespace

double unit_cost(const Workbench& bench, const Candidate& c) {
  const double gpu = bench.priced ? c.price.usd_per_hour / static_cast<double>(c.price.gpus) : 1;
  const double tokens_per_s = bench.study.plan.knee * c.capacity.rate_per_s * c.capacity.at->output_tokens_a_request;
  return gpu * static_cast<double>(c.gpus) / (tokens_per_s * 3600 / 1e6);
}

std::vector<std::size_t> pareto_front(const Plan& plan, const Figure& first, const Figure& second) {
  const auto& all = plan.bench.candidates;
  std::vector<std::size_t> order, out;
  for (const std::size_t i : plan.found.searched)
    if (all[i].capacity.at) order.push_back(i);
  // What nobody measured (the time between tokens of requests of one token) is worse than any figure.
  const auto known = [](double x) { return std::isnan(x) ? std::numeric_limits<double>::infinity() : x; };
  const auto key = [&](std::size_t i) { return std::tuple(known(first(all[i])), known(second(all[i])), i); };
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return key(a) < key(b); });
  for (const std::size_t i : order)
    if (out.empty() || known(second(all[i])) < known(second(all[out.back()]))) out.push_back(i);
  return out;
}

std::vector<std::size_t> pareto_front(const Plan& plan) {
  return pareto_front(
      plan, [&](const Candidate& c) { return unit_cost(plan.bench, c); },
      [](const Candidate& c) { return c.capacity.at->tpot_p50_ns; });
}

Plan make_plan(Study study, int jobs) {
  Plan plan;
  plan.bench = set_up(std::move(study), jobs);
  plan.found = search(plan.bench, plan.bench.study.plan.exhaustive, jobs);
  decide(plan, jobs);
  return plan;
}
}  // namespace stowage
