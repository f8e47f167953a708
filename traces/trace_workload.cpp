// A trace file as a workload. One pass at open checks every row, fills the ledger and finds the span. What is small
// or out of order is then held decoded (16 B a row) and shared by all streams; what is large and in order is parsed
// again by each stream as it goes, so that memory does not grow with the file.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "traces/kept_rows.hpp"
#include "traces/trace_stream.hpp"
#include "traces/workload.hpp"

namespace stowage {
namespace {
constexpr std::size_t batch_rows = 1024;
constexpr std::int64_t span_ns_max = std::int64_t{1} << 62;  // 146 years

class TraceWorkload final : public Workload {
 public:
  TraceWorkload(std::shared_ptr<const Trace> trace, double rate_scale)
      : trace_(std::move(trace)), rate_scale_(rate_scale) {
    if (trace_->whole_ns / std::min(1.0, rate_scale_) > static_cast<double>(span_ns_max))
      throw InputError({trace_->options.path},
                       "with this repeat and rate_scale the trace lasts over 146 years; lower them");
  }
  [[nodiscard]] std::unique_ptr<RequestStream> open() const override {
    return open_stream(trace_, rate_scale_);
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
    const std::size_t hashes = trace.hashes.values.size() + kept.hashes().values.size();
    if (trace.held && (ledger.kept > trace_rows_held || hashes > trace_hashes_held)) {
      trace.held = false;
      trace.rows = {};
      trace.hashes = {};
    }
    if (!trace.held) continue;
    trace.rows.insert(trace.rows.end(), batch.begin(), batch.begin() + static_cast<std::ptrdiff_t>(n));
    trace.hashes.add(kept.hashes());
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
    while (const std::size_t n =
               kept.read(std::span(trace.rows).subspan(have, std::min(batch_rows, count - have)))) {
      have += n;
      trace.hashes.add(kept.hashes());
    }
    trace.rows.resize(have);
    trace.held = true;
  }
  const auto earlier = [](const RawRow& a, const RawRow& b) { return a.time_ns < b.time_ns; };
  if (trace.hashes.ends.empty()) return std::stable_sort(trace.rows.begin(), trace.rows.end(), earlier);
  std::vector<std::size_t> order(trace.rows.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return earlier(trace.rows[a], trace.rows[b]); });
  std::vector<RawRow> rows;
  RowHashes hashes;
  rows.reserve(order.size());
  for (const std::size_t i : order) {
    rows.push_back(trace.rows[i]);
    hashes.add(trace.hashes.of(i));
  }
  trace.rows = std::move(rows);
  trace.hashes = std::move(hashes);
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
  trace->hash_tokens = hash_tokens_of(*trace->format, options);
  ledger = {};
  ledger.file = options.path;
  ledger.format = trace->format->name;
  ledger.hash_tokens = trace->hash_tokens;
  first_pass(*trace, ledger);
  if (ledger.rows == 0) throw InputError({options.path}, "the trace has a header but no rows");
  if (ledger.kept == 0) throw InputError({options.path}, "no row of the trace can be used: " + ledger.line());
  if (ledger.out_of_order > 0) hold_sorted(*trace, ledger.kept);

  trace->kept = ledger.kept;
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
