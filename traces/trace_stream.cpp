#include "traces/trace_stream.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "base/error.hpp"
#include "traces/kept_rows.hpp"

namespace stowage {
namespace {
constexpr std::size_t batch_rows = 1024;

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
      if (trace_->hash_tokens > 0)
        for (std::size_t i = 0; i < rows.size(); ++i) out[n + i].content = keep(i, out[n + i].id);
      n += rows.size();
    }
    return n;
  }

 protected:
  /// At most `most` more rows of this copy, in order; none at its end.
  virtual std::span<const RawRow> next_rows(std::size_t most) = 0;
  virtual void rewind() = 0;
  /// Row `i` of those that next_rows gave last became request `id`: keeps its hashes for content().
  virtual std::int32_t keep(std::size_t i, std::uint64_t id) = 0;
  [[nodiscard]] const Trace& trace() const { return *trace_; }
  /// Copies of a trace have nothing in common: else every repeat would find the prompts of the one before.
  [[nodiscard]] PromptContent prompt_content(std::span<const std::uint64_t> hashes, std::uint64_t id) const {
    return {hashes, trace_->hash_tokens, id / trace_->kept, {}};
  }

 private:
  void convert(std::span<const RawRow> rows, std::span<Request> out) {
    const std::int64_t shift_ns = static_cast<std::int64_t>(copy_) * trace_->period_ns - trace_->first_ns;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const RawRow& row = rows[i];
      out[i] = {row.time_ns + shift_ns, row.prompt_tokens, row.output_tokens, next_id_++, 0, -1};
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
  [[nodiscard]] PromptContent content(const Request& r) const override {
    if (r.content < 0) return {};
    return prompt_content(trace().hashes.of(static_cast<std::size_t>(r.content)), r.id);
  }

 private:
  std::span<const RawRow> next_rows(std::size_t most) override {
    const std::span<const RawRow> rows = trace().rows;
    const auto part = rows.subspan(next_, std::min(most, rows.size() - next_));
    next_ += part.size();
    return part;
  }
  void rewind() override { next_ = 0; }
  std::int32_t keep(std::size_t, std::uint64_t id) override { return static_cast<std::int32_t>(id % trace().kept); }

  std::size_t next_ = 0;
};

class FileStream final : public TraceStream {
 public:
  FileStream(std::shared_ptr<const Trace> trace, double rate_scale)
      : TraceStream(std::move(trace), rate_scale), kept_(reopened()) {}
  [[nodiscard]] PromptContent content(const Request& r) const override {
    if (r.content < 0) return {};
    return prompt_content(alive_[static_cast<std::size_t>(r.content)], r.id);
  }
  void drop(const Request& r) override {
    if (r.content < 0) return;
    alive_[static_cast<std::size_t>(r.content)].clear();
    unused_.push_back(r.content);
  }

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
  std::int32_t keep(std::size_t i, std::uint64_t) override {
    if (unused_.empty()) {
      unused_.push_back(static_cast<std::int32_t>(alive_.size()));
      alive_.emplace_back();
    }
    const std::int32_t place = unused_.back();
    unused_.pop_back();
    const auto hashes = kept_.hashes().of(i);
    alive_[static_cast<std::size_t>(place)].assign(hashes.begin(), hashes.end());
    return place;
  }

  KeptRows kept_;
  std::int64_t previous_ns_ = trace().first_ns;
  std::array<RawRow, batch_rows> buffer_{};
  std::vector<std::vector<std::uint64_t>> alive_;  // hashes of the requests brought and not dropped
  std::vector<std::int32_t> unused_;               // places in it
};
}  // namespace

std::unique_ptr<RequestStream> open_stream(std::shared_ptr<const Trace> trace, double rate_scale) {
  if (trace->held) return std::make_unique<HeldStream>(std::move(trace), rate_scale);
  return std::make_unique<FileStream>(std::move(trace), rate_scale);
}
}  // namespace stowage
