// The calibration's page: error tables and one plot of residuals a part, drawn as SVG. No script, nothing to load.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "calibrate/calibrate.hpp"
#include "calibrate/html_page.hpp"

namespace stowage {
namespace {
constexpr double width = 720, height = 230, left = 56, right = 30, top = 10, bottom = 34;
constexpr std::array<std::string_view, 8> colours = {"#2f6fde", "#d9653b", "#2c9c69", "#a45bd0",
                                                     "#c7a017", "#3aa6b9", "#d04a7f", "#7a7f87"};
using html::escaped;

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

/// The plot with what it shows in words, and its numbers by series.
std::string figure(const std::vector<Dot>& dots, std::string_view x_name) {
  if (dots.empty()) return "";
  std::map<std::string, std::vector<double>> by;
  std::size_t close = 0;
  const Dot* far = &dots.front();
  for (const Dot& d : dots) {
    by[d.series].push_back(d.residual);
    close += std::abs(d.residual) <= 0.05 ? 1 : 0;
    if (std::abs(d.residual) > std::abs(far->residual)) far = &d;
  }
  std::string rows = "<tr><th>series</th><th>points</th><th>MAPE</th><th>bias</th><th>worst</th></tr>";
  for (const auto& [name, residuals] : by) {
    double sum = 0, size = 0, worst = 0;
    for (const double r : residuals) {
      sum += r;
      size += std::abs(r);
      if (std::abs(r) > std::abs(worst)) worst = r;
    }
    const auto n = static_cast<double>(residuals.size());
    rows += fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td><td>{:+.2f} %</td><td>{:+.1f} %</td></tr>",
                        escaped(name.empty() ? "all" : name), residuals.size(), percent(size / n), 100 * sum / n,
                        100 * worst);
  }
  return html::figure(
      fmt::format("{} of {} points are within 5 %; the farthest is {:+.1f} % off ({}). Beyond the frame they are drawn "
                  "at its edge.",
                  close, dots.size(), 100 * far->residual, far->label),
      plot(dots, x_name), html::table(fmt::format("residuals over {}", x_name), rows));
}

std::string error_table(const Profile& profile) {
  std::string out = "<tr><th>part</th><th>points</th><th>MAPE</th><th>bias</th><th>p95</th><th>how</th></tr>";
  for (const auto& e : profile.errors)
    out +=
        fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td><td>{:+.2f} %</td><td>{}</td><td class=\"text\">{}</td></tr>",
                    escaped(e.part), e.points, percent(e.mape), 100 * e.bias, percent(e.p95), escaped(e.how));
  return html::table("errors by part", out);
}

std::string_view x_name(std::string_view part) {
  if (part == "decode") return "stored tokens";
  if (part == "prefill") return "new tokens";
  if (part == "rested") return "ms of rest before it";
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
      "<tr><th>kind</th><th>block</th><th>rows</th><th>decodes</th><th>their tokens</th><th>clock</th>"
      "<th>measured</th><th>predicted</th><th>off by</th></tr>";
  for (std::size_t i = 0; i < std::min<std::size_t>(12, points.size()); ++i) {
    const auto& p = points[i];
    out += fmt::format(
        "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{:.0f} MHz</td><td>{:.3f} ms</td>"
        "<td>{:.3f} ms</td><td>{:+.1f} %</td></tr>",
        escaped(p.kind), p.layout.block_tokens, p.rows, p.decodes, p.decode_kv_tokens, p.clock_mhz, p.measured_ns / 1e6,
        p.predicted_ns / 1e6, 100 * p.residual());
  }
  return html::table("iterations that err most", out);
}
}  // namespace

std::string calibration_html(const Calibration& c) {
  const Profile& p = c.profile;
  std::string out = html::begin("Calibration of " + p.name);
  out += fmt::format("<p>{}</p><p class=\"soft\">{}</p>", escaped(p.summary()), escaped(p.source));
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
    out += "<h2>Whole iterations</h2><p>Predicted from the parts over measured, less one.</p>" + figure(dots, "rows") +
           "<p>Those that err most:</p>" + worst(c.iterations);
  for (const auto& part : c.parts) {
    dots.clear();
    for (const auto& point : part.points) dots.push_back({point.series, point.label, point.x, point.residual()});
    out += fmt::format("<h2>{}</h2><p>{}</p>{}", escaped(part.error.part), escaped(part.error.how),
                       figure(dots, x_name(part.error.part)));
  }
  return out + html::end();
}
}  // namespace stowage
