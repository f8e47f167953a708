#include "reports/plan_page.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

#include "reports/run_page.hpp"
#include "reports/text.hpp"

namespace stowage {
namespace parts {
using page::Tone;

double number_at(const Json& object, std::string_view key) {
  const auto at = object.find(key);
  return at != object.end() && at->is_number() ? at->get<double>() : NAN;
}

std::string target_value(const std::string& target, double value) {
  if (!std::isfinite(value)) return "–";
  if (target.starts_with("goodput")) return text::percent(value);
  return text::duration(value * 1e9);
}

std::string per_second(double rate) { return std::isfinite(rate) ? text::number(rate) + "/s" : "–"; }

std::string ships(const Json& candidate) {
  const std::string by = candidate.at("deployable");
  return by == "none" ? "ships nowhere" : "ships in " + by;
}

page::Name manager_name(const Json& candidate) {
  const std::string name = candidate.at("manager");
  return {name, name, ships(candidate)};
}
}  // namespace parts

namespace {
using page::Tone;
using parts::Json, parts::number_at, parts::per_second;
constexpr std::size_t ranked_max = 10, carried_max = 600'000;

std::string usd(double x) { return std::isfinite(x) ? fmt::format("{:.2f} USD", x) : "–"; }
std::string whole(double x) { return std::isfinite(x) ? text::count(static_cast<std::uint64_t>(x)) : "–"; }

bool has_winner(const Json& plan) { return plan.at("decision").contains("number"); }
const Json& candidate(const Json& plan, std::size_t i) { return plan.at("candidates").at(i); }
const Json& winner(const Json& plan) { return candidate(plan, plan.at("decision").at("number")); }

/// "measured" reassures, the rest warns.
page::Cell grade(const Json& c) {
  const std::string prices = c.at("prices");
  return {"", prices == "measured" ? Tone::good : prices == "roofline" ? Tone::mixed : Tone::plain, prices};
}

page::Verdict verdict(const Json& plan) {
  const Json& d = plan.at("decision");
  page::Verdict v{Tone::bad, "NOT MET", d.at("text"), {}};
  if (!d.at("feasible").get<bool>()) {
    if (d.at("binding").is_string()) v.reasons.push_back("What binds: " + d.at("binding").get<std::string>() + ".");
    return v;
  }
  const std::string firmness = d.at("firmness");
  v.tone = firmness.starts_with("firm") ? Tone::good : Tone::mixed;
  v.word = firmness.starts_with("firm")     ? "FIRM"
           : firmness.starts_with("likely") ? "LIKELY"
           : firmness.starts_with("a coin") ? "COIN FLIP"
           : firmness.starts_with("unprov") ? "UNPROVEN"
                                            : "NOT WEIGHED";
  if (d.contains("fleet")) {
    const bool met = d.at("fleet").at("met");
    v.reasons.push_back(
        fmt::format("Simulated at the demand, the fleet {} the SLO{}; it lasts until the demand is {} "
                    "what it is now.",
                    met ? "meets" : "misses",
                    !d.contains("fleet_with_one_less")                  ? ""
                    : d.at("fleet_with_one_less").at("met").get<bool>() ? ", and so does one replica fewer"
                                                                        : ", one replica fewer does not",
                    text::times(d.at("headroom").at("rate"))));
  }
  if (plan.at("ranking").size() > 1) {
    const Json& next = candidate(plan, plan.at("ranking").at(1));
    const double cost = number_at(next.at("sizing"), "usd_per_hour"), ours = number_at(d, "usd_per_hour");
    const bool priced = std::isfinite(cost) && std::isfinite(ours);
    v.reasons.push_back(fmt::format("The next best is {}: {}{}.", next.at("name").get<std::string>(),
                                    text::plural(next.at("sizing").at("gpus"), "GPU"),
                                    !priced        ? ""
                                    : cost == ours ? fmt::format(", {} an hour as well", usd(cost))
                                                   : fmt::format(", {} an hour instead of {}", usd(cost), usd(ours))));
  }
  for (const Json& saving : d.at("not_deployable_would_save")) {
    v.reasons.push_back(
        fmt::format("{}, which no engine ships, would save {} and {} an hour.", saving.at("manager").get<std::string>(),
                    text::plural(static_cast<std::uint64_t>(std::max(0.0, number_at(saving, "gpus"))), "GPU"),
                    usd(number_at(saving, "usd_per_hour"))));
  }
  return v;
}

page::Section slo(const Json& plan) {
  page::Section out{"slo", "Service levels", "", {}};
  const Json& d = plan.at("decision");
  if (!d.contains("fleet")) return out;
  const Json& w = winner(plan);
  const auto needed =
      d.at("sizing").at("replicas").get<std::int64_t>() - plan.at("demand").at("spare").get<std::int64_t>();
  const auto replicas = [](std::int64_t n) { return text::plural(static_cast<std::uint64_t>(n), "replica"); };
  std::vector<std::pair<page::Name, const Json*>> probes = {{replicas(needed) + " at the demand", &d.at("fleet")}};
  if (d.contains("fleet_with_one_less"))
    probes.push_back({replicas(needed - 1) + " at the demand", &d.at("fleet_with_one_less")});
  probes.push_back({"one replica at its most, " + per_second(number_at(w, "rate_per_s")), &w.at("at_rate")});
  page::Table table{"Service levels", {"target"}, {{"", {}}}, ""};
  auto& rows = table.groups[0].rows;
  for (const Json& t : d.at("fleet").at("targets")) {
    const std::string key = t.at("target");
    rows.push_back({key + (key.starts_with("goodput") ? " ≥ " : " ≤ ") + parts::target_value(key, t.at("limit")), {}});
  }
  page::Row all{"all targets", {}}, shed{"rejected · preempted", {}};
  for (const auto& [name, probe] : probes) {
    table.columns.push_back(name);
    std::size_t i = 0;
    for (const Json& t : probe->at("targets")) {
      const bool met = t.at("met");
      const double margin = number_at(t, "margin");
      const bool unserved = t.contains("unserved");
      rows.at(i++).cells.push_back({unserved ? "never" : parts::target_value(t.at("target"), number_at(t, "achieved")),
                                    met ? Tone::good : Tone::bad, met ? "✓ met" : "✗ missed",
                                    unserved ? "too many not served"
                                    : met    ? text::percent(margin) + " to spare"
                                             : text::percent(-margin) + " over"});
    }
    const bool met = probe->at("met");
    all.cells.push_back({"", met ? Tone::good : Tone::bad, met ? "PASS" : "FAIL",
                         probe->at("saturated").get<bool>() ? "the queue grows for ever" : ""});
    shed.cells.push_back({whole(number_at(*probe, "rejected")) + " · " + whole(number_at(*probe, "preemptions"))});
  }
  rows.push_back(std::move(all));
  rows.push_back(std::move(shed));
  out.sentence =
      fmt::format("The demand is {} requests/s: {}. A replica is used to {} of the rate it sustains.",
                  text::number(plan.at("demand").at("requests_per_s")), plan.at("demand").at("text").get<std::string>(),
                  text::percent(plan.at("demand").at("knee")));
  out.blocks.emplace_back(std::move(table));
  return out;
}

/// A row of numbers, one a manager; what they do better than the decided one, below.
page::Row compared(std::string label, const std::vector<const Json*>& all, int better,
                   const std::function<double(const Json&)>& value, const std::function<std::string(double)>& show) {
  double best = NAN, worst = NAN;
  std::vector<double> values;
  for (const Json* c : all) {
    values.push_back(value(*c));
    if (!std::isfinite(values.back())) continue;
    best = std::isfinite(best) ? (better > 0 ? std::max(best, values.back()) : std::min(best, values.back()))
                               : values.back();
    worst = std::isfinite(worst) ? (better > 0 ? std::min(worst, values.back()) : std::max(worst, values.back()))
                                 : values.back();
  }
  page::Row row{std::move(label), {}};
  const bool alike = !(std::abs(best - worst) > 0.01 * std::abs(best));
  for (const double v : values)
    row.cells.push_back(
        {std::isfinite(v) ? show(v) : "–",
         better != 0 && !alike && std::abs(v - best) <= 0.01 * std::abs(best) ? Tone::best : Tone::plain});
  return row;
}

page::Section managers(const Json& plan) {
  page::Section out{
      "managers",
      "Managers side by side",
      "The best configuration of each memory manager for the same demand. The decision ranks those that an "
      "engine ships today; the others show what they would save.",
      {}};
  std::vector<const Json*> all;
  page::Table table{"Managers side by side", {""}, {}, "Bold: the best, or within 1 % of it."};
  for (const Json& i : plan.at("best_of_kind")) {
    all.push_back(&candidate(plan, i));
    table.columns.push_back(parts::manager_name(*all.back()));
  }
  if (all.empty()) return out;
  const auto of = [](std::string_view part, std::string_view key) {
    return [part, key](const Json& c) { return number_at(c.at(std::string(part)), key); };
  };
  const auto own = [](std::string_view key) { return [key](const Json& c) { return number_at(c, key); }; };
  const auto seconds = [](double s) { return text::duration(s * 1e9); };
  page::Row layout{"fleet", {}}, prices{"prices of steps", {}}, binds{"what binds", {}}, name{"configuration", {}};
  for (const Json* c : all) {
    layout.cells.push_back(
        {fmt::format("{} x {} {}", c->at("sizing").at("replicas").get<std::int64_t>(),
                     c->at("gpus_per_replica").get<std::int64_t>(), c->at("hardware").get<std::string>())});
    prices.cells.push_back(grade(*c));
    binds.cells.push_back({c->value("binding", std::string("–"))});
  }
  page::RowGroup fleet{"The fleet", {layout, compared("GPUs that work", all, -1, of("sizing", "gpus"), whole)}};
  const bool priced = all.front()->at("sizing").contains("usd_per_hour");
  if (priced) {
    fleet.rows.push_back(compared("USD an hour, whole nodes", all, -1, of("sizing", "usd_per_hour"),
                                  [](double x) { return fmt::format("{:.2f}", x); }));
    fleet.rows.push_back(compared("USD per million output tokens", all, -1, own("usd_per_million_output_tokens"),
                                  [](double x) { return text::number(x); }));
  } else {
    fleet.rows.push_back(compared("GPU-hours per million output tokens", all, -1,
                                  own("gpu_hours_per_million_output_tokens"),
                                  [](double x) { return text::number(x); }));
  }
  table.groups.push_back(std::move(fleet));
  table.groups.push_back({"One replica at the highest rate it sustains",
                          {compared("requests/s", all, +1, own("rate_per_s"), [](double x) { return text::number(x); }),
                           compared("output tokens/s of a GPU", all, +1, own("output_tokens_per_s_per_gpu"),
                                    [](double x) { return text::number(x); }),
                           compared("TTFT p50", all, -1, of("at_rate", "ttft_p50_s"), seconds),
                           compared("TPOT p50", all, -1, of("at_rate", "tpot_p50_s"), seconds),
                           compared("E2E p50", all, -1, of("at_rate", "e2e_p50_s"), seconds),
                           compared("KV pool held by no token", all, -1, of("at_rate", "kv_lost"),
                                    [](double x) { return text::percent(x); }),
                           compared("preemptions", all, -1, of("at_rate", "preemptions"), whole), binds, prices}});
  out.blocks.emplace_back(std::move(table));
  return out;
}

page::Section ranking(const Json& plan) {
  const Json &counts = plan.at("search"), &ranked = plan.at("ranking");
  page::Section out{
      "ranking",
      "The best, and how to get them",
      fmt::format("Of {} configurations {} cannot be, {} are bounded away, {} were dropped after a probe "
                  "and {} searched to the end: {}, {}. plan.csv has every one.",
                  whole(number_at(counts, "candidates")), whole(number_at(counts, "impossible")),
                  whole(number_at(counts, "bounded")), whole(number_at(counts, "dropped")),
                  whole(number_at(counts, "searched")), text::plural(counts.at("probes").get<std::uint64_t>(), "probe"),
                  text::plural(counts.at("requests_simulated").get<std::uint64_t>(), "request")),
      {}};
  page::Table table{"The best configurations",
                    {"", "prices", "one replica", "replicas", "GPUs", "USD/h", "per M tokens", "TTFT p50", "TPOT p50",
                     "binds"},
                    {{"", {}}},
                    "Idle: GPUs of whole nodes that no replica uses. At the sustained rate of one replica."};
  std::vector<page::Block> commands;
  for (std::size_t n = 0; n < std::min(ranked.size(), ranked_max); ++n) {
    const Json& c = candidate(plan, ranked.at(n));
    const Json &s = c.at("sizing"), &at = c.at("at_rate");
    const double cost = number_at(c, "usd_per_million_output_tokens"), idle = number_at(s, "stranded_gpus");
    const std::string name = fmt::format("{}. {}", n + 1, c.at("name").get<std::string>());
    table.groups[0].rows.push_back(
        {{name, c.at("manager"), parts::ships(c)},
         {grade(c),
          {per_second(number_at(c, "rate_per_s"))},
          {whole(number_at(s, "replicas"))},
          {whole(number_at(s, "gpus")), Tone::plain, "", idle > 0 ? whole(idle) + " idle" : ""},
          {s.contains("usd_per_hour") ? fmt::format("{:.2f}", number_at(s, "usd_per_hour")) : "–"},
          {std::isfinite(cost) ? text::number(cost) + " USD"
                               : text::number(number_at(c, "gpu_hours_per_million_output_tokens")) + " GPU-h"},
          {text::duration(number_at(at, "ttft_p50_s") * 1e9)},
          {text::duration(number_at(at, "tpot_p50_s") * 1e9)},
          {c.value("binding", std::string("–"))}}});
    const std::string set = c.at("set"), vllm = c.value("vllm", std::string());
    commands.emplace_back(
        page::Code{name, (set.empty() ? "(the scenario as it is)" : set) + (vllm.empty() ? "" : "\n\n") + vllm, n > 0});
  }
  if (commands.empty()) return out;
  out.blocks.emplace_back(std::move(table));
  out.blocks.insert(out.blocks.end(), commands.begin(), commands.end());
  return out;
}

page::Section notes(const ReportInput& input) {
  page::Notes notes;
  for (const Json& n : input.data.at("notes")) notes.lines.push_back(n);
  std::set<std::string> reasons;
  for (const Json& c : input.data.at("candidates")) {
    if (c.at("fate") != "impossible" || reasons.size() == 5) continue;
    const std::string reason = c.at("reason");
    if (reasons.insert(reason).second)
      notes.lines.push_back("Not possible: " + c.at("name").get<std::string>() + ": " + reason);
  }
  for (const std::string& n : input.notes) notes.lines.push_back("The chosen configuration: " + n);
  notes.lines.push_back(
      "A fleet is sized by what one replica sustains, whatever its router. Prefix caches and disaggregation are not "
      "simulated; more requests a probe say more about extreme percentiles.");
  return {"notes", "Notes and limits", "Read these before acting on the numbers.", {std::move(notes)}};
}

/// plan.json whole while it is small; of a large one without the configurations that were not searched.
std::string carried(const Json& plan) {
  std::string text = plan.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  if (text.size() <= carried_max) return text;
  Json less = plan;
  Json& all = less.at("candidates");
  std::size_t kept = 0;
  for (Json& c : all)
    if (c.at("fate") != "searched" || kept++ >= 400) c = Json{{"number", c.at("number")}, {"fate", c.at("fate")}};
  less["left_out"] = "of the configurations here; plan.json beside this page has all";
  return less.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}
}  // namespace

page::Page plan_page(const ReportInput& input) {
  const Json& plan = input.data;
  ReportInput about = input;
  const Json& demand = plan.at("demand");
  about.cards.insert(about.cards.begin(),
                     {"Demand",
                      {{"Requests/s", text::number(demand.at("requests_per_s"))},
                       {"Where from", demand.at("text")},
                       {"Prompt, mean", text::number(demand.at("prompt_mean")) + " tokens"},
                       {"Output, mean", text::number(demand.at("output_mean")) + " tokens"},
                       {"Replicas used to", text::percent(demand.at("knee")) + " of what they sustain"},
                       {"Spare replicas", text::count(demand.at("spare").get<std::uint64_t>())}}});
  page::Page p{.kind = "plan report", .title = input.title, .version = input.version};
  p.badges = {input.workload_name, "step costs: " + input.cost_source};
  parts::set_evidence(p, input);
  p.verdict = verdict(plan);
  for (const Json& i : plan.at("best_of_kind")) p.series.push_back({candidate(plan, i).at("manager")});
  p.sections = {
      slo(plan),
      managers(plan),
      has_winner(plan) ? parts::budget(about) : page::Section{},
      parts::plan_pareto(plan),
      ranking(plan),
      parts::plan_curves(plan),
      parts::plan_certainty(plan),
      parts::inputs(about),
      parts::plan_what_if(plan),
      notes(input),
      parts::provenance(input,
                        "plan.json (also inside), plan.csv: every configuration, resolved.yaml: one replica of "
                        "the winner; report.json rebuilds it: stowage report FOLDER")};
  p.summary_json = carried(plan);
  return p;
}
}  // namespace stowage
