#include "reports/run_page.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "reports/json.hpp"
#include "reports/metrics.hpp"
#include "reports/text.hpp"
#include "reports/words.hpp"

namespace stowage {
namespace {
using page::Tone;

page::Verdict verdict(const ReportInput& input) {
  const words::Headline h = words::headline(input);
  switch (h.verdict) {
    case words::Verdict::pass:
      return {Tone::good, "PASS", h.sentence, h.reasons};
    case words::Verdict::mixed:
      return {Tone::mixed, "PARTLY", h.sentence, h.reasons};
    case words::Verdict::fail:
      return {Tone::bad, "FAIL", h.sentence, h.reasons};
    case words::Verdict::none:
      break;
  }
  return {Tone::plain, "", h.sentence, h.reasons};
}

/// A head for the row names, then a column a run.
std::vector<page::Name> run_columns(const ReportInput& input, std::string first) {
  std::vector<page::Name> out = {std::move(first)};
  for (const RunResult& run : input.runs) out.push_back(parts::run_name(run));
  return out;
}

page::Cell passed(bool met) { return {"", met ? Tone::good : Tone::bad, met ? "PASS" : "FAIL"}; }

page::Section slo(const ReportInput& input) {
  page::Section out{"slo",
                    "Service levels",
                    "What was asked, and what each manager achieved. A rejected request counts as one too late.",
                    {}};
  if (input.slo.empty() || input.runs.empty()) return out;
  page::Table table{"Service levels", run_columns(input, "target"), {{"", {}}}, ""};
  auto& rows = table.groups[0].rows;
  for (const LatencyLimit& limit : input.slo) {
    rows.push_back({limit.key + " ≤ " + text::duration(limit.limit_ns), {}});
  }
  page::Row all{"all targets", {}}, shed{"rejected · unfinished · preempted", {}};
  for (const RunResult& run : input.runs) {
    const std::vector<SloCheck> checks = check_slo(input.slo, run);
    for (std::size_t t = 0; t < checks.size(); ++t) {
      const SloCheck& c = checks[t];
      std::string margin;
      if (c.achieved_ns && c.target.limit_ns > 0) {
        margin = c.met ? text::percent(c.margin) + " to spare"
                       : text::times(*c.achieved_ns / c.target.limit_ns) + " the limit";
      }
      rows[t].cells.push_back({c.achieved_ns  ? text::duration(*c.achieved_ns)
                               : c.rejections ? "too many rejected"
                                              : "nothing measured",
                               c.met ? Tone::good : Tone::bad, c.met ? "✓ met" : "✗ missed", margin});
    }
    all.cells.push_back(passed(slo_met(input.slo, run)));
    shed.cells.push_back({fmt::format("{} · {} · {}", text::count(run.rejected), text::count(run.unfinished),
                                      text::count(run.preemptions))});
  }
  rows.push_back(std::move(all));
  rows.push_back(std::move(shed));
  out.blocks.emplace_back(std::move(table));
  return out;
}

page::Row metric_row(const ReportInput& input, const MetricRow& metric) {
  std::vector<double> values;
  for (const RunResult& run : input.runs) values.push_back(metric.value(run));
  const Ranking ranking = rank(values, metric.better);
  page::Row row{std::string(metric.label), {}};
  for (std::size_t i = 0; i < values.size(); ++i) {
    const bool best = !ranking.alike && std::ranges::find(ranking.best_runs, i) != ranking.best_runs.end();
    row.cells.push_back({std::isfinite(values[i]) ? metric.show(values[i]) : "–", best ? Tone::best : Tone::plain});
  }
  return row;
}

page::Section managers(const ReportInput& input) {
  page::Section out{"managers",
                    "Managers side by side",
                    "The same requests on the same pool under each memory manager; the full digits are in "
                    "summary.json.",
                    {}};
  if (input.runs.empty()) return out;
  page::Table table{"Managers side by side", run_columns(input, ""), {}, "Bold: the best, or within 1 % of it."};
  for (const MetricRow& metric : metric_rows(input.runs)) {
    if (table.groups.empty() || table.groups.back().title != metric.group) {
      table.groups.push_back({std::string(metric.group), {}});
    }
    table.groups.back().rows.push_back(metric_row(input, metric));
  }
  out.blocks.emplace_back(std::move(table));
  return out;
}

page::Section budget(const ReportInput& input) {
  page::Section out{"budget", "Memory budget", words::budget(input), {}};
  if (input.budget.empty() && input.kv_line.empty()) return out;
  page::Bars bars;
  bars.words = input.kv_line;
  if (input.budget.empty()) {
    out.sentence = "The KV pool was given in the scenario.";
    out.blocks.emplace_back(std::move(bars));
    return out;
  }
  double total = 0;
  for (const BudgetPart& p : input.budget) total += static_cast<double>(std::max<std::int64_t>(p.bytes, 0));
  page::Bars::Bar bar{"each GPU", {}, text::bytes(total)};
  bars.table = {"Memory budget", {"of each GPU", "memory", "share"}, {{"", {}}}, ""};
  std::size_t other = 0;
  for (const BudgetPart& p : input.budget) {
    const std::string colour = p.is_kv_pool ? "live" : fmt::format("b{}", std::min<std::size_t>(other++, 4));
    const double bytes = static_cast<double>(std::max<std::int64_t>(p.bytes, 0));
    const std::string share = text::percent(total > 0 ? bytes / total : 0);
    bar.shares.push_back({p.label, colour, bytes, text::bytes(bytes)});
    bars.legend.push_back({p.label, colour, 0, text::bytes(bytes) + " · " + share});
    bars.table.groups[0].rows.push_back({p.label, {{text::bytes(bytes)}, {share}}});
  }
  bars.bars.push_back(std::move(bar));
  out.blocks.emplace_back(std::move(bars));
  return out;
}

page::Section inputs(const ReportInput& input) {
  page::Cards cards;
  for (const Card& c : input.cards) {
    page::Card card{c.title, {}};
    for (const Fact& f : c.facts) card.facts.push_back({f.label, f.value});
    cards.cards.push_back(std::move(card));
  }
  page::Section out{
      "inputs",
      "What was simulated",
      input.ledger.empty() ? "The requests, the model and the machine." : "Workload: " + input.ledger + ".",
      {}};
  if (!cards.cards.empty()) out.blocks.emplace_back(std::move(cards));
  return out;
}

page::Section notes(const ReportInput& input) {
  page::Notes notes{input.notes};
  // Most often all managers reject the same requests: said once.
  std::vector<std::pair<std::string, std::vector<std::string>>> rejections;  // what, and by whom
  for (const RunResult& run : input.runs) {
    if (run.first_rejected.empty()) continue;
    const RejectedRequest& r = run.first_rejected.front();
    const std::string what =
        fmt::format("rejected {}; the first is request {} ({} prompt + {} output tokens): {}.",
                    text::plural(run.rejected, "request"), text::count(r.id),
                    text::count(static_cast<std::uint64_t>(r.prompt_tokens)), r.output_tokens, r.reason);
    const auto same = std::ranges::find(rejections, what, &decltype(rejections)::value_type::first);
    if (same != rejections.end())
      same->second.push_back(run.name);
    else
      rejections.push_back({what, {run.name}});
  }
  for (const auto& [what, who] : rejections) notes.lines.push_back(text::list(who) + " " + what);
  for (const RunResult& run : input.runs) {
    if (run.unfinished > 0) {
      notes.lines.push_back(fmt::format("{} left {} unfinished: its latencies are those of the others only.", run.name,
                                        text::plural(run.unfinished, "request")));
    }
  }
  page::Section out{"notes", "Notes and limits", "Read these before acting on the numbers.", {}};
  if (!notes.lines.empty()) out.blocks.emplace_back(std::move(notes));
  return out;
}

page::Section provenance(const ReportInput& input) {
  double wall_ns = 0;
  for (const RunResult& run : input.runs) wall_ns += static_cast<double>(run.wall_ns);
  page::Card facts{"",
                   {{"version", input.version},
                    {"workload", input.workload_name},
                    {"seed", input.seed.empty() ? "none: nothing is random" : input.seed},
                    {"step costs", input.cost_source},
                    {"evidence", words::evidence(input.evidence)},
                    {"time to simulate", wall_ns > 0 ? text::duration(wall_ns) : ""},
                    {"beside this page",
                     "summary.json (also inside), requests.csv, memory.csv, trace.perfetto.json, "
                     "resolved.yaml; report.json rebuilds it: stowage report FOLDER"}}};
  page::Section out{
      "provenance",
      "Provenance",
      "This command gives the same numbers again; with -o FOLDER, this page. The page holds summary.json, "
      "in a script element of that name; the requests and the full series lie beside it as CSV.",
      {}};
  out.blocks.emplace_back(page::Code{"", input.command});
  out.blocks.emplace_back(page::Cards{{std::move(facts)}});
  if (!input.resolved_yaml.empty()) out.blocks.emplace_back(page::Code{"Resolved scenario", input.resolved_yaml, true});
  return out;
}
}  // namespace

page::Page run_page(const ReportInput& all) {
  ReportInput shown;
  const bool cut = all.runs.size() > max_shown;
  if (cut) {
    shown = all;
    shown.runs.resize(max_shown);
    if (!shown.folders.empty()) shown.folders.resize(max_shown);
    shown.notes.push_back(
        fmt::format("This page shows the first {} of {} runs; the verdict is of all. summary.json and the "
                    "CSV files beside it have every one.",
                    max_shown, text::count(all.runs.size())));
  }
  const ReportInput& input = cut ? shown : all;
  page::Page p{.kind = "run report", .title = input.title, .version = input.version};
  p.badges = {input.workload_name, "step costs: " + input.cost_source};
  p.evidence = evidence_name(input.evidence);
  p.evidence_words = words::evidence(input.evidence);
  p.evidence_measured = input.evidence == Evidence::measured || input.evidence == Evidence::scaled;
  p.verdict = verdict(all);
  p.series = parts::run_series(input);
  p.sections = {slo(input),
                managers(input),
                budget(input),
                parts::pareto(input),
                parts::memory_over_time(input),
                parts::waste(input),
                parts::distributions(input),
                parts::lives(input),
                inputs(input),
                parts::sensitivity(input),
                notes(input),
                provenance(input)};
  p.summary_json = to_json_text(input);
  return p;
}
}  // namespace stowage
