#include "reports/html.hpp"

#include <array>
#include <span>
#include <string_view>

#include "base/embedded.hpp"
#include "base/error.hpp"
#include "reports/html_parts.hpp"
#include "reports/json.hpp"
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

std::string navigation(std::string_view body) {
  struct Link {
    std::string_view id, text;
  };
  static constexpr std::array<Link, 9> links = {{{"slo", "Service levels"},
                                                 {"managers", "Managers"},
                                                 {"budget", "Budget"},
                                                 {"memory", "Memory over time"},
                                                 {"waste", "Where it went"},
                                                 {"latency", "Latency"},
                                                 {"inputs", "Inputs"},
                                                 {"notes", "Notes"},
                                                 {"provenance", "Provenance"}}};
  std::string out = "<nav aria-label=\"Sections\">";
  for (const Link& link : links) {
    if (body.find("<section id=\"" + std::string(link.id) + "\"") == std::string_view::npos) continue;
    out += "<a href=\"#" + std::string(link.id) + "\">" + std::string(link.text) + "</a>";
  }
  return out + "</nav>\n";
}
}  // namespace

bool charts_built_in() { return find_embedded(report_assets(), chart_library) != nullptr; }

std::string report_licences() { return asset("licences.txt"); }

std::string to_html(const ReportInput& input) {
  const bool charts = charts_built_in();
  const std::string body = html::slo(input) + html::managers(input) + html::budget(input) +
                           html::memory_over_time(input) + html::waste(input) + html::distributions(input) +
                           html::cards(input) + html::notes(input) + html::provenance(input);
  std::string page = "<!doctype html>\n<html lang=\"en\"" + std::string(charts ? "" : " class=\"no-charts\"") +
                     ">\n<head>\n<meta charset=\"utf-8\">\n<meta http-equiv=\"Content-Security-Policy\" content=\"" +
                     std::string(policy) +
                     "\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                     "<meta name=\"color-scheme\" content=\"light dark\">\n<title>" +
                     text::html(input.title) + " – Stowage</title>\n<style>\n" + asset("report.css") +
                     "</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#managers\">Skip to the results</a>\n";
  page += html::header(input) + navigation(body) + "</header>\n<main>\n";
  if (charts) {
    page +=
        "<noscript><p class=\"missing\">Without JavaScript the curves are not drawn; the tables hold the same "
        "numbers.</p></noscript>\n";
  } else {
    page +=
        "<p class=\"missing\">This build of Stowage has no chart library: the tables below hold the numbers the "
        "curves would show.</p>\n";
  }
  page += body + "</main>\n<footer><p>" + text::html(input.version) + (charts ? ". Charts: Apache ECharts 6.1.0" : "") +
          ". This page is complete in itself and asks for nothing from the network.</p></footer>\n";
  page += "<script type=\"application/json\" id=\"summary.json\">" + html::script_safe(to_json_text(input)) +
          "</script>\n<script type=\"application/json\" id=\"chart-data\">" +
          html::script_safe(html::chart_data(input)) + "</script>\n";
  if (charts) page += "<script>" + asset(chart_library) + "</script>\n";
  return page + "<script>\n" + asset("report.js") + "</script>\n</body>\n</html>\n";
}
}  // namespace stowage
