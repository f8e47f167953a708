// `slo:` of a study.
#include <fmt/format.h>

#include <algorithm>

#include "planner/slo.hpp"
#include "planner/study_keys.hpp"
#include "scenario/keys/reader.hpp"

namespace stowage {
namespace {
using keys::KeyReader;

/// What "ttft_p99.9", of the family `key`, asks for.
PlanTarget target_of(const keys::Table& table, const keys::Key& key, std::string_view name) {
  PlanTarget t;
  t.key = keys::canonical_name(key, name);
  t.metric = static_cast<LatencyKind>(&key - table.keys.data());
  const std::string_view statistic = std::string_view(t.key).substr(key.name.size() + 1);
  if (statistic == "mean" || statistic == "max")
    t.statistic = statistic == "mean" ? PlanTarget::Statistic::mean : PlanTarget::Statistic::max;
  else
    t.q = parse_number(statistic.substr(1)).value_or(0) / 100;
  return t;
}

void read_range(KeyReader& in, std::string_view key, std::int64_t& min, std::int64_t& max, Problems& problems) {
  if (!in.has(key)) return;
  const std::string text = read_text(in.node(key), problems).value_or("");
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
  KeyReader in(node, keys::goodput_keys(), problems);
  Goodput g;
  in.read(g);
  if (!g.ttft_ns && !g.tpot_ns && !g.e2e_ns)
    problems.add(node.at(), fmt::format("'{}' needs at least one of ttft, tpot and e2e", node.path()));
  if (g.ttft_ns && g.e2e_ns && *g.e2e_ns < *g.ttft_ns)
    in.problem("e2e", fmt::format("'{}' contradicts itself: the whole request in {}, its first token in {}",
                                  node.path(), format_duration(*g.e2e_ns), format_duration(*g.ttft_ns)));
  return g;
}

/// Which of two statistics of one latency is never the smaller: percentiles by rank, then the maximum.
double rank(const PlanTarget& t) { return t.statistic == PlanTarget::Statistic::max ? 1.5 : t.q; }

void check_contradictions(const SloSet& set, const ConfigNode& node, Problems& problems) {
  for (const auto& a : set.targets) {
    if (a.statistic == PlanTarget::Statistic::mean) continue;
    const SourcePos at = node.get(a.key).at();
    for (const auto& b : set.targets) {
      if (b.statistic == PlanTarget::Statistic::mean) continue;
      if (a.metric == b.metric && rank(a) < rank(b) && a.limit_ns > b.limit_ns)
        problems.add(at, fmt::format("'{}' contradicts '{}': {} is never above {}, yet may take {} against {}; swap "
                                     "the two or remove one",
                                     a.key, b.key, a.key, b.key, format_duration(a.limit_ns),
                                     format_duration(b.limit_ns)));
      if (a.metric == LatencyKind::e2e && b.metric == LatencyKind::ttft && rank(a) == rank(b) &&
          a.limit_ns < b.limit_ns)
        problems.add(at, fmt::format("'{}' contradicts '{}': a request cannot end ({}) before its first token ({})",
                                     a.key, b.key, format_duration(a.limit_ns), format_duration(b.limit_ns)));
    }
  }
}

SloSet read_set(const ConfigNode& node, bool of_list, Problems& problems) {
  SloSet set;
  set.name = "all requests";
  const keys::Table& table = of_list ? keys::class_slo_keys() : keys::plan_slo_keys();
  KeyReader in(node, table, problems);
  if (of_list && in.has("for")) {
    const ConfigNode whom = in.node("for");
    KeyReader who(whom, keys::class_keys(), problems);
    read_range(who, "prompt", set.prompt_min, set.prompt_max, problems);
    read_range(who, "output", set.output_min, set.output_max, problems);
    set.name = flow_text(whom);
    who.read(set);
  }
  if (in.has("goodput")) set.goodput = read_goodput(in.node("goodput"), problems);
  for (const auto& [name, at] : node.keys()) {
    const keys::Key* key = keys::find(table, name);
    if (key == nullptr || key->endings.empty()) continue;
    const ConfigNode value = node.get(name);
    const auto limit = keys::read_value(value, key->form, problems);
    if (!limit) continue;
    PlanTarget target = target_of(table, *key, name);
    target.limit_ns = std::get<double>(*limit);
    if (target.metric == LatencyKind::tbt && !set.whole())
      problems.add(value.at(), fmt::format("'{}': gaps between tokens are not kept by class; use tpot", value.path()));
    set.targets.push_back(std::move(target));
  }
  if (set.targets.empty() && !set.goodput && problems.empty())
    problems.add(node.at(), fmt::format("'{}' asks for nothing; write a target, as ttft_p99: 1s", node.path()));
  check_contradictions(set, node, problems);
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
