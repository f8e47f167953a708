#include "sim/slo.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/error.hpp"
#include "base/quantile.hpp"
#include "sim/latency.hpp"

namespace stowage {
namespace {
constexpr std::array<std::string_view, 10> common_keys = {"ttft_p50", "ttft_p90", "ttft_p95", "ttft_p99", "tbt_p50",
                                                          "tbt_p99",  "tpot_p50", "tpot_p99", "e2e_p99",  "queue_p99"};

struct Parsed {
  const Latency* latency;
  enum { mean, max, quantile } statistic;
  double q;
};

std::optional<Parsed> parse(std::string_view key) {
  const auto bar = key.find('_');
  if (bar == std::string_view::npos) return std::nullopt;
  const auto latency = std::ranges::find(latencies, key.substr(0, bar), &Latency::key);
  if (latency == latencies.end()) return std::nullopt;
  const std::string_view statistic = key.substr(bar + 1);
  if (statistic == "mean") return Parsed{*latency, Parsed::mean, 0};
  if (statistic == "max") return Parsed{*latency, Parsed::max, 0};
  if (statistic.size() < 2 || statistic[0] != 'p') return std::nullopt;
  double percentile = 0;
  const char* const end = statistic.data() + statistic.size();
  const auto read = std::from_chars(statistic.data() + 1, end, percentile, std::chars_format::fixed);
  if (read.ec != std::errc{} || read.ptr != end || !(percentile > 0 && percentile <= 100)) return std::nullopt;
  return Parsed{*latency, Parsed::quantile, percentile / 100};
}

SloCheck check_one(const LatencyLimit& target, const RunResult& run) {
  const auto parsed = parse(target.key);
  STOWAGE_ASSERT(parsed.has_value());
  const Latency& latency = *parsed->latency;
  const LogHistogram& measured = latency.of(run);
  // Gaps are counted by token, the rule by request: of gaps it asks how many requests were served at all.
  const bool gaps = &latency == &tbt;
  SloCheck check;
  check.target = target;
  const double q = parsed->statistic == Parsed::quantile ? parsed->q : 1;
  const auto rank = rank_among_served(q, gaps ? run.completed : measured.count(), run.unserved());
  check.unserved = run.unserved() > 0 && (!rank || parsed->statistic == Parsed::mean);
  if (check.unserved) {
    check.margin = -1;
  } else if (measured.count() > 0) {
    check.achieved_ns = parsed->statistic == Parsed::mean ? latency.mean_ns(run)
                        : gaps                            ? latency.quantile_ns(run, q)
                                                          : latency.ns(measured.at_rank(*rank));
    check.met = *check.achieved_ns <= target.limit_ns;
    check.margin = target.limit_ns > 0 ? (target.limit_ns - *check.achieved_ns) / target.limit_ns : 0;
  } else {
    // Requests of one token have no gap between tokens: nothing was late. No request at all proves nothing.
    check.met = run.completed > 0;
  }
  return check;
}
}  // namespace

bool is_slo_key(std::string_view key) { return parse(key).has_value(); }

std::span<const std::string_view> common_slo_keys() { return common_keys; }

std::vector<SloCheck> check_slo(std::span<const LatencyLimit> targets, const RunResult& run) {
  std::vector<SloCheck> checks;
  for (const LatencyLimit& target : targets) checks.push_back(check_one(target, run));
  return checks;
}

bool slo_met(std::span<const LatencyLimit> targets, const RunResult& run) {
  return std::ranges::all_of(check_slo(targets, run), &SloCheck::met);
}
}  // namespace stowage
