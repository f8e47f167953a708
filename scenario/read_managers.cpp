// The list of memory managers. Keys, ranges, defaults and suggestions all come from the rows of the registry.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "scenario/reader.hpp"

namespace stowage::detail {
namespace {
constexpr std::size_t managers_max = 256;
constexpr std::size_t name_length_max = 64;

/// Names become parts of file names and table heads.
bool good_name(std::string_view name) {
  const auto good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.' || c == '+';
  };
  return name.size() <= name_length_max && std::all_of(name.begin(), name.end(), good) && name[0] != '.';
}

ManagerEntry read_entry(const ConfigNode& node, const EngineSpec* engine, Problems& problems) {
  ManagerEntry entry;
  entry.at = node.at();
  entry.path = node.path();
  if (node.kind() != ConfigNode::Kind::map) {
    problems.add(node.at(), fmt::format("'{}' must be a map, as {{kind: paged}}", node.path()));
    return entry;
  }
  std::vector<std::string_view> kinds;
  for (const auto& row : managers()) kinds.push_back(row.kind);
  const std::size_t before = problems.list().size();
  const std::size_t kind = MapReader(node, problems).choice("kind", kinds);
  // With an unknown kind there is no telling which keys are right.
  if (problems.list().size() > before) return entry;
  entry.row = &managers()[kind];
  const auto& table = keys::manager_keys(kinds[kind]);
  entry.spec = *static_cast<const ManagerSpec*>(table.initial.get());
  keys::KeyReader in(node, table, problems);
  if (engine != nullptr && entry.spec.params.contains("prefix_caching")) {
    entry.spec.params["prefix_caching"] = std::int64_t{engine->prefix_cache};
    entry.spec.params["free_order"] = std::string(engine->nameless_first ? "nameless_first" : "as_freed");
  }
  in.read(entry.spec);
  if (!entry.spec.name.empty() && !good_name(entry.spec.name)) {
    in.problem("name", fmt::format("'{}': a name has at most {} letters, digits, '-', '_', '+' and '.' (not first)",
                                   in.path_of("name"), name_length_max));
  }
  return entry;
}

/// Given names must differ; the others get the row's default name, with "-2", "-3" ... where that is taken.
void name_all(std::vector<ManagerEntry>& entries, const ConfigNode& list, Problems& problems) {
  std::set<std::string, std::less<>> taken;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const auto& name = entries[i].spec.name;
    if (entries[i].row == nullptr || name.empty() || taken.insert(name).second) continue;
    problems.add(list[i].get("name").at(), fmt::format("'{}.name': '{}' names another manager already; choose another",
                                                       list[i].path(), shown(name)));
  }
  for (auto& entry : entries) {
    if (entry.row == nullptr || !entry.spec.name.empty()) continue;
    const std::string wanted = entry.row->default_name(entry.spec);
    entry.spec.name = wanted;
    for (int n = 2; !taken.insert(entry.spec.name).second; ++n) entry.spec.name = fmt::format("{}-{}", wanted, n);
  }
}
}  // namespace

std::vector<ManagerEntry> read_managers(const ConfigNode& node, const EngineSpec* engine, Problems& problems) {
  std::vector<ManagerEntry> entries;
  if (!node) return entries;  // reported as missing
  if (node.kind() != ConfigNode::Kind::list || node.size() == 0) {
    problems.add(node.at(), "'managers' must be a list with at least one entry, as [{kind: paged}]");
    return entries;
  }
  if (node.size() > managers_max) {
    problems.add(node.at(), fmt::format("'managers' has {} entries; at most {}", node.size(), managers_max));
    return entries;
  }
  for (std::size_t i = 0; i < node.size(); ++i) entries.push_back(read_entry(node[i], engine, problems));
  name_all(entries, node, problems);
  return entries;
}
}  // namespace stowage::detail
