// Values and maps as resolved.yaml has them: the counterpart of the readers.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/config.hpp"
#include "scenario/keys/key.hpp"
#include "scenario/keys/reader.hpp"

namespace stowage::keys {
namespace {
namespace fs = std::filesystem;

/// Text as YAML: bare where nothing could mistake it for something else, else in double quotes.
std::string yaml_text(std::string_view text) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  const auto bare_char = [&](char c) {
    return letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '/' || c == '+' || c == '-';
  };
  constexpr std::array<std::string_view, 3> words_of_yaml = {"null", "Null", "NULL"};
  const bool bare = !text.empty() && (letter(text[0]) || text[0] == '/' || text[0] == '.') &&
                    std::all_of(text.begin(), text.end(), bare_char) &&
                    std::find(words_of_yaml.begin(), words_of_yaml.end(), text) == words_of_yaml.end();
  return bare ? std::string(text) : yaml_quoted(text);
}

/// `path` as a file kept in `folder` would name it; absolute paths stay as they are.
std::string path_from(const std::string& path, const fs::path& folder) {
  if (fs::path(path).is_absolute()) return path;
  const fs::path base = fs::absolute(folder.empty() ? fs::path(".") : folder).lexically_normal();
  return fs::absolute(path).lexically_normal().lexically_relative(base / "").string();
}

std::string zoo_or_path(const std::string& ref, const fs::path& folder) {
  if (!is_path(ref)) return yaml_text(ref);
  const std::string path = path_from(ref, folder);
  return yaml_text(is_path(path) ? path : "./" + path);
}

std::string written_text(const Form& form, const std::string& text, const std::string& folder) {
  if (text.empty()) return "";
  if (form.type == Type::path) return yaml_text(path_from(text, folder));
  if (form.type == Type::reference) return zoo_or_path(text, folder);
  return form.type == Type::text ? yaml_text(text) : text;  // a choice, or YAML that a row made itself
}

/// What the row of a map or list comes to; "" = nothing is written of it.
std::string written_items(const Key& key, const void* object, const std::string& folder, std::size_t indent) {
  const auto items = key.items(object);
  if (items.empty()) return "";
  const std::string blanks(indent, ' ');
  std::string out;
  if (key.form.type == Type::list) {
    for (const auto& [table, item] : items)
      out += fmt::format("\n{}  - {}", blanks, written_map(*table, item, folder));
    return out;
  }
  const auto& [table, item] = items.front();
  const std::string map = written_map(*table, item, folder, indent + 2);
  return map.starts_with("{") ? " " + map : "\n" + map;
}
}  // namespace

std::string written_value(const Form& form, const Value& value, const std::string& folder) {
  struct Writer {
    const Form& form;
    const std::string& folder;
    std::string operator()(std::monostate) const { return ""; }
    std::string operator()(bool flag) const { return flag ? "true" : "false"; }
    std::string operator()(std::int64_t n) const {
      return form.type == Type::size ? format_bytes(Bytes{n}) : fmt::format("{}", n);
    }
    std::string operator()(double x) const {
      if (form.type == Type::duration) return format_duration(x);
      return form.type == Type::rate ? fmt::format("{}/s", x) : fmt::format("{}", x);
    }
    std::string operator()(const std::string& text) const { return written_text(form, text, folder); }
  };
  return std::visit(Writer{form, folder}, value);
}

std::string written_map(const Table& table, const void* object, const std::string& folder, std::size_t indent) {
  std::vector<std::string> parts;
  bool block = table.block;
  for (const Key& key : table.keys) {
    if (key.written && !key.written(object)) continue;
    std::string text;
    if (key.get) text = written_value(key.form, key.get(object), folder);
    if (!text.empty()) text = " " + text;
    if (key.items) text = written_items(key, object, folder, indent);
    if (text.empty()) continue;
    block = block || text.starts_with("\n");
    parts.push_back(fmt::format("{}:{}", key.name, text));
  }
  if (!block) return fmt::format("{{{}}}", fmt::join(parts, ", "));
  const std::string blanks(indent, ' ');
  return blanks + fmt::format("{}", fmt::join(parts, "\n" + blanks));
}
}  // namespace stowage::keys
