// A value written back as one line of YAML.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/config.hpp"

namespace stowage {
namespace {
/// Bare where nothing could mistake it for something else, else in double quotes.
std::string scalar(std::string_view text) {
  constexpr std::string_view plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./+-%";
  constexpr std::array<std::string_view, 7> words_of_yaml = {"null", "Null", "NULL", "~", "-", "---", "..."};
  const bool bare = !text.empty() && text.find_first_not_of(plain) == std::string_view::npos && text[0] != '%' &&
                    std::find(words_of_yaml.begin(), words_of_yaml.end(), text) == words_of_yaml.end();
  return bare ? std::string(text) : yaml_quoted(text);
}
}  // namespace

std::string yaml_quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\')
      out += fmt::format("\\{}", c);
    else if (byte < 0x20 || byte == 0x7f)
      out += fmt::format("\\x{:02x}", byte);
    else
      out += c;
  }
  return out + "\"";
}

std::string flow_text(const ConfigNode& node) {
  std::vector<std::string> parts;
  switch (node.kind()) {
    case ConfigNode::Kind::missing:
    case ConfigNode::Kind::null:
      return "null";
    case ConfigNode::Kind::scalar:
      return scalar(node.text());
    case ConfigNode::Kind::list:
      for (std::size_t i = 0; i < node.size(); ++i) parts.push_back(flow_text(node[i]));
      return fmt::format("[{}]", fmt::join(parts, ", "));
    case ConfigNode::Kind::map:
      for (const auto& [key, value] : node.entries())
        parts.push_back(fmt::format("{}: {}", scalar(key), flow_text(value)));
      return fmt::format("{{{}}}", fmt::join(parts, ", "));
  }
  return {};
}
}  // namespace stowage
