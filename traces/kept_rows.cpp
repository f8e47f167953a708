#include "traces/kept_rows.hpp"

#include <algorithm>
#include <limits>

#include "base/error.hpp"

namespace stowage {
namespace {
constexpr std::size_t release_bytes = std::size_t{4} << 20;
}  // namespace

std::string_view without_bom(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  return text;
}

std::int64_t hash_tokens_of(const TraceFormat& format, const TraceOptions& options) {
  return format.hash_tokens > 0 && options.hash_tokens > 0 ? options.hash_tokens : format.hash_tokens;
}

KeptRows::KeptRows(const FileBytes& bytes, const TraceFormat& format, const TraceOptions& options)
    : bytes_(&bytes),
      reader_(format.open(without_bom(bytes.view()), options.path, hash_tokens_of(format, options))),
      left_(options.limit == 0 ? std::numeric_limits<std::uint64_t>::max() : options.limit) {}

std::size_t KeptRows::read(std::span<RawRow> out) {
  try {
    const std::size_t n = read_rows(out);
    if (n == 0) bytes_->check_unchanged();
    bytes_->check_whole();
    return n;
  } catch (const InputError&) {
    bytes_->check_unchanged();
    throw;
  }
}

void KeptRows::fill(TraceLedger& ledger) const {
  ledger.rows = rows_;
  if (zero_prompts_ > 0) ledger.dropped["zero input"] = zero_prompts_;
  if (zero_outputs_ > 0) ledger.dropped["zero output"] = zero_outputs_;
  ledger.stopped_at_limit = left_ == 0;
}

std::size_t KeptRows::read_rows(std::span<RawRow> out) {
  std::size_t kept = 0;
  hashes_.clear();
  while (kept == 0 && left_ > 0) {
    const std::size_t n = reader_->read(out.first(std::min<std::uint64_t>(out.size(), left_)));
    if (n == 0) break;
    rows_ += n;
    const RowHashes* hashes = reader_->hashes();
    for (std::size_t i = 0; i < n; ++i) {
      const RawRow row = out[i];
      out[kept] = row;
      const bool counts = row.prompt_tokens != 0 && row.output_tokens != 0;
      if (counts && hashes != nullptr) hashes_.add(hashes->of(i));
      zero_prompts_ += row.prompt_tokens == 0 ? 1 : 0;
      zero_outputs_ += row.prompt_tokens != 0 && row.output_tokens == 0 ? 1 : 0;
      kept += counts ? 1 : 0;
    }
    left_ -= kept;
  }
  if (reader_->offset() - released_ >= release_bytes) {
    bytes_->release(released_, reader_->offset());
    released_ = reader_->offset();
  }
  return kept;
}
}  // namespace stowage
