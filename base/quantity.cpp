// One parser for numbers with units. std::from_chars only: no locale, no octal, no hex.
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "base/config.hpp"

namespace stowage {
namespace {
struct Unit {
  std::string_view name;
  double scale;
};
struct Number {
  double value = 0;
  std::string_view unit;              // what follows the number, blanks between skipped
  std::optional<std::int64_t> whole;  // set when it was written without '.' and exponent
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// "5." and "5.e3": from_chars takes them, people do not write them.
bool bare_point(std::string_view number) {
  const auto point = number.find('.');
  return point != std::string_view::npos && (point + 1 == number.size() || !is_digit(number[point + 1]));
}

/// A number in decimal, not negative, with nothing odd about it: "007", ".5", "5.", "inf" and "0x10" are refused.
std::optional<Number> split(std::string_view text) {
  if (text.empty() || !is_digit(text[0])) return std::nullopt;
  if (text.size() > 1 && text[0] == '0' && is_digit(text[1])) return std::nullopt;
  Number out;
  const char* const end = text.data() + text.size();
  const auto [stop, ec] = std::from_chars(text.data(), end, out.value);
  const std::string_view digits(text.data(), static_cast<std::size_t>(stop - text.data()));
  if (ec != std::errc{} || !std::isfinite(out.value) || bare_point(digits)) return std::nullopt;
  if (digits.find_first_not_of("0123456789") == std::string_view::npos) {
    std::int64_t whole = 0;
    const auto [whole_stop, whole_ec] = std::from_chars(text.data(), stop, whole);
    if (whole_ec != std::errc{} || whole_stop != stop) return std::nullopt;
    out.whole = whole;
  }
  out.unit = std::string_view(stop, static_cast<std::size_t>(end - stop));
  while (!out.unit.empty() && out.unit.front() == ' ') out.unit.remove_prefix(1);
  return out;
}

std::optional<double> scaled(std::string_view text, std::span<const Unit> units) {
  const auto n = split(text);
  if (!n) return std::nullopt;
  for (const auto& u : units)
    if (n->unit == u.name) {
      const double x = n->value * u.scale;
      return std::isfinite(x) ? std::optional(x) : std::nullopt;
    }
  return std::nullopt;
}

constexpr double int64_limit = 9.2e18;  // a little under 2^63

constexpr std::array byte_units{Unit{"B", 1},        Unit{"KiB", 0x1p10}, Unit{"MiB", 0x1p20}, Unit{"GiB", 0x1p30},
                                Unit{"TiB", 0x1p40}, Unit{"PiB", 0x1p50}, Unit{"kB", 1e3},     Unit{"KB", 1e3},
                                Unit{"MB", 1e6},     Unit{"GB", 1e9},     Unit{"TB", 1e12},    Unit{"PB", 1e15}};
}  // namespace

std::optional<Bytes> parse_bytes(std::string_view text) {
  const auto n = split(text);
  if (!n) return std::nullopt;
  for (const auto& u : byte_units) {
    if (n->unit != u.name || n->value * u.scale >= int64_limit) continue;
    if (n->whole) return Bytes{*n->whole * static_cast<std::int64_t>(u.scale)};  // exact
    const double bytes = n->value * u.scale;
    if (std::abs(bytes - std::round(bytes)) > 1e-6 * bytes) return std::nullopt;  // "1.5B": not a rounding
    return Bytes{std::llround(bytes)};
  }
  return std::nullopt;
}

std::optional<double> parse_duration_ns(std::string_view text) {
  static constexpr std::array units{Unit{"ns", 1},  Unit{"us", 1e3},   Unit{"µs", 1e3},   Unit{"ms", 1e6},
                                    Unit{"s", 1e9}, Unit{"min", 60e9}, Unit{"h", 3600e9}, Unit{"d", 86400e9}};
  const auto ns = scaled(text, units);
  return ns && *ns < int64_limit ? ns : std::nullopt;
}

std::optional<double> parse_rate_per_s(std::string_view text) {
  // Divided, not multiplied by a rounded 1/60: "60/min" is 1/s exactly.
  static constexpr std::array units{Unit{"/s", 1}, Unit{"/min", 60}, Unit{"/h", 3600}, Unit{"/d", 86400}};
  const auto n = split(text);
  if (!n) return std::nullopt;
  for (const auto& u : units)
    if (n->unit == u.name) return n->value / u.scale;
  return std::nullopt;
}

std::optional<double> parse_bytes_per_s(std::string_view text) {
  static constexpr std::array units{Unit{"B/s", 1},        Unit{"kB/s", 1e3},     Unit{"KB/s", 1e3},
                                    Unit{"MB/s", 1e6},     Unit{"GB/s", 1e9},     Unit{"TB/s", 1e12},
                                    Unit{"PB/s", 1e15},    Unit{"KiB/s", 0x1p10}, Unit{"MiB/s", 0x1p20},
                                    Unit{"GiB/s", 0x1p30}, Unit{"TiB/s", 0x1p40}, Unit{"PiB/s", 0x1p50}};
  return scaled(text, units);
}

std::optional<double> parse_flop_per_s(std::string_view text) {
  static constexpr std::array units{Unit{"FLOP/s", 1},     Unit{"MFLOP/s", 1e6},  Unit{"GFLOP/s", 1e9},
                                    Unit{"TFLOP/s", 1e12}, Unit{"PFLOP/s", 1e15}, Unit{"EFLOP/s", 1e18}};
  return scaled(text, units);
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  const bool negative = !text.empty() && text[0] == '-';
  const auto n = split(negative ? text.substr(1) : text);
  if (!n || !n->whole) return std::nullopt;
  // "8 k" is refused: a suffix belongs to its number.
  if (!n->unit.empty() && !is_digit(n->unit.data()[-1])) return std::nullopt;
  std::int64_t scale = 0;
  if (n->unit.empty() && is_digit(text.back())) scale = 1;
  if (n->unit == "k") scale = 1000;
  if (n->unit == "Ki") scale = 1024;
  if (scale == 0 || *n->whole > std::numeric_limits<std::int64_t>::max() / scale) return std::nullopt;
  return *n->whole * (negative ? -scale : scale);
}

std::optional<double> parse_number(std::string_view text) {
  const bool percent = !text.empty() && text.back() == '%';
  if (percent) text.remove_suffix(1);
  // from_chars also takes "inf", "nan" and "010": a number here starts with a digit and has no leading zero.
  const std::string_view digits = !text.empty() && text[0] == '-' ? text.substr(1) : text;
  if (digits.empty() || digits[0] < '0' || digits[0] > '9') return std::nullopt;
  if (digits.size() > 1 && digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9') return std::nullopt;
  double value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, ec] = std::from_chars(text.data(), end, value);
  if (ec != std::errc{} || stop != end || !std::isfinite(value) || bare_point(text)) return std::nullopt;
  return percent ? value / 100 : value;
}

std::string format_duration(double ns) {
  static constexpr std::array units{Unit{"s", 1e9}, Unit{"ms", 1e6}, Unit{"us", 1e3}};
  if (ns == 0) return "0s";
  // A quotient may round so that the product is another number: then a smaller unit, ns at last, is exact.
  for (const auto& u : units) {
    std::string text = fmt::format("{}{}", ns / u.scale, u.name);
    if (ns >= u.scale && parse_duration_ns(text) == ns) return text;
  }
  return fmt::format("{}ns", ns);
}

std::string format_bytes(Bytes value) {
  static constexpr std::array names{"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  std::int64_t n = value.count();
  std::size_t i = 0;
  while (n != 0 && n % 1024 == 0 && i + 1 < names.size()) {
    n /= 1024;
    ++i;
  }
  return fmt::format("{}{}", n, names[i]);
}
}  // namespace stowage
