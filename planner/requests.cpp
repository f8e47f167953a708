#include "planner/requests.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.hpp"

namespace stowage {
namespace {
class ScaledStream final : public RequestStream {
 public:
  ScaledStream(std::shared_ptr<const std::vector<Request>> rows, double scale)
      : rows_(std::move(rows)), scale_(scale) {}
  std::size_t read(std::span<Request> out) override {
    std::size_t n = 0;
    for (; n < out.size() && next_ < rows_->size(); ++n, ++next_) {
      out[n] = (*rows_)[next_];
      out[n].arrival_ns = std::llround(static_cast<double>(out[n].arrival_ns) / scale_);
      out[n].id = next_;
    }
    return n;
  }

 private:
  std::shared_ptr<const std::vector<Request>> rows_;
  double scale_;
  std::size_t next_ = 0;
};

class ScaledWorkload final : public Workload {
 public:
  ScaledWorkload(std::shared_ptr<const std::vector<Request>> rows, double scale)
      : rows_(std::move(rows)), scale_(scale) {}
  [[nodiscard]] std::unique_ptr<RequestStream> open() const override {
    return std::make_unique<ScaledStream>(rows_, scale_);
  }

 private:
  std::shared_ptr<const std::vector<Request>> rows_;
  double scale_;
};

std::int64_t span_of(const std::vector<Request>& rows) {
  return rows.empty() ? 0 : rows.back().arrival_ns - rows.front().arrival_ns;
}
std::int64_t mean_gap(const std::vector<Request>& rows) {
  return rows.size() < 2 ? 0 : span_of(rows) / static_cast<std::int64_t>(rows.size() - 1);
}
void from_zero(std::vector<Request>& rows) {
  const std::int64_t first = rows.empty() ? 0 : rows.front().arrival_ns;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i].arrival_ns -= first;
    rows[i].id = i;
  }
}
}  // namespace

RequestSet request_set(std::vector<Request> rows) {
  RequestSet out;
  from_zero(rows);
  double prompt = 0, output = 0;
  for (const auto& r : rows) {
    prompt += r.prompt_tokens;
    output += r.output_tokens;
  }
  const auto n = static_cast<double>(rows.size());
  if (!rows.empty()) {
    out.prompt_mean = prompt / n;
    out.output_mean = output / n;
  }
  const auto span = static_cast<double>(span_of(rows));
  out.rate_per_s = span > 0 ? (n - 1) / span * 1e9 : 0;
  out.rows = std::make_shared<const std::vector<Request>>(std::move(rows));
  return out;
}

RequestSet brief_of(const RequestSet& set) {
  const auto n = static_cast<std::ptrdiff_t>(std::min(set.size(), std::max<std::size_t>(500, set.size() / 8)));
  return request_set({set.rows->begin(), set.rows->begin() + n});
}

std::vector<Request> read_all(const Workload& workload, std::size_t most) {
  std::vector<Request> out, batch(4096);
  const auto stream = workload.open();
  if (stream->has_followers())
    throw InputError({}, "a plan repeats, draws and scales requests, which sessions and closed loops do not allow: "
                         "they wait for answers; use 'run' or 'sweep'");
  while (const std::size_t n = stream->read(batch)) {
    for (const Request& r : std::span(batch).first(n)) stream->drop(r);
    out.insert(out.end(), batch.begin(), batch.begin() + static_cast<std::ptrdiff_t>(std::min(n, most - out.size())));
    if (out.size() >= most) break;
  }
  return out;
}

std::vector<Request> busiest_window(const std::vector<Request>& rows, std::int64_t window_ns) {
  std::size_t best = 0, count = 0, end = 0;
  for (std::size_t begin = 0; begin < rows.size(); ++begin) {
    while (end < rows.size() && rows[end].arrival_ns - rows[begin].arrival_ns < window_ns) ++end;
    if (end - begin > count) {
      count = end - begin;
      best = begin;
    }
  }
  std::vector<Request> out(rows.begin() + static_cast<std::ptrdiff_t>(best),
                           rows.begin() + static_cast<std::ptrdiff_t>(best + count));
  from_zero(out);
  return out;
}

std::vector<Request> of_length(const std::vector<Request>& rows, std::size_t count) {
  STOWAGE_ASSERT(!rows.empty());
  std::vector<Request> out;
  out.reserve(count);
  const std::int64_t period = span_of(rows) + mean_gap(rows);
  for (std::int64_t copy = 0; out.size() < count; ++copy)
    for (std::size_t i = 0; i < rows.size() && out.size() < count; ++i) {
      out.push_back(rows[i]);
      out.back().arrival_ns += copy * period;
    }
  from_zero(out);
  return out;
}

std::vector<Request> block_bootstrap(const std::vector<Request>& rows, std::size_t block, Rng& rng) {
  STOWAGE_ASSERT(!rows.empty());
  block = std::clamp<std::size_t>(block, 1, rows.size());
  const std::int64_t gap = mean_gap(rows);
  std::vector<Request> out;
  out.reserve(rows.size());
  std::int64_t now = 0;
  while (out.size() < rows.size()) {
    const std::size_t begin = rng.below(rows.size() - block + 1);
    for (std::size_t i = begin; i < begin + block && out.size() < rows.size(); ++i) {
      now += i == 0 ? gap : rows[i].arrival_ns - rows[i - 1].arrival_ns;
      out.push_back(rows[i]);
      out.back().arrival_ns = now;
    }
  }
  from_zero(out);
  return out;
}

std::vector<Request> with_lengths(const std::vector<Request>& rows, double factor) {
  std::vector<Request> out = rows;
  const auto scaled = [&](std::int32_t tokens) {
    return static_cast<std::int32_t>(std::max<std::int64_t>(1, std::llround(static_cast<double>(tokens) * factor)));
  };
  for (auto& r : out) {
    r.prompt_tokens = scaled(r.prompt_tokens);
    r.output_tokens = scaled(r.output_tokens);
    if (r.max_tokens > 0) r.max_tokens = std::max(r.output_tokens, scaled(r.max_tokens));
  }
  return out;
}

std::shared_ptr<const Workload> at_rate(const RequestSet& set, double rate_per_s) {
  // Without a rate of its own (all at once) a set has nothing to scale.
  return std::make_shared<ScaledWorkload>(set.rows, set.rate_per_s > 0 ? rate_per_s / set.rate_per_s : 1);
}
}  // namespace stowage
