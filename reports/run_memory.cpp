// The memory of a run's page: what the pool held when, and where it went.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "reports/figures.hpp"
#include "reports/metrics.hpp"
#include "reports/run_page.hpp"
#include "reports/text.hpp"
#include "reports/words.hpp"

namespace stowage::parts {
namespace {
using page::Unit;
constexpr std::size_t table_slices = 12;

std::string meaning(Part part) {
  switch (part) {
    case Part::live:
      return "holds a token's keys and values";
    case Part::reserved:
      return "for tokens still to come";
    case Part::internal:
      return "held, will never hold a token";
    case Part::external:
      return "free, but of no use to the next request";
    case Part::cached:
      return "kept for requests to come";
    case Part::free:
      return "";
  }
  STOWAGE_ASSERT(false);
  return "";
}

/// Bins drawn: all, or those with the least and the most held in each of so many groups, so that peaks stay.
std::vector<std::size_t> drawn_bins(const std::vector<SeriesPoint>& series, std::size_t at_most) {
  std::vector<double> held;
  for (const SeriesPoint& p : series) held.push_back(p.bytes[0] + p.bytes[1] + p.bytes[2]);
  return page::decimate(held, at_most / 2);
}

page::Stack stack(const RunResult& run, const std::vector<std::size_t>& bins) {
  page::Stack s{.series = run.name, .starts_s = {}, .whole = static_cast<double>(run.pool_bytes)};
  if (!run.series.empty()) s.end_s = seconds(run.series.back().end_ns);
  for (const Part part : stacking)
    s.bands.push_back({std::string(part_names[at(part)]), std::string(part_names[at(part)]), {}});
  s.below = {{"running", "", {}}, {"waiting", "", {}}};
  for (const std::size_t i : bins) {
    const SeriesPoint& p = run.series[i];
    s.starts_s.push_back(seconds(p.start_ns));
    for (std::size_t b = 0; b < stacking.size(); ++b) s.bands[b].values.push_back(p.bytes[at(stacking[b])]);
    s.below[0].values.push_back(p.running);
    s.below[1].values.push_back(p.waiting);
  }
  return s;
}

page::Table memory_table(const RunResult& run) {
  page::Table table{
      "KV pool of " + run.name + " over time", {"from", "to"}, {{"", {}}}, "Means of equal bins; memory.csv has all."};
  for (const Part part : stacking) table.columns.emplace_back(std::string(part_names[at(part)]));
  table.columns.emplace_back("running");
  table.columns.emplace_back("waiting");
  const std::size_t n = std::min(table_slices, run.series.size());
  for (std::size_t i = 0; i < n; ++i) {
    const SeriesPoint& p = run.series[run.series.size() * i / n];
    page::Row row{text::duration(double(p.start_ns)), {{text::duration(double(p.end_ns))}}};
    for (const Part part : stacking) row.cells.push_back({text::bytes(p.bytes[at(part)])});
    row.cells.push_back({text::number(p.running)});
    row.cells.push_back({text::number(p.waiting)});
    table.groups[0].rows.push_back(std::move(row));
  }
  return table;
}

page::Occupancy occupancy(const RunResult& run) {
  const RunTrace& trace = *run.trace;
  page::Occupancy map{.at_s = {},
                      .end_s = seconds(run.makespan_ns),
                      .rows = RunTrace::occupancy_rows,
                      .cells = {},
                      .refused = {},
                      .pool_bytes = run.pool_bytes};
  for (const OccupancyColumn& c : trace.occupancy) {
    map.at_s.push_back(seconds(c.at_ns));
    map.end_s = std::max(map.end_s, seconds(c.at_ns));
    map.refused.push_back(c.refused);
    map.cells.insert(map.cells.end(), c.cells.begin(), c.cells.end());
  }
  return map;
}

page::Table occupancy_table(const RunResult& run) {
  page::Table table{"Occupancy of the pool under " + run.name,
                    {"at", "tokens", "held, empty", "cached", "free", "refused"},
                    {{"", {}}},
                    "Shares of the pool at sampled instants, to a fifteenth of each piece."};
  const auto& columns = run.trace->occupancy;
  const std::size_t n = std::min(table_slices, columns.size());
  for (std::size_t i = 0; i < n; ++i) {
    const OccupancyColumn& c = columns[columns.size() * i / n];
    std::array<double, 3> share{};
    for (const auto& cell : c.cells) {
      for (std::size_t k = 0; k < 3; ++k) share[k] += cell[k] / 15.0 / static_cast<double>(c.cells.size());
    }
    table.groups[0].rows.push_back({text::duration(double(c.at_ns)),
                                    {{text::percent(share[0])},
                                     {text::percent(share[1])},
                                     {text::percent(share[2])},
                                     {text::percent(std::max(0.0, 1 - share[0] - share[1] - share[2]))},
                                     {c.refused ? "yes" : ""}}});
  }
  return table;
}

/// Four bins an octave, from the first that holds something to the last.
page::Counts stall_counts(const RunResult& run) {
  constexpr std::size_t together = (std::size_t{1} << LogHistogram::sub_bits) / 4;
  const LogHistogram& h = run.trace->stall_ns;
  page::Counts out{run.name, deployable(run), {}, {}};
  std::vector<double> counts;
  std::size_t first = 0, last = 0;
  for (std::size_t b = 0; b < LogHistogram::buckets / together; ++b) {
    double n = 0;
    for (std::size_t i = b * together; i < (b + 1) * together; ++i) n += static_cast<double>(h.count_in(i));
    if (n > 0 && counts.empty()) first = b;
    if (n > 0 || !counts.empty()) counts.push_back(n);
    if (n > 0) last = b;
  }
  if (counts.empty()) return out;
  counts.resize(last - first + 1);
  out.counts = counts;
  for (std::size_t b = first; b <= last + 1; ++b) out.edges.push_back(seconds(LogHistogram::lower(b * together)));
  return out;
}

page::Figure stalls(const ReportInput& input) {
  page::Histogram h{
      "Waiting for memory to be mapped", "", {"stall of an iteration", Unit::seconds, true, {}, {}}, "iterations", {}};
  for (std::size_t i = 0; i < chart_count(input); ++i) {
    if (input.runs[i].trace && input.runs[i].trace->stall_ns.count() > 0)
      h.series.push_back(stall_counts(input.runs[i]));
  }
  h.sentence = words::stalls(input);
  return page::histogram(h);
}

page::Bars waste_bars(const ReportInput& input) {
  page::Bars bars;
  bars.table = {"Where the memory went", {"manager"}, {{"", {}}}, "Time-weighted means, of the pool."};
  for (const Part part : stacking) bars.table.columns.emplace_back(std::string(part_names[at(part)]));
  bars.table.columns.emplace_back("lost");
  for (const RunResult& run : input.runs) {
    page::Bars::Bar bar{{run.name, run.name}, {}, text::percent(lost_fraction(run)) + " lost"};
    page::Row row{run_name(run), {}};
    for (const Part part : stacking) {
      const double share = run.mean_fraction[at(part)];
      const std::string name(part_names[at(part)]);
      bar.shares.push_back({name, name, share, text::percent(share)});
      row.cells.push_back({text::percent(share)});
    }
    row.cells.push_back({text::percent(lost_fraction(run))});
    bars.bars.push_back(std::move(bar));
    bars.table.groups[0].rows.push_back(std::move(row));
  }
  return bars;
}

}  // namespace

page::Legend pool_legend() {
  page::Legend out;
  for (const Part part : stacking) {
    const std::string name(part_names[at(part)]);
    out.entries.push_back({name, name, 0, meaning(part)});
  }
  return out;
}

page::Section memory_over_time(const ReportInput& input) {
  page::Section out{"memory",
                    "Memory over time",
                    "The KV pool, split into six parts that always sum to it, and below the requests running (solid) "
                    "and waiting (dashed). All runs share the axes; Ctrl and the wheel zooms all of them." +
                        too_many(input),
                    {}};
  if (input.runs.empty()) return out;
  out.blocks.emplace_back(pool_legend());
  const std::size_t n = chart_count(input);
  // Some 60 letters a bin, and a fifth of a megabyte for all: most of what a page holds beside the chart library.
  const std::size_t most = std::clamp<std::size_t>(200'000 / (n * 60), 60, 1024);
  double end_s = 0, running = 1, waiting = 1;
  for (std::size_t i = 0; i < n; ++i) {
    if (!input.runs[i].series.empty()) end_s = std::max(end_s, seconds(input.runs[i].series.back().end_ns));
    for (const SeriesPoint& p : input.runs[i].series) {
      running = std::max(running, std::ceil(p.running));
      waiting = std::max(waiting, std::ceil(p.waiting));
    }
  }
  for (std::size_t i = 0; i < n; ++i) {
    const RunResult& run = input.runs[i];
    const std::vector<std::size_t> bins = drawn_bins(run.series, most);
    page::Stack s = stack(run, bins);
    s.axis_end_s = end_s;
    s.below_max = {running, waiting};
    const std::string note =
        bins.size() < run.series.size()
            ? fmt::format("Of {} bins the {} with the least and the most held are drawn; memory.csv has all.",
                          text::count(run.series.size()), text::count(bins.size()))
            : "";
    out.blocks.emplace_back(
        page::Figure{run_name(run), words::memory_over_time(run), std::move(s), memory_table(run), note});
  }
  return out;
}

page::Section waste(const ReportInput& input) {
  page::Section out{"waste",
                    "Where the memory went",
                    words::waste(input) +
                        " Time-weighted means from the first arrival to the last completion; lost = "
                        "reserved + internal + external.",
                    {}};
  if (input.runs.empty()) return out;
  out.blocks.emplace_back(pool_legend());
  out.blocks.emplace_back(waste_bars(input));
  std::size_t maps = 0;
  bool stalled = false;
  for (const RunResult& run : input.runs) {
    if (!run.trace) continue;
    stalled = stalled || run.trace->stall_ns.count() > 0;
    if (run.trace->occupancy.empty() || maps == max_mapped) continue;
    if (maps == 0) {
      out.blocks.emplace_back(page::Legend{{{"tokens", "live", 0, ""},
                                            {"held, empty", "internal", 0, "reserved or lost inside"},
                                            {"cached", "cached", 0, ""},
                                            {"free", "free", 0, ""},
                                            {"refused", "external", 0, "free, but the next request did not fit"}}});
    }
    ++maps;
    out.blocks.emplace_back(page::Figure{{run.name + ": the pool, piece by piece", run.name, deployable(run)},
                                         words::occupancy(run),
                                         occupancy(run),
                                         occupancy_table(run)});
  }
  if (stalled) out.blocks.emplace_back(stalls(input));
  return out;
}
}  // namespace stowage::parts
