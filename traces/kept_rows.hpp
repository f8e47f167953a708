#pragma once
// The rows of a trace file that count: no empty prompt, no empty output, no more than the limit.
#include <cstdint>
#include <memory>
#include <span>

#include "traces/file_bytes.hpp"
#include "traces/format.hpp"
#include "traces/workload.hpp"

namespace stowage {

[[nodiscard]] std::string_view without_bom(std::string_view text);
/// Tokens of one hash: the option's, else the format's; 0 in a format without hashes.
[[nodiscard]] std::int64_t hash_tokens_of(const TraceFormat& format, const TraceOptions& options);

class KeptRows {
 public:
  /// `bytes` and `options` outlive it.
  KeptRows(const FileBytes& bytes, const TraceFormat& format, const TraceOptions& options);

  /// Fills a prefix of `out`; 0 at the end. What is wrong with a row may be that the file has changed.
  [[nodiscard]] std::size_t read(std::span<RawRow> out);
  /// Of the rows that the last read() gave; no rows in a format without hashes.
  [[nodiscard]] const RowHashes& hashes() const { return hashes_; }
  [[nodiscard]] std::size_t offset() const { return reader_->offset(); }
  void fill(TraceLedger& ledger) const;

 private:
  std::size_t read_rows(std::span<RawRow> out);

  const FileBytes* bytes_;
  std::unique_ptr<RowReader> reader_;
  RowHashes hashes_;
  std::uint64_t left_ = 0;
  std::uint64_t rows_ = 0, zero_prompts_ = 0, zero_outputs_ = 0;
  std::size_t released_ = 0;
};
}  // namespace stowage
