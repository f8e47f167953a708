// `slo:` of a study.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "planner/slo.hpp"

namespace stowage {
namespace {
constexpr std::array<std::string_view, 5> metrics = {"ttft", "tbt", "tpot", "e2e", "queue"};
constexpr std::array<std::string_view, 12> common_keys = {"ttft_p50", "ttft_p90", "ttft_p95",  "ttft_p99",
                                                          "tbt_p50",  "tbt_p99",  "tpot_p50",  "tpot_p99",
                                                          "e2e_p50",  "e2e_p99",  "queue_p99", "goodput"};

std::optional<PlanTarget> parse_key(const std::string& key) {
  const auto bar = key.find('_');
  if (bar == std::string::npos) return std::nullopt;
  const auto metric = std::find(metrics.begin(), metrics.end(), std::string_view(key).substr(0, bar));
  if (metric == metrics.end()) return std::nullopt;
  PlanTarget t;
  t.key = key;
  t.metric = static_cast<LatencyKind>(metric - metrics.begin());
  const std::string_view statistic = std::string_view(key).substr(bar + 1);
  if (statistic == "mean" || statistic == "max") {
    t.statistic = statistic == "mean" ? PlanTarget::Statistic::mean : PlanTarget::Statistic::max;
    return t;
  }
  double percent = 0;
  const char* const end = statistic.data() + statistic.size();
  if (statistic.size() < 2 || statistic[0] != 'p') return std::nullopt;
  const auto read = std::from_chars(statistic.data() + 1, end, percent, std::chars_format::fixed);
  if (read.ec != std::errc{} || read.ptr != end || !(percent > 0 && percent <= 100)) return std::nullopt;
  t.q = percent / 100;
  return t;
}

void read_range(MapReader& in, std::string_view key, std::int64_t& min, std::int64_t& max) {
  if (!in.has(key)) {
    (void)in.node(key);
    return;
  }
  const std::string text = in.text(key);
  const auto dots = text.find("..");
  const auto bound = [&](std::string_view part, std::int64_t open) -> std::optional<std::int64_t> {
    return part.empty() ? std::optional(open) : parse_integer(part);
  };
  const auto low = dots == std::string::npos ? std::nullopt : bound(std::string_view(text).substr(0, dots), 0);
  const auto high =
      dots == std::string::npos ? std::nullopt : bound(std::string_view(text).substr(dots + 2), INT64_MAX);
  if (!low || !high || *low < 0 || *high < *low) {
    in.problem(key, fmt::format("'{}' is no range of tokens; write 1..2000, 2001.. or ..500", in.path_of(key)));
    return;
  }
  min = *low;
  max = *high;
}

Goodput read_goodput(const ConfigNode& node, Problems& problems) {
  MapReader in(node, problems);
  Goodput g;
  g.share = in.number("share", 0.001, 1);
  const auto limit = [&](std::string_view key) -> std::optional<double> {
    if (!in.has(key)) {
      (void)in.node(key);
      return std::nullopt;
    }
    return in.duration_ns(key);
  };
  g.ttft_ns = limit("ttft");
  g.tpot_ns = limit("tpot");
  g.e2e_ns = limit("e2e");
  in.finish();
  if (!g.ttft_ns && !g.tpot_ns && !g.e2e_ns)
    problems.add(node.at(), fmt::format("'{}' needs at least one of ttft, tpot and e2e", node.path()));
  if (g.ttft_ns && g.e2e_ns && *g.e2e_ns < *g.ttft_ns)
    in.problem("e2e", fmt::format("'{}' contradicts itself: the whole request in {}, its first token in {}",
                                  node.path(), format_duration(*g.e2e_ns), format_duration(*g.ttft_ns)));
  return g;
}

/// Which of two statistics of one latency is never the smaller: percentiles by rank, then the maximum.
double rank(const PlanTarget& t) { return t.statistic == PlanTarget::Statistic::max ? 1.5 : t.q; }

void check_contradictions(const SloSet& set, MapReader& in) {
  for (const auto& a : set.targets) {
    if (a.statistic == PlanTarget::Statistic::mean) continue;
    for (const auto& b : set.targets) {
      if (b.statistic == PlanTarget::Statistic::mean) continue;
      if (a.metric == b.metric && rank(a) < rank(b) && a.limit_ns > b.limit_ns)
        in.problem(a.key,
                   fmt::format("'{}' contradicts '{}': {} is never above {}, yet may take {} against {}; swap "
                               "the two or remove one",
                               a.key, b.key, a.key, b.key, format_duration(a.limit_ns), format_duration(b.limit_ns)));
      if (a.metric == LatencyKind::e2e && b.metric == LatencyKind::ttft && rank(a) == rank(b) &&
          a.limit_ns < b.limit_ns)
        in.problem(a.key, fmt::format("'{}' contradicts '{}': a request cannot end ({}) before its first token ({})",
                                      a.key, b.key, format_duration(a.limit_ns), format_duration(b.limit_ns)));
    }
  }
}

SloSet read_set(const ConfigNode& node, bool of_list, Problems& problems) {
  SloSet set;
  set.name = "all requests";
  MapReader in(node, problems);
  if (of_list) {
    const ConfigNode whom = in.node("for");
    if (whom) {
      MapReader who(whom, problems);
      read_range(who, "prompt", set.prompt_min, set.prompt_max);
      read_range(who, "output", set.output_min, set.output_max);
      set.name = who.text("name", flow_text(whom));
      who.finish();
    }
  }
  for (const auto& [key, at] : node.keys()) {
    if (of_list && key == "for") continue;
    if (key == "goodput") {
      set.goodput = read_goodput(in.node("goodput"), problems);
      continue;
    }
    auto target = parse_key(key);
    if (!target) {
      std::string hint = did_you_mean(key, common_keys);
      if (hint.empty())
        hint = "; write goodput, or one of ttft, tbt, tpot, e2e, queue with _mean, _max or a percentile, as ttft_p99";
      problems.add(at, fmt::format("unknown key '{}' in 'slo'{}", shown(key), hint));
      continue;
    }
    const std::size_t before = problems.list().size();
    target->limit_ns = in.duration_ns(key);
    if (problems.list().size() > before) continue;
    if (target->limit_ns <= 0) in.problem(key, fmt::format("'{}' must be more than 0", in.path_of(key)));
    if (target->metric == LatencyKind::tbt && !set.whole())
      in.problem(key, fmt::format("'{}': gaps between tokens are not kept by class; use tpot", in.path_of(key)));
    set.targets.push_back(*target);
  }
  if (set.targets.empty() && !set.goodput && problems.empty())
    problems.add(node.at(), fmt::format("'{}' asks for nothing; write a target, as ttft_p99: 1s", node.path()));
  check_contradictions(set, in);
  return set;
}
}  // namespace

std::vector<SloSet> read_plan_slo(const ConfigNode& node, Problems& problems) {
  std::vector<SloSet> out;
  if (!node) return out;
  if (node.kind() == ConfigNode::Kind::list) {
    for (std::size_t i = 0; i < node.size(); ++i) {
      if (node[i].kind() != ConfigNode::Kind::map)
        problems.add(node[i].at(), fmt::format("'{}' must be a map of targets", node[i].path()));
      else
        out.push_back(read_set(node[i], true, problems));
    }
  } else if (node.kind() == ConfigNode::Kind::map) {
    out.push_back(read_set(node, false, problems));
  } else {
    problems.add(node.at(), "'slo' must be a map of targets, as {ttft_p99: 1s}, or a list of such maps");
  }
  return out;
}
}  // namespace stowage
