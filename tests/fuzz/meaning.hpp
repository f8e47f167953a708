#pragma once
// What a text means, told without the project's own parsers: a number and a
// unit, or the text itself.
#include <optional>
#include <string>
#include <string_view>

namespace stowage::fuzz {

enum class Dimension { number, bytes, time, rate, bandwidth, compute };
struct Quantity {
  Dimension dimension = Dimension::number;
  double value = 0;    // in the base unit: B, s, /s, B/s, FLOP/s
  bool whole = false;  // no fraction, no exponent, no percent
};

/// nullopt: no number that people would write, or an unknown unit. "007",
/// "nan", "0x10", "1_000", ".5" and "5." are none.
[[nodiscard]] std::optional<Quantity> quantity(std::string_view text);

/// Does `shown` say what was typed? The same text, or the same quantity of the
/// same dimension. Of whole counts and bytes not one may be missing.
[[nodiscard]] bool same_meaning(std::string_view typed, std::string_view shown);
}  // namespace stowage::fuzz
