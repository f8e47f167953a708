#pragma once
// What a trace format is. To add one: write traces/<format>.cpp, which defines its TraceFormat, and add it to the
// table in traces/formats.cpp; detection, the ledger, sorting, limits, repeats and `trace info` then work for it.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace stowage {

/// A row as the file has it: the file's own clock, and lengths that may be 0.
struct RawRow {
  std::int64_t time_ns = 0;
  std::int32_t prompt_tokens = 0;
  std::int32_t output_tokens = 0;
};
static_assert(sizeof(RawRow) == 16);

class RowReader {
 public:
  virtual ~RowReader() = default;
  /// Fills a prefix of `out` in file order and returns its length; 0 at the end. Throws InputError at a bad row.
  [[nodiscard]] virtual std::size_t read(std::span<RawRow> out) = 0;
  /// Bytes of the text read so far.
  [[nodiscard]] virtual std::size_t offset() const = 0;
};

struct TraceFormat {
  std::string_view name;
  std::string_view summary;
  std::string_view header;  // as users see it in messages
  /// Does the first line of a file (no line end, no byte order mark) belong to this format?
  bool (*matches)(std::string_view first_line);
  /// `text` is the whole file, without a byte order mark; it outlives the reader.
  std::unique_ptr<RowReader> (*open)(std::string_view text, const std::string& file);
};

// One of each file.
extern const TraceFormat azure_format;
extern const TraceFormat canonical_format;

/// Every format, in the order they are tried.
[[nodiscard]] std::span<const TraceFormat* const> trace_formats();
/// Throws InputError for an empty file or an unknown header (saying what is known).
[[nodiscard]] const TraceFormat& detect_format(std::string_view text, const std::string& file);
}  // namespace stowage
