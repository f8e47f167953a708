#include "reports/text.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <utility>

#include "base/error.hpp"

namespace stowage::text {
namespace {
std::string group_thousands(std::string digits) {
  std::size_t end = digits.find('.');
  if (end == std::string::npos) end = digits.size();
  const std::size_t first = !digits.empty() && digits[0] == '-' ? 1 : 0;
  while (end > first + 3) {
    end -= 3;
    digits.insert(end, ",");
  }
  return digits;
}

/// Three significant digits without an exponent. Zeros after the point stay where digits were cut ("9.20"), and go
/// where the number is exact ("512", "2.5").
std::string significant(double x) {
  if (!std::isfinite(x)) return "–";
  if (x == 0) return "0";
  // log10 of the rounded value: 999.6 is "1,000", not "1000.0".
  const double magnitude = std::floor(std::log10(std::abs(x)) + 1e-12);
  const double step = std::pow(10.0, magnitude - 2);
  const double rounded = std::abs(x) >= 100 ? std::round(x) : std::round(x / step) * step;
  const int order = static_cast<int>(std::floor(std::log10(std::abs(rounded)) + 1e-12));
  const int decimals = std::max(0, 2 - order);
  std::string out = fmt::format("{:.{}f}", rounded, decimals);
  const bool exact = std::abs(x - rounded) <= 1e-9 * std::abs(x);
  if (exact && out.find('.') != std::string::npos) {
    out.erase(out.find_last_not_of('0') + 1);
    if (out.back() == '.') out.pop_back();
  }
  return group_thousands(out);
}

struct Unit {
  double size;
  const char* name;
};

/// The largest unit in which the rounded number is at least 1.
template <std::size_t N>
std::string with_unit(double x, const std::array<Unit, N>& units) {
  std::size_t i = N - 1;
  while (i > 0 && std::abs(x) < units[i].size * 0.9995) --i;
  return significant(x / units[i].size) + " " + units[i].name;
}
}  // namespace

std::string duration(double ns) {
  if (!std::isfinite(ns)) return "–";
  if (ns == 0) return "0 s";
  static constexpr std::array<Unit, 4> units = {{{1, "ns"}, {1e3, "us"}, {1e6, "ms"}, {1e9, "s"}}};
  if (std::abs(ns) < 600e9) return with_unit(ns, units);
  return std::abs(ns) < 7200e9 ? significant(ns / 60e9) + " min" : significant(ns / 3600e9) + " h";
}

std::string bytes(double value) {
  if (!std::isfinite(value)) return "–";
  static constexpr std::array<Unit, 5> units = {
      {{1, "B"}, {1024, "KiB"}, {1048576, "MiB"}, {1073741824, "GiB"}, {1099511627776, "TiB"}}};
  return with_unit(value, units);
}

std::string count(std::uint64_t n) { return group_thousands(std::to_string(n)); }

std::string number(double x) { return significant(x); }

std::string percent(double fraction) {
  if (!std::isfinite(fraction)) return "–";
  const double p = fraction * 100;
  if (p != 0 && std::abs(p) < 0.01) return p > 0 ? "< 0.01 %" : "> -0.01 %";
  // Below one percent two decimals are enough: a share of a share of a percent decides nothing.
  return (p != 0 && std::abs(p) < 1 ? fmt::format("{:.2f}", p) : significant(p)) + " %";
}

std::string times(double ratio) { return significant(ratio) + " times"; }

std::string list(const std::vector<std::string>& items) {
  std::string out;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out += i + 1 == items.size() ? " and " : ", ";
    out += items[i];
  }
  return out;
}

std::string plural(std::uint64_t n, std::string_view noun) {
  return count(n) + " " + std::string(noun) + (n == 1 ? "" : "s");
}

std::string html(std::string_view raw) {
  std::string out;
  out.reserve(raw.size() + raw.size() / 8);
  while (!raw.empty()) {
    const std::size_t n = utf8_length(raw);
    const char c = raw[0];
    if (n == 0)
      out += "\xEF\xBF\xBD";
    else if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '"')
      out += "&quot;";
    else if (c == '\'')
      out += "&#39;";
    else if (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t')
      out += "\xEF\xBF\xBD";
    else
      out += raw.substr(0, n);
    raw.remove_prefix(n == 0 ? 1 : n);
  }
  return out;
}

std::string html_sentence(std::string_view raw) {
  std::string out;
  const std::string escaped = html(raw);
  // A number is a word of digits and their signs: "8.96", "(1,024"; the 16 of "paged-16" is part of a name.
  const auto number_ends_at = [&](std::size_t i) {
    bool digits = false;
    while (i > 0 && std::string_view("0123456789.,(").find(escaped[i - 1]) != std::string_view::npos) {
      --i;
      digits = digits || (escaped[i] >= '0' && escaped[i] <= '9');
    }
    return digits && (i == 0 || escaped[i - 1] == ' ');
  };
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '%'; };
  for (std::size_t i = 0; i < escaped.size(); ++i) {
    const bool inside = i > 0 && i + 1 < escaped.size();
    const bool joins = inside && escaped[i] == ' ' && number_ends_at(i) && letter(escaped[i + 1]);
    out += joins ? std::string("\xC2\xA0") : std::string(1, escaped[i]);
  }
  return out;
}

std::string printable(std::string_view raw) {
  std::string out;
  while (!raw.empty()) {
    const std::size_t n = utf8_length(raw);
    const auto c = static_cast<unsigned char>(raw[0]);
    // C0, DEL, and the C1 controls U+0080..U+009F, which some terminals obey.
    const bool control = c < 0x20 || c == 0x7F || (n == 2 && c == 0xC2 && static_cast<unsigned char>(raw[1]) < 0xA0);
    if (n == 0 || control)
      out += '?';
    else
      out += raw.substr(0, n);
    raw.remove_prefix(n == 0 ? 1 : n);
  }
  return out;
}

std::string markdown(std::string_view raw) {
  std::string out;
  for (const char c : printable(raw)) {
    if (std::string_view("|\\`*_<>[]#&").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

std::string csv_field(std::string_view raw) {
  if (raw.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(raw);
  std::string out = "\"";
  for (const char c : raw) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

std::size_t width(std::string_view utf8) {
  std::size_t n = 0;
  for (const char c : utf8) n += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return n;
}

std::string fit(std::string_view utf8, std::size_t columns) {
  if (width(utf8) <= columns) return std::string(utf8);
  if (columns == 0) return "";
  std::size_t end = 0, seen = 0;
  while (end < utf8.size() && seen + 1 < columns) {
    const std::size_t n = utf8_length(utf8.substr(end));
    end += n == 0 ? 1 : n;
    ++seen;
  }
  return std::string(utf8.substr(0, end)) + "…";
}

std::vector<std::string> wrap(std::string_view utf8, std::size_t columns) {
  std::vector<std::string> lines;
  std::string line;
  while (!utf8.empty()) {
    const std::size_t space = utf8.find(' ');
    const std::string word = fit(utf8.substr(0, space), columns);
    utf8.remove_prefix(space == std::string_view::npos ? utf8.size() : space + 1);
    if (word.empty()) continue;
    if (!line.empty() && width(line) + 1 + width(word) > columns)
      lines.push_back(std::exchange(line, word));
    else
      line += (line.empty() ? "" : " ") + word;
  }
  if (!line.empty()) lines.push_back(line);
  return lines;
}
}  // namespace stowage::text
