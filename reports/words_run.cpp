// Sentences over the figures of a run that need its samples, and what it was short of.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "reports/metrics.hpp"
#include "reports/text.hpp"
#include "reports/words.hpp"

namespace stowage::words {
namespace {
double total_ns(const RequestTrace& r) {
  return r.spans.empty() ? 0 : static_cast<double>(r.spans.back().to_ns - r.spans.front().from_ns);
}

/// "56.0 s, of which queue 55.0 s": what took most.
std::string spent(const RequestTrace& r) {
  std::array<double, phase_names.size()> by_phase{};
  double stalled = 0;
  for (const PhaseSpan& s : r.spans) {
    by_phase[static_cast<std::size_t>(s.phase)] += static_cast<double>(s.to_ns - s.from_ns - s.stalled_ns);
    stalled += static_cast<double>(s.stalled_ns);
  }
  std::vector<std::pair<double, std::string>> named;
  for (std::size_t i = 0; i < by_phase.size(); ++i) named.emplace_back(by_phase[i], phase_names[i]);
  named.emplace_back(stalled, "stalled on mapping");
  std::ranges::stable_sort(named, std::greater<>{}, &std::pair<double, std::string>::first);
  return text::duration(total_ns(r)) + ", of which " + named[0].second + " " + text::duration(named[0].first);
}

/// The scheduler's limit on running requests, 0 when the scenario does not say.
std::int64_t batch_limit(const ReportInput& input) {
  const auto scheduler = input.scenario.find("scheduler");
  if (scheduler == input.scenario.end() || !scheduler->is_object()) return 0;
  const auto limit = scheduler->find("max_batch");
  return limit != scheduler->end() && limit->is_number_integer() ? limit->get<std::int64_t>() : 0;
}

std::string bottleneck(const ReportInput& input, const RunResult& run) {
  if (run.completed == 0) return "completed nothing";
  const double wait = queueing.quantile_ns(run, 0.99), whole = e2e.quantile_ns(run, 0.5);
  if (run.preemptions == 0 && wait < 0.25 * whole) return "is short of nothing at this rate: requests hardly wait";
  const double share =
      run.pool_bytes > 0 ? static_cast<double>(run.peak_committed_bytes) / static_cast<double>(run.pool_bytes) : 0;
  const double external = run.mean_fraction[static_cast<std::size_t>(Part::external)];
  const std::int64_t limit = batch_limit(input);
  if (run.preemptions > 0 || share > 0.97 || external > 0.05) {
    return fmt::format("is short of KV memory: {} of it held at most, {} lost on average, {}", text::percent(share),
                       text::percent(lost_fraction(run)), text::plural(run.preemptions, "preemption"));
  }
  if (limit > 0 && run.batch_max >= limit)
    return fmt::format("is held back by max_batch ({})", text::count(static_cast<std::uint64_t>(limit)));
  return "is short of compute: memory is left, and requests still wait";
}
}  // namespace

std::string stalls(const ReportInput& input) {
  std::string out;
  for (const RunResult& run : input.runs) {
    if (!run.trace || run.trace->stall_ns.count() == 0) continue;
    if (!out.empty()) out += " ";
    out += fmt::format("{}: {} of {} iterations wait for mapping, half of them {} or less, 99 % {} or less, in all {}.",
                       run.name, text::count(run.vmm.stalled_iterations), text::count(run.iterations),
                       text::duration(run.trace->stall_ns.quantile(0.5)),
                       text::duration(run.trace->stall_ns.quantile(0.99)),
                       text::duration(static_cast<double>(run.vmm.stall_ns)));
  }
  return out.empty() ? "Nothing waited for mapping." : out;
}

std::string pareto(const ReportInput& input) {
  std::vector<double> rates, firsts;
  for (const RunResult& run : input.runs) {
    rates.push_back(run.completed > 0 ? run.requests_per_s() : NAN);
    firsts.push_back(run.completed > 0 ? ttft.quantile_ns(run, 0.99) : NAN);
  }
  const Ranking rate = rank(rates, Better::higher), first = rank(firsts, Better::lower, 0.05);
  const auto names = [&](const std::vector<std::size_t>& at) {
    std::vector<std::string> out;
    for (const std::size_t i : at) out.push_back(input.runs[i].name);
    if (out.size() > 3) out = {out[0], out[1], fmt::format("{} more", out.size() - 2)};
    return text::list(out);
  };
  if (rate.alike && first.alike) {
    return fmt::format("All points are alike: {} requests/s with p99 TTFT {}.", text::number(rate.best),
                       text::duration(first.best));
  }
  if (rate.alike) {
    return fmt::format("All serve {} requests/s; p99 TTFT is least under {} ({}) and most under {} ({}).",
                       text::number(rate.best), names(first.best_runs), text::duration(first.best),
                       names(first.worst_runs), text::duration(first.worst));
  }
  return fmt::format("Most are served by {} ({} requests/s); p99 TTFT is least under {} ({}).", names(rate.best_runs),
                     text::number(rate.best), names(first.best_runs), text::duration(first.best));
}

std::string occupancy(const RunResult& run) {
  if (!run.trace || run.trace->occupancy.empty()) return "Nothing was sampled.";
  std::size_t refused = 0;
  for (const OccupancyColumn& c : run.trace->occupancy) refused += c.refused ? 1 : 0;
  const std::string order = run.trace->occupancy_by_address
                                ? "From the bottom up by address; a region fills from its start"
                                : "Stacked request by request, as pages have no order that matters";
  return fmt::format("{}. At {} the manager refused the next request.", order,
                     refused == 0 ? "no sampled instant"
                                  : fmt::format("{} of {} sampled instants", refused, run.trace->occupancy.size()));
}

std::string lives(const ReportInput& input) {
  std::string out;
  std::size_t said = 0;
  for (const RunResult& run : input.runs) {
    if (!run.trace || run.trace->worst.spans.empty() || said == 4) continue;
    ++said;
    out += fmt::format("{}{}: the p99 request took {}; the median one {}.", out.empty() ? "" : " ", run.name,
                       spent(run.trace->worst), spent(run.trace->median));
  }
  return out;
}

std::string sensitivity(const Sensitivity& s, std::size_t i) {
  const double base = i < s.base.size() && s.base[i] ? s.base[i]->ttft_p99_ns : NAN;
  std::string most, text_of;
  double reach = 0, value = 0;
  for (const WhatIf& w : s.changes) {
    for (const bool high : {false, true}) {
      const auto& outcomes = high ? w.high : w.low;
      if (i >= outcomes.size() || !outcomes[i]) continue;
      const double moved = std::abs(outcomes[i]->ttft_p99_ns - base);
      if (moved <= reach) continue;
      reach = moved;
      value = outcomes[i]->ttft_p99_ns;
      most = w.what;
      text_of = high ? w.high_text : w.low_text;
    }
  }
  if (most.empty()) return "Nothing tried here moves p99 TTFT.";
  return fmt::format("p99 TTFT is {}; it reacts most to {}: {} with {}.", text::duration(base), most,
                     text::duration(value), text_of);
}

std::string bottlenecks(const ReportInput& input) {
  if (input.runs.empty()) return "Nothing was run.";
  std::vector<std::pair<std::string, std::vector<std::string>>> said;  // what, and who
  for (const RunResult& run : input.runs) {
    const std::string what = bottleneck(input, run);
    const auto same = std::ranges::find(said, what, &decltype(said)::value_type::first);
    if (same != said.end())
      same->second.push_back(run.name);
    else
      said.push_back({what, {run.name}});
  }
  std::string out;
  for (std::size_t i = 0; i < std::min<std::size_t>(said.size(), 4); ++i) {
    std::vector<std::string> who = said[i].second;
    if (who.size() > 3) who = {who[0], who[1], fmt::format("{} more", who.size() - 2)};
    out += (out.empty() ? "" : " ");
    // One sentence each: "a and b: is short of …" reads for one and for many.
    out += text::list(who) + (who.size() == 1 ? " " : ": each ") + said[i].first + ".";
  }
  return out;
}
}  // namespace stowage::words
