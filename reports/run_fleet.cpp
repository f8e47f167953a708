// A fleet on the run page: how evenly its replicas were used, and which were worst. However many there are, the page
// shows at most 64 of them as shades (quantiles beyond that) and names a few.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "reports/figures.hpp"
#include "reports/fleet.hpp"
#include "reports/run_page.hpp"
#include "reports/text.hpp"

namespace stowage::parts {
namespace {
using Json = nlohmann::ordered_json;
constexpr std::size_t strip = 64, named = 3, whole_table = 16;

struct Load {
  std::string_view label;
  double (*value)(const RunResult&, const ReplicaSummary&);
  std::string (*show)(double);
};
double busy(const RunResult& run, const ReplicaSummary& r) {
  return run.makespan_ns > 0 ? static_cast<double>(r.busy_ns) / static_cast<double>(run.makespan_ns) : NAN;
}
double ttft_p99(const RunResult&, const ReplicaSummary& r) { return r.ttft_ns.count > 0 ? r.ttft_ns.p99 / 1e9 : NAN; }
double tokens(const RunResult&, const ReplicaSummary& r) {
  return static_cast<double>(r.prompt_tokens + r.output_tokens);
}
constexpr Load loads[] = {
    {"share of time busy", busy, [](double x) { return text::percent(x); }},
    {"tokens served", tokens, [](double x) { return text::number(x); }},
    {"p99 TTFT, s", ttft_p99, [](double x) { return text::duration(x * 1e9); }},
};

/// The replicas by rising value of `load`; those without one first.
std::vector<std::size_t> ranked(const RunResult& run, const Load& load) {
  std::vector<std::size_t> order(run.replicas.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  const auto key = [&](std::size_t i) {
    const double v = load.value(run, run.replicas[i]);
    return std::isfinite(v) ? v : -1.0;
  };
  std::ranges::stable_sort(order, {}, key);
  return order;
}

bool is_fleet(const RunResult& run) { return run.replicas.size() > 1; }

/// One row a run, one column a replica, or a quantile of the replicas where they are many.
page::Figure shades(const ReportInput& input, const Load& load) {
  std::size_t most = 0;
  for (std::size_t i = 0; i < chart_count(input); ++i) most = std::max(most, input.runs[i].replicas.size());
  const bool quantiles = most > strip;
  page::HeatMap map{
      quantiles ? "replicas from the least to the most, %" : "replica", "", std::string(load.label), {}, {}, {}};
  const std::size_t width = std::min(most, strip);
  for (std::size_t c = 0; c < width; ++c)
    map.columns.push_back(quantiles ? fmt::format("{:.0f}", 100.0 * static_cast<double>(c) / (strip - 1))
                                    : std::to_string(c));
  double greatest = -INFINITY, least = INFINITY;
  for (std::size_t i = 0; i < chart_count(input); ++i) {
    const RunResult& run = input.runs[i];
    if (!is_fleet(run)) continue;
    map.rows.push_back(run.name);
    const auto order = quantiles ? ranked(run, load) : std::vector<std::size_t>{};
    for (std::size_t c = 0; c < width; ++c) {
      const std::size_t n = run.replicas.size(), r = quantiles ? order[c * (n - 1) / (strip - 1)] : c;
      const double v = r < n ? load.value(run, run.replicas[r]) : NAN;
      map.values.push_back(v);
      if (std::isfinite(v)) greatest = std::max(greatest, v), least = std::min(least, v);
    }
  }
  std::string sentence = std::isfinite(greatest)
                             ? fmt::format("From {} to {} a replica{}.", load.show(least), load.show(greatest),
                                           quantiles ? "; 64 quantiles of them are drawn" : "")
                             : "No replica served anything.";
  return page::heat_map(fmt::format("{} by replica", load.label), std::move(sentence), std::move(map));
}

page::Row row(const RunResult& run, std::size_t i, std::string what) {
  const ReplicaSummary& r = run.replicas[i];
  const auto count = [](std::uint64_t n) { return text::count(n); };
  return {
      fmt::format("replica {}{}{}", i, r.group.empty() ? "" : " (" + r.group + ")", what.empty() ? "" : ": " + what),
      {{count(r.submitted)},
       {count(r.completed)},
       {count(r.preemptions)},
       {count(r.prompt_tokens + r.output_tokens)},
       {text::percent(busy(run, r))},
       {text::number(r.batch_mean)},
       {r.ttft_ns.count > 0 ? text::duration(r.ttft_ns.p99) : "–"},
       {r.tbt_ns.count > 0 ? text::duration(r.tbt_ns.p99) : "–"},
       {r.pool_bytes > 0
            ? text::percent(static_cast<double>(r.peak_committed_bytes) / static_cast<double>(r.pool_bytes))
            : "–"}}};
}

/// All replicas of a small fleet; of a large one those to look at.
page::RowGroup table_of(const RunResult& run) {
  page::RowGroup group{run.name, {}};
  if (run.replicas.size() <= whole_table) {
    for (std::size_t i = 0; i < run.replicas.size(); ++i) group.rows.push_back(row(run, i, ""));
    return group;
  }
  const auto slow = ranked(run, loads[2]), used = ranked(run, loads[0]);
  const std::size_t n = run.replicas.size();
  for (std::size_t k = 0; k < named; ++k) group.rows.push_back(row(run, slow[n - 1 - k], "slowest p99 TTFT"));
  for (std::size_t k = 0; k < named; ++k) group.rows.push_back(row(run, used[n - 1 - k], "busiest"));
  group.rows.push_back(row(run, used[n / 2], "median by busy time"));
  group.rows.push_back(row(run, used[0], "idlest"));
  return group;
}
}  // namespace

page::Section fleet(const ReportInput& input) {
  page::Section out{"replicas", "Replica by replica", "", {}};
  page::Table table{"Replicas",
                    {"", "submitted", "completed", "preemptions", "tokens", "busy", "running, mean", "TTFT p99",
                     "TBT p99", "peak of the pool"},
                    {},
                    ""};
  std::string words;
  std::uint64_t most = 0;
  for (std::size_t i = 0; i < chart_count(input); ++i) {
    const RunResult& run = input.runs[i];
    if (!is_fleet(run)) continue;
    table.groups.push_back(table_of(run));
    if (table.groups.size() <= 4)
      words += fmt::format("{}{}: {}.", words.empty() ? "" : " ", run.name, imbalance_words(run));
    most = std::max<std::uint64_t>(most, run.replicas.size());
  }
  if (table.groups.empty()) return out;
  out.sentence = words;
  if (most > whole_table)
    table.remark =
        fmt::format("Of {} those to look at; summary.json beside this page has all.", text::plural(most, "replica"));
  page::Figures figures;
  for (const Load& load : loads) figures.figures.push_back(shades(input, load));
  out.blocks.emplace_back(std::move(figures));
  out.blocks.emplace_back(std::move(table));
  return out;
}

std::string carried_summary(std::string text) {
  constexpr std::size_t most = 600'000;
  if (text.size() <= most) return text;
  Json summary = Json::parse(text);
  for (Json& run : summary.at("runs")) {
    if (!run.contains("replicas") || run.at("replicas").size() <= strip) continue;
    const std::size_t n = run.at("replicas").size();
    run["replicas_left_out"] = n - strip;
    Json kept = Json::array();
    for (std::size_t i = 0; i < strip; ++i) kept.push_back(run.at("replicas").at(i));
    run["replicas"] = std::move(kept);
  }
  return summary.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}
}  // namespace stowage::parts
