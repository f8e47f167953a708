#pragma once
// Aligned text: rows of cells, two spaces between columns.
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stowage::cli {

using Rows = std::vector<std::vector<std::string>>;

/// Prose is broken, and tables are made to fit, at so many columns.
inline constexpr std::size_t text_columns = 100;
/// A sentence, its first line after `first`, the others after `rest`.
[[nodiscard]] std::string wrapped(const std::string& sentence, std::string_view first = "", std::string_view rest = "");
/// Two columns, both to the left.
[[nodiscard]] std::string facts(const std::vector<std::pair<std::string, std::string>>& rows);
/// The first column to the left, the others to the right. The first row is the head.
[[nodiscard]] std::string table(const Rows& rows);
/// Columns of a line of it.
[[nodiscard]] std::size_t table_width(const Rows& rows);
/// The same rows to paste into a pull request or a ticket.
[[nodiscard]] std::string markdown_table(const Rows& rows);
}  // namespace stowage::cli
