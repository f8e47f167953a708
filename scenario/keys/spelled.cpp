// Paths through a document by the names of its keys, whichever they are.
#include <algorithm>

#include "scenario/keys/key.hpp"

namespace stowage::keys {
namespace {
using Tables = std::vector<const Table*>;

struct Known {
  const Table* table = nullptr;
  const Key* key = nullptr;
};
Known find_in(const Tables& tables, std::string_view name) {
  for (const Table* table : tables)
    if (const Key* key = find(*table, name)) return {table, key};
  return {};
}

/// The name under which `map` has the key that `name` belongs to.
std::string name_in(const ConfigNode& map, const Known& known, std::string_view name) {
  if (known.key == nullptr || map.has(name)) return std::string(name);
  std::string own = canonical_name(*known.key, name);
  for (const auto& [other, at] : map.keys())
    if (find(*known.table, other) == known.key && canonical_name(*known.key, other) == own) return other;
  return own;
}

Tables below(const Key& key) {
  Tables out = key.form.of;
  for (const Form& other : key.form.others) out.insert(out.end(), other.of.begin(), other.of.end());
  return out;
}

/// The entry that "[2]" names; missing where there is none.
ConfigNode entry(const ConfigNode& list, std::string_view index) {
  const auto n = parse_integer(index.substr(1, index.size() - 2));
  const bool there = n && *n >= 0 && list.kind() == ConfigNode::Kind::list &&
                     static_cast<std::size_t>(*n) < list.size();
  return there ? list[static_cast<std::size_t>(*n)] : ConfigNode{};
}
}  // namespace

std::string spelled(const ConfigNode& root, const Table& table, std::string_view path) {
  std::string out;
  ConfigNode node = root;
  Tables tables = {&table};
  bool names = false;  // the next key is a name of the user's
  while (!path.empty()) {
    if (path.starts_with('[')) {
      const auto end = std::min(path.find(']'), path.size() - 1) + 1;
      node = end > 2 ? entry(node, path.substr(0, end)) : ConfigNode{};
      out += path.substr(0, end);
      path.remove_prefix(end);
      continue;
    }
    if (path.starts_with('.')) {
      out += '.';
      path.remove_prefix(1);
    }
    const auto end = std::min(path.find_first_of(".["), path.size());
    const Known known = names ? Known{} : find_in(tables, path.substr(0, end));
    const std::string name = name_in(node, known, path.substr(0, end));
    out += name;
    node = node.kind() == ConfigNode::Kind::map ? node.get(name) : ConfigNode{};
    if (known.key != nullptr) {
      tables = below(*known.key);
      names = known.key->form.type == Type::map_by_name;
    } else {
      if (!names) tables.clear();
      names = false;
    }
    if (end == 0) break;  // no path; whoever reads it says so
    path.remove_prefix(end);
  }
  return out + std::string(path);
}

std::string spelled_set(const ConfigNode& root, const Table& table, std::string_view assignment) {
  const auto equals = std::min(assignment.find('='), assignment.size());
  return spelled(root, table, assignment.substr(0, equals)) + std::string(assignment.substr(equals));
}
}  // namespace stowage::keys
