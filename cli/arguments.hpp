#pragma once
// Words of a command line: numbers in them, and the whole as a report tells it.
#include <cstdint>
#include <string>
#include <string_view>

namespace stowage::cli {

/// Throw InputError naming `option` ("--jobs").
[[nodiscard]] std::int64_t whole_number(std::string_view option, const std::string& text, std::int64_t min,
                                        std::int64_t max);
[[nodiscard]] double positive_number(std::string_view option, const std::string& text);

/// The command without what has no part in the result: what is shown, where it goes, how fast.
[[nodiscard]] std::string recorded_command(int argc, const char* const* argv);
}  // namespace stowage::cli
