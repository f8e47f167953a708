#pragma once
// Texts that are typed where a value or a key should be.
#include <span>
#include <string>
#include <string_view>

#include "base/rng.hpp"

namespace stowage::fuzz {

/// Texts that are wrong nearly everywhere, right somewhere: other units, other
/// types, YAML's own signs, odd bytes.
[[nodiscard]] std::span<const std::string_view> nonsense();
/// A text near `value`: its unit lost or another's, its sign, a digit, a
/// letter, blanks, quotes.
[[nodiscard]] std::string near_miss(const std::string& value, Rng& rng);
/// A key that is mistyped, or written as another program would.
[[nodiscard]] std::string mistyped(const std::string& key, Rng& rng);
}  // namespace stowage::fuzz
