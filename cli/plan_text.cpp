#include "cli/plan_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <vector>

#include "cli/table.hpp"
#include "planner/cost_draws.hpp"
#include "reports/text.hpp"

namespace stowage::cli {
namespace {
using Rows = std::vector<std::vector<std::string>>;

std::string rate(double per_s) { return fmt::format("{}/s", text::number(per_s)); }
std::string usd(const Workbench& bench, double x) { return bench.priced ? fmt::format("{:.2f}", x) : "-"; }

std::string wrapped(const std::string& sentence, std::string_view indent = "") {
  std::string out;
  for (const auto& line : text::wrap(sentence, 118 - indent.size())) out += fmt::format("{}{}\n", indent, line);
  return out;
}

std::string value_of(const TargetResult& t, double x) {
  if (t.key.starts_with("goodput")) return text::percent(x);
  return x > 1e17 ? std::string("never") : text::duration(x);
}

std::string slo_table(const Plan& plan) {
  const Decision& d = plan.decision;
  if (!d.checked) return "";
  const Sizing& s = *plan.bench.candidates[*d.winner].sizing;
  const Candidate& w = plan.bench.candidates[*d.winner];
  Rows rows = {{"SLO at " + rate(plan.bench.demand_per_s), "limit", text::plural(s.needed, "replica")}};
  if (d.one_less) rows[0].push_back(fmt::format("with {}", s.needed - 1));
  rows[0].push_back("one replica at " + rate(w.capacity.rate_per_s));
  for (std::size_t i = 0; i < d.checked->targets.size(); ++i) {
    const auto cell = [&](const Probe& p) {
      const TargetResult& t = p.targets[i];
      return fmt::format("{} {}", value_of(t, t.achieved), t.met ? "ok" : "MISS");
    };
    const TargetResult& t = d.checked->targets[i];
    std::vector<std::string> row = {"  " + t.key, value_of(t, t.limit), cell(*d.checked)};
    if (d.one_less) row.push_back(cell(*d.one_less));
    row.push_back(cell(*w.capacity.at));
    rows.push_back(std::move(row));
  }
  std::string out = table(rows);
  if (d.one_less && d.one_less->saturated) out += fmt::format("  with {} the queue grows for ever\n", s.needed - 1);
  return out;
}

std::string managers_table(const Plan& plan) {
  const auto& best = plan.found.best_of_kind;
  if (best.empty()) return "";
  std::vector<std::string> head = {"the best of each manager"}, can = {"  deployable with"},
                           sustained = {"  one replica"}, replicas = {"  replicas"}, gpus = {"  GPUs"},
                           cost = {"  USD an hour"}, lost = {"  KV lost"}, binds = {"  binds"}, prices = {"  prices"};
  for (const std::size_t i : best) {
    const Candidate& c = plan.bench.candidates[i];
    head.push_back(c.manager);
    can.push_back(c.deployable);
    sustained.push_back(rate(c.capacity.rate_per_s));
    replicas.push_back(fmt::format("{} x {} {}", c.sizing->replicas, c.gpus, c.hardware));
    gpus.push_back(fmt::format("{}", c.sizing->gpus));
    cost.push_back(usd(plan.bench, c.sizing->usd_per_hour));
    lost.push_back(text::percent(c.capacity.at->kv_lost));
    binds.push_back(c.capacity.beyond ? c.capacity.beyond->binding() : "-");
    prices.emplace_back(grounds_names[static_cast<std::size_t>(c.grounds)]);
  }
  return table({head, can, prices, sustained, replicas, gpus, cost, lost, binds});
}

std::string top_ten(const Plan& plan) {
  if (plan.found.ranking.empty()) return "";
  Rows rows = {{"", "one replica", "replicas", "GPUs", "idle", "USD/h", "USD/M out", "TTFT p50", "TPOT p50", "prices"}};
  for (std::size_t n = 0; n < plan.found.ranking.size() && n < ranked_max; ++n) {
    const Candidate& c = plan.bench.candidates[plan.found.ranking[n]];
    const Sizing& s = *c.sizing;
    rows.push_back({fmt::format("{:2}. {}", n + 1, text::fit(c.name, 80)), rate(c.capacity.rate_per_s),
                    fmt::format("{}", s.replicas), fmt::format("{}", s.gpus), fmt::format("{}", s.stranded),
                    usd(plan.bench, s.usd_per_hour), usd(plan.bench, unit_cost(plan.bench, c)),
                    text::duration(c.capacity.at->ttft_p50_ns), text::duration(c.capacity.at->tpot_p50_ns),
                    std::string(grounds_names[static_cast<std::size_t>(c.grounds)])});
  }
  return table(rows);
}

/// Last, because it is long: what to copy.
std::string commands(const Plan& plan) {
  std::string out;
  for (std::size_t n = 0; n < plan.found.ranking.size() && n < ranked_max; ++n) {
    const Candidate& c = plan.bench.candidates[plan.found.ranking[n]];
    out += fmt::format("{:2}. {}\n", n + 1, c.sets.empty() ? "(the scenario as it is)" : c.sets);
    if (const auto vllm = vllm_command(c); !vllm.empty()) out += fmt::format("    {}\n", vllm);
  }
  return out.empty() ? "" : "to get the ten best:\n" + out;
}

/// Cost a token upwards, time a token to the right, both logarithmic; o = searched, * = on the front.
std::string pareto_chart(const Plan& plan) {
  constexpr std::size_t width = 64, height = 9;
  const auto front = pareto_front(plan);
  std::vector<std::size_t> all;
  for (const std::size_t i : plan.found.searched)
    if (plan.bench.candidates[i].capacity.at) all.push_back(i);
  if (all.size() < 3) return "";
  const auto x_of = [&](std::size_t i) { return plan.bench.candidates[i].capacity.at->tpot_p50_ns; };
  const auto y_of = [&](std::size_t i) { return unit_cost(plan.bench, plan.bench.candidates[i]); };
  double x0 = x_of(all[0]), x1 = x0, y0 = y_of(all[0]), y1 = y0;
  for (const std::size_t i : all) {
    x0 = std::min(x0, x_of(i));
    x1 = std::max(x1, x_of(i));
    y0 = std::min(y0, y_of(i));
    y1 = std::max(y1, y_of(i));
  }
  const auto cell = [](double v, double low, double high, std::size_t n) {
    if (!(high > low) || !(low > 0)) return std::size_t{0};
    return static_cast<std::size_t>(std::lround(std::log(v / low) / std::log(high / low) * static_cast<double>(n - 1)));
  };
  std::vector<std::string> grid(height, std::string(width, ' '));
  const auto mark = [&](std::size_t i, char c) {
    grid[height - 1 - cell(y_of(i), y0, y1, height)][cell(x_of(i), x0, x1, width)] = c;
  };
  for (const std::size_t i : all) mark(i, 'o');
  for (const std::size_t i : front) mark(i, '*');
  std::string out = fmt::format("{} per million output tokens against time per output token, at the sustained rate\n",
                                plan.bench.priced ? "USD" : "GPU-hours");
  for (std::size_t r = 0; r < height; ++r) {
    const std::string label = r == 0 ? text::number(y1) : r + 1 == height ? text::number(y0) : "";
    out += fmt::format("{:>9} |{}\n", label, grid[r].substr(0, grid[r].find_last_not_of(' ') + 1));
  }
  out += fmt::format("{:>9} +{}\n{:>9}  {}{:>{}}\n", "", std::string(width, '-'), "", text::duration(x0),
                     text::duration(x1), width - text::duration(x0).size());
  return out + fmt::format("{:>9}  * = on the front ({}), o = the rest of {} searched\n", "", front.size(), all.size());
}

std::string sureness(const Plan& plan) {
  const Decision& d = plan.decision;
  if (!d.winner || !d.feasible) return "";
  const Candidate& w = plan.bench.candidates[*d.winner];
  const Uncertainty& u = plan.uncertainty;
  std::string out;
  if (u.draws > 0) {
    std::string by;
    for (const auto& [replicas, share] : u.suffice_by_replicas) {
      if (by.size() > 160) break;
      by += fmt::format("{}{} suffice{} in {:.0f} %", by.empty() ? "" : ", ",
                        text::plural(static_cast<std::uint64_t>(replicas * w.gpus), "GPU"),
                        replicas * w.gpus == 1 ? "s" : "", share * 100);
    }
    out += wrapped(fmt::format(
        "how sure: {}. In {} draws of prices ({}) and workload (block bootstrap): {}. One replica "
        "sustains {} to {} in 90 % of draws; best of {} contenders in {:.0f} %.",
        d.firmness, u.draws, draws_text(w), by, rate(u.rate_low), rate(u.rate_high), u.contenders, u.wins * 100));
  } else {
    out += "how sure: " + d.firmness + "\n";
  }
  out += fmt::format("headroom: the demand times {:.2f} before the fleet misses its SLO; lengths times {:.2f}\n",
                     d.headroom_rate, d.headroom_length);
  if (plan.bench.priced)
    out += fmt::format("cost: {:.3g} USD per million output tokens at the demand, idle GPUs included\n",
                       d.usd_per_million_output_tokens);
  if (w.sizing->watts > 0)
    out +=
        fmt::format("energy: {:.3g} kW, {:.3g} J per output token\n", w.sizing->watts / 1e3, d.joules_per_output_token);
  if (!d.changes.empty()) out += "what would change it:\n";
  for (const auto& change : d.changes) out += wrapped("- " + change, "  ");
  for (const auto& saving : d.savings)
    out += wrapped(fmt::format("- {}, which no engine ships, would save {} GPUs{}",
                               plan.bench.candidates[saving.candidate].manager, saving.gpus,
                               plan.bench.priced ? fmt::format(" and {:.2f} USD an hour", saving.usd_per_hour) : ""),
                   "  ");
  return out;
}

std::string impossible(const Plan& plan) {
  if (plan.found.counts.impossible == 0) return "";
  for (const auto& c : plan.bench.candidates)
    if (c.fate == Fate::impossible)
      return wrapped(fmt::format("not possible: {}, the first ({}): {}",
                                 text::plural(plan.found.counts.impossible, "configuration"), c.name, c.reason),
                     "  ");
  return "";
}
}  // namespace

std::string plan_text(const Plan& plan) {
  const auto& counts = plan.found.counts;
  const Workbench& bench = plan.bench;
  std::string out = wrapped(plan.decision.text) + "\n";
  out += text::printable(bench.study.name) + "\n";
  out +=
      wrapped(fmt::format("demand: {} = {}; {:.0f} prompt and {:.0f} output tokens a request; replicas are used to "
                          "{:.0f} % of what they sustain, {} spare",
                          bench.demand_text, rate(bench.demand_per_s), bench.requests.prompt_mean,
                          bench.requests.output_mean, bench.study.plan.knee * 100, bench.study.plan.spare));
  out += fmt::format(
      "searched: {} configurations = {} impossible + {} bounded + {} dropped after a probe + {} searched "
      "to the end\n          {} probes of {} requests\n",
      text::count(counts.candidates), text::count(counts.impossible), text::count(counts.bounded),
      text::count(counts.dropped), text::count(counts.searched), text::count(counts.probes),
      text::count(bench.requests.size()));
  out += impossible(plan);
  for (const std::string& part :
       {slo_table(plan), managers_table(plan), top_ten(plan), pareto_chart(plan), sureness(plan)})
    if (!part.empty()) out += "\n" + part;
  for (const auto& note : bench.notes) out += wrapped("note: " + note);
  if (const auto copy = commands(plan); !copy.empty()) out += "\n" + copy;
  return out;
}
}  // namespace stowage::cli
