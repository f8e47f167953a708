// The calibration's page: error tables and one plot of residuals a part, drawn as SVG. No script, nothing to load.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "calibrate/calibrate.hpp"

namespace stowage {
namespace {
constexpr double width = 720, height = 230, left = 56, right = 30, top = 10, bottom = 34;
constexpr std::array<std::string_view, 8> colours = {"#2f6fde", "#d9653b", "#2c9c69", "#a45bd0",
                                                     "#c7a017", "#3aa6b9", "#d04a7f", "#7a7f87"};
constexpr std::string_view style =
    R"(:root{color-scheme:light dark;--ink:#1d2127;--soft:#5d6673;--line:#d9dde3;
--page:#fff}
@media (prefers-color-scheme:dark){:root{--ink:#e6e9ee;--soft:#9aa4b2;--line:#3a414b;--page:#15181d}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--page);
max-width:60rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;margin:.5rem 0 1rem}td,th{padding:.2rem .8rem .2rem 0;text-align:right;
border-bottom:1px solid var(--line)}
td:first-child,th:first-child,td:last-child,th:last-child{text-align:left}th{color:var(--soft);font-weight:600}
svg{width:100%;height:auto}svg text{font:11px system-ui,sans-serif;fill:var(--soft)}svg line{stroke:var(--line)}
.soft{color:var(--soft)}.key{display:inline-block;width:.7em;height:.7em;border-radius:50%;margin:0 .3em 0 .9em})";

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

std::string percent(double share) { return fmt::format("{:.2f} %", 100 * share); }

struct Dot {
  std::string series, label;
  double x = 0, residual = 0;
};

/// A power of two on the axis.
std::string tick(double value, std::string_view x_name) {
  if (x_name != "bytes" || value < 1024) return fmt::format("{:.0f}", value);
  constexpr std::array<std::string_view, 3> units = {"KiB", "MiB", "GiB"};
  std::size_t unit = 0;
  for (value /= 1024; value >= 1024 && unit + 1 < units.size(); value /= 1024) ++unit;
  return fmt::format("{:.0f} {}", value, units[unit]);
}

/// Residuals over a logarithmic x; beyond the frame they are drawn at its edge, and their label says how far.
std::string plot(const std::vector<Dot>& dots, std::string_view x_name) {
  if (dots.empty()) return "";
  double low = dots.front().x, high = low;
  std::vector<double> sizes;
  for (const auto& d : dots) {
    low = std::min(low, d.x);
    high = std::max(high, d.x);
    sizes.push_back(std::abs(d.residual));
  }
  std::sort(sizes.begin(), sizes.end());
  const double reach = std::clamp(1.3 * sizes[sizes.size() * 95 / 100], 0.02, 0.5);
  const double first = std::floor(std::log2(std::max(low, 1.0))),
               last = std::max(first + 1, std::ceil(std::log2(high)));
  const auto px = [&](double x) {
    return left + (std::log2(std::max(x, 1.0)) - first) / (last - first) * (width - left - right);
  };
  const auto py = [&](double r) {
    return top + (0.5 - std::clamp(r, -reach, reach) / (2 * reach)) * (height - top - bottom);
  };
  std::string out = fmt::format("<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"residuals over {}\">", width,
                                height, escaped(x_name));
  for (const double r : {-reach, -reach / 2, 0.0, reach / 2, reach})
    out += fmt::format(
        "<line x1=\"{:.0f}\" x2=\"{:.0f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/><text x=\"{:.0f}\" y=\"{:.1f}\" "
        "text-anchor=\"end\">{:+.1f} %</text>",
        left, width - right, py(r), py(r), left - 6, py(r) + 4, 100 * r);
  const double step = std::max(1.0, std::ceil((last - first) / 10));
  for (double k = first; k <= last; k += step)
    out += fmt::format("<text x=\"{:.1f}\" y=\"{:.0f}\" text-anchor=\"middle\">{}</text>", px(std::exp2(k)),
                       height - bottom + 16, tick(std::exp2(k), x_name));
  out += fmt::format("<text x=\"{:.0f}\" y=\"{:.0f}\" text-anchor=\"middle\">{}</text>", (left + width - right) / 2,
                     height - 3, escaped(x_name));
  std::map<std::string, std::size_t> series;
  for (const auto& d : dots) series.emplace(d.series, series.size());
  std::size_t next = 0;
  for (auto& [name, index] : series) index = next++;
  for (const auto& d : dots)
    out += fmt::format(
        "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2.6\" fill=\"{}\" fill-opacity=\".75\"><title>{}: {:+.1f} %"
        "</title></circle>",
        px(d.x), py(d.residual), colours[series[d.series] % colours.size()], escaped(d.label), 100 * d.residual);
  out += "</svg>";
  if (series.size() < 2 || series.size() > colours.size()) return out;
  out += "<p class=\"soft\">";
  for (const auto& [name, index] : series)
    out += fmt::format("<span class=\"key\" style=\"background:{}\"></span>{}", colours[index], escaped(name));
  return out + "</p>";
}

std::string error_table(const Profile& profile) {
  std::string out = "<table><tr><th>part</th><th>points</th><th>MAPE</th><th>bias</th><th>p95</th><th>how</th></tr>";
  for (const auto& e : profile.errors)
    out += fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td><td>{:+.2f} %</td><td>{}</td><td>{}</td></tr>",
                       escaped(e.part), e.points, percent(e.mape), 100 * e.bias, percent(e.p95), escaped(e.how));
  return out + "</table>";
}

std::string_view x_name(std::string_view part) {
  if (part == "decode") return "stored tokens";
  if (part == "prefill") return "new tokens";
  if (part == "all_reduce") return "bytes";
  if (part == "elementwise") return "bytes";
  return part == "vmm" ? "handles" : "rows";
}

/// The iterations that err most, worst first.
std::string worst(std::vector<IterationPoint> points) {
  std::erase_if(points, [](const auto& p) { return !p.anchor; });
  std::stable_sort(points.begin(), points.end(),
                   [](const auto& a, const auto& b) { return std::abs(a.residual()) > std::abs(b.residual()); });
  std::string out =
      "<table><tr><th>kind</th><th>block</th><th>rows</th><th>decodes</th><th>their tokens</th><th>clock</th>"
      "<th>measured</th><th>predicted</th><th>off by</th></tr>";
  for (std::size_t i = 0; i < std::min<std::size_t>(12, points.size()); ++i) {
    const auto& p = points[i];
    out += fmt::format(
        "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{:.0f} MHz</td><td>{:.3f} ms</td>"
        "<td>{:.3f} ms</td><td>{:+.1f} %</td></tr>",
        escaped(p.kind), p.layout.block_tokens, p.rows, p.decodes, p.decode_kv_tokens, p.clock_mhz, p.measured_ns / 1e6,
        p.predicted_ns / 1e6, 100 * p.residual());
  }
  return out + "</table>";
}
}  // namespace

std::string calibration_html(const Calibration& c) {
  const Profile& p = c.profile;
  std::string out = fmt::format(
      "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width,initial-scale=1\"><title>Calibration of {}</title><style>{}"
      "</style></head><body><h1>Calibration of {}</h1><p>{}</p><p class=\"soft\">{}</p>",
      escaped(p.name), style, escaped(p.name), escaped(p.summary()), escaped(p.source));
  if (!p.command.empty()) out += fmt::format("<p class=\"soft\"><code>{}</code></p>", escaped(p.command));
  out +=
      "<h2>Errors</h2><p>Relative. MAPE: mean of the absolute errors; bias: their signed mean; p95: nineteen of twenty "
      "are smaller. A point is always predicted from the others.</p>" +
      error_table(p);
  for (const auto& note : c.notes) out += "<p>" + escaped(note) + "</p>";
  std::vector<Dot> dots;
  for (const auto& i : c.iterations)
    if (i.anchor)
      dots.push_back({i.kind, fmt::format("{}, {} rows, {:.2f} ms", i.kind, i.rows, i.measured_ns / 1e6),
                      static_cast<double>(i.rows), i.residual()});
  if (!dots.empty())
    out += "<h2>Whole iterations</h2><p>Predicted from the parts over measured, less one.</p>" + plot(dots, "rows") +
           "<p>Those that err most:</p>" + worst(c.iterations);
  for (const auto& part : c.parts) {
    dots.clear();
    for (const auto& point : part.points) dots.push_back({point.series, point.label, point.x, point.residual()});
    out += fmt::format("<h2>{}</h2><p>{}</p>{}", escaped(part.error.part), escaped(part.error.how),
                       plot(dots, x_name(part.error.part)));
  }
  return out + "</body></html>\n";
}
}  // namespace stowage
