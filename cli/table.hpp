#pragma once
// Two small ways to lay text out in columns.
#include <string>
#include <utility>
#include <vector>

namespace stowage::cli {

/// "label   value" lines, the values under each other.
[[nodiscard]] std::string facts(const std::vector<std::pair<std::string, std::string>>& rows);
/// Columns as wide as their widest cell, the first left-aligned and the others right-aligned; rows[0] is the header.
[[nodiscard]] std::string table(const std::vector<std::vector<std::string>>& rows);
}  // namespace stowage::cli
