#include "planner/study.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>

namespace stowage {
namespace {
namespace fs = std::filesystem;
constexpr std::array<std::string_view, 15> study_keys = {"schema", "name",      "scenario", "space",  "slo",
                                                         "prices", "objective", "demand",   "window", "growth",
                                                         "knee",   "spare",     "limits",   "probe",  "search"};

template <class Read>
auto optional_key(MapReader& in, std::string_view key, Read read) -> std::optional<decltype(read())> {
  if (in.has(key)) return read();
  (void)in.node(key);
  return std::nullopt;
}

/// "1", or "N+1" as people say it.
std::int64_t read_spare(MapReader& in) {
  const ConfigNode node = in.node("spare");
  if (node.kind() == ConfigNode::Kind::scalar && node.text().starts_with("N+"))
    if (const auto n = parse_integer(node.text().substr(2)); n && *n >= 0 && *n <= 1000) return *n;
  if (node.kind() == ConfigNode::Kind::scalar && node.text() == "N") return 0;
  return in.integer("spare", 0, 1000, 0);
}

std::map<std::string, NodePrice, std::less<>> read_prices(const ConfigNode& node, Problems& problems) {
  std::map<std::string, NodePrice, std::less<>> out;
  if (!node) return out;
  MapReader in(node, problems);
  for (const auto& [gpu, value] : node.entries()) {
    MapReader price(in.node(gpu), problems);
    NodePrice p;
    p.usd_per_hour = price.number("usd_per_node_hour", 1e-6, 1e9);
    p.gpus = price.integer("gpus_per_node", 1, 1 << 16, 8);
    p.watts = price.number("watts", 0, 1e9, 0.0);
    price.finish();
    out.emplace(gpu, p);
  }
  return out;
}

void read_plan(MapReader& in, PlanSpec& plan, Problems& problems) {
  plan.slo = read_plan_slo(in.node("slo"), problems);
  plan.prices = read_prices(in.node("prices"), problems);
  plan.objective = static_cast<Objective>(in.choice("objective", objective_names, 0));
  const std::size_t before = problems.list().size();
  plan.demand_per_s = optional_key(in, "demand", [&] { return in.rate_per_s("demand"); });
  if (plan.demand_per_s && !(*plan.demand_per_s > 0) && problems.list().size() == before)
    in.problem("demand", "'demand' must be more than 0");
  plan.window_ns = optional_key(in, "window", [&] { return in.duration_ns("window"); });
  if (plan.window_ns && !(*plan.window_ns >= 1e9)) in.problem("window", "'window' must be at least 1s");
  if (plan.window_ns && plan.demand_per_s)
    in.problem("window", "'window' finds the demand in the workload, and 'demand' gives it; remove one");
  plan.growth = in.number("growth", 0.001, 1e6, 1.0);
  plan.knee = in.number("knee", 0.01, 1, 0.8);
  plan.spare = read_spare(in);
  if (const ConfigNode node = in.node("limits")) {
    MapReader limits(node, problems);
    plan.gpus_max = optional_key(limits, "gpus", [&] { return limits.integer("gpus", 1, 1 << 24); });
    plan.usd_per_hour_max =
        optional_key(limits, "usd_per_hour", [&] { return limits.number("usd_per_hour", 1e-6, 1e12); });
    limits.finish();
  }
  if (const ConfigNode node = in.node("probe")) {
    MapReader probe(node, problems);
    plan.probe_requests = static_cast<std::uint64_t>(
        probe.integer("requests", 100, 1 << 21, static_cast<std::int64_t>(plan.probe_requests)));
    plan.precision = probe.number("precision", 0.0001, 0.5, plan.precision);
    probe.finish();
  }
  if (const ConfigNode node = in.node("search")) {
    MapReader search(node, problems);
    plan.exhaustive = search.flag("exhaustive", false);
    plan.draws = search.integer("draws", 0, 10'000, plan.draws);
    search.finish();
  }
}

std::string_view first_key(std::string_view assignment) {
  return assignment.substr(0, std::min(assignment.find_first_of(".[="), assignment.size()));
}

/// Puts the --set where they belong; a scenario's own keys are never hidden by those of the study around it.
void apply_sets(ConfigDocument& study, ConfigDocument& scenario, bool apart, std::span<const std::string> sets,
                Problems& problems) {
  constexpr std::array<std::string_view, 2> of_both = {"schema", "name"};
  for (std::size_t i = 0; i < sets.size(); ++i) {
    const auto key = first_key(sets[i]);
    const bool own = std::find(study_keys.begin(), study_keys.end(), key) != study_keys.end() &&
                     std::find(of_both.begin(), of_both.end(), key) == of_both.end() && key != "scenario";
    try {
      (own && apart ? study : scenario).set(sets[i], static_cast<int>(i) + 1);
    } catch (const InputError& error) {
      for (const auto& p : error.problems()) problems.add(p.at, p.message);
    }
  }
}

/// `serving: [aggregated]` is all there is: prefill and decode on the same replicas.
void leave_out_serving(std::vector<Axis>& axes, Problems& problems) {
  for (const Axis& axis : axes)
    if (axis.path == "serving")
      for (const AxisValue& value : axis.values)
        if (value.text != "aggregated")
          problems.add(value.node.at(),
                       fmt::format("'serving': '{}' is not modelled yet; leave it out", shown(value.text)));
  std::erase_if(axes, [](const Axis& axis) { return axis.path == "serving"; });
}

ConfigDocument load_base(const ConfigNode& node, const std::string& file, Problems& problems) {
  if (node.kind() == ConfigNode::Kind::map) return ConfigDocument::part(node, file);
  if (node.kind() != ConfigNode::Kind::scalar) {
    problems.add(node.at(), "'scenario' must be a scenario, or the path of one");
    problems.throw_if_any();
  }
  const fs::path written = node.text();
  const bool typed = node.at().file.starts_with("--");
  const fs::path path = written.is_absolute() || typed ? written : fs::path(file).parent_path() / written;
  if (!fs::exists(path))
    problems.add(node.at(), fmt::format("'scenario': there is no file '{}'", shown(path.lexically_normal().string())));
  problems.throw_if_any();
  return ConfigDocument::load(path.lexically_normal().string());
}
}  // namespace

Study load_study(const std::string& path, std::span<const std::string> sets, std::span<const std::string> vary,
                 std::optional<std::uint64_t> seed) {
  Study study;
  study.file = path;
  Problems problems;
  ConfigDocument document = ConfigDocument::load(path);
  const bool apart = static_cast<bool>(document.root().get("scenario"));
  study.base = apart ? load_base(document.root().get("scenario"), path, problems) : document;
  apply_sets(document, study.base, apart, sets, problems);
  problems.throw_if_any();

  study.name = fs::path(path).stem().string();
  if (const ConfigNode name = study.base.root().get("name"); name.kind() == ConfigNode::Kind::scalar)
    study.name = name.text();
  if (apart) {
    MapReader in(document.root(), problems);
    if (in.integer("schema", 0, 1'000'000, 1) != 1)
      in.problem("schema", "'schema' is not known to this version, which reads schema 1");
    study.name = in.text("name", study.name);
    (void)in.node("scenario");
    study.axes = read_space(in.node("space"), problems);
    read_plan(in, study.plan, problems);
    study.has_prices = in.has("prices");
    in.finish();
  }
  // The scenario's own targets stand when the study has none.
  if (study.plan.slo.empty() && problems.empty()) {
    const ConfigNode slo = study.base.root().get("slo");
    if (slo && slo.size() > 0) study.plan.slo = read_plan_slo(slo, problems);
  }
  for (std::size_t i = 0; i < vary.size(); ++i) {
    Axis axis = read_vary(vary[i], static_cast<int>(i) + 1, problems);
    const auto same = std::find_if(study.axes.begin(), study.axes.end(),
                                   [&](const Axis& a) { return a.path == axis.path && !a.at.file.starts_with("--"); });
    if (same != study.axes.end())
      *same = std::move(axis);
    else
      study.axes.push_back(std::move(axis));
  }
  leave_out_serving(study.axes, problems);
  problems.throw_if_any();
  if (seed) study.base.set(fmt::format("seed={}", *seed), 0);
  if (const auto text = study.base.root().get("seed"); text.kind() == ConfigNode::Kind::scalar)
    study.seed = static_cast<std::uint64_t>(parse_integer(text.text()).value_or(0));
  return study;
}
}  // namespace stowage
