#include "base/csv_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "base/config.hpp"
#include "base/error.hpp"

namespace stowage {

CsvTable::CsvTable(LineReader& lines, std::initializer_list<std::string_view> needed, std::string whole)
    : lines_(lines), whole_(std::move(whole)) {
  if (!split()) throw InputError({lines_.path(), 0, 0}, fmt::format("the file is empty; it should be {}", whole_));
  width_ = fields_.size();
  std::vector<std::string> twice;
  for (std::size_t i = 0; i < width_; ++i)
    if (!columns_.emplace(fields_[i], i).second) twice.emplace_back(fields_[i]);
  for (const auto name : needed) {
    if (!columns_.contains(name)) fail(fmt::format("no column '{}'", name));
    if (std::ranges::find(twice, name) != twice.end()) fail(fmt::format("the column '{}' is there twice", name));
  }
}

bool CsvTable::next() {
  if (!split()) return false;
  if (fields_.size() != width_)
    fail(fmt::format("{} fields, and the header has {}: a torn row", fields_.size(), width_));
  return true;
}

bool CsvTable::split() {
  std::string_view line;
  do
    if (!lines_.next(line)) return false;
  while (line.empty());
  line_ = lines_.number();
  fields_.clear();
  if (line.find('"') == std::string_view::npos) {
    for (;;) {
      const auto comma = line.find(',');
      fields_.push_back(line.substr(0, comma));
      if (comma == std::string_view::npos) return true;
      line.remove_prefix(comma + 1);
    }
  }
  // Quoted: a field may hold commas, quotes (doubled) and line breaks. A row with an odd number of quotes goes on.
  row_ = line;
  while (std::ranges::count(row_, '"') % 2 == 1) {
    if (!lines_.next(line) || row_.size() > line_bytes_max) fail("a quote is opened and not closed");
    (row_ += '\n') += line;
  }
  unquoted_.assign(1, "");
  bool quoted = false;
  for (std::size_t i = 0; i < row_.size(); ++i) {
    if (row_[i] == '"' && quoted && i + 1 < row_.size() && row_[i + 1] == '"')
      unquoted_.back() += row_[i++];
    else if (row_[i] == '"')
      quoted = !quoted;
    else if (row_[i] == ',' && !quoted)
      unquoted_.emplace_back();
    else
      unquoted_.back() += row_[i];
  }
  fields_.assign(unquoted_.begin(), unquoted_.end());
  return true;
}

std::string_view CsvTable::text(std::string_view column) const {
  const auto at = columns_.find(column);
  STOWAGE_ASSERT(at != columns_.end());
  return fields_[at->second];
}

std::int64_t CsvTable::integer(std::string_view column, std::int64_t min, std::int64_t max) const {
  const std::string_view field = text(column);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
  if (error != std::errc{} || end != field.data() + field.size() || value < min || value > max)
    fail(column, fmt::format("'{}' is not a whole number from {} to {}", shown(field), min, max));
  return value;
}

double CsvTable::number(std::string_view column, double min, double max) const {
  const std::string_view field = text(column);
  double value = NAN;
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
  if (error != std::errc{} || end != field.data() + field.size() || !(value >= min && value <= max))
    fail(column, fmt::format("'{}' is not a number from {} to {}", shown(field), min, max));
  return value;
}

void CsvTable::fail(std::string_view column, const std::string& why) const {
  fail(fmt::format("{}: {}", shown(column), why));
}

void CsvTable::fail(const std::string& why) const {
  throw InputError({lines_.path(), line_, 0}, fmt::format("{}; it should be {}", why, whole_));
}
}  // namespace stowage
