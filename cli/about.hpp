#pragma once
// What the program says about itself.
#include <string>

namespace stowage::cli {

/// "0.1.0", and with the commit it was built from: "0.1.0 (1a2b3c4)".
[[nodiscard]] std::string version();
/// The text of --version: version, compiler, build type, whether charts are built in.
[[nodiscard]] std::string version_text();
/// The text of --licenses.
[[nodiscard]] std::string licences_text();
}  // namespace stowage::cli
