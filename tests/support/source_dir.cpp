#include "tests/support/source_dir.hpp"

namespace stowage {
const std::string& source_dir() {
  static const std::string path = STOWAGE_SOURCE_DIR;
  return path;
}
}  // namespace stowage
