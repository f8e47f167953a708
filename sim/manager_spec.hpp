#pragma once
// A memory manager as a scenario asks for it. What its keys mean is its row's (sim/kv/registry.hpp).
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <variant>

namespace stowage {

/// tokens, bytes and counts are int64, flags too (0 or 1); fractions double; choices string.
using ParamValue = std::variant<std::int64_t, double, std::string>;

/// A manager as a scenario asks for it, defaults filled in.
struct ManagerSpec {
  std::string kind;
  std::string name;  // unique within a scenario; default_name(spec) when not given
  std::map<std::string, ParamValue, std::less<>> params;

  [[nodiscard]] std::int64_t integer(std::string_view param) const;
  /// Off where it was left out.
  [[nodiscard]] bool flag(std::string_view param) const;
  [[nodiscard]] double fraction(std::string_view param) const;
  [[nodiscard]] const std::string& choice(std::string_view param) const;
};
}  // namespace stowage
