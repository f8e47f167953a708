#pragma once
// Reading comma-separated traces. Columns are found by name in the header. A row in the plain form (three columns in
// order, digits, no quotes) is taken 8 bytes at a time; anything else about a row goes to the careful parser, which
// knows quotes, spaces, other columns, and says what is wrong and where.
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "traces/format.hpp"
#include "traces/workload.hpp"

namespace stowage::csv {

/// Where the wanted columns are. names[i] is at index at[i] of `count` columns.
struct Columns {
  std::array<std::string_view, 3> names;  // time, prompt, output
  std::array<std::size_t, 3> at{};
  std::size_t count = 0;
  [[nodiscard]] bool in_order() const { return count == 3 && at[0] == 0 && at[1] == 1 && at[2] == 2; }
};
/// None unless every name occurs exactly once.
[[nodiscard]] std::optional<Columns> find_columns(std::string_view header,
                                                  const std::array<std::string_view, 3>& names);
/// The names in a header line, unquoted and trimmed.
[[nodiscard]] std::vector<std::string_view> header_names(std::string_view header);
/// The text before the first line end.
[[nodiscard]] std::string_view first_line(std::string_view text);
/// Up to 40 characters of user input for a message, unprintable ones as '?'.
[[nodiscard]] std::string shown(std::string_view text);

// --- Digits, eight at a time (little-endian) ------------------------------------------------------------------------
static_assert(std::endian::native == std::endian::little);

struct Digits {
  std::uint64_t value = 0;
  unsigned count = 0;  // leading digits among the 8 bytes
};
/// Reads 8 bytes at `p`.
[[nodiscard]] inline Digits digits8(const char* p) {
  std::uint64_t word = 0;
  std::memcpy(&word, p, 8);
  std::uint64_t x = word ^ 0x3030303030303030ULL;  // digits become 0 ... 9
  // 0x76 + x sets a byte's high bit when x > 9; a carry spoils later bytes only, and the first one is what counts.
  const std::uint64_t other = ((x + 0x7676767676767676ULL) | x) & 0x8080808080808080ULL;
  const unsigned count = other == 0 ? 8U : static_cast<unsigned>(std::countr_zero(other)) / 8;
  if (count == 0) return {};
  x <<= 64 - 8 * count;  // leading zeros in front
  x = ((x & 0x0f0f0f0f0f0f0f0fULL) * 2561) >> 8;
  x = ((x & 0x00ff00ff00ff00ffULL) * 6553601) >> 16;
  x = ((x & 0x0000ffff0000ffffULL) * 42949672960001ULL) >> 32;
  return {x, count};
}

/// The part of a reader that does not depend on how times are written.
class ReaderBase : public RowReader {
 public:
  /// `text` begins with a header in which find_columns finds `names`.
  ReaderBase(std::string_view text, std::string file, const std::array<std::string_view, 3>& names);
  [[nodiscard]] std::size_t offset() const override { return static_cast<std::size_t>(next_ - begin_); }

 protected:
  static constexpr std::ptrdiff_t plain_row_bytes = 64;  // no plain row reads further than this

  /// Splits the next row into fields_, skipping blank lines; false at the end of the text. Throws for a torn row.
  bool split_row();
  /// Length i (1 = prompt, 2 = output) of the row just split. Throws.
  [[nodiscard]] std::int32_t tokens(std::size_t i) const;
  [[nodiscard]] std::string_view field(std::size_t i) const { return fields_[columns_.at[i]]; }
  [[noreturn]] void fail(const char* at, const std::string& message) const;
  [[noreturn]] void fail_field(std::size_t i, const std::string& why) const;

  const char* begin_;
  const char* next_;  // the row to read next
  const char* end_;
  int line_ = 1;  // of the row read last; the header is line 1

 private:
  [[nodiscard]] const char* split_field(const char* p, const char* row_end);

  const char* row_ = nullptr;  // begin of the row just split
  std::string file_;
  Columns columns_;
  std::vector<std::string_view> fields_;

 protected:
  bool in_order_;
};

/// `Time` reads the time column. plain(p, ns) takes a plainly written one from 64 readable bytes and returns its end,
/// or nullptr; parse(field, ns) takes any and returns what is wrong with it, or "".
template <class Time>
class Reader final : public ReaderBase {
 public:
  using ReaderBase::ReaderBase;

  std::size_t read(std::span<RawRow> out) override {
    std::size_t n = 0;
    while (n < out.size()) {
      if (in_order_ && end_ - next_ >= plain_row_bytes && plain_row(out[n])) {
        ++n;
      } else if (split_row()) {
        if (const std::string why = time_.parse(field(0), out[n].time_ns); !why.empty()) fail_field(0, why);
        out[n].prompt_tokens = tokens(1);
        out[n].output_tokens = tokens(2);
        ++n;
      } else {
        break;
      }
    }
    return n;
  }

 private:
  bool plain_row(RawRow& row) {
    const char* p = time_.plain(next_, row.time_ns);
    if (p == nullptr || *p != ',') return false;
    const Digits prompt = digits8(++p);
    p += prompt.count;
    if (prompt.count == 0 || prompt.value > max_length_tokens || *p != ',') return false;
    const Digits output = digits8(++p);
    p += output.count;
    if (output.count == 0 || output.value > max_length_tokens) return false;
    p += *p == '\r' ? 1 : 0;
    if (*p != '\n') return false;
    row.prompt_tokens = static_cast<std::int32_t>(prompt.value);
    row.output_tokens = static_cast<std::int32_t>(output.value);
    next_ = p + 1;
    ++line_;
    return true;
  }

  Time time_;
};
}  // namespace stowage::csv
