#include "models/llm/huggingface/reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace stowage {

bool given(const ConfigNode& map, std::string_view key) {
  const auto kind = map.get(key).kind();
  return kind != ConfigNode::Kind::missing && kind != ConfigNode::Kind::null;
}

std::string scalar_text(const ConfigNode& node) {
  return node.kind() == ConfigNode::Kind::scalar ? node.text() : std::string{};
}

std::string_view Reader::found(Names names) const {
  const auto it = std::ranges::find_if(names, [&](std::string_view name) { return given(root_, name); });
  return it == names.end() ? std::string_view{} : *it;
}

std::optional<std::int64_t> Reader::usual(Names names) const {
  for (const Default& row : defaults_)
    if (std::ranges::find(names, row.key) != names.end()) return row.value;
  return std::nullopt;
}

std::int64_t Reader::number(Names names, std::int64_t min, std::optional<std::int64_t> fallback, std::int64_t max) {
  if (const auto name = found(names); !name.empty()) return map_.integer(name, min, max);
  if (const auto value = usual(names)) return *value;
  return fallback ? *fallback : map_.integer(*names.begin(), min, max);
}

bool Reader::flag(Names names, bool fallback) {
  if (const auto name = found(names); !name.empty()) return map_.flag(name);
  return usual(names).value_or(fallback ? 1 : 0) != 0;
}

bool Reader::outer_flag(std::string_view key, bool fallback) {
  if (given(root_, key)) return map_.flag(key);
  return given(outer_, key) ? outer_map_.flag(key) : fallback;
}

std::optional<std::vector<std::int64_t>> Reader::numbers(std::string_view key, std::size_t length) {
  const ConfigNode list = root_.get(key);
  if (list.kind() != ConfigNode::Kind::list) return std::nullopt;
  if (length > 0 && list.size() < length) {
    problem(key, fmt::format("{} has {} entries for {} layers", key, list.size(), length));
    return std::vector<std::int64_t>(length);
  }
  std::vector<std::int64_t> out;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const auto n = parse_integer(scalar_text(list[i]));
    if (!n || *n < 0 || *n > config_size_max) {
      problem(key, fmt::format("{}[{}] is no whole number of 0 to {}", key, i, config_size_max));
      return std::vector<std::int64_t>(std::max(length, out.size()));
    }
    out.push_back(*n);
  }
  return out;
}

Dtype Reader::dtype() {
  static constexpr std::array<std::string_view, 3> names = {"bfloat16", "float16", "float32"};
  for (const auto key : {"dtype", "torch_dtype"}) {
    const bool inner = given(root_, key);
    if (!inner && !given(outer_, key)) continue;
    return (inner ? map_ : outer_map_).choice(key, names) == 0 ? Dtype::bfloat16 : Dtype::float16;
  }
  return Dtype::float16;
}

ConfigNode Reader::quantization() const {
  return given(root_, "quantization_config") ? root_.get("quantization_config") : outer_.get("quantization_config");
}
}  // namespace stowage
