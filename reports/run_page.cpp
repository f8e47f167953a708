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
                    "What was asked, and what each manager achieved. A request that was not served counts as later "
                    "than any limit; all other latencies of this page are of the served.",
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
                               : c.unserved   ? "too many not served"
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

constexpr std::string_view run_files =
    "summary.json (also inside), requests.csv, memory.csv, trace.perfetto.json, resolved.yaml; report.json rebuilds "
    "it: stowage report FOLDER";

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
  parts::set_evidence(p, input);
  p.verdict = verdict(all);
  p.series = parts::run_series(input);
  p.sections = {slo(input),
                managers(input),
                parts::budget(input),
                parts::pareto(input),
                parts::memory_over_time(input),
                parts::waste(input),
                parts::distributions(input),
                parts::fleet(input),
                parts::lives(input),
                parts::inputs(input),
                parts::sensitivity(input),
                notes(input),
                parts::provenance(input, run_files)};
  p.summary_json = parts::carried_summary(to_json_text(input));
  return p;
}
}  // namespace stowage
