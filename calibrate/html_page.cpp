#include "calibrate/html_page.hpp"

#include <fmt/format.h>

namespace stowage::html {
namespace {
constexpr std::string_view style =
    R"(:root{color-scheme:light dark;--ink:#1d2127;--soft:#5d6673;--line:#d9dde3;--page:#fff;--bad:#b3321f;
--decode:#1a6fb5;--prefill:#b5561a;--mixed:#3f7d22}
@media screen and (prefers-color-scheme:dark){:root{--ink:#e6e9ee;--soft:#9aa4b2;--line:#3a414b;--page:#15181d;
--bad:#f08a76;--decode:#6aaee8;--prefill:#e8935a;--mixed:#8cc870}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--page);max-width:64rem;margin:2rem auto;
padding:0 1rem;overflow-wrap:anywhere}
table{border-collapse:collapse;margin:.5rem 0 1rem;font-variant-numeric:tabular-nums}
td,th{padding:.2rem .7rem;text-align:right;white-space:nowrap;border-bottom:1px solid var(--line)}
td:first-child,th:first-child{text-align:left;padding-left:0}td.text{text-align:left}
th{color:var(--soft);font-weight:600}
.scroll{overflow-x:auto}figure{margin:0 0 1rem}svg{width:100%;height:auto;max-width:760px}
svg text{font:11px system-ui,sans-serif;fill:var(--soft)}svg line,.grid{stroke:var(--line);fill:none}
.same{stroke:var(--soft);stroke-dasharray:4 3;fill:none}.decode{fill:var(--decode)}.prefill{fill:var(--prefill)}
.mixed{fill:var(--mixed)}.bad{color:var(--bad);font-weight:600}.soft,.small{color:var(--soft)}.small{font-size:13px}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,24rem),1fr));gap:1rem}
summary{cursor:pointer;color:var(--soft)}code{overflow-wrap:anywhere}
.key{display:inline-block;width:.7em;height:.7em;border-radius:50%;margin:0 .3em 0 .9em}
@media print{svg{break-inside:avoid}})";
}  // namespace

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string begin(std::string_view title) {
  const std::string name = escaped(title);
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\" data-charts=\"svg\"><head><meta charset=\"utf-8\">"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
      "base-uri 'none'; form-action 'none'\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
      "<meta name=\"color-scheme\" content=\"light dark\"><title>{}</title><style>{}</style></head><body><h1>{}</h1>\n",
      name, style, name);
}

std::string end() { return "</body></html>\n"; }

std::string table(std::string_view label, std::string_view rows) {
  return fmt::format("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{}\"><table>{}</table></div>\n",
                     escaped(label), rows);
}

std::string figure(std::string_view sentence, std::string_view svg, std::string_view numbers) {
  if (svg.empty()) return "";
  return fmt::format(
      "<figure class=\"figure\"><p class=\"say\">{}</p>{}{}</figure>\n", escaped(sentence), svg,
      numbers.empty() ? std::string() : fmt::format("<details><summary>Table</summary>{}</details>", numbers));
}
}  // namespace stowage::html
