// `workload:`: a trace, requests written out, or a synthetic generator; exactly one.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <limits>

#include "scenario/reader.hpp"

namespace stowage::detail {
namespace {
constexpr std::int64_t int64_max = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t inline_requests_max = 10'000'000;  // they are held in memory
constexpr double arrival_ns_max = 30 * 365.25 * 86400e9;  // 30 years: sums stay far from the end of the clock
constexpr std::int64_t count_max = 1'000'000'000'000;

using WorkloadPtr = std::shared_ptr<const Workload>;

WorkloadPtr read_trace(MapReader& in, Context& context, Scenario& scenario) {
  TraceOptions options;
  const ConfigNode node = in.node("trace");
  (void)in.text("trace", "");
  options.limit = static_cast<std::uint64_t>(in.integer("limit", 0, count_max, 0));
  options.repeat = static_cast<std::uint64_t>(in.integer("repeat", 1, 1'000'000'000, 1));
  if (node.kind() != ConfigNode::Kind::scalar || node.text().empty()) return nullptr;
  options.path = context.resolve(node);
  scenario.workload.source = options;
  if (::access(options.path.c_str(), R_OK) != 0) {  // said here, where the scenario names it
    context.problems.add(node.at(), fmt::format("'{}': cannot open '{}': {}; check the path", node.path(),
                                                shown(options.path), std::strerror(errno)));
    return nullptr;
  }
  if (std::filesystem::is_directory(options.path)) {
    context.problems.add(
        node.at(), fmt::format("'{}': '{}' is a folder; name the trace file in it", node.path(), shown(options.path)));
    return nullptr;
  }
  options.rate_scale = scenario.workload.rate_scale;
  TraceLedger ledger;
  auto workload = collect(context.problems, node.at(), fmt::format("'{}': ", node.path()),
                          [&] { return open_trace(options, ledger); });
  if (workload) scenario.ledger = std::move(ledger);
  return workload;
}

WorkloadPtr read_requests(const ConfigNode& list, Context& context, Scenario& scenario) {
  if (list.kind() != ConfigNode::Kind::list || list.size() == 0) {
    context.problems.add(list.at(), fmt::format("'{}' must be a list with at least one entry, as "
                                                "[{{prompt: 1000, output: 25}}]",
                                                list.path()));
    return nullptr;
  }
  std::vector<InlineRequests> groups;
  std::vector<Request> requests;
  for (std::size_t i = 0; i < list.size(); ++i) {
    MapReader in(list[i], context.problems);
    InlineRequests g;
    g.at_ns = in.duration_ns("at", 0.0);
    g.prompt = in.integer("prompt", 1, max_length_tokens);
    g.output = in.integer("output", 1, max_length_tokens);
    g.count = in.integer("count", 1, inline_requests_max, 1);
    in.finish();
    const double at_ns = g.at_ns / scenario.workload.rate_scale;
    if (at_ns > arrival_ns_max) {
      in.problem("at", fmt::format("'{}' is out of range; write a time within 30 years", in.path_of("at")));
      continue;
    }
    const auto total = static_cast<std::int64_t>(requests.size()) + g.count;
    if (total > inline_requests_max) {
      in.problem("count", fmt::format("'{}': more than {} requests written out; use a trace or 'synthetic'",
                                      list.path(), inline_requests_max));
      return nullptr;
    }
    requests.insert(
        requests.end(), static_cast<std::size_t>(g.count),
        Request{std::llround(at_ns), static_cast<std::int32_t>(g.prompt), static_cast<std::int32_t>(g.output), 0});
    groups.push_back(g);
  }
  scenario.workload.source = std::move(groups);
  if (!context.problems.empty()) return nullptr;
  return inline_workload(std::move(requests));
}

std::int32_t tokens(MapReader& in, std::string_view key, std::optional<std::int64_t> fallback = {}) {
  return static_cast<std::int32_t>(in.integer(key, 1, max_length_tokens, fallback));
}

std::optional<double> optional_number(MapReader& in, std::string_view key, double min, double max) {
  if (!in.has(key)) {
    (void)in.node(key);
    return std::nullopt;
  }
  return in.number(key, min, max);
}

std::vector<std::pair<double, double>> read_quantiles(const ConfigNode& list, Problems& problems) {
  std::vector<std::pair<double, double>> out;
  if (list.kind() != ConfigNode::Kind::list) {
    problems.add(list.at(),
                 fmt::format("'{}' must be a list of pairs of a share and a length, as [[0, 10], [0.5, 800], "
                             "[1, 4096]]",
                             list.path()));
    return out;
  }
  for (std::size_t i = 0; i < list.size(); ++i) {
    const ConfigNode pair = list[i];
    const auto number = [&](std::size_t k) -> std::optional<double> {
      if (pair.kind() != ConfigNode::Kind::list || pair.size() != 2) return std::nullopt;
      return pair[k].kind() == ConfigNode::Kind::scalar ? parse_number(pair[k].text()) : std::nullopt;
    };
    const auto share = number(0), length = number(1);
    if (share && length)
      out.emplace_back(*share, *length);
    else
      problems.add(pair.at(), fmt::format("'{}' must be a pair of a share and a length, as [0.5, 800]", pair.path()));
  }
  return out;
}

/// `prompt: 1000`, or {uniform: {min, max}}, {lognormal: {two of mean, p50, sigma; min, max}}, {quantiles: [[p, n]…]}.
LengthSpec read_length(MapReader& parent, std::string_view key, Problems& problems, const LengthSpec* fallback) {
  if (fallback != nullptr && !parent.has(key)) {
    (void)parent.node(key);
    return *fallback;
  }
  LengthSpec spec;
  const ConfigNode node = parent.node(key, true);
  if (!node) return spec;
  if (node.kind() == ConfigNode::Kind::scalar) {
    spec.value = tokens(parent, key);
    return spec;
  }
  MapReader in(node, problems);
  std::vector<std::string_view> given;
  for (std::size_t i = 0; i < length_kind_names.size(); ++i) {
    (void)in.node(length_kind_names[i]);
    if (!in.has(length_kind_names[i])) continue;
    given.push_back(length_kind_names[i]);
    spec.kind = static_cast<LengthKind>(i);
  }
  in.finish();
  if (given.size() != 1 && (node.kind() == ConfigNode::Kind::map || node.kind() == ConfigNode::Kind::null)) {
    problems.add(node.at(),
                 fmt::format("'{}' needs exactly one of {}", node.path(), fmt::join(length_kind_names, ", ")));
    return spec;
  }
  if (given.empty()) return spec;
  const ConfigNode inner = node.get(given[0]);
  if (spec.kind == LengthKind::fixed) {
    spec.value = tokens(in, "fixed");
  } else if (spec.kind == LengthKind::quantiles) {
    spec.quantiles = read_quantiles(inner, problems);
  } else {
    MapReader bounds(inner, problems);
    const bool uniform = spec.kind == LengthKind::uniform;
    using Fallback = std::optional<std::int64_t>;
    spec.min = tokens(bounds, "min", uniform ? Fallback{} : Fallback{1});
    spec.max = tokens(bounds, "max", uniform ? Fallback{} : Fallback{max_length_tokens});
    if (!uniform) {
      spec.mean = optional_number(bounds, "mean", 1e-9, 1e12);
      spec.p50 = optional_number(bounds, "p50", 1e-9, 1e12);
      spec.sigma = optional_number(bounds, "sigma", 0, 10);
    }
    bounds.finish();
  }
  return spec;
}

WorkloadPtr read_synthetic(const ConfigNode& node, Context& context, Scenario& scenario) {
  const std::size_t before = context.problems.list().size();
  MapReader in(node, context.problems);
  std::vector<std::string_view> names;
  for (const auto& p : synthetic_presets()) names.push_back(p.name);
  std::optional<SyntheticSpec> preset;
  if (in.has("preset"))
    preset = synthetic_presets()[in.choice("preset", names)].make();
  else
    (void)in.node("preset");

  SyntheticSpec spec = preset.value_or(SyntheticSpec{});
  spec.arrivals =
      static_cast<ArrivalKind>(in.choice("arrivals", arrival_kind_names, static_cast<std::size_t>(spec.arrivals)));
  const bool burst = spec.arrivals == ArrivalKind::burst;
  const bool needs_rate = !preset && !burst;
  spec.rate_per_s = in.rate_per_s("rate", needs_rate ? std::optional<double>{} : std::optional(spec.rate_per_s));
  if (in.has("rate") && (spec.rate_per_s < 1e-9 || spec.rate_per_s > 1e9))
    in.problem("rate", fmt::format("'{}' is out of range; write a rate from 1e-9/s to 1e9/s", in.path_of("rate")));
  spec.cv = in.number("cv", 0.01, 100, spec.cv);
  if (in.has("cv") && spec.arrivals != ArrivalKind::gamma)
    in.problem("cv", fmt::format("'{}' goes with 'arrivals: gamma' only; remove it", in.path_of("cv")));
  spec.count = static_cast<std::uint64_t>(
      in.integer("count", 1, count_max, preset ? std::optional(static_cast<std::int64_t>(spec.count)) : std::nullopt));
  spec.prompt = read_length(in, "prompt", context.problems, preset ? &preset->prompt : nullptr);
  spec.output = read_length(in, "output", context.problems, preset ? &preset->output : nullptr);
  in.finish();
  scenario.workload.source = spec;
  if (context.problems.list().size() > before) return nullptr;
  spec.rate_per_s *= scenario.workload.rate_scale;
  return collect(context.problems, node.at(), fmt::format("'{}': ", node.path()),
                 [&] { return synthetic_workload(spec, scenario.seed); });
}
}  // namespace

std::shared_ptr<const Workload> read_workload(const ConfigNode& node, Context& context, Scenario& scenario) {
  if (!node) return nullptr;  // reported as missing
  MapReader in(node, context.problems);
  if (node.kind() != ConfigNode::Kind::map && node.kind() != ConfigNode::Kind::null) return nullptr;
  scenario.workload.rate_scale = in.number("rate_scale", 1e-6, 1e6, 1.0);
  const bool trace = in.has("trace"), requests = in.has("requests"), synthetic = in.has("synthetic");
  if (int{trace} + int{requests} + int{synthetic} != 1) {
    context.problems.add(node.at(), "'workload' needs exactly one of trace, requests and synthetic");
    return nullptr;
  }
  WorkloadPtr workload;
  if (trace) workload = read_trace(in, context, scenario);
  if (requests) workload = read_requests(in.node("requests"), context, scenario);
  if (synthetic) workload = read_synthetic(in.node("synthetic"), context, scenario);
  for (const std::string_view key : {"limit", "repeat"}) {
    if (trace || !in.has(key)) continue;
    (void)in.node(key);
    in.problem(key, fmt::format("'{}' goes with 'trace' only; remove it, or change the count", in.path_of(key)));
  }
  in.finish();
  return workload;
}
}  // namespace stowage::detail
