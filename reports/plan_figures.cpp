// The figures of a plan: fronts, latency against rate, how sure it is, what would change it.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "reports/figures.hpp"
#include "reports/plan_page.hpp"
#include "reports/text.hpp"

namespace stowage::parts {
namespace {
using page::Tone, page::Unit;

struct Measure {
  std::string_view key, label;
  Unit unit;
  std::string_view better;
};
constexpr Measure measures[] = {
    {"tpot_p50_s", "TPOT p50", Unit::seconds, "sooner"},
    {"ttft_p50_s", "TTFT p50", Unit::seconds, "sooner"},
    {"usd_per_million_output_tokens", "USD per million output tokens", Unit::number, "cheaper"},
    {"gpu_hours_per_million_output_tokens", "GPU-hours per million output tokens", Unit::number, "cheaper"},
    {"output_tokens_per_s_per_gpu", "output tokens/s of a GPU", Unit::number, "more"},
};
const Measure& measure(const std::string& key) {
  const auto at = std::ranges::find(measures, key, &Measure::key);
  return at == std::end(measures) ? measures[0] : *at;
}
/// Of a searched candidate: its own figure, or one of the probe at its sustained rate.
double figure_of(const Json& candidate, std::string_view key) {
  const double own = number_at(candidate, key);
  return std::isfinite(own) ? own : number_at(candidate.at("at_rate"), key);
}

page::Figure front(const Json& plan, const Json& f) {
  const Measure &x = measure(f.at("x")), &y = measure(f.at("y"));
  page::Pareto p;
  p.title = fmt::format("{} against {}", y.label, x.label);
  p.x = {std::string(x.label), x.unit, true, {}, {}};
  p.y = {std::string(y.label), y.unit, true, {}, {}};
  const std::vector<std::size_t> best = f.at("front").get<std::vector<std::size_t>>();
  const Json& decision = plan.at("decision");
  std::size_t searched = 0;
  bool winner_on_front = false;
  for (const Json& c : plan.at("candidates")) {
    if (c.at("fate") != "searched" || !c.contains("at_rate")) continue;
    ++searched;
    const std::size_t number = c.at("number");
    const bool on_front = std::ranges::find(best, number) != best.end();
    const double at_x = figure_of(c, x.key), at_y = figure_of(c, y.key);
    p.candidates.push_back({c.at("name"), c.at("manager"), ships(c) + ", prices " + c.at("prices").get<std::string>(),
                            at_x, at_y, c.at("at_rate").at("met"), on_front, c.at("set")});
    if (decision.contains("number") && decision.at("number") == number) {
      p.points.push_back({at_x, at_y, "chosen"});
      winner_on_front = on_front;
    }
  }
  // Those on the front first: the table is cut when there are many.
  std::ranges::stable_partition(p.candidates, [](const page::Candidate& c) { return c.on_front; });
  p.sentence = fmt::format("{} of {} searched configurations {} beaten in both by no other, {} and {}{}.", best.size(),
                           searched, best.size() == 1 ? "is" : "are", y.better, x.better,
                           p.points.empty()  ? ""
                           : winner_on_front ? "; the chosen one is one of them"
                                             : "; the chosen one is not: whole nodes decide");
  return page::pareto(p);
}

/// One target over the rate, a curve a manager.
page::Figure curve(const Json& plan, const std::string& target, std::size_t index) {
  const Json& winner = plan.at("candidates").at(plan.at("decision").at("number").get<std::size_t>());
  const bool share = target.starts_with("goodput");
  const double knee = plan.at("demand").at("knee"), most = number_at(winner, "rate_per_s");
  page::Plot plot{{"requests/s of one replica", Unit::number, false, 0.0, {}},
                  {target, share ? Unit::share : Unit::seconds, !share, {}, {}},
                  {},
                  {},
                  {}};
  if (share) plot.y.min = 0, plot.y.max = 1;
  page::Table table{target, {"", "requests/s", target, "SLO"}, {}, ""};
  double limit = NAN, before = NAN, at_knee = NAN;
  for (const Json& c : plan.at("curves")) {
    const Json& candidate = plan.at("candidates").at(c.at("candidate").get<std::size_t>());
    page::Line line{.series = candidate.at("manager"), .points = true};
    page::RowGroup group{candidate.at("name"), {}};
    for (const Json& probe : c.at("probes")) {
      if (probe.at("targets").size() <= index) continue;
      const Json& t = probe.at("targets").at(index);
      const double rate = number_at(probe, "rate_per_s"), value = number_at(t, "achieved");
      limit = number_at(t, "limit");
      line.x.push_back(rate);
      line.y.push_back(value);
      if (&c == &plan.at("curves").front() && rate <= knee * most * 1.0001) at_knee = value;
      if (&c == &plan.at("curves").front() && rate <= most * 1.0001) before = value;
      const bool saturated = probe.at("saturated"), met = probe.at("met");
      group.rows.push_back({manager_name(candidate),
                            {{text::number(rate)},
                             {t.contains("unserved") ? "never" : target_value(target, value)},
                             {"", met ? Tone::good : Tone::bad,
                              saturated ? "✗ the queue grows for ever"
                              : met     ? "✓ met"
                                        : "✗ missed"}}});
    }
    plot.lines.push_back(std::move(line));
    table.groups.push_back(std::move(group));
  }
  plot.limits = {{limit, target + " limit", false, !share}};
  const bool on_grid = std::isfinite(at_knee);
  if (on_grid) plot.points.push_back({knee * most, at_knee, ""});
  plot.points.push_back({most, before, ""});
  std::string sentence = fmt::format(
      "{} sustains at most {}; there {} is {}, of {} allowed, and at {} of that rate, where it is used, {}.",
      winner.at("manager").get<std::string>(), per_second(most), target, target_value(target, before),
      target_value(target, limit), text::percent(knee), target_value(target, at_knee));
  return {target + " against the rate", std::move(sentence), std::move(plot), std::move(table)};
}
}  // namespace

page::Section plan_pareto(const Json& plan) {
  page::Section out{"pareto",
                    "Cost, latency and throughput",
                    "One point a configuration that was searched to its sustained rate, where these figures are taken. "
                    "On the dashed front nobody is better in both; the rest is faint.",
                    {}};
  const auto sustain = [](const Json& c) { return c.contains("at_rate"); };
  if (std::ranges::count_if(plan.at("candidates"), sustain) < 2) return out;  // one point is no front
  page::Figures figures;
  for (const Json& f : plan.at("fronts")) figures.figures.push_back(front(plan, f));
  out.blocks.emplace_back(page::Legend{{}, true});
  out.blocks.emplace_back(std::move(figures));
  return out;
}

page::Section plan_curves(const Json& plan) {
  page::Section out{
      "capacity",
      "Capacity of one replica",
      "Latency against the offered rate, the same requests played slower and faster, under the best "
      "configuration of each manager. Right ring: the highest rate that meets every target; left ring: the "
      "share of it that is used.",
      {}};
  if (!plan.contains("curves") || plan.at("curves").empty()) return out;
  const Json& probes = plan.at("curves").at(0).at("probes");
  page::Figures figures;
  if (probes.empty()) return out;
  const Json& targets = probes.at(0).at("targets");
  for (std::size_t i = 0; i < std::min<std::size_t>(targets.size(), 4); ++i)
    figures.figures.push_back(curve(plan, targets.at(i).at("target"), i));
  out.blocks.emplace_back(page::Legend{{}, true});
  out.blocks.emplace_back(std::move(figures));
  return out;
}

page::Section plan_certainty(const Json& plan) {
  page::Section out{"certainty", "How sure it is", "", {}};
  const Json& u = plan.at("uncertainty");
  if (!u.contains("by_replicas") || u.at("by_replicas").empty()) return out;
  const Json& d = plan.at("decision");
  const Json& winner = plan.at("candidates").at(d.at("number").get<std::size_t>());
  const double each = number_at(winner, "gpus_per_replica");
  const double decided = (number_at(d.at("sizing"), "replicas") - number_at(plan.at("demand"), "spare")) * each;
  page::Plot plot{{"GPUs", Unit::number, false, {}, {}}, {"share of draws", Unit::share, false, 0.0, 1.0}, {}, {}, {}};
  page::Table table{"How sure it is", {"GPUs", "suffice in"}, {{"", {}}}, ""};
  page::Line line{.series = winner.at("manager"), .step = true, .area = true};
  std::string enough = "no number of GPUs tried";
  for (const Json& row : u.at("by_replicas")) {
    const double gpus = number_at(row, "replicas") * each, share = number_at(row, "suffice_in");
    line.x.push_back(gpus);
    line.y.push_back(share);
    table.groups[0].rows.push_back({text::number(gpus), {{text::percent(share)}}});
    if (share >= 0.9 && enough.starts_with("no")) enough = text::number(gpus) + " GPUs";
  }
  plot.x.min = std::max(0.0, std::min(line.x.front(), decided) - each);
  plot.x.max = std::max(line.x.back(), decided) + each;
  line.x.insert(line.x.begin(), *plot.x.min);
  line.y.insert(line.y.begin(), 0);
  line.x.push_back(*plot.x.max);
  line.y.push_back(line.y.back());
  plot.lines.push_back(std::move(line));
  plot.limits = {{0.9, "firm from here", false, false}, {decided, "decided", true, false}};
  out.sentence = fmt::format(
      "Prices and workload drawn again {} times ({}): the decided {} suffice in {} of draws; it takes {} for 90 %.",
      text::count(u.at("draws").get<std::uint64_t>()), u.at("of").get<std::string>(),
      text::plural(static_cast<std::uint64_t>(decided), "GPU"), text::percent(number_at(u, "suffices")), enough);
  std::string say = fmt::format(
      "One replica sustains {} to {} in 90 % of draws. No other purchase is better in {}; these settings are the best "
      "of {} contenders in {}.",
      per_second(u.at("rate_per_s_90").at(0)), per_second(u.at("rate_per_s_90").at(1)),
      text::percent(number_at(u, "wins")), text::count(u.at("contenders").get<std::uint64_t>()),
      text::percent(number_at(u, "best_settings")));
  out.blocks.emplace_back(
      page::Figure{"Share of draws in which so many GPUs suffice", std::move(say), std::move(plot), std::move(table)});
  return out;
}

page::Section plan_what_if(const Json& plan) {
  page::Section out{"sensitivity", "What would change the decision", "", {}};
  const Json& d = plan.at("decision");
  if (!d.contains("changes")) return out;
  page::Notes notes;
  for (const Json& c : d.at("changes")) notes.lines.push_back(c);
  if (plan.contains("what_if")) {
    const Json& w = plan.at("what_if");
    page::Tornado t{{"requests/s one replica sustains", Unit::number, false, {}, {}}, number_at(w, "rate_per_s"), {}};
    std::string most = "nothing tried";
    double reach = 0;
    for (const Json& c : w.at("changes")) {
      page::Tornado::Change change{.what = c.at("what"), .note = c.value("note", std::string())};
      for (const auto& [side, words, value] :
           {std::tuple{"low", &change.low_text, &change.low}, std::tuple{"high", &change.high_text, &change.high}}) {
        if (!c.contains(side)) continue;
        *words = c.at(side).at("text");
        const double rate = number_at(c.at(side), "rate_per_s");
        if (std::isfinite(rate)) *value = rate;
        const double moves = std::isfinite(rate) ? std::abs(rate - t.base) : 0;
        if (moves > reach) reach = moves, most = change.what;
      }
      t.changes.push_back(std::move(change));
    }
    const Json& u = plan.at("uncertainty");
    if (u.contains("rate_per_s_90"))
      t.changes.push_back({"prices and workload", "5 % of draws", "95 % of draws",
                           u.at("rate_per_s_90").at(0).get<double>(), u.at("rate_per_s_90").at(1).get<double>(), ""});
    const double needed = number_at(d.at("sizing"), "replicas") - number_at(plan.at("demand"), "spare");
    out.sentence = fmt::format(
        "The {} decided on are enough while each sustains {} or more.",
        text::plural(static_cast<std::uint64_t>(needed), "replica"),
        per_second(number_at(plan.at("demand"), "requests_per_s") / (number_at(plan.at("demand"), "knee") * needed)));
    out.blocks.emplace_back(page::tornado(
        "What one replica sustains", "Most of all the sustained rate reacts to this: " + most + ".", std::move(t)));
  }
  out.blocks.emplace_back(std::move(notes));
  return out;
}
}  // namespace stowage::parts
