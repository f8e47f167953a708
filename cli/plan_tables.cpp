#include "cli/plan_tables.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <optional>
#include <set>

#include "planner/cost_draws.hpp"
#include "reports/text.hpp"

namespace stowage::cli {
namespace {
std::string rate(double per_s) { return fmt::format("{}/s", text::number(per_s)); }
std::string gpus(std::int64_t n) { return text::plural(static_cast<std::uint64_t>(n), "GPU"); }
std::string prices(const Candidate& c) { return std::string(grounds_names[static_cast<std::size_t>(c.grounds)]); }
std::string fleet(const Candidate& c) { return fmt::format("{} x {} {}", c.sizing->replicas, c.gpus, c.hardware); }

std::string value_of(const TargetResult& t, double x) {
  if (t.key.starts_with("goodput")) return text::percent(x);
  return std::isinf(x) ? std::string("never") : text::duration(x);
}

/// A column of candidates. `dropped`: which goes first where there is no room, from 1; 0 = none may go.
struct Column {
  std::string head;
  std::function<std::string(const Candidate&)> cell;
  int dropped = 0;
  bool may_be_alike = false;  // then it is no column, but said over the table
};

Rows rows_of(const Plan& plan, const std::vector<std::size_t>& which, const std::vector<Column>& columns) {
  Rows out(1);
  for (const Column& c : columns) out[0].push_back(c.head);
  for (const std::size_t i : which) {
    out.emplace_back();
    for (const Column& c : columns) out.back().push_back(text::printable(c.cell(plan.bench.candidates[i])));
  }
  return out;
}

Rows fitted(const Plan& plan, const std::vector<std::size_t>& which, std::vector<Column> columns,
            std::size_t columns_max) {
  Rows out = rows_of(plan, which, columns);
  while (columns_max > 0 && table_width(out) > columns_max) {
    const auto least = std::ranges::min_element(
        columns, {}, [](const Column& c) { return c.dropped > 0 ? c.dropped : std::numeric_limits<int>::max(); });
    if (least->dropped == 0) break;
    columns.erase(least);
    out = rows_of(plan, which, columns);
  }
  return out;
}

std::vector<std::size_t> first_ten(const Plan& plan) {
  const auto& ranking = plan.found.ranking;
  return {ranking.begin(), ranking.begin() + static_cast<std::ptrdiff_t>(std::min(ranking.size(), ranked_max))};
}

Column money_an_hour(int dropped) {
  return {"USD/h", [](const Candidate& c) { return fmt::format("{:.2f}", c.sizing->usd_per_hour); }, dropped};
}

/// "--a 1 --b 'x --y'" as "--a 1", "--b 'x --y'": a new piece begins with each option outside of quotes.
std::vector<std::string> options_of(const std::string& command) {
  std::vector<std::string> out(1);
  bool quoted = false;
  for (std::size_t i = 0; i < command.size(); ++i) {
    if (command[i] == '\'') quoted = !quoted;
    if (!quoted && i > 0 && command.compare(i, 3, " --") == 0)
      out.emplace_back();
    else
      out.back() += command[i];
  }
  return out;
}

/// The counts that tell most: the decided one, and the first to suffice in 10, 50, 90 and all percent.
std::string sufficing(const Uncertainty& u, const Candidate& w) {
  std::set<std::int64_t> shown = {w.sizing->needed};
  for (const double share : {0.1, 0.5, 0.9, 1.0})
    for (const auto& [replicas, enough] : u.suffice_by_replicas)
      if (enough >= share - 1e-9) {
        shown.insert(replicas);
        break;
      }
  std::string out;
  for (const std::int64_t replicas : shown) {
    // Between two counts that some draw asked for, as many draws suffice as with the lower.
    auto at = u.suffice_by_replicas.upper_bound(replicas);
    const double share = at == u.suffice_by_replicas.begin() ? 0 : std::prev(at)->second;
    out +=
        fmt::format("{}{} in {:.0f} %", out.empty() ? "" : ", ",
                    out.empty() ? gpus(replicas * w.gpus) : text::count(static_cast<std::uint64_t>(replicas * w.gpus)),
                    share * 100);
  }
  return out;
}
}  // namespace

Rows slo_rows(const Plan& plan) {
  const Decision& d = plan.decision;
  if (!d.checked) return {};
  const Candidate& w = plan.bench.candidates[*d.winner];
  const auto needed = static_cast<std::uint64_t>(w.sizing->needed);
  Rows rows = {{"SLO at " + rate(plan.bench.demand_per_s), "limit", text::plural(needed, "replica")}};
  if (d.one_less) rows[0].push_back(fmt::format("with {}", needed - 1));
  rows[0].push_back("one replica at " + rate(w.capacity.rate_per_s));
  for (std::size_t i = 0; i < d.checked->targets.size(); ++i) {
    const auto cell = [&](const Probe& p) {
      const TargetResult& t = p.targets[i];
      return fmt::format("{} {}", value_of(t, t.achieved), t.met ? "ok" : "MISS");
    };
    const TargetResult& t = d.checked->targets[i];
    rows.push_back({"  " + t.key, value_of(t, t.limit), cell(*d.checked)});
    if (d.one_less) rows.back().push_back(cell(*d.one_less));
    rows.back().push_back(cell(*w.capacity.at));
  }
  return rows;
}

Rows manager_rows(const Plan& plan, std::size_t columns_max) {
  if (plan.found.best_of_kind.empty()) return {};
  std::vector<Column> columns = {
      {"best of each", [](const Candidate& c) { return c.manager; }},
      {"ships in", [](const Candidate& c) { return c.deployable; }},
      {"fleet", fleet},
      {"GPUs", [](const Candidate& c) { return fmt::format("{}", c.sizing->gpus); }, 1},
  };
  if (plan.bench.priced) columns.push_back(money_an_hour(0));
  columns.push_back({"sustains", [](const Candidate& c) { return rate(c.capacity.rate_per_s); }});
  columns.push_back({"KV lost", [](const Candidate& c) { return text::percent(c.capacity.at->kv_lost); }, 3});
  columns.push_back(
      {"binds", [](const Candidate& c) { return c.capacity.beyond ? c.capacity.beyond->binding() : "-"; }, 2});
  columns.push_back({"prices", prices});
  return fitted(plan, plan.found.best_of_kind, std::move(columns), columns_max);
}

Ranked ranked_rows(const Plan& plan, std::size_t columns_max) {
  const std::vector<std::size_t> ten = first_ten(plan);
  if (ten.empty()) return {};
  const Workbench& bench = plan.bench;
  std::vector<Column> all = {{"fleet", fleet}, {"manager", [](const Candidate& c) { return c.manager; }, 0, true}};
  // The fleet says the GPU and, with the other degrees, how many; the manager its own axes.
  static const std::set<std::string_view> said = {"hardware", "cluster.tensor", "managers"};
  for (std::size_t a = 0; a < bench.space.axes().size(); ++a) {
    if (said.contains(bench.space.axes()[a].path)) continue;
    for (const AxisPart& part : parts_of(bench.space.axes()[a]))
      all.push_back({part.word,
                     [&bench, a, part](const Candidate& c) {
                       const std::string text = part.text(*bench.space.at(c.point)[a]);
                       return text.empty() ? std::string("-") : text;
                     },
                     0, true});
  }
  all.push_back({"sustains", [](const Candidate& c) { return rate(c.capacity.rate_per_s); }});
  all.push_back(
      {"GPU+idle", [](const Candidate& c) { return fmt::format("{}+{}", c.sizing->gpus, c.sizing->stranded); }});
  if (bench.priced) all.push_back(money_an_hour(0));
  all.push_back({bench.priced ? "USD/Mtok" : "GPU-h/Mtok",
                 [&bench](const Candidate& c) { return fmt::format("{:.2f}", unit_cost(bench, c)); }, 3});
  all.push_back({"TTFT p50", [](const Candidate& c) { return text::duration(c.capacity.at->ttft_p50_ns); }, 1});
  all.push_back({"TPOT p50", [](const Candidate& c) { return text::duration(c.capacity.at->tpot_p50_ns); }, 2});
  all.push_back({"prices", prices, 0, true});

  std::vector<Column> columns;
  std::vector<std::string> alike;
  for (Column& column : all) {
    std::set<std::string> values;
    for (const std::size_t i : ten) values.insert(column.cell(bench.candidates[i]));
    if (!column.may_be_alike || (values.size() > 1 && ten.size() > 1)) {
      columns.push_back(std::move(column));
      continue;
    }
    if (*values.begin() == "-") continue;
    const bool bare = column.head == "manager" || column.head == "prices";
    alike.push_back(bare ? *values.begin() + (column.head == "prices" ? " prices" : "")
                         : column.head + " " + *values.begin());
  }
  columns.front().cell = [&](const Candidate& c) {
    const auto rank = std::ranges::find(ten, static_cast<std::size_t>(&c - bench.candidates.data())) - ten.begin();
    return fmt::format("{:2}. {}", rank + 1, fleet(c));
  };
  Ranked out;
  out.title =
      ten.size() == 1 ? "the only one that engines ship" : fmt::format("the {} best that engines ship", ten.size());
  if (!alike.empty()) out.title += fmt::format("{} {}", ten.size() > 1 ? ", all" : ":", fmt::join(alike, ", "));
  out.rows = fitted(plan, ten, std::move(columns), columns_max);
  return out;
}

std::vector<std::string> basis_of(const Plan& plan) {
  const Workbench& bench = plan.bench;
  const auto& counts = plan.found.counts;
  std::vector<std::string> out = {
      "study: " + bench.study.name,
      fmt::format("demand: {} = {}; {:.0f} prompt and {:.0f} output tokens a request; replicas are used to {:.0f} % of "
                  "what they sustain, {} spare",
                  bench.demand_text, rate(bench.demand_per_s), bench.requests.prompt_mean, bench.requests.output_mean,
                  bench.study.plan.knee * 100, bench.study.plan.spare),
      fmt::format("searched: {} = {} impossible + {} bounded + {} dropped after a probe + {} searched to "
                  "the end; {} probes of {} requests",
                  text::plural(counts.candidates, "configuration"), text::count(counts.impossible),
                  text::count(counts.bounded), text::count(counts.dropped), text::count(counts.searched),
                  text::count(counts.probes), text::count(bench.requests.size()))};
  if (const Uncertainty& u = plan.uncertainty; u.draws > 0)
    out.push_back(fmt::format("draws: {} of prices ({}) and of the workload (block bootstrap)", u.draws,
                              draws_text(bench.candidates[*plan.decision.winner])));
  const auto& all = bench.candidates;
  const auto first = std::ranges::find(all, Fate::impossible, &Candidate::fate);
  if (first != all.end())
    out.push_back(fmt::format("not possible: {}, the first ({}): {}", text::plural(counts.impossible, "configuration"),
                              first->name, first->reason));
  for (const auto& note : bench.notes) out.push_back("note: " + note);
  return out;
}

std::vector<std::string> sureness_of(const Plan& plan) {
  const Decision& d = plan.decision;
  if (!d.winner || !d.feasible) return {};
  const Candidate& w = plan.bench.candidates[*d.winner];
  const Uncertainty& u = plan.uncertainty;
  std::vector<std::string> out = {"how sure: " + d.firmness};
  if (u.draws > 0)
    out[0] += fmt::format("; enough are {} of {} draws; one replica sustains {} to {} in 90 %; no other purchase is "
                          "better in {:.0f} %, and these settings are the best of {} in {:.0f} %",
                          sufficing(u, w), u.draws, rate(u.rate_low), rate(u.rate_high), u.wins * 100,
                          text::plural(u.contenders, "contender"), u.best_settings * 100);
  out.push_back(
      fmt::format("headroom: the demand times {:.2f}, or lengths times {:.2f}, before the fleet misses its SLO",
                  d.headroom_rate, d.headroom_length));
  if (d.one_less && d.one_less->saturated)
    out.back() += fmt::format("; with {} the queue grows for ever", w.sizing->needed - 1);
  std::string cost;
  if (plan.bench.priced)
    cost = fmt::format("cost: {:.3g} USD per million output tokens at the demand, idle GPUs included",
                       d.usd_per_million_output_tokens);
  if (w.sizing->watts > 0)
    cost += fmt::format("{}{:.3g} kW, {:.3g} J a token", cost.empty() ? "energy: " : "; ", w.sizing->watts / 1e3,
                        d.joules_per_output_token);
  if (!cost.empty()) out.push_back(cost);
  return out;
}

std::vector<std::string> changes_of(const Plan& plan) {
  std::vector<std::string> out = plan.decision.changes;
  for (const auto& saving : plan.decision.savings)
    out.push_back(fmt::format("{}, which no engine ships, would save {}{}",
                              plan.bench.candidates[saving.candidate].manager, gpus(saving.gpus),
                              plan.bench.priced ? fmt::format(" and {:.2f} USD an hour", saving.usd_per_hour) : ""));
  return out;
}

std::vector<Recipe> recipes_of(const Plan& plan, bool all) {
  std::vector<Recipe> out;
  for (const std::size_t i : first_ten(plan)) {
    if (!all && !out.empty()) break;
    const Candidate& c = plan.bench.candidates[i];
    out.push_back({out.size() + 1, {options_of(c.sets.empty() ? "(the scenario as it is)" : c.sets)}});
    if (const auto vllm = vllm_command(c); !vllm.empty()) out.back().commands.push_back(options_of(vllm));
  }
  return out;
}
}  // namespace stowage::cli
