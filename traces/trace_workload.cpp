// A trace file as a workload. One pass at open checks every row, fills the ledger and finds the span. What is small
// or out of order is then held decoded (16 B a row) and shared by all streams; what is large and in order is parsed
// again by each stream as it goes, so that memory does not grow with the file.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "traces/file_bytes.hpp"
#include "traces/format.hpp"
#include "traces/workload.hpp"

namespace stowage {
namespace {
constexpr std::size_t release_bytes = std::size_t{4} << 20;
constexpr std::size_t batch_rows = 1024;
constexpr std::int64_t span_ns_max = std::int64_t{1} << 62;  // 146 years

std::string_view without_bom(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  return text;
}

/// The rows of a file that count: no empty prompt, no empty output, no more than the limit.
class KeptRows {
 public:
  KeptRows(const FileBytes& bytes, const TraceFormat& format, const TraceOptions& options)
      : bytes_(&bytes), reader_(format.open(without_bom(bytes.view()), options.path)) {
    left_ = options.limit == 0 ? std::numeric_limits<std::uint64_t>::max() : options.limit;
  }

  /// Fills a prefix of `out`; 0 at the end. What is wrong with a row may be that the file has changed.
  std::size_t read(std::span<RawRow> out) {
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

  [[nodiscard]] std::size_t offset() const { return reader_->offset(); }
  void fill(TraceLedger& ledger) const {
    ledger.rows = rows_;
    if (zero_prompts_ > 0) ledger.dropped["zero input"] = zero_prompts_;
    if (zero_outputs_ > 0) ledger.dropped["zero output"] = zero_outputs_;
    ledger.stopped_at_limit = left_ == 0;
  }

 private:
  std::size_t read_rows(std::span<RawRow> out) {
    std::size_t kept = 0;
    while (kept == 0 && left_ > 0) {
      const std::size_t n = reader_->read(out.first(std::min<std::uint64_t>(out.size(), left_)));
      if (n == 0) break;
      rows_ += n;
      for (std::size_t i = 0; i < n; ++i) {
        const RawRow row = out[i];
        out[kept] = row;
        zero_prompts_ += row.prompt_tokens == 0 ? 1 : 0;
        zero_outputs_ += row.prompt_tokens != 0 && row.output_tokens == 0 ? 1 : 0;
        kept += row.prompt_tokens != 0 && row.output_tokens != 0 ? 1 : 0;
      }
      left_ -= kept;
    }
    if (reader_->offset() - released_ >= release_bytes) {
      bytes_->release(released_, reader_->offset());
      released_ = reader_->offset();
    }
    return kept;
  }

  const FileBytes* bytes_;
  std::unique_ptr<RowReader> reader_;
  std::uint64_t left_ = 0;
  std::uint64_t rows_ = 0, zero_prompts_ = 0, zero_outputs_ = 0;
  std::size_t released_ = 0;
};

/// What all streams of a trace share; read-only once made.
struct Trace {
  explicit Trace(const TraceOptions& o) : options(o), bytes(o.path) {}
  TraceOptions options;
  FileBytes bytes;
  const TraceFormat* format = nullptr;
  std::int64_t first_ns = 0;
  std::int64_t period_ns = 0;  // from a copy's first arrival to the next copy's
  double whole_ns = 0;         // from the first arrival of all to the last
  bool held = true;
  std::vector<RawRow> rows;  // when held: all, in order
};

class TraceStream : public RequestStream {
 public:
  TraceStream(std::shared_ptr<const Trace> trace, double rate_scale)
      : trace_(std::move(trace)), rate_scale_(rate_scale) {}

  std::size_t read(std::span<Request> out) final {
    std::size_t n = 0;
    while (n < out.size() && copy_ < trace_->options.repeat) {
      const std::span<const RawRow> rows = next_rows(out.size() - n);
      if (rows.empty()) {
        ++copy_;
        rewind();
        continue;
      }
      convert(rows, out.subspan(n, rows.size()));
      n += rows.size();
    }
    return n;
  }

 protected:
  /// At most `most` more rows of this copy, in order; none at its end.
  virtual std::span<const RawRow> next_rows(std::size_t most) = 0;
  virtual void rewind() = 0;
  [[nodiscard]] const Trace& trace() const { return *trace_; }

 private:
  void convert(std::span<const RawRow> rows, std::span<Request> out) {
    const std::int64_t shift_ns = static_cast<std::int64_t>(copy_) * trace_->period_ns - trace_->first_ns;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const RawRow& row = rows[i];
      out[i] = {row.time_ns + shift_ns, row.prompt_tokens, row.output_tokens, next_id_++};
    }
    if (rate_scale_ == 1) return;
    for (Request& r : out) r.arrival_ns = std::llround(static_cast<double>(r.arrival_ns) / rate_scale_);
  }

  std::shared_ptr<const Trace> trace_;
  double rate_scale_;
  std::uint64_t copy_ = 0;
  std::uint64_t next_id_ = 0;
};

class HeldStream final : public TraceStream {
 public:
  using TraceStream::TraceStream;

 private:
  std::span<const RawRow> next_rows(std::size_t most) override {
    const std::span<const RawRow> rows = trace().rows;
    const auto part = rows.subspan(next_, std::min(most, rows.size() - next_));
    next_ += part.size();
    return part;
  }
  void rewind() override { next_ = 0; }

  std::size_t next_ = 0;
};

class FileStream final : public TraceStream {
 public:
  FileStream(std::shared_ptr<const Trace> trace, double rate_scale)
      : TraceStream(std::move(trace), rate_scale), kept_(reopened()) {}

 private:
  [[nodiscard]] KeptRows reopened() const { return {trace().bytes, *trace().format, trace().options}; }
  std::span<const RawRow> next_rows(std::size_t most) override {
    const std::size_t n = kept_.read(std::span(buffer_).first(std::min(most, buffer_.size())));
    for (const RawRow& row : std::span(buffer_).first(n)) {
      if (row.time_ns < previous_ns_) {
        throw InputError({trace().options.path}, "the file changed while it was read; run again on a finished file");
      }
      previous_ns_ = row.time_ns;
    }
    return std::span(buffer_).first(n);
  }
  void rewind() override {
    kept_ = reopened();
    previous_ns_ = trace().first_ns;
  }

  KeptRows kept_;
  std::int64_t previous_ns_ = trace().first_ns;
  std::array<RawRow, batch_rows> buffer_{};
};

class TraceWorkload final : public Workload {
 public:
  TraceWorkload(std::shared_ptr<const Trace> trace, double rate_scale)
      : trace_(std::move(trace)), rate_scale_(rate_scale) {
    if (trace_->whole_ns / std::min(1.0, rate_scale_) > static_cast<double>(span_ns_max))
      throw InputError({trace_->options.path},
                       "with this repeat and rate_scale the trace lasts over 146 years; lower them");
  }
  [[nodiscard]] std::unique_ptr<RequestStream> open() const override {
    if (trace_->held) return std::make_unique<HeldStream>(trace_, rate_scale_);
    return std::make_unique<FileStream>(trace_, rate_scale_);
  }
  [[nodiscard]] const std::shared_ptr<const Trace>& trace() const { return trace_; }

 private:
  std::shared_ptr<const Trace> trace_;
  double rate_scale_;
};

/// Rows that cannot be read, told together: the first of them, and how many there are.
class BadRows {
 public:
  void add(const InputError& error) {
    if (rows_++ < shown_max) problems_.insert(problems_.end(), error.problems().begin(), error.problems().end());
  }
  void throw_if_any(const std::string& file) {
    if (rows_ > shown_max)
      problems_.push_back({{file}, fmt::format("{} rows cannot be read; the first {} are named", rows_, shown_max)});
    if (rows_ > 0) throw InputError(std::move(problems_));
  }

 private:
  static constexpr std::uint64_t shown_max = 10;
  std::uint64_t rows_ = 0;
  std::vector<Problem> problems_;
};

/// Reads every row once: fills the ledger, and trace.rows as long as they are few.
void first_pass(Trace& trace, TraceLedger& ledger) {
  KeptRows kept(trace.bytes, *trace.format, trace.options);
  BadRows bad;
  // After a bad row the reader stands at the next one; what it had read before is lost, but then nothing comes of it.
  const auto read = [&](std::span<RawRow> out) {
    for (std::size_t from = kept.offset();; from = kept.offset()) {
      try {
        return kept.read(out);
      } catch (const InputError& error) {
        bad.add(error);
        if (kept.offset() == from) bad.throw_if_any(trace.options.path);
      }
    }
  };
  std::array<RawRow, batch_rows> batch{};
  std::int64_t latest_ns = std::numeric_limits<std::int64_t>::min();
  ledger.first_ns = std::numeric_limits<std::int64_t>::max();
  trace.rows.reserve(std::min(trace_rows_held, trace.bytes.view().size() / 6 + 1));  // no row is shorter than 6 bytes
  while (const std::size_t n = read(batch)) {
    for (const RawRow& row : std::span(batch).first(n)) {
      ledger.out_of_order += row.time_ns < latest_ns ? 1 : 0;
      latest_ns = std::max(latest_ns, row.time_ns);
      ledger.first_ns = std::min(ledger.first_ns, row.time_ns);
      ledger.prompt_sum += static_cast<std::uint64_t>(row.prompt_tokens);
      ledger.output_sum += static_cast<std::uint64_t>(row.output_tokens);
      ledger.prompt_max = std::max(ledger.prompt_max, row.prompt_tokens);
      ledger.output_max = std::max(ledger.output_max, row.output_tokens);
    }
    ledger.kept += n;
    if (trace.held && ledger.kept > trace_rows_held) {
      trace.held = false;
      trace.rows = {};
    }
    if (trace.held) trace.rows.insert(trace.rows.end(), batch.begin(), batch.begin() + static_cast<std::ptrdiff_t>(n));
  }
  bad.throw_if_any(trace.options.path);
  ledger.last_ns = latest_ns;
  kept.fill(ledger);
}

void hold_sorted(Trace& trace, std::uint64_t count) {
  if (!trace.held) {
    trace.rows.resize(count);
    KeptRows kept(trace.bytes, *trace.format, trace.options);
    std::size_t have = 0;
    while (const std::size_t n = kept.read(std::span(trace.rows).subspan(have))) have += n;
    trace.rows.resize(have);
    trace.held = true;
  }
  std::stable_sort(trace.rows.begin(), trace.rows.end(),
                   [](const RawRow& a, const RawRow& b) { return a.time_ns < b.time_ns; });
}

/// span + mean gap, to the nearest nanosecond.
std::int64_t period_ns(std::int64_t span_ns, std::uint64_t rows) {
  if (rows < 2) return 0;
  const auto gaps = static_cast<__int128>(rows - 1);
  return static_cast<std::int64_t>((static_cast<__int128>(span_ns) * static_cast<__int128>(rows) + gaps / 2) / gaps);
}
}  // namespace

std::shared_ptr<const Workload> open_trace(const TraceOptions& options, TraceLedger& ledger) {
  if (!(options.rate_scale > 0) || !std::isfinite(options.rate_scale)) {
    throw InputError({}, "rate_scale must be a number above 0; 2 doubles the load");
  }
  if (options.repeat < 1) throw InputError({}, "repeat must be at least 1; 1 plays the trace once");
  const auto trace = std::make_shared<Trace>(options);
  trace->format = &detect_format(without_bom(trace->bytes.view()), options.path);
  ledger = {};
  ledger.file = options.path;
  ledger.format = trace->format->name;
  first_pass(*trace, ledger);
  if (ledger.rows == 0) throw InputError({options.path}, "the trace has a header but no rows");
  if (ledger.kept == 0) throw InputError({options.path}, "no row of the trace can be used: " + ledger.line());
  if (ledger.out_of_order > 0) hold_sorted(*trace, ledger.kept);

  trace->first_ns = ledger.first_ns;
  const std::int64_t span_ns = ledger.last_ns - ledger.first_ns;
  trace->period_ns = period_ns(span_ns, ledger.kept);
  trace->whole_ns =
      static_cast<double>(options.repeat - 1) * static_cast<double>(trace->period_ns) + static_cast<double>(span_ns);
  return std::make_shared<TraceWorkload>(trace, options.rate_scale);
}

std::shared_ptr<const Workload> at_rate(const Workload& trace, double rate_scale) {
  const auto* open = dynamic_cast<const TraceWorkload*>(&trace);
  STOWAGE_ASSERT(open != nullptr && rate_scale > 0);
  return std::make_shared<TraceWorkload>(open->trace(), rate_scale);
}
}  // namespace stowage
