#pragma once
// Tables of comma-separated values (RFC 4180) that were measured or saved: columns by name, each number with its range,
// what is wrong with file:line and the column. Requests of traces have a faster reader of their own (traces/csv.hpp).
#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/read_file.hpp"

namespace stowage {

class CsvTable {
 public:
  /// Reads the header. Throws InputError when there is none, or it has one of `needed` not once. `whole` says what the
  /// table should be, for messages: "requests.csv as `stowage run -o` writes it".
  CsvTable(LineReader& lines, std::initializer_list<std::string_view> needed, std::string whole);

  /// The next row; false at the end. Blank lines are passed over. Throws for a row of other fields than the header's.
  bool next();
  [[nodiscard]] bool has(std::string_view column) const { return columns_.contains(column); }
  [[nodiscard]] int line() const { return line_; }

  // --- Fields of the row; the column is in the header.
  [[nodiscard]] std::string_view text(std::string_view column) const;
  /// Throw InputError at the field when it is no such number or lies outside [min, max].
  [[nodiscard]] std::int64_t integer(std::string_view column, std::int64_t min, std::int64_t max) const;
  [[nodiscard]] double number(std::string_view column, double min, double max) const;
  /// "file:line: error: column: why; is this ...?"
  [[noreturn]] void fail(std::string_view column, const std::string& why) const;
  [[noreturn]] void fail(const std::string& why) const;  // of the row

 private:
  bool split();

  LineReader& lines_;
  std::string whole_, row_;
  std::vector<std::string_view> fields_;
  std::vector<std::string> unquoted_;  // of the fields that stood in quotes
  std::map<std::string, std::size_t, std::less<>> columns_;
  std::size_t width_ = 0;
  int line_ = 0;
};
}  // namespace stowage
