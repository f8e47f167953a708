#include "traces/csv.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/error.hpp"
#include "base/read_file.hpp"

namespace stowage::csv {
namespace {
std::string_view trimmed(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}
}  // namespace

std::string shown(std::string_view text) {
  std::string out(text.substr(0, 40));
  for (char& c : out) {
    if (c < ' ' || c == '\x7f') c = '?';
  }
  return text.size() > 40 ? out + "..." : out;
}

std::vector<std::string_view> header_names(std::string_view header) {
  std::vector<std::string_view> names;
  while (true) {
    const std::size_t comma = header.find(',');
    std::string_view name = trimmed(header.substr(0, comma));
    if (name.size() >= 2 && name.front() == '"' && name.back() == '"') name = name.substr(1, name.size() - 2);
    names.push_back(name);
    if (comma == std::string_view::npos) return names;
    header.remove_prefix(comma + 1);
  }
}

std::optional<Columns> find_columns(std::string_view header, const std::array<std::string_view, 3>& names) {
  const auto all = header_names(header);
  Columns columns{names, {}, all.size()};
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (std::count(all.begin(), all.end(), names[i]) != 1) return std::nullopt;
    columns.at[i] = static_cast<std::size_t>(std::find(all.begin(), all.end(), names[i]) - all.begin());
  }
  return columns;
}

std::string_view first_line(std::string_view text) {
  text = text.substr(0, text.find('\n'));
  if (text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

ReaderBase::ReaderBase(std::string_view text, std::string file, const std::array<std::string_view, 3>& names)
    : begin_(text.data()),
      next_(text.data() + std::min(text.find('\n'), text.size() - 1) + 1),
      end_(text.data() + text.size()),
      file_(std::move(file)) {
  const auto columns = find_columns(first_line(text), names);
  STOWAGE_ASSERT(columns.has_value());
  columns_ = *columns;
  in_order_ = columns_.in_order();
  fields_.reserve(columns_.count);
}

void ReaderBase::fail(const char* at, const std::string& message) const {
  throw InputError({file_, line_, static_cast<int>(at - row_) + 1}, message);
}

void ReaderBase::fail_field(std::size_t i, const std::string& why) const {
  fail(field(i).data(), fmt::format("{} '{}' {}", columns_.names[i], shown(field(i)), why));
}

bool ReaderBase::split_row() {
  const char* row_end = nullptr;
  do {  // blank lines are not rows
    if (next_ == end_) return false;
    row_ = next_;
    ++line_;
    const void* const newline = std::memchr(row_, '\n', static_cast<std::size_t>(end_ - row_));
    row_end = newline == nullptr ? end_ : static_cast<const char*>(newline);
    next_ = newline == nullptr ? end_ : row_end + 1;
    if (row_end != row_ && row_end[-1] == '\r') --row_end;
  } while (row_end == row_);

  if (static_cast<std::size_t>(row_end - row_) > line_bytes_max)
    fail(row_, fmt::format("a row of more than {} MiB; is this the right file?", line_bytes_max >> 20));
  if (const void* nul = std::memchr(row_, '\0', static_cast<std::size_t>(row_end - row_))) {
    fail(static_cast<const char*>(nul), "there is a NUL byte here; the file is damaged or is not plain text");
  }
  fields_.clear();
  for (const char* p = row_; (p = split_field(p, row_end)) != row_end;) {
    ++p;  // a comma: another field follows, perhaps an empty one
    if (p == row_end) {
      fields_.emplace_back(p, 0);
      break;
    }
  }
  if (fields_.size() != columns_.count) {
    fail(row_end, fmt::format("this row has {} of {} fields ('{}'); {}", fields_.size(), columns_.count,
                              shown({row_, static_cast<std::size_t>(row_end - row_)}),
                              next_ == end_ ? "the file is cut short: fetch it again, or delete its last line"
                                            : "mend or delete the row"));
  }
  return true;
}

/// Adds the field that begins at `p` and returns where it ends: a comma or the end of the row.
const char* ReaderBase::split_field(const char* p, const char* row_end) {
  const auto comma_after = [row_end](const char* from) { return std::find(from, row_end, ','); };
  if (*p != '"') {
    const char* const stop = comma_after(p);
    fields_.push_back(trimmed({p, static_cast<std::size_t>(stop - p)}));
    return stop;
  }
  const char* close = p + 1;
  while (true) {
    close = std::find(close, row_end, '"');
    if (close == row_end) fail(p, "the quote opened here is not closed on this line; close it");
    if (close + 1 == row_end || close[1] != '"') break;
    close += 2;  // "" within quotes is a quote
  }
  if (close + 1 != row_end && close[1] != ',') fail(close + 1, "after a closing quote there must be a comma");
  fields_.push_back(trimmed({p + 1, static_cast<std::size_t>(close - p - 1)}));
  return close + 1;
}

std::int32_t ReaderBase::tokens(std::size_t i) const {
  const std::string_view text = field(i);
  if (text.empty()) fail_field(i, "is empty; write the number of tokens");
  const bool negative = text.front() == '-';
  std::int64_t value = 0;
  for (const char c : text.substr(negative ? 1 : 0)) {
    if (c < '0' || c > '9') fail_field(i, "is not a whole number of tokens; write digits only");
    value = std::min<std::int64_t>(value * 10 + (c - '0'), std::int64_t{max_length_tokens} + 1);
  }
  if (negative) {
    fail_field(i, text.size() == 1 ? "is not a whole number of tokens; write digits only"
                                   : "is negative; a length is 0 or more tokens");
  }
  if (value > max_length_tokens) fail_field(i, "is more than 10,000,000 tokens; mend or delete the row");
  return static_cast<std::int32_t>(value);
}
}  // namespace stowage::csv
