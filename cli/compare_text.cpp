#include "cli/compare_text.hpp"

#include <fmt/format.h>

#include <cmath>

#include "cli/table.hpp"
#include "reports/compare_page.hpp"
#include "reports/text.hpp"

namespace stowage::cli {
namespace {
using Json = nlohmann::ordered_json;
constexpr std::size_t asked_max = 40;  // keys shown; the JSON has all

std::string word(const Json& object, const char* key) { return object.at(key).get<std::string>(); }

Rows asked_rows(const Json& comparison) {
  const Json& asked = comparison.at("asked");
  Rows rows;
  for (const Json& d : asked) {
    if (rows.empty()) rows.push_back({"asked differently", "A", "B"});
    if (rows.size() > asked_max) {
      rows.push_back(
          {fmt::format("  and {} keys more (--format json)", text::count(asked.size() - asked_max)), "", ""});
      break;
    }
    rows.push_back({"  " + text::fit(text::printable(word(d, "key")), 40)});
    for (const char* side : {"a", "b"}) rows.back().push_back(text::fit(text::printable(word(d, side)), 26));
  }
  return rows;
}

Rows figure_rows(const Json& run) {
  const std::string a = text::printable(word(run, "a")), b = text::printable(word(run, "b"));
  const bool intervals = run.contains("basis");
  Rows rows = {{a == b ? a : a + " against " + b, "A", "B", "B against A"},
               {"  SLO", word(run, "slo_a"), word(run, "slo_b"), ""}};
  for (const Json& m : run.at("table")) {
    const Judged j = judge(m);
    std::string apart = j.relative.empty() ? j.apart : j.relative;
    if (m.at("a") == m.at("b")) apart = "";
    if (!j.word.empty()) apart += " " + j.word;
    rows.push_back({"  " + word(m, "label"), j.a, j.b, apart});
    if (intervals) rows.back().push_back(j.low.empty() ? "" : j.low + " to " + j.high);
  }
  if (intervals) rows[0].push_back("95 % interval"), rows[1].push_back("");
  return rows;
}
}  // namespace

std::string compare_text(const Json& comparison) {
  const page::Verdict verdict = compare_verdict(comparison);
  std::string out = wrapped(verdict.sentence);
  for (const auto& reason : verdict.reasons) out += wrapped(reason);
  out += fmt::format("\nA: {}\nB: {}\n\n", text::printable(word(comparison, "a")),
                     text::printable(word(comparison, "b")));
  const Rows asked = asked_rows(comparison);
  out += asked.empty() ? "The two were asked the same.\n" : table(asked);
  for (const Json& run : comparison.at("runs")) {
    out += "\n" + table(figure_rows(run));
    if (run.contains("basis")) out += "  " + word(run, "basis") + "\n";
  }
  return out;
}

std::string compare_csv(const Json& comparison) {
  const auto number = [](const Json& x) {
    return x.is_number() && std::isfinite(x.get<double>()) ? fmt::format("{}", x.get<double>()) : "";
  };
  std::string out = "a,b,manager_a,manager_b,metric,unit,value_a,value_b,difference,low_95,high_95,verdict\n";
  for (const Json& run : comparison.at("runs")) {
    std::string lead;
    for (const auto& name : {word(comparison, "a"), word(comparison, "b"), word(run, "a"), word(run, "b")})
      lead += text::csv_field(text::printable(name)) + ",";
    const auto met = [](const std::string& pass) { return pass == "-" ? "" : pass == "PASS" ? "1" : "0"; };
    out += fmt::format("{}slo_met,flag,{},{},,,,\n", lead, met(word(run, "slo_a")), met(word(run, "slo_b")));
    for (const Json& m : run.at("table")) {
      const double apart =
          m.at("b").is_number() && m.at("a").is_number() ? m.at("b").get<double>() - m.at("a").get<double>() : NAN;
      out += fmt::format("{}{},{},{},{},{},{},{},{}\n", lead, word(m, "metric"), word(m, "unit"), number(m.at("a")),
                         number(m.at("b")), number(m.contains("difference") ? m.at("difference") : Json(apart)),
                         m.contains("low") ? number(m.at("low")) : "", m.contains("high") ? number(m.at("high")) : "",
                         judge(m).word);
    }
  }
  return out;
}

std::string compare_markdown(const Json& comparison) {
  const page::Verdict verdict = compare_verdict(comparison);
  std::string out = "**" + text::markdown(verdict.sentence) + "**\n";
  for (const auto& reason : verdict.reasons) out += text::markdown(reason) + "\n";
  out +=
      fmt::format("\nA: {}, B: {}\n\n", text::markdown(text::printable(word(comparison, "a"))),
                  text::markdown(text::printable(word(comparison, "b"))));
  const Rows asked = asked_rows(comparison);
  out += asked.empty() ? "The two were asked the same.\n" : markdown_table(asked);
  for (const Json& run : comparison.at("runs")) {
    out += "\n" + markdown_table(figure_rows(run));
    if (run.contains("basis")) out += "\n" + text::markdown(word(run, "basis")) + "\n";
  }
  return out;
}
}  // namespace stowage::cli
