#pragma once
// Numbers and names as people read them: three significant digits with a unit, thousands apart, nothing that could
// run as HTML or move a terminal's cursor.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace stowage::text {

[[nodiscard]] std::string duration(double ns);       // "0 s", "12.3 us", "310 ms", "1.24 s", "59.9 min"
[[nodiscard]] std::string bytes(double bytes);       // "512 MiB", "67.5 GiB", "1,000 B"
[[nodiscard]] std::string count(std::uint64_t n);    // "227,840"
[[nodiscard]] std::string number(double x);          // three significant digits: "4,612", "20.1", "0.052"
[[nodiscard]] std::string percent(double fraction);  // "8.85 %", "41.2 %", "100 %", "< 0.01 %"
[[nodiscard]] std::string times(double ratio);       // "1.67 times", "3 times"
/// "a", "a and b", "a, b and c".
[[nodiscard]] std::string list(const std::vector<std::string>& items);
/// "1 request", "19,366 requests".
[[nodiscard]] std::string plural(std::uint64_t n, std::string_view noun);

/// For element content and double-quoted attributes.
[[nodiscard]] std::string html(std::string_view raw);
/// The same, with numbers kept on one line with their units.
[[nodiscard]] std::string html_sentence(std::string_view raw);
/// For a terminal: control characters (escape sequences, newlines) become '?', invalid UTF-8 too.
[[nodiscard]] std::string printable(std::string_view raw);
/// For Markdown, a cell of its tables too, which a bar or a line break would end: printable, and no markup acts.
[[nodiscard]] std::string markdown(std::string_view raw);
/// A field of CSV (RFC 4180): quoted when it holds a comma, a quote or a line break.
[[nodiscard]] std::string csv_field(std::string_view raw);
/// Code points, which is what columns are for the text printed here.
[[nodiscard]] std::size_t width(std::string_view utf8);
/// Cut to `columns` with an ellipsis when longer.
[[nodiscard]] std::string fit(std::string_view utf8, std::size_t columns);
/// Broken at spaces into lines of at most `columns`.
[[nodiscard]] std::vector<std::string> wrap(std::string_view utf8, std::size_t columns);
}  // namespace stowage::text
