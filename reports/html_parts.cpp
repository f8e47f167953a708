#include "reports/html_parts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "reports/metrics.hpp"
#include "reports/text.hpp"
#include "reports/words.hpp"

namespace stowage::html {
namespace {
using text::html;

struct PartText {
  std::string_view name, meaning;
};
PartText part_text(Part part) {
  switch (part) {
    case Part::live:
      return {"live", "holds a token's keys and values"};
    case Part::reserved:
      return {"reserved", "for tokens still to come"};
    case Part::internal:
      return {"internal", "held, will never hold a token"};
    case Part::external:
      return {"external", "free, but of no use to the next request"};
    case Part::cached:
      return {"cached", "kept for requests to come"};
    case Part::free:
      return {"free", ""};
  }
  STOWAGE_ASSERT(false);
  return {};
}

std::string word(words::Verdict verdict) {
  switch (verdict) {
    case words::Verdict::none:
      return "";
    case words::Verdict::pass:
      return R"(<span class="word pass">PASS</span>)";
    case words::Verdict::mixed:
      return R"(<span class="word mixed">PARTLY</span>)";
    case words::Verdict::fail:
      return R"(<span class="word fail">FAIL</span>)";
  }
  STOWAGE_ASSERT(false);
  return {};
}
std::string_view css_class(words::Verdict verdict) {
  static constexpr std::array<std::string_view, 4> classes = {"none", "pass", "mixed", "fail"};
  return classes[static_cast<std::size_t>(verdict)];
}

std::string badge(std::string_view shown) {
  return shown.empty() ? "" : fmt::format("<li class=\"badge\">{}</li>", html(shown));
}
/// How well the step costs are known, set off in colour when nothing was measured.
std::string evidence_badge(const ReportInput& input, std::string_view element) {
  const bool calibrated = input.evidence == Evidence::measured || input.evidence == Evidence::scaled;
  return fmt::format("<{0} class=\"badge{1}\" title=\"{2}\">evidence: {3}</{0}>", element, calibrated ? "" : " warn",
                     words::evidence(input.evidence), evidence_name(input.evidence));
}

/// The evidence stands over every table, because the table is what gets copied. The caller closes the table with
/// `end_of_table`.
std::string framed_table(const ReportInput& input, std::string_view label, std::string_view remark) {
  return fmt::format(
      "<div class=\"framed\"><p class=\"remark\">{}<span>{}</span></p><div class=\"scroll\" tabindex=\"0\" "
      "role=\"region\" "
      "aria-label=\"{}\"><table class=\"wide\">",
      evidence_badge(input, "span"), remark, label);
}
constexpr std::string_view end_of_table = "</tbody></table></div></div>\n";

std::string manager_heads(const ReportInput& input) {
  std::string out;
  for (std::size_t i = 0; i < input.runs.size(); ++i) {
    out += fmt::format("<th scope=\"col\"><span class=\"name\">{}{}</span></th>", mark(i), html(input.runs[i].name));
  }
  return out;
}

std::string metric_cells(const ReportInput& input, const MetricRow& row) {
  std::vector<double> values;
  for (const RunResult& run : input.runs) values.push_back(row.value(run));
  const Ranking ranking = rank(values, row.better);
  std::string out;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const bool best = !ranking.alike && std::ranges::find(ranking.best_runs, i) != ranking.best_runs.end();
    const std::string shown = std::isfinite(values[i]) ? html(row.show(values[i])) : "–";
    out += best ? fmt::format("<td><strong title=\"best\">{}</strong></td>", shown) : "<td>" + shown + "</td>";
  }
  return out;
}

std::string deployable_row(const ReportInput& input) {
  std::string out = "<tr><th scope=\"row\">ships today in</th>";
  for (const RunResult& run : input.runs) {
    const ManagerRow* const row = find_manager(run.manager.kind);
    out += "<td>" + html(row != nullptr ? row->deployable : "–") + "</td>";
  }
  return out + "</tr>";
}

std::string copyable(std::string_view id, std::string_view css, std::string_view content) {
  return fmt::format(
      "<div class=\"copied\"><button type=\"button\" hidden data-copy=\"{0}\">Copy</button>"
      "<pre id=\"{0}\" class=\"{1}\" tabindex=\"0\">{2}</pre></div>",
      id, css, html(content));
}

/// A legend's entry: a square of that colour and what it stands for.
std::string key(std::string_view colour, std::string_view meaning) {
  return fmt::format("<li><i class=\"key\" style=\"background:var(--{})\"></i><span>{}</span></li>", colour, meaning);
}

std::string fact(std::string_view label, std::string_view value) {
  return value.empty() ? "" : fmt::format("<div><dt>{}</dt><dd>{}</dd></div>", html(label), html(value));
}
}  // namespace

std::string mark(std::size_t manager) {
  static constexpr std::array<std::string_view, 7> shapes = {R"(<circle cx="7" cy="7" r="5.5"/>)",
                                                             R"(<path d="M7 1 13 12.5H1z"/>)",
                                                             R"(<path d="M7 .5 13.5 7 7 13.5.5 7z"/>)",
                                                             R"(<path d="M1.5 1.5h11v11h-11z"/>)",
                                                             R"(<rect x="1" y="3" width="12" height="8" rx="3"/>)",
                                                             R"(<path d="M7 1 12 13 7 10 2 13z"/>)",
                                                             R"(<path d="M7 13 2 6a5 5 0 1 1 10 0z"/>)"};
  const std::size_t shape = manager % shapes.size();
  return fmt::format(
      "<svg class=\"mark\" data-m=\"{0}\" viewBox=\"0 0 14 14\" aria-hidden=\"true\" "
      "style=\"fill:var(--m{1})\">{2}</svg>",
      manager, shape, shapes[shape]);
}

std::string section(std::string_view id, std::string_view title, std::string_view sentence, std::string_view body) {
  return fmt::format(
      "<section id=\"{0}\" aria-labelledby=\"{0}-title\"><h2 id=\"{0}-title\">{1}</h2>\n<p class=\"say\">{2}</p>\n{3}"
      "</section>\n",
      id, html(title), text::html_sentence(sentence), body);
}

std::string parts_legend() {
  std::string out = "<ul class=\"legend\" aria-label=\"Parts of the KV pool\">";
  for (const Part part : stacking) {
    const PartText t = part_text(part);
    out += key(t.name, fmt::format("{} <small>{}</small>", t.name, t.meaning));
  }
  return out + "</ul>\n";
}

std::string header(const ReportInput& input) {
  const words::Headline headline = words::headline(input);
  std::string out = fmt::format(
      "<header>\n<p class=\"brand\"><b>Stowage</b> run report</p>\n<h1>{}</h1>\n<ul class=\"badges\">{}{}{}</ul>\n",
      html(input.title), badge(input.workload_name), evidence_badge(input, "li"),
      badge("step costs: " + input.cost_source));
  out += fmt::format("<div class=\"verdict {}\"><p class=\"lead\">{}{}</p>", css_class(headline.verdict),
                     word(headline.verdict), text::html_sentence(headline.sentence));
  if (!headline.reasons.empty()) {
    out += "<ul>";
    for (const std::string& reason : headline.reasons) out += "<li>" + text::html_sentence(reason) + "</li>";
    out += "</ul>";
  }
  return out + "</div>\n";
}

std::string slo(const ReportInput& input) {
  if (input.slo.empty() || input.runs.empty()) return "";
  std::string body = framed_table(input, "Service levels", "") +
                     "<thead><tr><th scope=\"col\">target</th><th scope=\"col\">limit</th>" + manager_heads(input) +
                     "</tr></thead><tbody>\n";
  std::vector<std::vector<SloCheck>> checks;
  std::string verdicts;
  for (const RunResult& run : input.runs) {
    checks.push_back(check_slo(input.slo, run));
    verdicts += "<td>" + word(slo_met(input.slo, run) ? words::Verdict::pass : words::Verdict::fail) + "</td>";
  }
  for (std::size_t t = 0; t < input.slo.size(); ++t) {
    body += fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td>", html(input.slo[t].key),
                        text::duration(input.slo[t].limit_ns));
    for (const auto& run_checks : checks) {
      const SloCheck& check = run_checks[t];
      const std::string margin = !check.achieved_ns || input.slo[t].limit_ns <= 0 ? ""
                                 : check.met ? text::percent(check.margin) + " to spare"
                                             : text::times(*check.achieved_ns / input.slo[t].limit_ns) + " the limit";
      body += fmt::format("<td>{} <span class=\"word {}\">{}</span>{}</td>",
                          check.achieved_ns ? text::duration(*check.achieved_ns) : "nothing measured",
                          check.met ? "pass" : "fail", check.met ? "✓ met" : "✗ missed",
                          margin.empty() ? "" : "<br><small>" + margin + "</small>");
    }
    body += "</tr>\n";
  }
  body += "<tr><th scope=\"row\">all targets</th><td></td>" + verdicts +
          "</tr>\n<tr><th scope=\"row\">rejected · "
          "unfinished</th><td></td>";
  for (const RunResult& run : input.runs) {
    body += fmt::format("<td>{} · {}</td>", text::count(run.rejected), text::count(run.unfinished));
  }
  return section("slo", "Service levels",
                 "What was asked, and what each manager achieved. Rejected requests are in no percentile.",
                 body + "</tr>" + std::string(end_of_table));
}

std::string managers(const ReportInput& input) {
  if (input.runs.empty()) return "";
  std::string body = framed_table(input, "Managers side by side", "Bold: the best, or within 1 % of it.") +
                     "<thead><tr><th scope=\"col\"></th>" + manager_heads(input) + "</tr></thead>\n";
  body += "<tbody>" + deployable_row(input) + "</tbody>\n";
  std::string_view group;
  for (const MetricRow& row : metric_rows(input.runs)) {
    if (row.group != group) {
      if (!group.empty()) body += "</tbody>\n";
      group = row.group;
      body += fmt::format("<tbody><tr><th scope=\"rowgroup\" colspan=\"{}\">{}</th></tr>\n", input.runs.size() + 1,
                          html(group));
    }
    body += fmt::format("<tr><th scope=\"row\">{}</th>{}</tr>\n", html(row.label), metric_cells(input, row));
  }
  body += end_of_table;
  return section("managers", "Managers side by side",
                 "The same requests on the same pool under each memory manager; the full digits are in summary.json.",
                 body);
}

std::string budget(const ReportInput& input) {
  if (input.budget.empty() && input.kv_line.empty()) return "";
  double total = 0;
  for (const BudgetPart& part : input.budget) total += static_cast<double>(std::max<std::int64_t>(part.bytes, 0));
  std::string body = "<div class=\"panel\">";
  if (total > 0) {
    std::string bar, legend;
    std::size_t other = 0;
    for (const BudgetPart& part : input.budget) {
      const std::string colour = part.is_kv_pool ? "live" : fmt::format("b{}", std::min<std::size_t>(other++, 4));
      const double share = static_cast<double>(std::max<std::int64_t>(part.bytes, 0)) / total;
      bar += fmt::format("<i style=\"flex:0 0 {:.4f}%;background:var(--{})\"></i>", share * 100, colour);
      legend += key(colour, fmt::format("{} <small>{} · {}</small>", html(part.label),
                                        text::bytes(static_cast<double>(part.bytes)), text::percent(share)));
    }
    body += fmt::format(
        "<div class=\"bar\" role=\"img\" aria-label=\"{}\">{}</div>\n<ul class=\"legend\" "
        "style=\"margin:12px 0 0\">{}</ul>",
        html(words::budget(input)), bar, legend);
  }
  if (!input.kv_line.empty()) body += "<p class=\"words\">" + html(input.kv_line) + "</p>";
  return section("budget", "Memory budget", total > 0 ? words::budget(input) : "The KV pool was given in the scenario.",
                 body + "</div>\n");
}

std::string waste(const ReportInput& input) {
  if (input.runs.empty()) return "";
  std::string body = parts_legend() + "<div class=\"panel\"><div class=\"bars\">\n";
  std::string table;
  for (std::size_t i = 0; i < input.runs.size(); ++i) {
    const RunResult& run = input.runs[i];
    std::string bar, label, cells;
    for (const Part part : stacking) {
      const double share = std::clamp(run.mean_fraction[at(part)], 0.0, 1.0);
      if (share > 0)
        bar += fmt::format("<i style=\"flex:0 0 {:.4f}%;background:var(--{})\" title=\"{}: {}\"></i>", share * 100,
                           part_text(part).name, part_text(part).name, text::percent(share));
      label += fmt::format("{}{} {}", label.empty() ? "" : ", ", part_text(part).name, text::percent(share));
      cells += "<td>" + text::percent(share) + "</td>";
    }
    body += fmt::format(
        "<div class=\"row\"><span class=\"who\">{}{}</span><div class=\"bar\" role=\"img\" aria-label=\"{}: "
        "{}\">{}</div>"
        "<span class=\"sum\">{} lost</span></div>\n",
        mark(i), html(run.name), html(run.name), label, bar, text::percent(lost_fraction(run)));
    table += fmt::format("<tr><th scope=\"row\">{}</th>{}<td>{}</td></tr>", html(run.name), cells,
                         text::percent(lost_fraction(run)));
  }
  body +=
      "</div>\n<details><summary>Table</summary><div class=\"scroll\"><table><thead><tr><th scope=\"col\">manager</th>";
  for (const Part part : stacking) body += fmt::format("<th scope=\"col\">{}</th>", part_text(part).name);
  body += "<th scope=\"col\">lost</th></tr></thead><tbody>" + table + "</tbody></table></div></details></div>\n";
  return section(
      "waste", "Where the memory went",
      words::waste(input) +
          " Time-weighted means from the first arrival to the last completion; lost = reserved + internal + external.",
      body);
}

std::string cards(const ReportInput& input) {
  std::string body;
  for (const Card& card : input.cards) {
    body += "<div class=\"panel\"><h3>" + html(card.title) + "</h3><dl>";
    for (const Fact& f : card.facts) body += fact(f.label, f.value);
    body += "</dl></div>\n";
  }
  if (body.empty()) return "";
  return section("inputs", "What was simulated",
                 input.ledger.empty() ? "The requests, the model and the machine." : "Workload: " + input.ledger + ".",
                 "<div class=\"cards\">" + body + "</div>\n");
}

std::string notes(const ReportInput& input) {
  std::string body;
  for (const std::string& note : input.notes) body += "<li>" + html(note) + "</li>\n";
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
  for (const auto& [what, who] : rejections) body += "<li>" + html(text::list(who) + " " + what) + "</li>\n";
  if (body.empty()) return "";
  return section("notes", "Notes and limits", "Read these before acting on the numbers.",
                 "<ul class=\"notes\">" + body + "</ul>\n");
}

std::string provenance(const ReportInput& input) {
  double wall_ns = 0;
  for (const RunResult& run : input.runs) wall_ns += static_cast<double>(run.wall_ns);
  std::string body = "<div class=\"panel\">" + copyable("command", "line", input.command) + "<dl>" +
                     fact("version", input.version) + fact("workload", input.workload_name) +
                     fact("seed", input.seed.empty() ? "none: nothing is random" : input.seed) +
                     fact("step costs", input.cost_source) + fact("evidence", words::evidence(input.evidence)) +
                     fact("time to simulate", wall_ns > 0 ? text::duration(wall_ns) : "") +
                     "</dl><details><summary>Resolved scenario</summary>" +
                     copyable("resolved-yaml", "", input.resolved_yaml) + "</details></div>\n";
  return section("provenance", "Provenance",
                 "This command gives the same numbers again; with -o FOLDER, this page. The page holds summary.json, "
                 "in a script element of that name; the requests and the full series lie beside it as CSV.",
                 body);
}
}  // namespace stowage::html
