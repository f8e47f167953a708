// `workload:`: a trace, requests written out, or a synthetic generator; exactly one.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <utility>

#include "scenario/reader.hpp"

namespace stowage::detail {
namespace {
using keys::KeyReader;

using WorkloadPtr = std::shared_ptr<const Workload>;

/// Points of a study play one trace at many rates: the file is read once.
WorkloadPtr shared_trace(TraceOptions options, TraceLedger& ledger, ScenarioCache& cache) {
  const double rate_scale = std::exchange(options.rate_scale, 1.0);
  const std::string key =
      fmt::format("{}\n{} {} {}", options.path, options.limit, options.repeat, options.hash_tokens);
  const auto trace = cache.traces.get(key, [&] {
    TraceLedger own;
    auto workload = open_trace(options, own);
    return ScenarioCache::Requests{std::move(workload), {}, std::move(own)};
  });
  ledger = *trace->ledger;
  return at_rate(*trace->workload, rate_scale);
}

WorkloadPtr read_trace(const ConfigNode& node, const ConfigNode& hash_block_size, Context& context,
                       Scenario& scenario) {
  TraceOptions options = std::get<TraceOptions>(scenario.workload.source);
  if (options.path.empty()) return nullptr;
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
  options.hash_tokens = scenario.workload.hash_block_size.value_or(0);
  TraceLedger ledger;
  auto workload = collect(context.problems, node.at(), fmt::format("'{}': ", node.path()), [&] {
    return context.cache.many_points ? shared_trace(options, ledger, context.cache) : open_trace(options, ledger);
  });
  if (!workload) return workload;
  if (hash_block_size && ledger.hash_tokens == 0)
    context.problems.add(hash_block_size.at(),
                         fmt::format("'{}' goes with traces that have hashes, which {} has not; remove it",
                                     hash_block_size.path(), ledger.format));
  if (ledger.hash_tokens > 0) scenario.workload.hash_block_size = ledger.hash_tokens;
  scenario.warnings = implausible(ledger);
  scenario.ledger = std::move(ledger);
  return workload;
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
LengthSpec read_length(const ConfigNode& node, Problems& problems) {
  LengthSpec spec;
  if (node.kind() == ConfigNode::Kind::scalar) {
    if (const auto value = keys::read_value(node, keys::count(1, max_length_tokens), problems))
      spec.value = static_cast<std::int32_t>(std::get<std::int64_t>(*value));
    return spec;
  }
  const std::size_t before = problems.list().size();
  KeyReader in(node, keys::length_keys(), problems);
  std::vector<std::string_view> given;
  for (std::size_t i = 0; i < length_kind_names.size(); ++i) {
    if (!in.has(length_kind_names[i])) continue;
    given.push_back(length_kind_names[i]);
    spec.kind = static_cast<LengthKind>(i);
  }
  if (given.size() != 1) {
    if (problems.list().size() == before)
      problems.add(node.at(),
                   fmt::format("'{}' needs exactly one of {}", node.path(), fmt::join(length_kind_names, ", ")));
    return spec;
  }
  const ConfigNode inner = in.node(given[0]);
  in.read(spec);  // `fixed`
  if (spec.kind == LengthKind::quantiles) spec.quantiles = read_quantiles(inner, problems);
  if (spec.kind == LengthKind::uniform) KeyReader(inner, keys::uniform_keys(), problems).read(spec);
  if (spec.kind == LengthKind::lognormal) KeyReader(inner, keys::lognormal_keys(), problems).read(spec);
  return spec;
}

WorkloadPtr read_synthetic(const ConfigNode& node, Context& context, Scenario& scenario) {
  const std::size_t before = context.problems.list().size();
  KeyReader in(node, keys::synthetic_keys(), context.problems);
  SyntheticSpec spec;
  in.read(spec);
  const bool closed = spec.arrivals == ArrivalKind::closed;
  if (!in.has("preset")) {
    for (const std::string_view key : {"rate", "count", "prompt", "output"})
      if (!in.has(key) && !(key == "rate" && (spec.arrivals == ArrivalKind::burst || closed))) in.missing(key);
  }
  if (closed && !in.has("concurrency")) in.missing("concurrency");
  for (const std::string_view key : {"concurrency", "think"})
    if (in.has(key) && !closed)
      in.problem(key, fmt::format("'{}' goes with 'arrivals: closed' only; remove it", in.path_of(key)));
  if (closed && scenario.workload.rate_scale != 1)
    in.problem("arrivals",
               "'workload.rate_scale' does not go with 'arrivals: closed', where ends make arrivals; remove it");
  if (in.has("rate") && closed)
    in.problem("rate", fmt::format("'{}' does not go with 'arrivals: closed', where ends make arrivals; remove it",
                                   in.path_of("rate")));
  if (in.has("cv") && spec.arrivals != ArrivalKind::gamma)
    in.problem("cv", fmt::format("'{}' goes with 'arrivals: gamma' only; remove it", in.path_of("cv")));
  if (in.has("prompt")) spec.prompt = read_length(in.node("prompt"), context.problems);
  if (in.has("output")) spec.output = read_length(in.node("output"), context.problems);
  if (in.has("prefix")) {
    KeyReader(in.node("prefix"), keys::prefix_keys(), context.problems).read(spec);
    auto& hash_tokens = scenario.workload.hash_block_size;
    spec.hash_tokens = hash_tokens.value_or(keys::hash_tokens_default);
    hash_tokens = spec.hash_tokens;
  }
  scenario.workload.source = spec;
  if (context.problems.list().size() > before) return nullptr;
  spec.rate_per_s *= scenario.workload.rate_scale;
  return collect(context.problems, node.at(), fmt::format("'{}': ", node.path()),
                 [&] { return synthetic_workload(spec, scenario.seed); });
}
}  // namespace

std::shared_ptr<const Workload> read_workload(const ConfigNode& node, Context& context, Scenario& scenario) {
  if (!node) return nullptr;  // reported as missing
  KeyReader in(node, keys::workload_keys(), context.problems);
  if (node.kind() != ConfigNode::Kind::map && node.kind() != ConfigNode::Kind::null) return nullptr;
  const bool trace = in.has("trace"), requests = in.has("requests"), synthetic = in.has("synthetic");
  if (trace) scenario.workload.source = TraceOptions{};
  in.read(scenario.workload);
  if (int{trace} + int{requests} + int{synthetic} != 1) {
    context.problems.add(node.at(), "'workload' needs exactly one of trace, requests and synthetic");
    return nullptr;
  }
  WorkloadPtr workload;
  if (trace) {
    const ConfigNode hash_block_size = in.has("hash_block_size") ? in.node("hash_block_size") : ConfigNode{};
    workload = read_trace(in.node("trace"), hash_block_size, context, scenario);
  } else {
    workload = requests ? read_requests(in.node("requests"), context, scenario)
                        : read_synthetic(in.node("synthetic"), context, scenario);
    if (workload) scenario.warnings = implausible(*workload);
  }
  if (!workload || !scenario.workload.max_concurrency) return workload;
  const ConfigNode limit = in.node("max_concurrency");
  return collect(context.problems, limit.at(), fmt::format("'{}': ", limit.path()),
                 [&] { return closed_loop(workload, *scenario.workload.max_concurrency); });
}
}  // namespace stowage::detail
