#include "reports/page.hpp"

#include <fmt/format.h>

#include <span>
#include <string_view>

#include "base/embedded.hpp"
#include "base/error.hpp"
#include "reports/html.hpp"
#include "reports/page_html.hpp"
#include "reports/text.hpp"

namespace stowage {
/// Made by cmake/EmbedFiles.cmake from reports/assets and the chart library.
std::span<const EmbeddedFile> report_assets();

namespace {
// No request may leave the page, whatever a name in it says: the policy has no source but the page itself.
constexpr std::string_view policy =
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'";
constexpr std::string_view chart_library = "echarts.min.js";

std::string asset(std::string_view name) {
  const EmbeddedFile* const file = find_embedded(report_assets(), name);
  STOWAGE_ASSERT(file != nullptr);
  return std::string(file->bytes);
}
}  // namespace

bool charts_built_in() { return find_embedded(report_assets(), chart_library) != nullptr; }

std::string report_licences() { return asset("licences.txt"); }

namespace page {
namespace {
using text::html;

std::string_view verdict_class(Tone tone) {
  static constexpr std::array<std::string_view, 5> classes = {"none", "none", "pass", "mixed", "fail"};
  return classes[static_cast<std::size_t>(tone)];
}

std::string verdict(const Verdict& v) {
  std::string out = fmt::format("<div class=\"verdict {0}\"><p class=\"lead\">", verdict_class(v.tone));
  if (!v.word.empty()) out += fmt::format("<span class=\"word {}\">{}</span>", verdict_class(v.tone), html(v.word));
  out += text::html_sentence(v.sentence) + "</p>";
  if (!v.reasons.empty()) {
    out += "<ul>";
    for (const std::string& reason : v.reasons) out += "<li>" + text::html_sentence(reason) + "</li>";
    out += "</ul>";
  }
  return out + "</div>\n";
}

std::string header(const Page& p, const Writer& writer) {
  std::string badges;
  for (const std::string& b : p.badges) {
    if (!b.empty()) badges += "<li class=\"badge\">" + html(b) + "</li>";
  }
  return fmt::format(
      "<header>\n<p class=\"brand\"><b>Stowage</b> {}</p>\n<h1>{}</h1>\n<ul class=\"badges\">{}{}</ul>\n{}",
      html(p.kind), html(p.title), writer.evidence_badge("li"), badges, verdict(p.verdict));
}
}  // namespace

std::string to_html(const Page& p) {
  const bool charts = charts_built_in();
  Writer writer(p);
  std::string body, links;
  for (const Section& s : p.sections) {
    const std::string section = writer.section(s);
    if (!section.empty()) links += fmt::format("<a href=\"#{}\">{}</a>\n", html(s.id), html(s.title));
    body += section;
  }
  std::string out = "<!doctype html>\n<html lang=\"en\"" + std::string(charts ? "" : " class=\"no-charts\"") +
                    ">\n<head>\n<meta charset=\"utf-8\">\n<meta http-equiv=\"Content-Security-Policy\" content=\"" +
                    std::string(policy) +
                    "\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                    "<meta name=\"color-scheme\" content=\"light dark\">\n<title>" +
                    html(p.title) + " – Stowage</title>\n<style>\n" + asset("report.css") +
                    "</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#results\">Skip to the results</a>\n";
  out += header(p, writer) + "<nav aria-label=\"Parts of this report\">" + links + "</nav>\n</header>\n" +
         "<main id=\"results\">\n";
  if (charts) {
    out +=
        "<noscript><p class=\"missing\">Without JavaScript the curves are not drawn; the tables hold the same "
        "numbers.</p></noscript>\n";
  } else {
    out +=
        "<p class=\"missing\">This build of Stowage has no chart library: the tables below hold the numbers the "
        "curves would show.</p>\n";
  }
  out += body + "</main>\n<footer><p>" + html(p.version) + (charts ? ". Charts: Apache ECharts 6.1.0" : "") +
         ". This page is complete in itself and asks for nothing from the network.</p></footer>\n";
  out += writer.all_marks();
  out += "<script type=\"application/json\" id=\"summary.json\">" + script_safe(p.summary_json) +
         "</script>\n<script type=\"application/json\" id=\"chart-data\">" + script_safe(writer.chart_data()) +
         "</script>\n";
  if (charts) out += "<script>" + asset(chart_library) + "</script>\n";
  return out + "<script>\n" + asset("charts.js") + "</script>\n<script>\n" + asset("report.js") +
         "</script>\n</body>\n</html>\n";
}
}  // namespace page
}  // namespace stowage
