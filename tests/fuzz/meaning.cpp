#include "tests/fuzz/meaning.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

namespace stowage::fuzz {
namespace {
struct Unit {
  std::string_view name;
  Dimension dimension;
  double scale;
};
constexpr std::array units = {
    Unit{"", Dimension::number, 1},
    Unit{"%", Dimension::number, 0.01},
    Unit{"k", Dimension::number, 1e3},
    Unit{"Ki", Dimension::number, 1024},
    Unit{"B", Dimension::bytes, 1},
    Unit{"kB", Dimension::bytes, 1e3},
    Unit{"KB", Dimension::bytes, 1e3},
    Unit{"MB", Dimension::bytes, 1e6},
    Unit{"GB", Dimension::bytes, 1e9},
    Unit{"TB", Dimension::bytes, 1e12},
    Unit{"PB", Dimension::bytes, 1e15},
    Unit{"KiB", Dimension::bytes, 0x1p10},
    Unit{"MiB", Dimension::bytes, 0x1p20},
    Unit{"GiB", Dimension::bytes, 0x1p30},
    Unit{"TiB", Dimension::bytes, 0x1p40},
    Unit{"PiB", Dimension::bytes, 0x1p50},
    Unit{"ns", Dimension::time, 1e-9},
    Unit{"us", Dimension::time, 1e-6},
    Unit{"\xc2\xb5s", Dimension::time, 1e-6},
    Unit{"ms", Dimension::time, 1e-3},
    Unit{"s", Dimension::time, 1},
    Unit{"min", Dimension::time, 60},
    Unit{"h", Dimension::time, 3600},
    Unit{"d", Dimension::time, 86400},
    Unit{"/s", Dimension::rate, 1},
    Unit{"/min", Dimension::rate, 1.0 / 60},
    Unit{"/h", Dimension::rate, 1.0 / 3600},
    Unit{"/d", Dimension::rate, 1.0 / 86400},
    Unit{"FLOP/s", Dimension::compute, 1},
    Unit{"MFLOP/s", Dimension::compute, 1e6},
    Unit{"GFLOP/s", Dimension::compute, 1e9},
    Unit{"TFLOP/s", Dimension::compute, 1e12},
    Unit{"PFLOP/s", Dimension::compute, 1e15},
    Unit{"EFLOP/s", Dimension::compute, 1e18},
};

bool digit(char c) { return c >= '0' && c <= '9'; }

/// How many characters of `text` are
/// -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?; 0 for no number.
std::size_t number_length(std::string_view text, bool& whole) {
  std::size_t i = !text.empty() && text[0] == '-' ? 1 : 0;
  const auto digits = [&] {
    const std::size_t from = i;
    while (i < text.size() && digit(text[i])) ++i;
    return i - from;
  };
  const bool zero = i < text.size() && text[i] == '0';
  const std::size_t lead = digits();
  if (lead == 0 || (zero && lead > 1)) return 0;
  whole = true;
  if (i < text.size() && text[i] == '.') {
    ++i;
    if (digits() == 0) return 0;
    whole = false;
  }
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    const std::size_t before = i++;
    if (i < text.size() && (text[i] == '+' || text[i] == '-')) ++i;
    if (digits() == 0)
      i = before;  // "1EFLOP/s"
    else
      whole = false;
  }
  return i;
}
}  // namespace

std::optional<Quantity> quantity(std::string_view text) {
  Quantity out;
  const std::size_t n = number_length(text, out.whole);
  if (n == 0) return std::nullopt;
  const double number = std::strtod(std::string(text.substr(0, n)).c_str(), nullptr);
  std::string_view unit = text.substr(n);
  while (unit.starts_with(' ')) unit.remove_prefix(1);
  double scale = 1;
  if (unit.ends_with("B/s")) {  // any size a second
    out.dimension = Dimension::bandwidth;
    unit.remove_suffix(2);
  }
  const auto found = std::find_if(units.begin(), units.end(), [&](const Unit& u) { return u.name == unit; });
  if (found == units.end()) return std::nullopt;
  if (out.dimension != Dimension::bandwidth) out.dimension = found->dimension;
  out.whole = out.whole && unit != "%";
  scale = found->scale;
  out.value = number * scale;
  if (!std::isfinite(out.value)) return std::nullopt;
  return out;
}

bool same_meaning(std::string_view typed, std::string_view shown) {
  if (typed == shown) return true;
  if (shown == "float8" && (typed == "fp8" || typed == "fp8_e4m3" || typed == "fp8_e5m2")) return true;  // vLLM's names
  const auto a = quantity(typed), b = quantity(shown);
  if (!a || !b || a->dimension != b->dimension) return false;
  // Bytes are whole: half of one may be lost of a size written with a fraction,
  // if that is nothing beside it.
  const double lost = a->dimension == Dimension::bytes && !a->whole ? 1e-6 : 1e-9;
  return std::abs(a->value - b->value) <= lost * std::max(std::abs(a->value), std::abs(b->value));
}
}  // namespace stowage::fuzz
