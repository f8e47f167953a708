// The list of memory managers. Keys, ranges, defaults and suggestions all come from the rows of the registry.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <set>

#include "scenario/reader.hpp"

namespace stowage::detail {
namespace {
constexpr std::size_t managers_max = 256;
constexpr std::size_t name_length_max = 64;

std::vector<std::string_view> words(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const auto end = std::min(text.find(' '), text.size());
    if (end > 0) out.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

template <class T>
T must(std::optional<T> value) {
  STOWAGE_ASSERT(value.has_value());  // a row of the registry with a fallback that is not of its own type
  return *value;
}

/// A bound of a row; rows without bounds have min = max = 0.
std::int64_t bound(double x) {
  return x >= 9.2e18 ? std::numeric_limits<std::int64_t>::max() : static_cast<std::int64_t>(x);
}

std::int64_t read_bytes(MapReader& in, const ParamSpec& p, std::optional<Bytes> fallback) {
  const Bytes value = in.bytes(p.name, fallback);
  const Bytes min{bound(p.min)}, max{bound(p.max)};
  if (in.has(p.name) && p.max > p.min && value != Bytes{0} && (value < min || value > max))
    in.problem(p.name, fmt::format("'{}': {} is out of range; write a size from {} to {}", in.path_of(p.name),
                                   format_bytes(value), format_bytes(min), format_bytes(max)));
  if (in.has(p.name) && value == Bytes{0} && p.min > 0)
    in.problem(p.name, fmt::format("'{}' must be more than 0", in.path_of(p.name)));
  return value.count();
}

void read_param(MapReader& in, const ParamSpec& p, ManagerSpec& spec) {
  const bool decided_by_manager = p.fallback.empty();
  if (decided_by_manager && !in.has(p.name)) {
    (void)in.node(p.name);  // known all the same
    return;
  }
  ParamValue value;
  switch (p.type) {
    case ParamType::tokens:
    case ParamType::count: {
      std::optional<std::int64_t> fallback;
      if (!decided_by_manager) fallback = must(parse_integer(p.fallback));
      const bool bounded = p.max > p.min;
      value = in.integer(p.name, bounded ? bound(p.min) : 0,
                         bounded ? bound(p.max) : std::numeric_limits<std::int64_t>::max(), fallback);
      break;
    }
    case ParamType::bytes: {
      std::optional<Bytes> fallback;
      if (!decided_by_manager) fallback = must(parse_bytes(p.fallback));
      value = read_bytes(in, p, fallback);
      break;
    }
    case ParamType::fraction: {
      std::optional<double> fallback;
      if (!decided_by_manager) fallback = must(parse_number(p.fallback));
      value = in.number(p.name, p.min, p.max, fallback);
      break;
    }
    case ParamType::choice: {
      const auto names = words(p.choices);
      std::optional<std::size_t> fallback;
      if (!decided_by_manager)
        fallback = static_cast<std::size_t>(std::find(names.begin(), names.end(), p.fallback) - names.begin());
      value = std::string(names.at(in.choice(p.name, names, fallback)));
      break;
    }
  }
  spec.params.emplace(p.name, std::move(value));
}

/// Names become parts of file names and table heads.
bool good_name(std::string_view name) {
  const auto good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.' || c == '+';
  };
  return name.size() <= name_length_max && std::all_of(name.begin(), name.end(), good) && name[0] != '.';
}

ManagerEntry read_entry(const ConfigNode& node, Problems& problems) {
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
  MapReader in(node, problems);
  const auto& row = managers()[in.choice("kind", kinds)];
  // With an unknown kind there is no telling which keys are right.
  if (problems.list().size() > before) return entry;
  entry.row = &row;
  entry.spec.kind = row.kind;
  entry.spec.name = in.text("name", "");
  if (!entry.spec.name.empty() && !good_name(entry.spec.name)) {
    in.problem("name", fmt::format("'{}': a name has at most {} letters, digits, '-', '_', '+' and '.' (not first)",
                                   in.path_of("name"), name_length_max));
  }
  if (row.kind == "paged") detail::vllm_name(in, "block_size", "block_size");
  for (const auto& p : row.params) read_param(in, p, entry.spec);
  in.finish();
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

std::vector<ManagerEntry> read_managers(const ConfigNode& node, Problems& problems) {
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
  for (std::size_t i = 0; i < node.size(); ++i) entries.push_back(read_entry(node[i], problems));
  name_all(entries, node, problems);
  return entries;
}
}  // namespace stowage::detail
