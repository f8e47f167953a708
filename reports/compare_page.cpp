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

/// What the page shows at most: keys asked differently, pairs of runs (as many as it shows of runs).
constexpr std::size_t asked_max = 100, pairs_max = max_shown / 2;

double real(const Json& j) { return j.is_number() ? j.get<double>() : NAN; }

std::string shown(const std::string& unit, double x) {
  if (!std::isfinite(x)) return "–";
  if (unit == "count") return text::count(static_cast<std::uint64_t>(std::max(0.0, x)));
  if (unit == "time") return text::duration(x * 1e9);
  return unit == "share" ? text::percent(x) : text::number(x);
}

std::string signed_shown(const std::string& unit, double x) {
  if (!std::isfinite(x)) return "–";
  if (x == 0 || (unit == "share" && std::abs(x) < 5e-5)) return "0";  // sums of shares do not cancel to the last digit
  const std::string size = unit == "share" ? text::number(std::abs(x) * 100) + " points" : shown(unit, std::abs(x));
  return (x < 0 ? "-" : "+") + size;
}

/// A minus as long as the plus.
std::string typeset(std::string text) {
  if (text.starts_with('-')) text.replace(0, 1, "−");
  return text;
}

page::Cell change(const Judged& j) {
  page::Cell out{j.apart.empty() ? "–" : typeset(j.apart)};
  out.small = typeset(j.relative), out.word = j.word;
  if (!j.word.empty()) out.tone = j.word == "better" ? Tone::good : j.word == "worse" ? Tone::bad : Tone::mixed;
  return out;
}

page::Section asked(const Json& data) {
  page::Section out{"asked", "What was asked differently", "Keys of the resolved scenarios that differ.", {}};
  page::Table table{"What was asked differently", {"key", "A", "B"}, {{"", {}}}, ""};
  for (const Json& d : data.at("asked")) {
    if (table.groups[0].rows.size() == asked_max) {
      out.sentence = fmt::format(
          "The first {} of {} keys of the resolved scenarios that differ; compare.json beside "
          "this page has all.",
          asked_max, text::count(data.at("asked").size()));
      break;
    }
    table.groups[0].rows.push_back(
        {text::fit(d.at("key").get<std::string>(), 120),
         {{text::fit(d.at("a").get<std::string>(), 200)}, {text::fit(d.at("b").get<std::string>(), 200)}}});
  }
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
  if (data.at("runs").size() > pairs_max)
    out.sentence += fmt::format(" The first {} of {} pairs are shown; compare.json beside this page has all.",
                                pairs_max, text::count(data.at("runs").size()));
  for (const Json& run : data.at("runs")) {
    if (out.blocks.size() == pairs_max) break;
    const std::string a = run.at("a"), b = run.at("b"), name = a == b ? a : a + " against " + b;
    page::Table table{
        name, {{name, sign(p, a)}, "A", "B", "B − A", "95 % interval"}, {{"", {}}}, run.value("basis", "")};
    auto& rows = table.groups[0].rows;
    const auto passed = [](const std::string& word) {
      return page::Cell{word == "-" ? "–" : "", word == "PASS" ? Tone::good : Tone::bad, word == "-" ? "" : word};
    };
    rows.push_back({"SLO", {passed(run.at("slo_a")), passed(run.at("slo_b")), {""}, {""}}});
    for (const Json& m : run.at("table")) {
      const Judged j = judge(m);
      rows.push_back({m.at("label").get<std::string>(),
                      {{j.a}, {j.b}, change(j), {j.low.empty() ? "–" : typeset(j.low) + " to " + typeset(j.high)}}});
    }
    out.blocks.emplace_back(std::move(table));
  }
  return out;
}

/// The comparison whole while it is small; else what the page shows of it.
std::string carried(const Json& data) {
  constexpr std::size_t most = 200'000;
  std::string whole = data.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  if (whole.size() <= most) return whole;
  Json less = data;
  for (const auto& [key, n] : {std::pair{"asked", asked_max}, {"runs", pairs_max}})
    if (less.at(key).size() > n)
      less.at(key).erase(less.at(key).begin() + static_cast<std::ptrdiff_t>(n), less.at(key).end());
  for (Json& d : less.at("asked"))
    for (auto& [key, value] : d.items()) value = text::fit(value.get<std::string>(), 200);
  less["left_out"] = "keys and pairs beyond those on this page; compare.json beside it has all";
  return less.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}
}  // namespace

Judged judge(const Json& m) {
  const std::string unit = m.at("unit");
  const double a = real(m.at("a")), b = real(m.at("b")), better = number_at(m, "better");
  Judged out{shown(unit, a), shown(unit, b), "", "", "", "", ""};
  if (m.contains("low"))
    out.low = signed_shown(unit, real(m.at("low"))), out.high = signed_shown(unit, real(m.at("high")));
  if (!std::isfinite(a) || !std::isfinite(b)) return out;
  const double apart = m.contains("difference") ? real(m.at("difference")) : b - a;
  out.apart = signed_shown(unit, apart);
  if (a == b) return out;
  if (unit != "share" && a != 0)
    out.relative = std::abs(apart / a) < 0.0005 ? "0 %"
                   : apart / a < 9              ? fmt::format("{:+.1f} %", apart / a * 100)
                                                : text::times(1 + apart / a);
  // Histograms are good to half of one percent.
  const bool clear = unit == "share" ? std::abs(apart) >= 0.001 : a == 0 || std::abs(apart / a) >= 0.01;
  if (better == 0 || !clear) return out;
  const bool holds_zero = m.contains("low") && real(m.at("low")) <= 0 && real(m.at("high")) >= 0;
  out.word = holds_zero ? "not certain" : (apart > 0) == (better > 0) ? "better" : "worse";
  return out;
}

page::Verdict compare_verdict(const Json& data) {
  page::Verdict v{Tone::plain, "", "", {}};
  std::size_t better = 0, worse = 0, unsure = 0;
  for (const Json& run : data.at("runs")) {
    const std::string name = run.at("b");
    std::vector<std::string> words;
    for (const Json& m : run.at("table")) {
      const Judged j = judge(m);
      if (j.word == "better") ++better;
      if (j.word == "worse") ++worse;
      if (j.word == "not certain") ++unsure;
      const std::string label = m.at("label");
      if (label != "requests/s" && label != "TTFT p99" && label != "TBT p99") continue;
      words.push_back(fmt::format(
          "{} {}", label,
          j.word.empty() ? "about the same" : j.word + " (" + (j.relative.empty() ? j.apart : j.relative) + ")"));
    }
    if (!words.empty() && v.reasons.size() < 6) v.reasons.push_back(name + ": " + text::list(words) + ".");
  }
  if (better + worse + unsure == 0)
    v.sentence = "A and B are alike in every figure.";
  else
    v.sentence =
        fmt::format("B is better than A in {} and worse in {}{}.", text::plural(better, "figure"), text::count(worse),
                    unsure == 0 ? "" : fmt::format("; {} may be noise", text::count(unsure)));
  return v;
}

page::Page compare_page(const ReportInput& input) {
  const Json& data = input.data;
  page::Page p;
  if (input.runs.empty()) {
    p = {.kind = "", .title = input.title, .version = input.version};
    p.sections = {
        parts::provenance(input, "compare.json (also inside); report.json rebuilds it: stowage report FOLDER")};
    for (const Json& run : data.at("runs"))
      if (p.series.size() < pairs_max) p.series.push_back({run.at("a")});
  } else {
    p = run_page(input);
  }
  p.kind = "comparison";
  p.verdict = compare_verdict(data);
  p.sections.insert(p.sections.begin(), {asked(data), differences(data, p)});
  p.summary_json = carried(data);
  return p;
}
}  // namespace stowage
