#include "cli/table.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "reports/text.hpp"

namespace stowage::cli {
namespace {
std::vector<std::size_t> widths_of(const Rows& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], text::width(row[i]));
  }
  return widths;
}
}  // namespace

std::string wrapped(const std::string& sentence, std::string_view first, std::string_view rest) {
  std::string out;
  for (const auto& line : text::wrap(text::printable(sentence), text_columns - std::max(first.size(), rest.size())))
    out += fmt::format("{}{}\n", out.empty() ? first : rest, line);
  return out;
}

std::string facts(const std::vector<std::pair<std::string, std::string>>& rows) {
  std::size_t widest = 0;
  for (const auto& [label, value] : rows) widest = std::max(widest, text::width(label));
  std::string out;
  for (const auto& [label, value] : rows) {
    out += label + std::string(widest - text::width(label) + 2, ' ') + value + "\n";
  }
  return out;
}

std::string table(const Rows& rows) {
  const std::vector<std::size_t> widths = widths_of(rows);
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string pad(widths[i] - text::width(row[i]), ' ');
      line += i == 0 ? row[i] + pad : "  " + pad + row[i];
    }
    out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return out;
}

std::size_t table_width(const Rows& rows) {
  std::size_t out = 0;
  for (const std::size_t width : widths_of(rows)) out += width + (out == 0 ? 0 : 2);
  return out;
}

std::string markdown_table(const Rows& rows) {
  if (rows.empty()) return "";
  const std::size_t columns = widths_of(rows).size();
  std::string out;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    out += "|";
    for (std::size_t i = 0; i < columns; ++i)
      out +=
          " " +
          (i < rows[r].size()
               ? text::markdown(rows[r][i].substr(std::min(rows[r][i].find_first_not_of(' '), rows[r][i].size()))) + " "
               : "") +
          "|";
    out += "\n";
    if (r > 0) continue;
    out += "|:--|";
    for (std::size_t i = 1; i < columns; ++i) out += "--:|";
    out += "\n";
  }
  return out;
}
}  // namespace stowage::cli
