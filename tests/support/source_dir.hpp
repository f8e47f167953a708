#pragma once
// The checkout under test. A function and not a macro, so that no object of a test depends on where the checkout lies.
#include <string>

namespace stowage {
/// Absolute path of the repository's root, without a slash at its end.
[[nodiscard]] const std::string& source_dir();
}  // namespace stowage
