#include "scenario/keys/reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <unordered_map>

namespace stowage::keys {
namespace {
namespace fs = std::filesystem;
constexpr std::size_t reference_max = 400;  // characters of a name or path: more is a quote left open

std::int64_t whole(double x) {
  return x >= unbounded ? std::numeric_limits<std::int64_t>::max() : static_cast<std::int64_t>(x);
}

/// `value` within the form's range, else a problem; for forms with units, whose readers know no range.
template <class T>
std::optional<Value> in_range(const ConfigNode& node, const Form& form, const std::optional<T>& given,
                              std::string_view what, Problems& problems) {
  if (!given) return std::nullopt;
  const double value = static_cast<double>(*given);
  if (value == 0 && (form.above_zero || (form.min > 0 && form.type == Type::size)))
    problems.add(node.at(), fmt::format("'{}' must be more than 0", shown(node.path())));
  else if (value < form.min || (form.max < unbounded && value > form.max))
    problems.add(node.at(), fmt::format("'{}': {} is out of range; write a {} {}{}", shown(node.path()),
                                        shown(node.text()), what, form.min > 0 && form.max < unbounded ? "from " : "",
                                        range_text(form)));
  else
    return Value{*given};
  return std::nullopt;
}

std::optional<Value> read_reference(const ConfigNode& node, Problems& problems) {
  const auto text = read_text(node, problems);
  if (!text) return std::nullopt;
  const bool odd = std::any_of(text->begin(), text->end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  if (odd || text->size() > reference_max) {
    problems.add(node.at(), fmt::format("'{}': '{}' is neither a name nor a file; check the quotes", node.path(),
                                        shown(*text)));
    return std::nullopt;
  }
  return is_path(*text) ? resolved_path(node) : *text;
}

template <class T>
std::optional<Value> value_of(std::optional<T> given) {
  return given ? std::optional(Value{std::move(*given)}) : std::nullopt;
}
}  // namespace

std::string resolved_path(const ConfigNode& node) {
  const fs::path written = node.text();
  const std::string& file = node.at().file;  // a study may have put the value into the scenario
  const bool from_command_line = file.starts_with("--");  // "--set #1", "--vary #1"
  const fs::path beside = fs::path(file).parent_path();
  return (written.is_absolute() || from_command_line ? written : beside / written).lexically_normal().string();
}

bool is_path(std::string_view text) {
  return text.find('/') != std::string_view::npos || text.ends_with(".yaml") || text.ends_with(".yml") ||
         text.ends_with(".json");
}

std::optional<Value> read_value(const ConfigNode& node, const Form& form, Problems& problems) {
  switch (form.type) {
    case Type::flag:
      return value_of(read_flag(node, problems));
    case Type::count:
      return value_of(read_integer(node, whole(form.min), whole(form.max), problems));
    case Type::number:
      return value_of(read_number(node, form.min, form.max, problems));
    case Type::size: {
      const auto bytes = read_bytes(node, problems);
      return in_range(node, form, bytes ? std::optional(bytes->count()) : std::nullopt, "size", problems);
    }
    case Type::duration:
      return in_range(node, form, read_duration_ns(node, problems), "duration", problems);
    case Type::rate:
      return in_range(node, form, read_rate_per_s(node, problems), "rate", problems);
    case Type::choice: {
      const auto index = read_choice(node, form.words, problems);
      return index ? std::optional(Value{std::string(form.words[*index])}) : std::nullopt;
    }
    case Type::text:
      return value_of(read_text(node, problems));
    case Type::path: {
      const auto text = read_text(node, problems);
      return text ? std::optional(Value{resolved_path(node)}) : std::nullopt;
    }
    case Type::reference:
      return read_reference(node, problems);
    default:
      STOWAGE_ASSERT(false);  // maps and lists are for their sections
  }
  return std::nullopt;
}

KeyReader::KeyReader(const ConfigNode& map, const Table& table, Problems& problems)
    : map_(map), table_(table), problems_(problems), found_(table.keys.size()) {
  if (map.kind() != ConfigNode::Kind::map) {
    (void)MapReader(map, problems);  // says so, unless it is missing or empty
    if (map && map.kind() != ConfigNode::Kind::null) return;
  }
  auto keys = map.keys();
  find_values(keys);
  for (std::size_t i = 0; i < table.keys.size(); ++i) {
    const Key& key = table.keys[i];
    if (key.required && !found_[i]) missing(key.name);
    if (!key.needs.empty() && found_[i] && !has(key.needs))
      problem(key.name, fmt::format("'{}' goes with '{}' only; remove it", path_of(key.name), key.needs));
  }
  for (auto& key : map.removed()) keys.push_back(std::move(key));
  for (const auto& [name, at] : keys)
    if (find(table, name) == nullptr) unknown(name, at);
}

void KeyReader::find_values(const std::vector<std::pair<std::string, SourcePos>>& keys) {
  std::unordered_map<std::string, std::string_view> seen;  // a key's own name, and that in the file
  for (const auto& [name, at] : keys) {
    const Key* key = find(table_, name);
    if (key == nullptr) continue;
    const auto [same, fresh] = seen.emplace(canonical_name(*key, name), name);
    if (fresh) {
      if (key->endings.empty()) found_[static_cast<std::size_t>(key - table_.keys.data())] = map_.get(name);
      continue;
    }
    const ConfigNode value = map_.get(name);
    problems_.add(value.at(), fmt::format("'{}' says the same as '{}'; remove one of them", shown(value.path()),
                                          shown(map_.get(same->second).path())));
  }
}

void KeyReader::unknown(const std::string& name, const SourcePos& at) {
  if (problems_.list().size() >= Problems::told_max) return problems_.add(at, "unknown key");  // will not be told
  std::vector<std::string> all, others;
  for (const Key& key : table_.keys) {
    for (auto& own : names_of(key)) all.push_back(std::move(own));
    for (auto& other : aliases_of(key)) others.push_back(std::move(other));
  }
  problems_.add(at, unknown_key(map_, name, std::vector<std::string_view>(all.begin(), all.end()),
                                std::vector<std::string_view>(others.begin(), others.end())));
}

void KeyReader::missing(std::string_view name) {
  // Something that is not a map at all was reported once already.
  if (map_.kind() == ConfigNode::Kind::scalar || map_.kind() == ConfigNode::Kind::list) return;
  problems_.add(map_.at(), fmt::format("'{}' is missing", shown(map_.get(name).path())));
}

const ConfigNode& KeyReader::found(std::string_view name) const {
  for (std::size_t i = 0; i < found_.size(); ++i)
    if (table_.keys[i].name == name) return found_[i];
  STOWAGE_ASSERT(false);  // a key that the table lacks
  return found_.front();
}

ConfigNode KeyReader::node(std::string_view name) const {
  const ConfigNode& given = found(name);
  return given ? given : map_.get(name);
}

void KeyReader::read_into(void* object) {
  for (std::size_t i = 0; i < found_.size(); ++i) {
    const Key& key = table_.keys[i];
    if (!found_[i] || !key.set) continue;
    if (const auto value = read_value(found_[i], key.form, problems_)) key.set(object, *value);
  }
}
}  // namespace stowage::keys
