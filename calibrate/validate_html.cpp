// A validation as one page: tables, and plots drawn as SVG, so that it needs nothing but a browser.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "calibrate/html_page.hpp"
#include "calibrate/validate.hpp"

namespace stowage {
namespace {
using html::escaped;
constexpr std::array<std::string_view, 3> regimes = {"decode", "prefill", "mixed"};  // classes of the style
constexpr std::size_t points_max = 1500;  // of one plot: more would only lie on each other

std::string percent(double share) { return fmt::format("{:.2f}&nbsp;%", 100 * share); }
std::string signed_percent(double share) { return fmt::format("{:+.2f}&nbsp;%", 100 * share); }
struct Axis {
  double low, high;  // of the data, positive when log
  bool log;
  [[nodiscard]] double at(double value, double from, double to) const {
    const double share = log ? std::log(value / low) / std::log(high / low) : (value - low) / (high - low);
    return from + std::clamp(share, 0.0, 1.0) * (to - from);
  }
  [[nodiscard]] std::vector<double> ticks() const {
    std::vector<double> out;
    if (log) {
      for (double t = std::pow(10, std::floor(std::log10(low))); t <= high * 1.0001; t *= 10)
        for (const double m : {1.0, 2.0, 5.0})
          if (t * m >= low * 0.9999 && t * m <= high * 1.0001) out.push_back(t * m);
      return out;
    }
    const double raw = (high - low) / 5, power = std::pow(10, std::floor(std::log10(raw)));
    const double step = (raw / power > 5 ? 10 : raw / power > 2 ? 5 : raw / power > 1 ? 2 : 1) * power;
    for (double t = std::ceil(low / step) * step; t <= high + step * 1e-6; t += step)
      out.push_back(std::abs(t) < step / 2 ? 0 : t);
    return out;
  }
};

constexpr double width = 460, height = 320, left = 58, right = 450, top = 12, bottom = 280;

std::string frame(const Axis& x, const Axis& y, std::string_view x_name, std::string_view y_name) {
  std::string out = fmt::format("<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{} against {}\">", width, height,
                                y_name, x_name);
  for (const double t : x.ticks()) {
    const double at = x.at(t, left, right);
    out += fmt::format(
        "<path class=\"grid\" d=\"M{:.1f} {}V{}\"/><text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{:g}</text>", at,
        top, bottom, at, bottom + 14, t);
  }
  for (const double t : y.ticks()) {
    const double at = y.at(t, bottom, top);
    out += fmt::format(
        "<path class=\"grid\" d=\"M{} {:.1f}H{}\"/><text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{:g}</text>", left,
        at, right, left - 5, at + 4, t);
  }
  out +=
      fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>", (left + right) / 2, height - 6, x_name);
  out += fmt::format("<text transform=\"rotate(-90 12 {0})\" x=\"12\" y=\"{0}\" text-anchor=\"middle\">{1}</text>",
                     (top + bottom) / 2, y_name);
  return out;
}

/// Every n-th point, so that at most points_max are drawn; said in the caption.
std::size_t stride_of(std::size_t count) { return (count + points_max - 1) / points_max; }

std::string dots(const ManagerValidation& m, const Axis& x, const Axis& y, bool errors) {
  std::string out;
  for (std::size_t i = 0; i < m.points.size(); i += stride_of(m.points.size())) {
    const PricedIteration& p = m.points[i];
    const double ms = p.measured_ns / 1e6, predicted = p.predicted_ns / 1e6;
    const double value = errors ? 100 * (predicted / ms - 1) : predicted;
    out += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2\" class=\"{}\"/>", x.at(ms, left, right),
                       y.at(value, bottom, top), escaped(p.regime));
  }
  return out;
}

std::string plots(const ManagerValidation& m) {
  if (m.points.empty()) return "";
  double low = m.points.front().measured_ns / 1e6, high = low, worst = 5;
  for (const PricedIteration& p : m.points) {
    for (const double ms : {p.measured_ns / 1e6, p.predicted_ns / 1e6}) {
      low = std::min(low, ms);
      high = std::max(high, ms);
    }
    worst = std::max(worst, std::abs(100 * (p.predicted_ns / p.measured_ns - 1)));
  }
  low = std::max(low / 1.1, 1e-4);
  high = std::max(high * 1.1, low * 2);
  worst = std::min(worst, 60.0);  // outliers stand at the edge
  const Axis time{low, high, true}, error{-worst, worst, false};
  std::string times = frame(time, time, "measured step, ms", "predicted step, ms");
  times += fmt::format("<path class=\"same\" d=\"M{} {}L{} {}\"/>", left, bottom, right, top);
  times += dots(m, time, time, false) + "</svg>";
  std::string errors = frame(time, error, "measured step, ms", "error, %");
  errors += fmt::format("<path class=\"same\" d=\"M{} {:.1f}H{}\"/>", left, error.at(0, bottom, top), right);
  errors += dots(m, time, error, true) + "</svg>";
  std::string out = "<div class=\"plots\">";
  out += html::figure(fmt::format("Predicted against measured step times, from {:.3g} to {:.3g} ms: on the dashed line "
                                  "they are equal.",
                                  low * 1.1, high / 1.1),
                      times, "");
  out +=
      html::figure(fmt::format("Errors of the same steps: {:.2f} % in the mean, {:.2f} % in one of twenty or more. The "
                               "table below has them by regime and by size.",
                               100 * m.all.mape, 100 * m.all.p95),
                   errors, "");
  out += "</div>";
  const std::size_t stride = stride_of(m.points.size());
  if (stride > 1)
    out += fmt::format("<p class=\"small\">Every {}th of {} iterations is drawn; tables count all.</p>", stride,
                       m.points.size());
  return out;
}

std::string error_rows(const std::vector<IterationError>& rows) {
  std::string out;
  for (const IterationError& e : rows)
    out += fmt::format(
        "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{:.3f}</td><td>{:.3f}</td></tr>",
        escaped(e.name), e.count, percent(e.mape), signed_percent(e.bias), percent(e.p95),
        e.coverage_90 ? fmt::format("{:.0f}&nbsp;%", 100 * *e.coverage_90) : "–", e.measured_s, e.predicted_s);
  return out;
}
constexpr std::string_view error_head =
    "<tr><th>iterations</th><th>count</th><th>MAPE</th><th>bias</th><th>p95</th><th>in 90 % interval</th><th>measured "
    "s</th><th>predicted s</th></tr>";

std::string manager_html(const ManagerValidation& m, bool offline) {
  std::string out = fmt::format("<h2>{}</h2>", escaped(m.name));
  if (!m.incomplete.empty()) out += fmt::format("<p class=\"bad\">Not whole: {}</p>", escaped(m.incomplete));
  if (m.passes == 0) return out;
  out += fmt::format("<p>{} {} pass{}.", m.passes, m.state, m.passes == 1 ? "" : "es");
  if (m.floor)
    out += fmt::format(
        " Two passes of the same schedule differ by {} an iteration (p95 {}) and {} in makespan: one prediction "
        "for both is off by half of that at least.",
        percent(m.floor->mape), percent(m.floor->p95), signed_percent(m.floor->makespan));
  out += "</p>" + plots(m);
  std::vector<IterationError> rows = {m.all};
  rows.insert(rows.end(), m.regimes.begin(), m.regimes.end());
  for (IterationError e : m.anchored) {
    e.name += ", re-anchored on the canary";
    rows.push_back(std::move(e));
  }
  rows.insert(rows.end(), m.bins.begin(), m.bins.end());
  if (m.cold) rows.push_back(*m.cold);
  out += html::table("errors of iterations", std::string(error_head) + error_rows(rows));
  std::string numbers = "<tr><th>number</th><th>measured</th><th>predicted</th><th>error</th></tr>";
  for (const Compared& c : m.numbers)
    numbers +=
        fmt::format("<tr{}><td>{}</td><td>{:.9g}</td><td>{:.9g}</td><td>{}</td></tr>",
                    c.exact && offline && !c.equal() ? " class=\"bad\"" : "", escaped(c.name), c.measured, c.predicted,
                    c.exact && offline ? (c.equal() ? "equal" : "NOT EQUAL") : signed_percent(c.error()));
  out += html::table("numbers of the run", numbers);
  if (offline)
    out += m.first_difference ? fmt::format("<p class=\"bad\">Schedule and memory differ from iteration {} on.</p>",
                                            *m.first_difference)
                              : "<p>Schedule and memory are equal in every iteration.</p>";
  if (!m.latencies.empty()) {
    std::string rows_of =
        "<tr><th>latency</th><th>requests</th><th>mean measured s</th><th>predicted s</th><th>p95 measured "
        "s</th><th>predicted s</th><th>each request apart</th></tr>";
    for (const PairedLatency& l : m.latencies)
      rows_of += fmt::format(
          "<tr><td>{}</td><td>{}</td><td>{:.4f}</td><td>{:.4f}</td><td>{:.4f}</td><td>{:.4f}</td><td>{} (p95 "
          "{})</td></tr>",
          l.name, l.count, l.measured_mean_s, l.predicted_mean_s, l.measured_p95_s, l.predicted_p95_s,
          percent(l.paired_mape), percent(l.paired_p95));
    out += html::table("latencies", rows_of);
  }
  return out;
}
}  // namespace

std::string validation_html(const Validation& v) {
  std::string out = html::begin("Measured against predicted: " + v.scenario_name);
  out += fmt::format("<p>Measured on {}, driver {}, {}. Predicted by {}.</p>", escaped(v.gpu), escaped(v.driver),
                     escaped(v.date), escaped(v.cost));
  for (const std::string& note : v.notes) out += fmt::format("<p class=\"small\">{}</p>", escaped(note));
  out += html::table("errors of all iterations", std::string(error_head) + error_rows({v.all}));
  out += fmt::format(
      "<p>Makespan {}, output tokens/s {} (the worst manager's). Counters: <span class=\"{}\">{}</span>.</p>",
      signed_percent(v.makespan_error), signed_percent(v.throughput_error), v.counters_equal || !v.offline ? "" : "bad",
      v.counters_equal ? "equal"
      : v.offline      ? "NOT EQUAL"
                       : "not comparable: arrivals in real time, schedules follow the clock");
  out += "<p>An error is predicted / measured − 1; a step is an iteration without its wait for memory.";
  for (const std::string_view name : regimes)
    out += fmt::format("<span class=\"key\" style=\"background:var(--{})\"></span>{}", name, name);
  out += "</p>";
  for (const ManagerValidation& m : v.managers) out += manager_html(m, v.offline);
  return out + html::end();
}
}  // namespace stowage
