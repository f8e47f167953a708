#include "planner/study.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>

#include "models/hardware/hardware.hpp"
#include "planner/study_keys.hpp"
#include "scenario/keys/reader.hpp"
#include "scenario/keys/tables.hpp"

namespace stowage {
namespace {
namespace fs = std::filesystem;
using keys::Key;
using keys::KeyReader;

/// "1", or "N+1" as people say it.
std::int64_t read_spare(const ConfigNode& node, Problems& problems) {
  std::string_view text = node.kind() == ConfigNode::Kind::scalar ? std::string_view(node.text()) : "";
  if (text == "N") return 0;
  if (!text.starts_with("N+")) return read_integer(node, 0, 1000, problems).value_or(0);
  return read_integer(node.with_text(std::string(text.substr(2))), 0, 1000, problems).value_or(0);
}

std::map<std::string, NodePrice, std::less<>> read_prices(const ConfigNode& node, Problems& problems) {
  std::map<std::string, NodePrice, std::less<>> out;
  (void)MapReader(node, problems);  // a map?
  for (const auto& [gpu, value] : node.entries()) {
    NodePrice p;
    KeyReader(value, keys::price_keys(), problems).read(p);
    out.emplace(gpu, p);
  }
  return out;
}

void read_plan(KeyReader& in, PlanSpec& plan, Problems& problems) {
  in.read(plan);
  plan.slo = read_plan_slo(in.node("slo"), problems);
  if (in.has("prices")) plan.prices = read_prices(in.node("prices"), problems);
  if (plan.window_ns && plan.demand_per_s)
    in.problem("window", "'window' finds the demand in the workload, and 'demand' gives it; remove one");
  plan.spare = read_spare(in.node("spare"), problems);
  KeyReader(in.node("limits"), keys::limit_keys(), problems).read(plan);
  KeyReader(in.node("probe"), keys::probe_keys(), problems).read(plan);
  KeyReader(in.node("search"), keys::search_keys(), problems).read(plan);
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
    const bool own = keys::find(keys::study_keys(), key) != nullptr &&
                     std::find(of_both.begin(), of_both.end(), key) == of_both.end() && key != "scenario";
    ConfigDocument& document = own && apart ? study : scenario;
    const keys::Table* const table = &keys::study_keys();
    try {
      document.set(keys::spelled_set(document.root(), own && apart ? *table : keys::scenario_keys(), sets[i]),
                   static_cast<int>(i) + 1);
    } catch (const InputError& error) {
      for (const auto& p : error.problems()) problems.add(p.at, p.message);
    }
  }
}

bool typed_at(const ConfigNode& node, std::string_view place) { return node && node.at().file == place; }

/// The paths of axes, each as the user wrote it: "scheduler.max_num_seqs".
using AsTyped = std::map<std::string, std::string, std::less<>>;

/// The points put their own values where axes are: what --set and --seed say there would be lost without a word.
void refuse_overridden(const Study& study, const AsTyped& as_typed, std::span<const std::string> sets,
                       std::optional<std::uint64_t> seed, Problems& problems) {
  for (const Axis& axis : study.axes) {
    const auto refuse = [&](const std::string& place, std::string_view key) {
      problems.add({place, 0, 0},
                   fmt::format("'{}' would be lost: the study varies '{}'; give its values with --vary {}=", key,
                               as_typed.at(axis.path), as_typed.at(axis.path)));
    };
    for (std::size_t i = 0; i < sets.size(); ++i) {
      const std::string_view typed = std::string_view(sets[i]).substr(0, sets[i].find('='));
      const std::string key = keys::spelled(study.base.root(), keys::scenario_keys(), typed);
      const std::string place = fmt::format("--set #{}", i + 1);
      // The last: a map put around the axis holds a value for it.
      if (key == axis.path || within(key, axis.path) || typed_at(study.base.find(axis.path), place))
        refuse(place, typed);
    }
    if (seed && axis.path == "seed") refuse("--seed", "seed");
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

bool names_gpu(std::string_view path) {
  const Key* key = keys::find(keys::scenario_keys(), path.substr(path.find_last_of(".") + 1));
  return key != nullptr && key->name == "hardware";
}

/// Adds the names of the GPU files in and below `node`, which stands at `path`. False when one cannot be read, which
/// whoever resolves the points says.
bool add_gpu_files(const ConfigNode& node, std::string_view path, std::vector<std::string>& names) {
  bool known = true;
  if (node.kind() == ConfigNode::Kind::list)
    for (std::size_t i = 0; i < node.size(); ++i) known = add_gpu_files(node[i], "", names) && known;
  for (const auto& [key, value] : node.entries()) known = add_gpu_files(value, key, names) && known;
  if (node.kind() != ConfigNode::Kind::scalar || !names_gpu(path)) return known;
  try {
    Problems problems;
    const auto reference = keys::read_value(node, keys::reference(), problems);
    problems.throw_if_any();
    names.push_back(load_hardware(std::get<std::string>(*reference)).name);
  } catch (const InputError&) { return false; }
  return known;
}

/// A price under a name that no GPU has would never be asked for.
void check_priced_gpus(const Study& study, const ConfigNode& prices, Problems& problems) {
  std::vector<std::string> names = hardware_names();
  bool known = add_gpu_files(study.base.root(), "", names);
  for (const Axis& axis : study.axes)
    for (const AxisValue& value : axis.values) known = add_gpu_files(value.node, axis.path, names) && known;
  const std::vector<std::string_view> all(names.begin(), names.end());
  for (const auto& [gpu, at] : prices.keys())
    if (known && std::find(all.begin(), all.end(), gpu) == all.end())
      problems.add(at, fmt::format("'prices': no GPU '{}' in the zoo or in this study{}", shown(gpu),
                                   did_you_mean(gpu, all)));
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

  AsTyped as_typed;
  const auto spell = [&](Axis& axis) {
    const std::string typed = axis.path;
    axis.path = keys::spelled(study.base.root(), keys::scenario_keys(), typed);
    as_typed.insert_or_assign(axis.path, typed);
  };
  study.name = fs::path(path).stem().string();
  if (const ConfigNode name = study.base.root().get("name"); name.kind() == ConfigNode::Kind::scalar)
    study.name = name.text();
  if (apart) {
    KeyReader in(document.root(), keys::study_keys(), problems);
    if (read_integer(in.node("schema"), 0, 1'000'000, problems).value_or(1) != 1)
      in.problem("schema", "'schema' is not known to this version, which reads schema 1");
    study.name = read_text(in.node("name"), problems).value_or(study.name);
    study.axes = read_space(in.node("space"), problems);
    for (Axis& axis : study.axes) spell(axis);
    read_plan(in, study.plan, problems);
    study.has_prices = in.has("prices");
  }
  for (std::size_t i = 0; i < vary.size(); ++i) {
    Axis axis = read_vary(vary[i], static_cast<int>(i) + 1, problems);
    spell(axis);
    const auto same = std::find_if(study.axes.begin(), study.axes.end(),
                                   [&](const Axis& a) { return a.path == axis.path && !a.at.file.starts_with("--"); });
    if (same != study.axes.end())
      *same = std::move(axis);
    else
      study.axes.push_back(std::move(axis));
  }
  leave_out_serving(study.axes, problems);
  if (apart) check_priced_gpus(study, document.root().get("prices"), problems);
  problems.throw_if_any();
  refuse_overridden(study, as_typed, sets, seed, problems);
  problems.throw_if_any();
  // --seed is no cure for a seed that `run` refuses: it stays, and is refused with all else that is wrong.
  Problems own;
  (void)keys::read_value(study.base.root().get("seed"), keys::find(keys::scenario_keys(), "seed")->form, own);
  if (seed && own.empty()) study.base.set(fmt::format("seed={}", *seed), 0);
  if (const auto text = study.base.root().get("seed"); text.kind() == ConfigNode::Kind::scalar)
    study.seed = static_cast<std::uint64_t>(parse_integer(text.text()).value_or(0));
  return study;
}
}  // namespace stowage
