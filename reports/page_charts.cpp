// Charts as compact JSON. Whatever is not finite becomes null, so that the page always parses and a gap is a gap.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "reports/page_html.hpp"

namespace stowage::page {
namespace {
std::string number(double x) { return std::isfinite(x) ? fmt::format("{:.7g}", x) : "null"; }

std::string quoted(const std::string& text) {
  using Json = nlohmann::json;
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

template <class Range, class Show>
std::string array(const Range& range, Show show) {
  std::string out = "[";
  for (const auto& item : range) {
    if (out.size() > 1) out += ',';
    out += show(item);
  }
  return out + "]";
}
std::string numbers(const std::vector<double>& values) { return array(values, number); }
std::string texts(const std::vector<std::string>& values) { return array(values, quoted); }

std::string_view unit_name(Unit unit) {
  static constexpr std::array<std::string_view, 4> names = {"number", "s", "B", "share"};
  return names[static_cast<std::size_t>(unit)];
}

struct Range {
  double low = INFINITY, high = -INFINITY, least_positive = INFINITY;
  void add(double v) {
    if (!std::isfinite(v)) return;
    low = std::min(low, v);
    high = std::max(high, v);
    if (v > 0) least_positive = std::min(least_positive, v);
  }
  [[nodiscard]] bool empty() const { return low > high; }
};

/// Where an axis starts and ends, when the caller left it open: at the data; logarithmic over six decades at most and a
/// fifth to each side at least; linear from zero.
std::string axis(const Axis& a, Range range) {
  double low = 0, high = 1;
  if (!range.empty()) {
    high = a.max.value_or(range.high);
    if (a.log) {
      low = std::max(std::isfinite(range.least_positive) ? range.least_positive : high, high / 1e6);
      if (!(high > 0)) low = high = 1e-9;
      if (high < low * 1.44) {
        low /= 1.2;
        high *= 1.2;
      }
    } else {
      low = std::min(0.0, range.low);
      if (high <= low) high = low + 1;
    }
  }
  return fmt::format("{{\"name\":{},\"unit\":\"{}\",\"log\":{},\"min\":{},\"max\":{}}}", quoted(a.name),
                     unit_name(a.unit), a.log, number(a.min.value_or(low)), number(high));
}

std::string json(const Plot& plot, Writer& writer) {
  Range x, y;
  std::string lines;
  for (const Line& line : plot.lines) {
    const std::size_t n = std::min(line.x.size(), line.y.size());
    for (std::size_t i = 0; i < n; ++i) {
      if (!std::isfinite(line.x[i]) || !std::isfinite(line.y[i])) continue;
      x.add(line.x[i]);
      y.add(line.y[i]);
      if (i < line.high.size()) y.add(line.high[i]);
      if (i < line.low.size()) y.add(line.low[i]);
    }
    lines += fmt::format(
        "{}{{\"s\":{},\"x\":{},\"y\":{},\"low\":{},\"high\":{},\"tips\":{},\"ticks\":{},\"line\":{},\"points\":{},"
        "\"step\":{},\"area\":{},\"dashed\":{},\"faded\":{}}}",
        lines.empty() ? "" : ",", writer.series_index(line.series), numbers(line.x), numbers(line.y), numbers(line.low),
        numbers(line.high), texts(line.tips),
        array(line.ticks, [](const auto& p) { return "[" + number(p.first) + "," + number(p.second) + "]"; }),
        line.line, line.points, line.step, line.area, line.dashed, line.faded);
  }
  if (x.empty()) return "";
  for (const Limit& limit : plot.limits) {  // a limit just out of reach is worth seeing
    Range& range = limit.on_x ? x : y;
    const bool log = limit.on_x ? plot.x.log : plot.y.log;
    if (limit.at > range.high && limit.at < range.high * 4) range.add(limit.at * 1.15);
    if (log && limit.at < range.least_positive && limit.at > range.least_positive / 10) range.add(limit.at / 1.15);
  }
  return fmt::format("{{\"kind\":\"plot\",\"x\":{},\"y\":{},\"lines\":[{}],\"limits\":{},\"points\":{}}}",
                     axis(plot.x, x), axis(plot.y, y), lines,
                     array(plot.limits,
                           [](const Limit& l) {
                             return fmt::format("{{\"at\":{},\"text\":{},\"x\":{},\"bad\":{}}}", number(l.at),
                                                quoted(l.text), l.on_x, l.bad_beyond);
                           }),
                     array(plot.points, [](const Point& p) {
                       return fmt::format("{{\"x\":{},\"y\":{},\"text\":{}}}", number(p.x), number(p.y),
                                          quoted(p.text));
                     }));
}

/// Five digits in as few letters: 12346e6 for 1.2346e+10. Bands are most of a page.
std::string short_number(double x) {
  if (!std::isfinite(x) || x == 0) return "0";
  std::string plain = fmt::format("{:.5g}", x);
  if (plain.find('e') == std::string::npos) return plain;
  std::string digits = fmt::format("{:.4e}", x);
  const auto e = digits.find('e');
  int exponent = std::stoi(digits.substr(e + 1)) - 4;
  digits.erase(e);
  digits.erase(digits.find('.'), 1);
  while (digits.ends_with('0')) digits.pop_back(), ++exponent;
  return fmt::format("{}e{}", digits, exponent);
}

std::string json(const Stack& stack, Writer& writer) {
  if (stack.starts_s.empty()) return "";
  const auto band = [](const Stack::Band& b) {
    return fmt::format("{{\"name\":{},\"colour\":{},\"values\":{}}}", quoted(b.name), quoted(b.colour),
                       array(b.values, short_number));
  };
  return fmt::format(
      "{{\"kind\":\"stack\",\"s\":{},\"start\":{},\"end\":{},\"whole\":{},\"axis_end\":{},\"below_max\":{},"
      "\"bands\":{},\"below\":{}}}",
      writer.series_index(stack.series), numbers(stack.starts_s), number(stack.end_s), number(stack.whole),
      number(std::max(stack.axis_end_s, stack.end_s)), numbers(stack.below_max), array(stack.bands, band),
      array(stack.below, band));
}

/// Two letters a cell: twelve bits, three times a number of fifteenths.
std::string json(const Occupancy& map, Writer&) {
  if (map.at_s.empty() || map.rows == 0 || map.cells.size() < map.rows * map.at_s.size()) return "";
  static constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string cells, refused;
  for (const auto& [live, empty, cached] : map.cells) {
    const unsigned bits =
        (std::min<unsigned>(live, 15) << 8) | (std::min<unsigned>(empty, 15) << 4) | std::min<unsigned>(cached, 15);
    cells += letters[bits >> 6];
    cells += letters[bits & 63];
  }
  for (const bool r : map.refused) refused += r ? '1' : '0';
  return fmt::format(
      "{{\"kind\":\"occupancy\",\"at\":{},\"end\":{},\"rows\":{},\"pool\":{},\"cells\":\"{}\",\"refused\":\"{}\"}}",
      numbers(map.at_s), number(map.end_s), map.rows, map.pool_bytes, cells, refused);
}

std::string json(const HeatMap& map, Writer&) {
  if (map.columns.empty() || map.rows.empty() || map.values.size() < map.columns.size() * map.rows.size()) return "";
  constexpr std::size_t most = 64;
  const std::size_t width = std::min(map.columns.size(), most), height = std::min(map.rows.size(), most);
  Range range;
  std::vector<double> values;
  for (std::size_t r = 0; r < height; ++r) {
    for (std::size_t c = 0; c < width; ++c) {
      values.push_back(map.values[r * map.columns.size() + c]);
      range.add(values.back());
    }
  }
  if (range.empty()) return "";
  const auto first = [](const std::vector<std::string>& v, std::size_t n) {
    return texts({v.begin(), v.begin() + static_cast<std::ptrdiff_t>(n)});
  };
  return fmt::format(
      "{{\"kind\":\"heat\",\"x\":{},\"y\":{},\"value\":{},\"columns\":{},\"rows\":{},\"values\":{},\"min\":{},"
      "\"max\":{}}}",
      quoted(map.x_name), quoted(map.y_name), quoted(map.value_name), first(map.columns, width),
      first(map.rows, height), numbers(values), number(range.low), number(range.high));
}

std::string json(const Tornado& t, Writer&) {
  Range range;
  range.add(t.base);
  std::string rows;
  for (const Tornado::Change& c : t.changes) {
    range.add(c.low.value_or(NAN));
    range.add(c.high.value_or(NAN));
    rows += fmt::format("{}{{\"what\":{},\"low_text\":{},\"high_text\":{},\"low\":{},\"high\":{},\"note\":{}}}",
                        rows.empty() ? "" : ",", quoted(c.what), quoted(c.low_text), quoted(c.high_text),
                        number(c.low.value_or(NAN)), number(c.high.value_or(NAN)), quoted(c.note));
  }
  if (rows.empty() || range.empty() || !std::isfinite(t.base)) return "";
  const double room = std::max((range.high - range.low) * 0.06, std::abs(t.base) * 0.02);
  return fmt::format(
      "{{\"kind\":\"tornado\",\"x\":{{\"name\":{},\"unit\":\"{}\",\"min\":{},\"max\":{}}},\"base\":{},\"rows\":[{}]}}",
      quoted(t.axis.name), unit_name(t.axis.unit), number(std::max(range.low - room, range.low >= 0 ? 0.0 : -INFINITY)),
      number(range.high + room), number(t.base), rows);
}

std::string json(const Timeline& t, Writer& writer) {
  std::string lanes;
  double end = 0;
  for (const Timeline::Lane& lane : t.lanes) {
    for (const Timeline::Span& s : lane.spans) end = std::max(end, s.to_s);
    lanes += fmt::format("{}{{\"name\":{},\"s\":{},\"spans\":{}}}", lanes.empty() ? "" : ",", quoted(lane.name.text),
                         lane.name.series.empty() ? "null" : std::to_string(writer.series_index(lane.name.series)),
                         array(lane.spans, [](const Timeline::Span& s) {
                           return fmt::format("{{\"phase\":{},\"from\":{},\"to\":{},\"stalled\":{}}}", quoted(s.phase),
                                              number(s.from_s), number(s.to_s), number(s.stalled_s));
                         }));
  }
  if (!(end > 0) || !std::isfinite(end)) return "";
  return fmt::format("{{\"kind\":\"timeline\",\"end\":{},\"lanes\":[{}]}}", number(end), lanes);
}
}  // namespace

std::string chart_json(const Chart& chart, Writer& writer) {
  return std::visit([&](const auto& c) { return json(c, writer); }, chart);
}

std::string_view chart_kind(const Chart& chart) {
  static constexpr std::array<std::string_view, 6> kinds = {"plot", "stack",   "occupancy",
                                                            "heat", "tornado", "timeline"};
  return kinds[chart.index()];
}

std::string script_safe(std::string json) {
  for (std::size_t i = json.find('<'); i != std::string::npos; i = json.find('<', i)) json.replace(i, 1, "\\u003c");
  return json;
}
}  // namespace stowage::page
