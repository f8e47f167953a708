#include "models/llm/quantization/patterns.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace stowage {
namespace {
constexpr std::size_t regex_chars_max = 256;

/// What wrappers put before "layers": "model.language_model.layers.0" and "layers.0" are one module.
std::string_view without_prefix(std::string_view name) {
  constexpr std::array<std::string_view, 5> prefixes = {"model.", "language_model.", "backbone.", "transformer.",
                                                        "llm."};
  for (bool more = true; more;) {
    more = false;
    for (const auto prefix : prefixes)
      if (name.starts_with(prefix)) name.remove_prefix(prefix.size()), more = true;
  }
  return name;
}

bool glob(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0, star = std::string_view::npos, from = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      from = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p, ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++from;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}
}  // namespace

bool ModulePatterns::Pattern::matches(const std::string& name) const {
  if (regex) {
    const std::string whole = "model." + name;
    return std::regex_search(whole, *regex, std::regex_constants::match_continuous) ||
           std::regex_search(name, *regex, std::regex_constants::match_continuous);
  }
  if (text.find('*') != std::string::npos)
    return glob(text, name) || glob(text + ".*", name) || glob(text, "." + name) || glob(text, name + ".");
  return ("." + name + ".").find("." + text + ".") != std::string::npos;
}

bool ModulePatterns::add(std::string_view pattern, std::size_t value) {
  ++size_;
  if (pattern.starts_with("re:")) {
    if (pattern.size() > regex_chars_max) return false;
    try {
      Pattern made{{}, std::regex(std::string(pattern.substr(3))), value};
      const bool digits = std::ranges::any_of(pattern, [](char c) { return c >= '0' && c <= '9'; });
      (digits ? numbered_ : of_any_).push_back(std::move(made));
    } catch (const std::regex_error&) { return false; }
    return true;
  }
  const std::string_view text = without_prefix(pattern);
  constexpr std::string_view layers = "layers.";
  if (text.starts_with(layers)) {
    const char* const begin = text.data() + layers.size();
    std::int64_t layer = 0;
    const auto [end, error] = std::from_chars(begin, text.data() + text.size(), layer);
    const std::string_view rest(end, static_cast<std::size_t>(text.data() + text.size() - end));
    if (error == std::errc{} && (rest.empty() || rest.front() == '.')) {
      of_layer_[layer].push_back({std::string(rest.substr(rest.empty() ? 0 : 1)), {}, value});
      return true;
    }
    if (error == std::errc{}) {
      numbered_.push_back({std::string(text), {}, value});
      return true;
    }
  }
  of_any_.push_back({std::string(text), {}, value});
  return true;
}

std::optional<std::size_t> ModulePatterns::find(std::int64_t layer, const std::string& name) const {
  const auto first = [](const std::vector<Pattern>& patterns, const std::string& of) -> std::optional<std::size_t> {
    const auto it = std::ranges::find_if(patterns, [&](const Pattern& p) { return p.matches(of); });
    return it == patterns.end() ? std::nullopt : std::optional(it->value);
  };
  if (layer < 0) return first(of_any_, name);
  if (const auto it = of_layer_.find(layer); it != of_layer_.end()) {
    for (const Pattern& p : it->second)
      if (p.text.empty() || p.text == "*" || p.matches(name)) return p.value;
  }
  if (const auto any = first(of_any_, "layers.0." + name)) return any;
  return numbered_.empty() ? std::nullopt : first(numbered_, "layers." + std::to_string(layer) + "." + name);
}
}  // namespace stowage
