// `cluster.groups`: a fleet of unlike replicas.
#include <fmt/format.h>

#include <numeric>

#include "scenario/reader.hpp"

namespace stowage {
namespace detail {
namespace {
constexpr std::size_t groups_max = 64;

GroupSpec read_group(const ConfigNode& node, const Scenario& s, bool model_known, Problems& problems) {
  keys::KeyReader in(node, keys::group_keys(), problems);
  GroupSpec g;
  g.at = node.at();
  in.read(g);
  if (in.has("pipeline") && read_integer(in.node("pipeline"), 1, 1024, problems).value_or(1) > 1)
    in.problem("pipeline", fmt::format("'{}': this version simulates one pipeline stage; write 1, or use 'tensor'",
                                       in.path_of("pipeline")));
  if (!in.has("hardware")) {
    g.hardware_ref = s.hardware_ref;
    g.hardware = s.hardware;
  } else if (!g.hardware_ref.empty()) {
    const SourcePos at = in.node("hardware").at();
    g.hardware = collect(problems, at, fmt::format("'{}': ", in.path_of("hardware")),
                         [&] { return load_hardware(g.hardware_ref, at); });
  }
  if (!model_known) return g;
  if (const auto why = parallel_problem(s.model, static_cast<int>(g.tensor), 1))
    in.problem("tensor", fmt::format("'{}': {}", in.path_of("tensor"), *why));
  return g;
}
}  // namespace

std::vector<GroupSpec> read_groups(keys::KeyReader& cluster, const Scenario& s, bool model_known, Problems& problems) {
  std::vector<GroupSpec> groups;
  if (!cluster.has("groups")) return groups;
  const ConfigNode list = cluster.node("groups");
  if (list.kind() != ConfigNode::Kind::list || list.size() == 0 || list.size() > groups_max) {
    problems.add(list.at(), fmt::format("'cluster.groups' must be a list of 1 to {} groups, as [{{replicas: 4, "
                                        "hardware: h100-sxm-80gb}}]",
                                        groups_max));
    return groups;
  }
  for (const std::string_view key : {"replicas", "tensor", "pipeline"})
    if (cluster.has(key))
      cluster.problem(key, fmt::format("'{}' goes into each of the groups; move it there", cluster.path_of(key)));
  for (const std::string_view key : {"expert", "data"})
    if (cluster.has(key))
      cluster.problem(key, fmt::format("'{}' goes with replicas that are alike; remove it, or 'groups'",
                                       cluster.path_of(key)));
  for (std::size_t i = 0; i < list.size(); ++i) groups.push_back(read_group(list[i], s, model_known, problems));
  std::int64_t replicas = 0;
  for (const GroupSpec& g : groups) replicas += g.replicas;
  if (replicas > FleetConfig::replicas_max)
    problems.add(list.at(), fmt::format("'cluster.groups' come to {} replicas; at most {}", replicas,
                                        FleetConfig::replicas_max));
  return groups;
}

Scenario as_group(const Scenario& s, const GroupSpec& group) {
  Scenario out = s;
  out.hardware = group.hardware;
  out.hardware_ref = group.hardware_ref;
  out.profile = nullptr;  // of the other hardware
  out.cluster.tensor = group.tensor;
  out.cluster.groups.clear();
  return out;
}
}  // namespace detail

std::string GroupSpec::name() const {
  return tensor > 1 ? fmt::format("{} x {}", tensor, hardware.name) : hardware.name;
}

std::int64_t ClusterSpec::replicas_in_all() const {
  if (groups.empty()) return replicas;
  return std::accumulate(groups.begin(), groups.end(), std::int64_t{0},
                         [](std::int64_t sum, const GroupSpec& g) { return sum + g.replicas; });
}
}  // namespace stowage
