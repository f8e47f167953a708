#include "reports/compare_page.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "reports/plan_page.hpp"
#include "reports/run_page.hpp"
#include "reports/text.hpp"

namespace stowage {
namespace {
using page::Tone;
using parts::Json, parts::number_at;

double real(const Json& j) { return j.is_number() ? j.get<double>() : NAN; }

std::string shown(const std::string& unit, double x) {
  if (!std::isfinite(x)) return "–";
  if (unit == "count") return text::count(static_cast<std::uint64_t>(std::max(0.0, x)));
  if (unit == "time") return text::duration(x * 1e9);
  return unit == "share" ? text::percent(x) : text::number(x);
}

std::string signed_shown(const std::string& unit, double x) {
  if (!std::isfinite(x)) return "–";
  if (x == 0) return "0";
  return (x < 0 ? "−" : "+") + shown(unit, std::abs(x));
}

/// "better", "worse", or neither where the interval holds zero or the change is below what a histogram resolves.
page::Cell change(const Json& m) {
  const std::string unit = m.at("unit");
  const double a = real(m.at("a")), b = real(m.at("b")), better = number_at(m, "better");
  const double apart = m.contains("difference") ? real(m.at("difference")) : b - a;
  page::Cell out{std::isfinite(a) && std::isfinite(b) ? signed_shown(unit, apart) : "–"};
  if (!std::isfinite(a) || !std::isfinite(b) || a == b) return out;
  if (unit != "share" && a != 0) out.small = fmt::format("{:+.1f} %", apart / a * 100);
  const bool clear = unit == "share" ? std::abs(apart) >= 0.001 : a == 0 || std::abs(apart / a) >= 0.01;
  const bool holds_zero = m.contains("low") && real(m.at("low")) <= 0 && real(m.at("high")) >= 0;
  if (better == 0 || !clear) return out;
  if (holds_zero) {
    out.tone = Tone::mixed, out.word = "not certain";
  } else {
    const bool good = (apart > 0) == (better > 0);
    out.tone = good ? Tone::good : Tone::bad, out.word = good ? "better" : "worse";
  }
  return out;
}

page::Section asked(const Json& data) {
  page::Section out{"asked", "What was asked differently", "Keys of the resolved scenarios that differ.", {}};
  page::Table table{"What was asked differently", {"key", "A", "B"}, {{"", {}}}, ""};
  for (const Json& d : data.at("asked"))
    table.groups[0].rows.push_back({d.at("key").get<std::string>(), {{d.at("a")}, {d.at("b")}}});
  if (table.groups[0].rows.empty()) out.sentence = "Nothing: both resolved to the same scenario.";
  table.groups[0].rows.insert(table.groups[0].rows.begin(), {"result", {{data.at("a")}, {data.at("b")}}});
  out.blocks.emplace_back(std::move(table));
  return out;
}

/// The run's sign: on a page of both folders its name has the folder behind it.
std::string sign(const page::Page& p, const std::string& manager) {
  for (const page::Series& s : p.series)
    if (s.name == manager || s.name.starts_with(manager + " · ")) return s.name;
  return manager;
}

page::Section differences(const Json& data, const page::Page& p) {
  page::Section out{
      "differences",
      "Differences",
      "B against A under each manager. Intervals hold the difference in 95 % of resamples of the requests "
      "in blocks; where both served the same requests, pair by pair. A difference whose interval holds "
      "zero is not certain.",
      {}};
  for (const Json& run : data.at("runs")) {
    const std::string a = run.at("a"), b = run.at("b"), name = a == b ? a : a + " against " + b;
    page::Table table{
        name, {{name, sign(p, a)}, "A", "B", "B − A", "95 % interval"}, {{"", {}}}, run.value("basis", "")};
    auto& rows = table.groups[0].rows;
    const auto passed = [](const std::string& word) {
      return page::Cell{word == "-" ? "–" : "", word == "PASS" ? Tone::good : Tone::bad, word == "-" ? "" : word};
    };
    rows.push_back({"SLO", {passed(run.at("slo_a")), passed(run.at("slo_b")), {""}, {""}}});
    for (const Json& m : run.at("table")) {
      const std::string unit = m.at("unit");
      rows.push_back(
          {m.at("label").get<std::string>(),
           {{shown(unit, real(m.at("a")))},
            {shown(unit, real(m.at("b")))},
            change(m),
            {m.contains("low") ? signed_shown(unit, real(m.at("low"))) + " to " + signed_shown(unit, real(m.at("high")))
                               : "–"}}});
    }
    out.blocks.emplace_back(std::move(table));
  }
  return out;
}

page::Verdict verdict(const Json& data) {
  page::Verdict v{Tone::plain, "", "", {}};
  std::size_t better = 0, worse = 0, unsure = 0;
  for (const Json& run : data.at("runs")) {
    const std::string name = run.at("b");
    std::vector<std::string> words;
    for (const Json& m : run.at("table")) {
      const page::Cell c = change(m);
      if (c.word == "better") ++better;
      if (c.word == "worse") ++worse;
      if (c.word == "not certain") ++unsure;
      const std::string label = m.at("label");
      if (label != "requests/s" && label != "TTFT p99" && label != "TBT p99") continue;
      words.push_back(
          fmt::format("{} {}", label,
                      c.word.empty() ? "about the same" : c.word + " (" + (c.small.empty() ? c.text : c.small) + ")"));
    }
    if (!words.empty() && v.reasons.size() < 6) v.reasons.push_back(name + ": " + text::list(words) + ".");
  }
  v.sentence =
      fmt::format("B is better than A in {} and worse in {}{}.", text::plural(better, "figure"), text::count(worse),
                  unsure == 0 ? "" : fmt::format("; {} may be noise", text::count(unsure)));
  return v;
}
}  // namespace

page::Page compare_page(const ReportInput& input) {
  const Json& data = input.data;
  page::Page p;
  if (input.runs.empty()) {
    p = {.kind = "", .title = input.title, .version = input.version};
    p.sections = {
        parts::provenance(input, "compare.json (also inside); report.json rebuilds it: stowage report FOLDER")};
    for (const Json& run : data.at("runs")) p.series.push_back({run.at("a")});
  } else {
    p = run_page(input);
  }
  p.kind = "comparison";
  p.verdict = verdict(data);
  p.sections.insert(p.sections.begin(), {asked(data), differences(data, p)});
  p.summary_json = data.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  return p;
}
}  // namespace stowage
