// The curves of a run's page: throughput against latency, how long requests took and why, what would change it.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "reports/figures.hpp"
#include "sim/latency.hpp"
#include "reports/metrics.hpp"
#include "reports/run_page.hpp"
#include "reports/text.hpp"
#include "reports/words.hpp"
#include "sim/kv/registry.hpp"

namespace stowage::parts {
namespace {
using page::Unit;
constexpr std::array<const Latency*, 5> charted = {&ttft, &tbt, &e2e, &queueing, &tpot};
constexpr std::size_t cdf_points = 120;

page::Figure distribution(const ReportInput& input, const Latency& latency) {
  page::Cdf c{fmt::format("{}: {}", latency.label, latency.name),
              words::distribution(input, latency),
              {std::string(latency.name), Unit::seconds, true, {}, {}},
              {},
              {}};
  for (const RunResult& run : input.runs) {
    const LogHistogram& h = latency.of(run);
    page::Distribution d{run.name, deployable(run), {}, {}, {}};
    if (&run - input.runs.data() < static_cast<std::ptrdiff_t>(max_charted)) {
      for (const auto& point : h.cdf(cdf_points)) {
        d.x.push_back(point.value / latency.units_per_s);
        d.f.push_back(point.cumulative);
      }
    }
    const Summary s = h.summary(1 / latency.units_per_s);
    d.quantiles = {{"mean", s.mean}, {"p50", s.p50}, {"p90", s.p90}, {"p95", s.p95}, {"p99", s.p99}, {"max", s.max}};
    c.curves.push_back(std::move(d));
  }
  for (const LatencyLimit& limit : input.slo) {
    if (!limit.key.starts_with(std::string(latency.key) + "_")) continue;
    c.limits.push_back({limit.limit_ns / 1e9, limit.key.substr(latency.key.size() + 1) + " limit", true, true});
  }
  return page::cdf(c);
}

page::Timeline::Lane lane(const RunResult& run, const RequestTrace& request, std::string_view which) {
  page::Timeline::Lane out{{fmt::format("{}, {}", run.name, which), run.name, deployable(run)}, {}};
  if (request.spans.empty()) return out;
  const std::int64_t origin = request.spans.front().from_ns;
  constexpr std::size_t most_spans = 400;
  for (const PhaseSpan& s : request.spans) {
    if (out.spans.size() == most_spans) break;
    out.spans.push_back({std::string(phase_names[static_cast<std::size_t>(s.phase)]), seconds(s.from_ns - origin),
                         seconds(s.to_ns - origin), seconds(s.stalled_ns)});
  }
  return out;
}

double first_x(const RunResult& run) { return run.requests_per_s(); }
}  // namespace

std::size_t chart_count(const ReportInput& input) { return std::min(input.runs.size(), max_charted); }

std::string too_many(const ReportInput& input) {
  return input.runs.size() <= max_charted ? ""
                                          : fmt::format(" The first {} of {} runs are drawn; tables and CSV have all.",
                                                        max_charted, input.runs.size());
}

std::string deployable(const RunResult& run) {
  const ManagerRow* const row = find_manager(run.manager.kind);
  if (row == nullptr) return "";
  return row->deployable == "none" ? "ships nowhere" : "ships in " + std::string(row->deployable);
}

page::Name run_name(const RunResult& run) { return {run.name, run.name, deployable(run)}; }

std::vector<page::Series> run_series(const ReportInput& input) {
  std::vector<page::Series> out;
  std::vector<std::string> managers, folders;
  const auto index = [](std::vector<std::string>& seen, const std::string& name) {
    const auto at = std::ranges::find(seen, name);
    if (at != seen.end()) return static_cast<std::size_t>(at - seen.begin());
    seen.push_back(name);
    return seen.size() - 1;
  };
  for (std::size_t i = 0; i < input.runs.size(); ++i) {
    const RunResult& run = input.runs[i];
    if (input.folders.size() != input.runs.size()) {
      out.push_back({run.name});
      continue;
    }
    out.push_back({run.name, index(managers, run.manager.name), index(folders, input.folders[i])});
  }
  return out;
}

page::Section pareto(const ReportInput& input) {
  page::Section out{"pareto", "Throughput against latency", "", {}};
  if (input.runs.size() < 2) return out;
  page::Pareto p;
  p.title = "Requests served against p99 TTFT";
  p.x = {"requests/s", Unit::number, false, {}, {}};
  p.y = {"p99 TTFT", Unit::seconds, true, {}, {}};
  for (std::size_t i = 0; i < std::min<std::size_t>(input.runs.size(), 200); ++i) {
    const RunResult& run = input.runs[i];
    const double latency = ttft.quantile_ns(run, 0.99) / 1e9;
    if (run.completed == 0) continue;
    const auto better = [&](const RunResult& other) {
      return other.completed > 0 && first_x(other) >= first_x(run) && ttft.quantile_ns(other, 0.99) / 1e9 <= latency &&
             (first_x(other) > first_x(run) || ttft.quantile_ns(other, 0.99) / 1e9 < latency);
    };
    p.candidates.push_back({run.name, run.name, deployable(run), first_x(run), latency, slo_met(input.slo, run),
                            std::ranges::none_of(input.runs, better), ""});
  }
  if (p.candidates.empty()) return out;
  for (const LatencyLimit& limit : input.slo) {
    if (limit.key == "ttft_p99") p.limits.push_back({limit.limit_ns / 1e9, "ttft_p99 limit", false, true});
  }
  p.sentence = words::pareto(input);
  out.sentence = "To the right is more, below is sooner; a run nobody beats in both is on the front.";
  out.blocks.emplace_back(page::pareto(p));
  return out;
}

page::Section distributions(const ReportInput& input) {
  page::Section out{"latency",
                    "Latency",
                    "The share of requests (for TBT, of gaps between tokens) at or below a time. Marks stand at p50, "
                    "p95 and p99; the time axis is logarithmic." +
                        too_many(input),
                    {}};
  if (input.runs.empty()) return out;
  if (input.runs.size() <= 40) out.blocks.emplace_back(page::Legend{{}, true});
  page::Figures figures;
  for (const Latency* latency : charted) figures.figures.push_back(distribution(input, *latency));
  out.blocks.emplace_back(std::move(figures));
  return out;
}

page::Section lives(const ReportInput& input) {
  page::Section out{"requests",
                    "Where a request's time went",
                    "One request at the median and one at the 99th percentile of TTFT under each manager, from arrival "
                    "to the last token. Recorded requests and iterations of the run's start are in "
                    "trace.perfetto.json (ui.perfetto.dev or chrome://tracing open it).",
                    {}};
  page::Timeline t;
  for (std::size_t i = 0; i < chart_count(input); ++i) {
    const RunResult& run = input.runs[i];
    if (!run.trace || run.trace->median.spans.empty()) continue;
    t.lanes.push_back(lane(run, run.trace->median, "median"));
    t.lanes.push_back(lane(run, run.trace->worst, "p99"));
  }
  if (t.lanes.empty()) return out;
  page::Legend legend;
  for (const auto& [phase, what] : {std::pair{"queue", "waits to be scheduled"},
                                    {"prefill", "its prompt is computed"},
                                    {"decode", "its tokens come"},
                                    {"preempted", "back in the queue, memory gone"},
                                    {"recompute", "its prefill done again"}}) {
    legend.entries.push_back({phase, std::string("p-") + phase, 0, what});
  }
  legend.entries.push_back({"stalled", "external", 0, "of its phase, waiting for memory to be mapped"});
  out.blocks.emplace_back(std::move(legend));
  out.blocks.emplace_back(page::timeline("Median and p99 request by TTFT", words::lives(input), std::move(t)));
  return out;
}

page::Section sensitivity(const ReportInput& input) {
  page::Section out{"sensitivity", "What would change the result", words::bottlenecks(input), {}};
  if (input.runs.empty()) return out;
  if (!input.sensitivity) {
    out.blocks.emplace_back(
        page::Notes{{"stowage run … --sensitivity simulates this again with other rates, lengths, "
                     "memory and page sizes, and draws here what they change."}});
    return out;
  }
  const Sensitivity& s = *input.sensitivity;
  out.blocks.emplace_back(
      page::Legend{{{"less", "m0", 0, "shorter, half, the first"}, {"more", "m1", 0, "longer, double, the second"}}});
  page::Figures figures;
  for (std::size_t i = 0; i < std::min(input.runs.size(), max_mapped); ++i) {
    if (i >= s.base.size() || !s.base[i]) continue;
    page::Tornado t{{"p99 TTFT", Unit::seconds, false, {}, {}}, s.base[i]->ttft_p99_ns / 1e9, {}};
    for (const WhatIf& w : s.changes) {
      const auto value = [i](const WhatIf::Outcomes& outcomes) -> std::optional<double> {
        if (i >= outcomes.size() || !outcomes[i]) return std::nullopt;
        return outcomes[i]->ttft_p99_ns / 1e9;
      };
      t.changes.push_back({w.what, w.low_text, w.high_text, value(w.low), value(w.high), w.note});
    }
    figures.figures.push_back(page::tornado(run_name(input.runs[i]), words::sensitivity(s, i), std::move(t)));
  }
  out.blocks.emplace_back(std::move(figures));
  page::Notes notes;
  if (!s.basis.empty()) notes.lines.push_back("All of these runs, the unchanged one included, use " + s.basis + ".");
  for (const WhatIf& w : s.changes) {
    if (!w.low_set.empty()) notes.lines.push_back(fmt::format("{}: {} and {}", w.what, w.low_set, w.high_set));
  }
  if (!notes.lines.empty()) out.blocks.emplace_back(std::move(notes));
  return out;
}
}  // namespace stowage::parts
