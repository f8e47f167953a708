// `--set a.b[0].c=value` on a configuration document.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/config.hpp"
#include "base/config_data.hpp"

namespace stowage {
namespace {
using Data = ConfigNode::Data;
using DataPtr = std::shared_ptr<Data>;
using Kind = ConfigNode::Kind;

/// One step of a --set path: a key, or an index in a list.
struct Step {
  std::string key;
  std::size_t index = 0;
  bool is_index = false;
};

std::vector<Step> parse_path(std::string_view path, const SourcePos& at) {
  const auto refuse = [&] {
    throw InputError(at,
                     fmt::format("'{}' is not a path; write it as memory.kv_pool or managers[0].page", shown(path)));
  };
  std::vector<Step> steps;
  std::size_t i = 0;
  while (i < path.size()) {
    if (path[i] == '[') {
      const char* const begin = path.data() + i + 1;
      const char* const end = path.data() + path.size();
      Step step{{}, 0, true};
      const auto [stop, ec] = std::from_chars(begin, end, step.index);
      if (ec != std::errc{} || stop == end || *stop != ']') refuse();
      steps.push_back(std::move(step));
      i = static_cast<std::size_t>(stop - path.data()) + 1;
      if (i < path.size() && path[i] != '.' && path[i] != '[') refuse();
    } else {
      if (path[i] == '.' && steps.empty()) refuse();
      if (path[i] == '.') ++i;
      const std::size_t end = std::min(path.find_first_of(".[", i), path.size());
      if (end == i) refuse();
      steps.push_back({std::string(path.substr(i, end - i)), 0, false});
      i = end;
    }
  }
  if (steps.empty() || steps.front().is_index || steps.size() >= config_depth_max || path.back() == '.') refuse();
  return steps;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n";
  const auto first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::size_t hashes(std::string_view text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '#'));
}

std::size_t hashes_in(const Data& node) {
  std::size_t n = hashes(node.text);
  for (const auto& item : node.items) n += hashes_in(*item);
  for (const auto& entry : node.entries) n += hashes(entry.key) + hashes_in(*entry.value);
  return n;
}

/// Is all that was typed in the tree? A comment, a directive or a tag that YAML drops is not.
bool whole(std::string_view text, const Data& tree) {
  if (tree.kind != Kind::scalar) return hashes_in(tree) >= hashes(text);
  const bool quoted = text.size() >= 2 && (text.front() == '"' || text.front() == '\'') && text.back() == text.front();
  return quoted || tree.text == text;
}

/// A copy of `node` with `value` at `steps` (nullptr removes). Nodes off the path are shared: documents never change
/// a node that somebody may hold.
DataPtr with_value(const DataPtr& node, std::span<const Step> steps, const DataPtr& value, const SourcePos& at) {
  if (steps.empty()) return value;
  auto copy = node ? std::make_shared<Data>(*node) : std::make_shared<Data>();
  const Step& step = steps.front();
  const auto rest = steps.subspan(1);
  if (copy->kind == Kind::missing || copy->kind == Kind::null) {
    copy->kind = step.is_index ? Kind::list : Kind::map;
    copy->at = at;
  }
  const std::string file = copy->at.file.empty() ? "the file" : shown(copy->at.file);
  const std::string where = copy->path.empty() ? file : fmt::format("'{}'", shown(copy->path));
  if (step.is_index) {
    if (copy->kind != Kind::list) throw InputError(at, fmt::format("{} is not a list; leave out the [...]", where));
    if (step.index > copy->items.size()) {
      const std::size_t n = copy->items.size();
      const std::string there = n == 0   ? "has no entry"
                                : n == 1 ? "has 1 entry, [0]"
                                         : fmt::format("has {} entries, [0] to [{}]", n, n - 1);
      throw InputError(at, fmt::format("there is no [{}]: {} {}; [{}] would append one", step.index, where, there, n));
    }
    if (step.index == copy->items.size()) {
      if (!value) return copy;
      copy->items.push_back(nullptr);
    }
    auto& slot = copy->items[step.index];
    slot = with_value(slot, rest, value, at);
    if (!slot) copy->items.erase(copy->items.begin() + static_cast<std::ptrdiff_t>(step.index));
    copy->set_path(copy->path);
    return copy;
  }
  if (copy->kind != Kind::map)
    throw InputError(at, fmt::format("{} is not a map; it has no key '{}'", where, shown(step.key)));
  auto found =
      std::find_if(copy->entries.begin(), copy->entries.end(), [&](const auto& e) { return e.key == step.key; });
  if (found == copy->entries.end()) {
    if (!value) {
      copy->removed.emplace_back(step.key, at);
      return copy;
    }
    found = copy->entries.insert(found, {step.key, at, nullptr});
  }
  copy->by_key.clear();
  if (auto child = with_value(found->value, rest, value, at)) {
    found->value = std::move(child);
    if (rest.empty()) found->key_at = at;
    found->value->set_path(copy->child_path(step.key));
  } else {
    copy->entries.erase(found);
  }
  return copy;
}

DataPtr parse_typed(std::string_view typed, const std::string& place) {
  const std::string_view text = trimmed(typed);
  auto tree = parse_config_tree(text, place, false);
  if (tree->kind == Kind::null)
    throw InputError({place, 0, 0}, fmt::format("'{}' is nothing to YAML; quote it to mean the text ('\"{}\"'), or "
                                                "write nothing after the '=' to remove the key",
                                                shown(typed), shown(text)));
  if (!whole(text, *tree))
    throw InputError({place, 0, 0},
                     fmt::format("YAML reads '{}' as {}; quote it to mean the text ('\"{}\"'), or leave out the rest",
                                 shown(text), shown(flow_text(ConfigNode(tree))), shown(text)));
  return tree;
}
}  // namespace

void ConfigDocument::set(std::string_view assignment, int ordinal) {
  const SourcePos at{fmt::format("--set #{}", ordinal), 0, 0};
  const auto equals = assignment.find('=');
  if (equals == std::string_view::npos)
    throw InputError(at, fmt::format("'{}' has no '='; write it as key=value", shown(assignment)));
  const auto steps = parse_path(assignment.substr(0, equals), at);
  const std::string_view text = assignment.substr(equals + 1);
  root_ = with_value(root_, steps, text.empty() ? nullptr : parse_typed(text, at.file), at);
}

ConfigNode ConfigDocument::typed(std::string_view text, const std::string& place) {
  return ConfigNode(parse_typed(text, place));
}

ConfigNode ConfigDocument::find(std::string_view path) const {
  ConfigNode node = root();
  for (const Step& step : parse_path(path, {file_, 0, 0})) {
    if (!step.is_index)
      node = node.kind() == Kind::map ? node.get(step.key) : ConfigNode{};
    else
      node = node.kind() == Kind::list && step.index < node.size() ? node[step.index] : ConfigNode{};
  }
  return node;
}

void ConfigDocument::put(std::string_view path, const ConfigNode& value, const SourcePos& at) {
  // A copy of the top: with_value gives it a new path, and copies what is below where that changes.
  root_ = with_value(root_, parse_path(path, at), std::make_shared<Data>(value.data()), at);
}

ConfigDocument ConfigDocument::part(const ConfigNode& node, std::string file) {
  ConfigDocument out;
  out.root_ = std::make_shared<Data>(node.data());
  out.root_->set_path("");
  out.file_ = std::move(file);
  return out;
}
}  // namespace stowage
