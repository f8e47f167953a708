#include "cli/arguments.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

#include "base/config.hpp"
#include "base/error.hpp"
#include "base/shell.hpp"

namespace stowage::cli {
std::int64_t whole_number(std::string_view option, const std::string& text, std::int64_t min, std::int64_t max) {
  const auto value = parse_integer(text);
  if (value && *value >= min && *value <= max) return *value;
  throw InputError({}, fmt::format("{}: '{}' is not a whole number from {} to {}", option, text, min, max));
}

double positive_number(std::string_view option, const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (!text.empty() && *end == '\0' && std::isfinite(value) && value > 0) return value;
  throw InputError({}, fmt::format("{}: '{}' is not a number above 0; write it as 1.5 or 4", option, text));
}

std::string recorded_command(int argc, const char* const* argv) {
  static constexpr std::array<std::string_view, 6> flags = {"--quiet", "--force", "--iterations",
                                                            "--steps", "--assert-slo", "--commands"};
  static constexpr std::array<std::string_view, 4> with_value = {"--jobs", "--format", "-o", "--output"};
  std::string out = "stowage";
  for (int i = 1; i < argc; ++i) {
    const std::string_view arg = argv[i];
    const std::string_view name = arg.substr(0, arg.find('='));
    if (std::ranges::find(flags, name) != flags.end()) continue;
    if (arg.size() > 2 && arg.starts_with("-o")) continue;  // -oFOLDER
    if (std::ranges::find(with_value, name) != with_value.end()) {
      if (name == arg) ++i;  // its value is the next argument
      continue;
    }
    out += " " + shell_word(arg);
  }
  return out;
}
}  // namespace stowage::cli
