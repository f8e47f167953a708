#pragma once
// What a trace format is. To add one: write traces/<format>.cpp, which defines its TraceFormat, and add it to the
// table in traces/formats.cpp; detection, the ledger, sorting, limits, repeats and `trace info` then work for it.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace stowage {

/// A row as the file has it: the file's own clock, and lengths that may be 0.
struct RawRow {
  std::int64_t time_ns = 0;
  std::int32_t prompt_tokens = 0;
  std::int32_t output_tokens = 0;
};
static_assert(sizeof(RawRow) == 16);

/// Hashes of rows, one after the other.
struct RowHashes {
  std::vector<std::uint64_t> values;
  std::vector<std::size_t> ends;  // of each row's, in `values`
  [[nodiscard]] std::span<const std::uint64_t> of(std::size_t row) const {
    const std::size_t begin = row == 0 ? 0 : ends[row - 1];
    return std::span(values).subspan(begin, ends[row] - begin);
  }
  void add(std::span<const std::uint64_t> row) {
    values.insert(values.end(), row.begin(), row.end());
    ends.push_back(values.size());
  }
  void add(const RowHashes& rows) {
    for (const std::size_t end : rows.ends) ends.push_back(values.size() + end);
    values.insert(values.end(), rows.values.begin(), rows.values.end());
  }
  void clear() {
    values.clear();
    ends.clear();
  }
};

class RowReader {
 public:
  virtual ~RowReader() = default;
  /// Fills a prefix of `out` in file order and returns its length; 0 at the end. Throws InputError at a bad row.
  [[nodiscard]] virtual std::size_t read(std::span<RawRow> out) = 0;
  /// Of the rows that the last read() gave; nullptr in a format without.
  [[nodiscard]] virtual const RowHashes* hashes() const { return nullptr; }
  /// Bytes of the text read so far.
  [[nodiscard]] virtual std::size_t offset() const = 0;
};

struct TraceFormat {
  std::string_view name;
  std::string_view summary;
  std::string_view header;  // as users see it in messages
  /// Does the first line of a file (no line end, no byte order mark) belong to this format?
  bool (*matches)(std::string_view first_line);
  /// `text` is the whole file, without a byte order mark; it outlives the reader. `hash_tokens`: tokens of one hash.
  std::unique_ptr<RowReader> (*open)(std::string_view text, const std::string& file, std::int64_t hash_tokens);
  std::int64_t hash_tokens = 0;  // as the format has it; 0: it has none
};

// One of each file.
extern const TraceFormat azure_format;
extern const TraceFormat canonical_format;
extern const TraceFormat mooncake_format;

/// Every format, in the order they are tried.
[[nodiscard]] std::span<const TraceFormat* const> trace_formats();
/// Throws InputError for an empty file or an unknown header (saying what is known).
[[nodiscard]] const TraceFormat& detect_format(std::string_view text, const std::string& file);
}  // namespace stowage
