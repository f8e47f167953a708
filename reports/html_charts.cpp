#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "reports/html_parts.hpp"
#include "reports/latency.hpp"
#include "reports/text.hpp"
#include "reports/words.hpp"

namespace stowage::html {
namespace {
using text::html;
constexpr std::array<const Latency*, 5> charted = {&ttft, &tbt, &e2e, &queueing, &tpot};
constexpr double mib = 1 << 20;
constexpr std::size_t cdf_points = 200;
constexpr std::size_t table_slices = 12;

std::size_t chart_count(const ReportInput& input) { return std::min(input.runs.size(), max_charted); }

std::string too_many(const ReportInput& input) {
  return input.runs.size() <= max_charted
             ? ""
             : fmt::format(" The first {} of {} managers are drawn; tables and CSV have all.", max_charted,
                           input.runs.size());
}

/// Bins are merged so that all memory charts together stay within some 600 KB of the page.
std::vector<SeriesPoint> decimated(const std::vector<SeriesPoint>& series, std::size_t at_most) {
  std::vector<SeriesPoint> out;
  const std::size_t bins = std::min(at_most, series.size());
  for (std::size_t i = 0; i < bins; ++i) {
    const std::size_t from = series.size() * i / bins, to = series.size() * (i + 1) / bins;
    SeriesPoint merged{.start_ns = series[from].start_ns, .end_ns = series[to - 1].end_ns};
    const double span = std::max(1.0, static_cast<double>(merged.end_ns - merged.start_ns));
    for (std::size_t k = from; k < to; ++k) {
      const double weight = static_cast<double>(series[k].end_ns - series[k].start_ns) / span;
      for (std::size_t p = 0; p < part_count; ++p) merged.bytes[p] += weight * series[k].bytes[p];
      merged.running += weight * series[k].running;
      merged.waiting += weight * series[k].waiting;
    }
    out.push_back(merged);
  }
  return out;
}

/// Compact JSON numbers; what is not finite becomes 0, so that the page always parses.
std::string number(double x, int digits = 6) { return std::isfinite(x) ? fmt::format("{:.{}g}", x, digits) : "0"; }

template <class Range, class Value>
std::string array(const Range& range, Value value) {
  std::string out = "[";
  for (const auto& item : range) {
    if (out.size() > 1) out += ',';
    out += value(item);
  }
  return out + "]";
}

std::string memory_data(const RunResult& run, std::size_t bins) {
  const std::vector<SeriesPoint> points = decimated(run.series, bins);
  std::string out =
      fmt::format("{{\"pool_mib\":{},\"end\":{},\"start\":{}", number(static_cast<double>(run.pool_bytes) / mib, 9),
                  number(points.empty() ? 0 : static_cast<double>(points.back().end_ns) / 1e9, 9),
                  array(points, [](const SeriesPoint& p) { return number(double(p.start_ns) / 1e9, 7); }));
  for (std::size_t part = 0; part < part_count; ++part) {
    out += fmt::format(",\"{}\":{}", part_names[part],
                       array(points, [&](const SeriesPoint& p) { return number(p.bytes[part] / mib, 5); }));
  }
  out += ",\"running\":" + array(points, [](const SeriesPoint& p) { return number(p.running, 5); });
  out += ",\"waiting\":" + array(points, [](const SeriesPoint& p) { return number(p.waiting, 5); });
  return out + "}";
}

std::string curve_data(const Latency& latency, const RunResult& run) {
  const auto points = latency.of(run).cdf(cdf_points);
  if (points.empty()) return "null";
  const double u = latency.units_per_s;
  return fmt::format("{{\"x\":{},\"f\":{},\"p50\":{},\"p90\":{},\"p99\":{}}}",
                     array(points, [&](const LogHistogram::Point& p) { return number(p.value / u); }),
                     array(points, [](const LogHistogram::Point& p) { return number(p.cumulative); }),
                     number(latency.of(run).quantile(0.5) / u, 9), number(latency.of(run).quantile(0.9) / u, 9),
                     number(latency.of(run).quantile(0.99) / u, 9));
}

struct Span {
  double floor_s = 0, max_s = 0;
};
/// Where the axis of a latency starts and ends: its least positive and its largest value, at most six decades, at least
/// a fifth to each side.
Span axis_span(const ReportInput& input, const Latency& latency) {
  Span span;
  for (std::size_t i = 0; i < chart_count(input); ++i) {
    for (const auto& point : latency.of(input.runs[i]).cdf(cdf_points)) {
      const double s = point.value / latency.units_per_s;
      if (s <= 0) continue;
      span.floor_s = span.floor_s == 0 ? s : std::min(span.floor_s, s);
      span.max_s = std::max(span.max_s, s);
    }
  }
  span.floor_s = std::max(span.floor_s, span.max_s / 1e6);
  if (span.max_s < span.floor_s * 1.44) return {span.floor_s / 1.2, span.max_s * 1.2};
  return span;
}

std::string cdf_data(const ReportInput& input, const Latency& latency) {
  Span span = axis_span(input, latency);
  std::string limits, curves;
  for (const LatencyLimit& limit : input.slo) {
    if (!limit.key.starts_with(std::string(latency.key) + "_")) continue;
    const double s = limit.limit_ns / 1e9;
    if (s > span.max_s && s < span.max_s * 4) span.max_s = s * 1.25;  // a limit just out of reach is worth seeing
    limits += fmt::format("{}{{\"s\":{},\"text\":\"{}\"}}", limits.empty() ? "" : ",", number(s),
                          limit.key.substr(latency.key.size() + 1) + " limit");
  }
  for (std::size_t i = 0; i < chart_count(input); ++i) {
    curves += (i > 0 ? "," : "") + curve_data(latency, input.runs[i]);
  }
  return fmt::format("\"{}\":{{\"name\":\"{}\",\"floor_s\":{},\"max_s\":{},\"limits\":[{}],\"curves\":[{}]}}",
                     latency.key, latency.name, number(span.floor_s, 9), number(span.max_s, 9), limits, curves);
}

std::string memory_table(const RunResult& run) {
  std::string out =
      "<details><summary>Table</summary><div class=\"scroll\"><table><thead><tr><th scope=\"col\">from</th>"
      "<th scope=\"col\">to</th>";
  for (const Part part : stacking) out += fmt::format("<th scope=\"col\">{}</th>", part_names[at(part)]);
  out += "<th scope=\"col\">running</th><th scope=\"col\">waiting</th></tr></thead><tbody>\n";
  for (const SeriesPoint& p : decimated(run.series, table_slices)) {
    out += fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td>", text::duration(double(p.start_ns)),
                       text::duration(double(p.end_ns)));
    for (const Part part : stacking) out += "<td>" + text::bytes(p.bytes[at(part)]) + "</td>";
    out += "<td>" + text::number(p.running) + "</td><td>" + text::number(p.waiting) + "</td></tr>\n";
  }
  return out + "</tbody></table></div></details>";
}

std::string latency_table(const ReportInput& input, const Latency& latency) {
  std::string out =
      "<details><summary>Table</summary><div class=\"scroll\"><table><thead><tr><th scope=\"col\">manager</th>";
  for (const auto column : {"mean", "p50", "p90", "p95", "p99", "max"}) {
    out += fmt::format("<th scope=\"col\">{}</th>", column);
  }
  out += "</tr></thead><tbody>\n";
  for (const RunResult& run : input.runs) {
    const Summary s = latency.of(run).summary(1e9 / latency.units_per_s);
    out += "<tr><th scope=\"row\">" + html(run.name) + "</th>";
    for (const double ns : {s.mean, s.p50, s.p90, s.p95, s.p99, s.max}) {
      out += "<td>" + (s.count == 0 ? "–" : text::duration(ns)) + "</td>";
    }
    out += "</tr>\n";
  }
  return out + "</tbody></table></div></details>";
}

std::string managers_legend(const ReportInput& input) {
  std::string out = "<ul class=\"legend\" aria-label=\"Managers\">";
  for (std::size_t i = 0; i < chart_count(input); ++i) {
    out += "<li>" + mark(i) + "<span>" + html(input.runs[i].name) + "</span></li>";
  }
  return out + "</ul>\n";
}
}  // namespace

std::string script_safe(std::string json) {
  for (std::size_t i = json.find('<'); i != std::string::npos; i = json.find('<', i)) json.replace(i, 1, "\\u003c");
  return json;
}

std::string memory_over_time(const ReportInput& input) {
  if (input.runs.empty()) return "";
  std::string body = parts_legend();
  for (std::size_t i = 0; i < chart_count(input); ++i) {
    const RunResult& run = input.runs[i];
    const std::string sentence = words::memory_over_time(run);
    body += fmt::format("<div class=\"panel\"><h3>{}{}</h3><p class=\"say\">{}</p>\n", mark(i), html(run.name),
                        text::html_sentence(sentence));
    if (!run.series.empty()) {
      body += fmt::format(
          "<div class=\"chart memory\" data-chart=\"memory\" data-of=\"{}\" role=\"img\" aria-label=\"{}: "
          "{}\"></div>\n",
          i, html(run.name), html(sentence));
      body += memory_table(run);
    }
    body += "</div>\n";
  }
  return section("memory", "Memory over time",
                 "The KV pool, split into six parts that always sum to it, and below the requests running (solid) and "
                 "waiting (dashed). All managers share the axes; Ctrl and the wheel zooms all of them." +
                     too_many(input),
                 body);
}

std::string distributions(const ReportInput& input) {
  if (input.runs.empty()) return "";
  std::string body = managers_legend(input) + "<div class=\"pair\">\n";
  for (const Latency* latency : charted) {
    const std::string sentence = words::distribution(input, *latency);
    body += fmt::format("<div class=\"panel\"><h3>{}: {}</h3><p class=\"say\">{}</p>\n", latency->label, latency->name,
                        text::html_sentence(sentence));
    if (axis_span(input, *latency).max_s > 0) {
      body += fmt::format(
          "<div class=\"chart cdf\" data-chart=\"cdf\" data-of=\"{}\" role=\"img\" aria-label=\"{}: {}\"></div>\n",
          latency->key, latency->label, html(sentence));
    }
    body += latency_table(input, *latency) + "</div>\n";
  }
  return section(
      "latency", "Latency",
      "The share of requests (for TBT, of gaps between tokens) at or below a time. Marks stand at p50, p90 and "
      "p99; the time axis is logarithmic." +
          too_many(input),
      body + "</div>\n");
}

std::string chart_data(const ReportInput& input) {
  const std::size_t n = chart_count(input);
  const std::size_t bins = std::clamp<std::size_t>(n == 0 ? 1024 : 600'000 / (n * 60), 64, 1024);
  nlohmann::ordered_json names = nlohmann::ordered_json::array();
  std::string memory, cdfs;
  double end_ns = 0, running = 1, waiting = 1;
  for (std::size_t i = 0; i < n; ++i) {
    const RunResult& run = input.runs[i];
    names.push_back(run.name);
    memory += (i > 0 ? "," : "") + memory_data(run, bins);
    if (!run.series.empty()) end_ns = std::max(end_ns, static_cast<double>(run.series.back().end_ns));
    for (const SeriesPoint& p : run.series) {
      running = std::max(running, std::ceil(p.running));
      waiting = std::max(waiting, std::ceil(p.waiting));
    }
  }
  for (const Latency* latency : charted) cdfs += (cdfs.empty() ? "" : ",") + cdf_data(input, *latency);
  return fmt::format(
      "{{\"names\":{},\"end_s\":{},\"running_max\":{},\"waiting_max\":{},\"memory\":[{}],\"cdf\":{{{}}}}}",
      names.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace), number(end_ns / 1e9, 9),
      number(running), number(waiting), memory, cdfs);
}
}  // namespace stowage::html
