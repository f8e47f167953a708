#include "reports/figures.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "reports/text.hpp"

namespace stowage::page {
namespace {
constexpr std::size_t table_rows = 24;  // of a curve; the CSV has all
constexpr std::size_t pareto_rows = 60;

/// Evenly spread indices, first and last included.
std::vector<std::size_t> spread(std::size_t size, std::size_t at_most) {
  std::vector<std::size_t> out;
  const std::size_t n = std::min(size, at_most);
  for (std::size_t i = 0; i < n; ++i) out.push_back(n == 1 ? 0 : i * (size - 1) / (n - 1));
  return out;
}

std::string column(const Axis& axis) { return axis.name; }
}  // namespace

std::string shown(Unit unit, double value) {
  if (!std::isfinite(value)) return "–";
  switch (unit) {
    case Unit::seconds:
      return text::duration(value * 1e9);
    case Unit::bytes:
      return text::bytes(value);
    case Unit::share:
      return text::percent(value);
    case Unit::number:
      break;
  }
  return text::number(value);
}

std::vector<std::size_t> decimate(std::span<const double> values, std::size_t buckets) {
  std::vector<std::size_t> out;
  const std::size_t n = values.size();
  if (n <= 2 * buckets + 2) {
    for (std::size_t i = 0; i < n; ++i) out.push_back(i);
    return out;
  }
  out.push_back(0);
  for (std::size_t b = 0; b < buckets; ++b) {
    const std::size_t from = n * b / buckets, to = n * (b + 1) / buckets;
    std::size_t least = from, greatest = from;
    for (std::size_t i = from; i < to; ++i) {
      if (values[i] < values[least] || std::isnan(values[least])) least = i;
      if (values[i] > values[greatest] || std::isnan(values[greatest])) greatest = i;
    }
    for (const std::size_t i : {std::min(least, greatest), std::max(least, greatest)}) {
      if (i != out.back()) out.push_back(i);
    }
  }
  if (out.back() != n - 1) out.push_back(n - 1);
  return out;
}

Figure pareto(const Pareto& p) {
  Plot plot{p.x, p.y, {}, p.limits, p.points};
  Table table{p.title, {"", column(p.x), column(p.y), "limits", "front", "to run it"}, {{"", {}}}, ""};
  Line front{.series = "front", .dashed = true};
  for (const Candidate& c : p.candidates) {
    auto line =
        std::ranges::find_if(plot.lines, [&](const Line& l) { return l.series == c.series && l.faded == !c.on_front; });
    if (line == plot.lines.end()) {
      plot.lines.push_back({.series = c.series, .line = false, .points = true, .faded = !c.on_front});
      line = plot.lines.end() - 1;
    }
    line->x.push_back(c.x);
    line->y.push_back(c.y);
    line->tips.push_back(c.set.empty() ? c.name : c.name + "\n" + c.set);
    if (c.on_front && std::isfinite(c.x) && std::isfinite(c.y)) front.x.push_back(c.x), front.y.push_back(c.y);
    if (table.groups[0].rows.size() == pareto_rows) {
      table.remark = "The first " + text::count(pareto_rows) + " of " + text::count(p.candidates.size()) + ".";
      continue;
    }
    table.groups[0].rows.push_back({{c.name, c.series, c.badge},
                                    {{shown(p.x.unit, c.x)},
                                     {shown(p.y.unit, c.y)},
                                     {"", c.feasible ? Tone::good : Tone::bad, c.feasible ? "✓ met" : "✗ missed"},
                                     {c.on_front ? "on it" : ""},
                                     {c.set}}});
  }
  if (front.x.size() > 1) {
    std::vector<std::size_t> order(front.x.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::ranges::sort(order, {}, [&](std::size_t i) { return front.x[i]; });
    Line sorted{.series = "front", .step = true, .dashed = true};
    for (const std::size_t i : order) sorted.x.push_back(front.x[i]), sorted.y.push_back(front.y[i]);
    plot.lines.push_back(std::move(sorted));
  }
  return {p.title, p.sentence, std::move(plot), std::move(table)};
}

Figure capacity_curve(const CapacityCurve& c) {
  Plot plot{c.x, c.y, c.curves, c.limits, c.points};
  Table table{c.title, {"", column(c.x), column(c.y), "over seeds"}, {}, ""};
  for (Line& line : plot.lines) {
    line.points = true;
    RowGroup group{line.series, {}};
    for (const std::size_t i : spread(std::min(line.x.size(), line.y.size()), table_rows)) {
      const bool bars = i < line.low.size() && i < line.high.size();
      group.rows.push_back({{line.series, line.series},
                            {{shown(c.x.unit, line.x[i])},
                             {shown(c.y.unit, line.y[i])},
                             {bars ? shown(c.y.unit, line.low[i]) + " to " + shown(c.y.unit, line.high[i]) : "–"}}});
    }
    table.groups.push_back(std::move(group));
  }
  for (const Point& p : c.points) {
    table.remark += (table.remark.empty() ? "" : "; ") + p.text + ": " + shown(c.x.unit, p.x);
  }
  return {c.title, c.sentence, std::move(plot), std::move(table)};
}

Figure cdf(const Cdf& c) {
  Plot plot{c.x, {"", Unit::share, false, 0.0, 1.0}, {}, c.limits, {}};
  Table table{c.title, {""}, {{"", {}}}, ""};
  for (const Distribution& d : c.curves) {
    Line line{.series = d.series, .x = d.x, .y = d.f, .step = true};
    Row row{{d.series, d.series, d.badge}, {}};
    for (const auto& [name, value] : d.quantiles) {
      if (table.columns.size() <= d.quantiles.size() && &d == &c.curves.front()) table.columns.emplace_back(name);
      row.cells.push_back({d.x.empty() ? "–" : shown(c.x.unit, value)});
      double f = 0;
      if (name.starts_with('p') && !d.x.empty()) f = std::strtod(name.c_str() + 1, nullptr) / 100;
      if (f == 0.5 || f == 0.95 || f == 0.99) line.ticks.emplace_back(value, f);
    }
    table.groups[0].rows.push_back(std::move(row));
    plot.lines.push_back(std::move(line));
  }
  return {c.title, c.sentence, std::move(plot), std::move(table)};
}

Figure histogram(const Histogram& h) {
  Plot plot{h.x, {h.counted, Unit::number, false, 0.0, {}}, {}, {}, {}};
  Table table{h.title, {h.x.name + ", from", "to", h.counted}, {}, ""};
  for (const Counts& s : h.series) {
    const std::size_t n = std::min(s.counts.size(), s.edges.empty() ? 0 : s.edges.size() - 1);
    if (n == 0) continue;
    Line line{.series = s.series, .step = true, .area = true};
    RowGroup group{s.badge.empty() ? s.series : s.series + " (" + s.badge + ")", {}};
    for (std::size_t i = 0; i < n; ++i) {
      line.x.push_back(s.edges[i]);
      line.y.push_back(s.counts[i]);
      if (s.counts[i] > 0 && group.rows.size() < table_rows) {
        group.rows.push_back(
            {{shown(h.x.unit, s.edges[i]), s.series},
             {{shown(h.x.unit, s.edges[i + 1])}, {text::count(static_cast<std::uint64_t>(s.counts[i]))}}});
      }
    }
    line.x.push_back(s.edges[n]);
    line.y.push_back(0);
    table.groups.push_back(std::move(group));
    plot.lines.push_back(std::move(line));
  }
  return {h.title, h.sentence, std::move(plot), std::move(table)};
}

Figure tornado(Name title, std::string sentence, Tornado t) {
  const auto reach = [&](const Tornado::Change& c) {
    return std::max(std::abs(c.low.value_or(t.base) - t.base), std::abs(c.high.value_or(t.base) - t.base));
  };
  std::ranges::stable_sort(t.changes, std::greater<>{},
                           [&](const Tornado::Change& c) { return c.note.empty() ? reach(c) : -1.0; });
  Table table{title.text,
              {"what changes", "", t.axis.name, "", t.axis.name},
              {{"", {}}},
              "Unchanged: " + shown(t.axis.unit, t.base) + "."};
  for (const Tornado::Change& c : t.changes) {
    if (!c.note.empty()) {
      table.groups[0].rows.push_back({c.what, {{c.note}, {"–"}, {""}, {"–"}}});
      continue;
    }
    table.groups[0].rows.push_back({c.what,
                                    {{c.low_text},
                                     {c.low ? shown(t.axis.unit, *c.low) : "not possible"},
                                     {c.high_text},
                                     {c.high ? shown(t.axis.unit, *c.high) : "not possible"}}});
  }
  return {std::move(title), std::move(sentence), std::move(t), std::move(table)};
}

Figure heat_map(Name title, std::string sentence, HeatMap map) {
  Table table{title.text, {map.y_name}, {{"", {}}}, map.value_name + " by " + map.x_name + "."};
  for (const std::string& c : map.columns) table.columns.emplace_back(c);
  for (std::size_t r = 0; r < map.rows.size(); ++r) {
    Row row{map.rows[r], {}};
    for (std::size_t c = 0; c < map.columns.size(); ++c) {
      const std::size_t i = r * map.columns.size() + c;
      row.cells.push_back({shown(Unit::number, i < map.values.size() ? map.values[i] : NAN)});
    }
    table.groups[0].rows.push_back(std::move(row));
  }
  return {std::move(title), std::move(sentence), std::move(map), std::move(table)};
}

Figure timeline(Name title, std::string sentence, Timeline t) {
  Table table{title.text, {"phase", "from", "to", "took", "of it, stalled on mapping"}, {}, ""};
  for (const Timeline::Lane& lane : t.lanes) {
    RowGroup group{lane.name.text, {}};
    for (const Timeline::Span& s : lane.spans) {
      if (group.rows.size() == table_rows) break;
      group.rows.push_back({{s.phase, lane.name.series},
                            {{shown(Unit::seconds, s.from_s)},
                             {shown(Unit::seconds, s.to_s)},
                             {shown(Unit::seconds, s.to_s - s.from_s)},
                             {shown(Unit::seconds, s.stalled_s)}}});
    }
    table.groups.push_back(std::move(group));
  }
  return {std::move(title), std::move(sentence), std::move(t), std::move(table)};
}
}  // namespace stowage::page
