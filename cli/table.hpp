#pragma once
// Aligned text: rows of cells, two spaces between columns.
#include <string>
#include <utility>
#include <vector>

namespace stowage::cli {

using Rows = std::vector<std::vector<std::string>>;

/// Two columns, both to the left.
[[nodiscard]] std::string facts(const std::vector<std::pair<std::string, std::string>>& rows);
/// The first column to the left, the others to the right. The first row is the head.
[[nodiscard]] std::string table(const Rows& rows);
/// Columns of a line of it.
[[nodiscard]] std::size_t table_width(const Rows& rows);
/// The same rows to paste into a pull request or a ticket.
[[nodiscard]] std::string markdown_table(const Rows& rows);
}  // namespace stowage::cli
