#include "cli/describe.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/config.hpp"
#include "cli/about.hpp"
#include "reports/text.hpp"
#include "sim/serve/router.hpp"

namespace stowage::cli {
namespace {
using Json = nlohmann::ordered_json;

std::string count(std::int64_t n) { return text::count(static_cast<std::uint64_t>(n)); }
std::string size(Bytes b) { return text::bytes(static_cast<double>(b.count())); }

/// A scalar as JSON would have it: whole numbers, decimals, true and false; all else is text.
Json scalar(const std::string& text) {
  if (text == "true" || text == "false") return text == "true";
  const char* const end = text.data() + text.size();
  std::int64_t whole = 0;
  if (const auto r = std::from_chars(text.data(), end, whole); r.ec == std::errc{} && r.ptr == end) return whole;
  double number = 0;
  const auto r = std::from_chars(text.data(), end, number, std::chars_format::general);
  const bool finite = !text.empty() && (text[0] == '-' || (text[0] >= '0' && text[0] <= '9'));
  if (finite && r.ec == std::errc{} && r.ptr == end) return number;
  return text;
}

Json as_json(const ConfigNode& node) {
  switch (node.kind()) {
    case ConfigNode::Kind::map: {
      Json out = Json::object();
      for (const auto& [key, value] : node.entries()) out[key] = as_json(value);
      return out;
    }
    case ConfigNode::Kind::list: {
      Json out = Json::array();
      for (std::size_t i = 0; i < node.size(); ++i) out.push_back(as_json(node[i]));
      return out;
    }
    case ConfigNode::Kind::scalar: return scalar(node.text());
    case ConfigNode::Kind::missing:
    case ConfigNode::Kind::null: break;
  }
  return nullptr;
}

std::string scaled(const Scenario& scenario) {
  return scenario.workload.rate_scale == 1 ? ""
                                           : " at " + text::times(scenario.workload.rate_scale) + " its rate";
}

Card workload_card(const Scenario& scenario) {
  const TraceInfo info = trace_info(*scenario.runs.front().workload, scenario.ledger ? &*scenario.ledger : nullptr);
  const auto lengths = [](const LengthStats& s) {
    return fmt::format("mean {:.0f}, p50 {}, p90 {}, p99 {}, max {}", s.mean, count(s.p50), count(s.p90), count(s.p99),
                       count(s.max));
  };
  std::vector<Fact> facts = {{"Source", workload_name(scenario)},
                             {"Requests", text::count(info.requests)},
                             {"Duration", text::duration(info.duration_s * 1e9)},
                             {"Rate", text::number(info.rate_per_s) + " requests/s"},
                             {"Gaps between arrivals", fmt::format("cv {} (Poisson: 1)", text::number(info.cv))},
                             {"Prompt tokens", lengths(info.prompt)},
                             {"Output tokens", lengths(info.output)}};
  if (info.prefix_hit)
    facts.push_back({"Prompt tokens seen before",
                     text::percent(*info.prefix_hit) + ": what an endless prefix cache would find"});
  return {"Workload", std::move(facts)};
}

Card model_card(const Scenario& scenario) {
  const ModelSpec& m = scenario.model;
  return {"Model",
          {{"Name", m.name},
           {"Parameters", count(m.parameters())},
           {"Weights", fmt::format("{} ({})", size(m.weights_bytes()), dtype_name(m.dtype))},
           {"KV per token", fmt::format("{} B = {}", count(m.kv_bytes_per_token().count()), m.kv_formula())},
           {"Source", m.source}}};
}

Card hardware_card(const Scenario& scenario) {
  const HardwareSpec& h = scenario.hardware;
  const ClusterSpec& c = scenario.cluster;
  std::vector<Fact> facts = {
      {"GPU", h.title.empty() ? h.name : h.title},
      {"Memory", fmt::format("{} ({} seen by the driver)", size(h.memory), size(h.driver_memory))},
      {"Memory bandwidth", fmt::format("{:.4g} TB/s", h.memory_bytes_per_s / 1e12)},
      {"BF16, dense", fmt::format("{:.4g} TFLOP/s", h.bf16_flop_per_s / 1e12)},
  };
  if (c.groups.empty())
    facts.push_back({"Layout", fmt::format("{}, tensor {} x pipeline {}",
                                           text::plural(static_cast<std::uint64_t>(c.replicas), "replica"), c.tensor,
                                           c.pipeline)});
  for (const GroupSpec& g : c.groups)
    facts.push_back({"Layout", fmt::format("{} of {}, weight {}, KV pool of {} tokens each",
                                           text::plural(static_cast<std::uint64_t>(g.replicas), "replica"), g.name(),
                                           g.weight, count(g.pool_tokens))});
  if (c.replicas_in_all() > 1) facts.push_back({"Router", c.router});
  return {"Hardware", std::move(facts)};
}

std::vector<BudgetPart> budget_parts(const Scenario& scenario) {
  if (scenario.memory.kv_pool || scenario.memory.kv_tokens) return {};
  const MemoryBudget& b = scenario.budget;
  std::vector<BudgetPart> parts = {{"weights", b.weights.count()},
                                   {"activations", b.activations.count()},
                                   {"overhead", b.overhead.count()}};
  if (b.graphs > Bytes{0}) parts.push_back({"CUDA graphs", b.graphs.count()});
  if (b.null_block > Bytes{0}) parts.push_back({"null block", b.null_block.count()});
  parts.push_back({"KV pool", b.kv_pool.count(), true});
  parts.push_back({fmt::format("not used (utilization {})", scenario.memory.utilization.value_or(0.9)),
                   (b.device - b.usable).count()});
  return parts;
}

/// What prices the replicas of unlike groups: each GPU once.
std::string cost_source_of_groups(const Scenario& scenario) {
  std::vector<std::string> seen;
  for (const GroupSpec& g : scenario.cluster.groups) {
    const std::string line = g.profile ? fmt::format("profile {}, {}", g.profile->name, g.profile->summary())
                                       : fmt::format("roofline of {}, not calibrated", g.hardware.name);
    if (std::find(seen.begin(), seen.end(), line) == seen.end()) seen.push_back(line);
  }
  return fmt::format("{}", fmt::join(seen, "; "));
}

std::string cost_source(const Scenario& scenario) {
  if (scenario.cost_used != CostSource::linear && !scenario.cluster.groups.empty())
    return cost_source_of_groups(scenario);
  switch (scenario.cost_used) {
    case CostSource::linear: return "linear, coefficients of the scenario";
    case CostSource::roofline: return "roofline of " + scenario.hardware.name + ", not calibrated";
    case CostSource::profile: break;
  }
  const Profile& p = *scenario.profile;
  std::string out = fmt::format("profile {}, {}", p.name, p.summary());
  if (p.evidence == ProfileEvidence::published)
    out += "; single kernels, by others: the error of whole steps is not known";
  else if (!scenario.profile_gaps.empty() || p.name != scenario.hardware.name)
    out += "; scaled to what it was not measured on, with an error nobody knows";
  else if (const PartError* e = p.error_of("iteration"))
    out += fmt::format("; whole iterations {:.1f} % off, bias {:+.1f} %", 100 * e->mape, 100 * e->bias);
  return out;
}

Evidence evidence(const Scenario& scenario) {
  switch (scenario.cost_used) {
    case CostSource::linear: return Evidence::linear;
    case CostSource::roofline: return Evidence::roofline;
    case CostSource::profile: break;
  }
  const Profile& p = *scenario.profile;
  for (const GroupSpec& g : scenario.cluster.groups)
    if (g.profile && g.profile->name != g.hardware.name) return Evidence::scaled;
  if (p.evidence == ProfileEvidence::published) return Evidence::published;
  if (p.evidence == ProfileEvidence::engine_log) return Evidence::engine_log;
  return scenario.profile_gaps.empty() && p.name == scenario.hardware.name ? Evidence::measured : Evidence::scaled;
}
}  // namespace

std::string workload_name(const Scenario& scenario) {
  const auto& source = scenario.workload.source;
  if (const auto* trace = std::get_if<TraceOptions>(&source)) {
    std::string out = std::filesystem::path(trace->path).filename().string() + scaled(scenario);
    if (trace->limit > 0) out += ", first " + text::plural(trace->limit, "row");
    if (trace->repeat > 1) out += ", " + text::times(static_cast<double>(trace->repeat)) + " over";
    return out;
  }
  if (const auto* spec = std::get_if<SyntheticSpec>(&source)) {
    const auto arrivals = arrival_kind_names[static_cast<std::size_t>(spec->arrivals)];
    std::string rate = " " + text::number(spec->rate_per_s) + "/s";
    if (spec->arrivals == ArrivalKind::burst) rate.clear();
    if (spec->arrivals == ArrivalKind::closed) rate = fmt::format(" loop of {}", spec->concurrency);
    return fmt::format("synthetic: {}{}, {}{}", arrivals, rate, text::plural(spec->count, "request"), scaled(scenario));
  }
  std::uint64_t requests = 0;
  for (const auto& row : std::get<std::vector<InlineRequests>>(source)) {
    requests += static_cast<std::uint64_t>(row.count);
  }
  return text::plural(requests, "request") + " written in the scenario" + scaled(scenario);
}

ReportInput describe(const Scenario& scenario, const Options& options, std::vector<RunResult> runs, bool with_cards) {
  ReportInput input;
  input.title = scenario.name;
  input.command = options.command_line;
  input.version = "stowage " + version();
  const RouterRow* router = find_router(scenario.cluster.router);
  const bool draws = scenario.cluster.replicas_in_all() > 1 && router != nullptr && router->draws;
  if (draws || std::holds_alternative<SyntheticSpec>(scenario.workload.source))
    input.seed = std::to_string(scenario.seed);
  input.workload_name = workload_name(scenario);
  const std::optional<std::string> folder =
      options.output.empty() ? std::nullopt : std::optional(options.output);
  input.resolved_yaml = resolved_yaml(scenario, folder);
  input.scenario = as_json(ConfigDocument::parse(input.resolved_yaml, "resolved.yaml").root());
  input.runs = std::move(runs);
  for (const auto& target : scenario.slo) input.slo.push_back({target.name(), target.limit_ns});
  input.budget = budget_parts(scenario);
  input.kv_line = vllm_line(scenario.pool_tokens, scenario.scheduler.max_model_len);
  if (scenario.cluster.replicas_in_all() > 1)
    input.kv_line += scenario.cluster.groups.empty() ? " on each replica" : " on replica 0";
  if (scenario.ledger) input.ledger = scenario.ledger->line();
  if (with_cards) input.cards = {workload_card(scenario), model_card(scenario), hardware_card(scenario)};
  input.cost_source = cost_source(scenario);
  input.evidence = evidence(scenario);
  input.notes = scenario.notes;
  return input;
}

void warn(const std::vector<std::string>& warnings, const std::string& file, Outcome& outcome) {
  for (const auto& warning : warnings)
    outcome.complaints.push_back(fmt::format("{}: warning: {}", text::printable(file), warning));
}
}  // namespace stowage::cli
