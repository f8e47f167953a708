#include "sim/serve/tracer.hpp"

#include <algorithm>

namespace stowage {
namespace {
constexpr std::int64_t first_interval_ns = 1'000'000;
constexpr std::size_t max_spans = 1000;  // of a request preempted without end
constexpr std::size_t rows = RunTrace::occupancy_rows;
}  // namespace

Tracer::Tracer(const RunConfig& config, std::int64_t origin_ns)
    : origin_ns_(origin_ns),
      pool_bytes_(config.kv.pool.count()),
      lives_(static_cast<std::size_t>(config.scheduler.max_batch)),
      next_sample_ns_(origin_ns) {
  trace_->occupancy_interval_ns = first_interval_ns;
}

void Tracer::begin(Life& life, Phase phase, std::int64_t from_ns, std::int64_t now) const {
  if (life.spans.size() == max_spans) return;  // the last one goes on
  life.spans.push_back({phase, from_ns - origin_ns_, now - origin_ns_, 0});
  life.stall_before_ns = total_stall_ns_;
}

void Tracer::end(Life& life, std::int64_t now) const {
  PhaseSpan& span = life.spans.back();
  span.to_ns = now - origin_ns_;
  const bool runs = span.phase != Phase::queue && span.phase != Phase::preempted;
  if (runs) span.stalled_ns = total_stall_ns_ - life.stall_before_ns;
}

void Tracer::admitted(Sid s, const Sequence& q, std::int64_t now) {
  Life& life = lives_[static_cast<std::size_t>(s)];
  const bool again = q.preemptions > 0;
  if (!again) {
    life.spans.clear();
    begin(life, Phase::queue, q.request.arrival_ns, now);
  }
  end(life, now);
  begin(life, again ? Phase::recompute : Phase::prefill, now, now);
}

void Tracer::decodes(Sid s, std::int64_t now) {
  Life& life = lives_[static_cast<std::size_t>(s)];
  end(life, now);
  begin(life, Phase::decode, now, now);
}

void Tracer::preempted(Sid s, std::int64_t now) {
  Life& life = lives_[static_cast<std::size_t>(s)];
  end(life, now);
  begin(life, Phase::preempted, now, now);
}

void Tracer::finished(Sid s, const Sequence& q, std::int64_t now) {
  Life& life = lives_[static_cast<std::size_t>(s)];
  end(life, now);
  const Request& r = q.request;
  RequestTrace trace{r.id, r.prompt_tokens, r.output_tokens, {}};
  const std::size_t bucket = LogHistogram::index(q.first_token_ns - r.arrival_ns);
  const bool first = !by_ttft_.contains(bucket);
  const bool early = trace_->requests.size() < RunTrace::max_requests;
  if (!first && !early) return;
  trace.spans = life.spans;
  if (first) by_ttft_.emplace(bucket, trace);
  if (early) trace_->requests.push_back(std::move(trace));
}

void Tracer::iteration(const IterationRecord& r, const MapCounts& beside, std::int64_t pages, double mapper_ns) {
  TracedIteration t;
  t.start_ns = r.start_ns - origin_ns_;
  t.stall_ns = r.stall_ns;
  t.step_ns = r.step_ns;
  t.prefill_tokens = r.prefill_tokens;
  t.decode_seqs = r.decode_seqs;
  t.running = r.running;
  t.waiting = r.waiting;
  t.live_bytes = r.live_bytes;
  t.held_bytes = r.held_bytes;
  t.cached_bytes = r.cached_bytes;
  t.pages_mapped = beside.maps * pages;
  t.pages_unmapped = beside.unmaps * pages;
  t.mapper_ns = static_cast<std::int64_t>(mapper_ns);
  trace_->iterations.push_back(t);
}

void Tracer::begin_column(std::int64_t now, bool refused) {
  auto& columns = trace_->occupancy;
  if (columns.size() == RunTrace::max_columns) {
    for (std::size_t i = 1; i < columns.size() / 2; ++i) columns[i] = std::move(columns[2 * i]);
    columns.resize(columns.size() / 2);
    // Twice as far apart, but not closer than what is kept: iterations may be longer than the interval was.
    trace_->occupancy_interval_ns =
        std::max(2 * trace_->occupancy_interval_ns, (now - origin_ns_) / static_cast<std::int64_t>(columns.size()));
  }
  next_sample_ns_ = now + trace_->occupancy_interval_ns;
  columns.push_back({now - origin_ns_, refused, {}});
  columns.back().cells.assign(rows, {});
  piece_.assign(rows, {});
  stacked_ = 0;
}

/// Bytes [from, to) of the pool are of that kind. Cells are kept up to date, so that a column is never half made.
void Tracer::fill(std::int64_t from, std::int64_t to, std::size_t what) {
  to = std::min(to, pool_bytes_);
  const auto edge = [&](std::int64_t row) {
    return static_cast<std::int64_t>(static_cast<Int128>(pool_bytes_) * row / static_cast<std::int64_t>(rows));
  };
  if (from >= to) return;
  auto row = static_cast<std::int64_t>(static_cast<Int128>(from) * static_cast<std::int64_t>(rows) / pool_bytes_);
  for (; row < static_cast<std::int64_t>(rows) && edge(row) < to; ++row) {
    const std::int64_t low = edge(row), high = edge(row + 1);
    const std::int64_t part = std::min(to, high) - std::max(from, low);
    if (part <= 0) continue;
    std::int64_t& bytes = piece_[static_cast<std::size_t>(row)][what];
    bytes += part;
    trace_->occupancy.back().cells[static_cast<std::size_t>(row)][what] =
        static_cast<std::uint8_t>((static_cast<Int128>(bytes) * 30 / (high - low) + 1) / 2);
  }
}

void Tracer::add(const Extent& e, std::int64_t live_bytes) {
  trace_->occupancy_by_address = e.at >= 0;
  const std::int64_t from = e.at >= 0 ? e.at : stacked_;
  stacked_ = from + e.bytes;
  if (e.owner == no_sid) return fill(from, from + e.bytes, 2);
  const std::int64_t live = std::min(live_bytes, e.bytes);
  fill(from, from + live, 0);
  fill(from + live, from + e.bytes, 1);
}

std::shared_ptr<const RunTrace> Tracer::finish(const LogHistogram& ttft_ns) {
  if (ttft_ns.count() > 0) {
    const auto of = [&](double q) -> RequestTrace {
      const auto found = by_ttft_.find(LogHistogram::index(static_cast<std::int64_t>(ttft_ns.quantile(q))));
      return found == by_ttft_.end() ? RequestTrace{} : found->second;
    };
    trace_->median = of(0.5);
    trace_->worst = of(0.99);
  }
  return trace_;
}
}  // namespace stowage
