#include "base/histogram.hpp"

#include "base/quantile.hpp"

namespace stowage {
namespace {
constexpr std::size_t sub_count = std::size_t{1} << LogHistogram::sub_bits;
}

// index(v) = (shift << sub_bits) + (v >> shift) with v >> shift in [128, 256) for shift > 0 and [0, 256) for shift 0,
// so buckets 0...255 are exact and bucket i >= 256 has shift = i/128 - 1.
std::int64_t LogHistogram::lower(std::size_t i) {
  if (i < 2 * sub_count) return static_cast<std::int64_t>(i);
  const std::size_t shift = (i >> sub_bits) - 1;
  return static_cast<std::int64_t>((i - (shift << sub_bits)) << shift);
}

std::int64_t LogHistogram::upper(std::size_t i) {
  const std::size_t shift = i < 2 * sub_count ? 0 : (i >> sub_bits) - 1;
  return lower(i) + (std::int64_t{1} << shift);
}

// No value is less than what is left of the sum when all others are as great as the greatest: with one value, or equal
// ones, that is the value itself.
double LogHistogram::middle(std::size_t i) const {
  const unsigned __int128 others = static_cast<unsigned __int128>(max_) * (count_ - 1);
  const std::int64_t least = sum_ > others ? static_cast<std::int64_t>(sum_ - others) : 0;
  const auto low = static_cast<double>(std::max(lower(i), std::min(least, upper(i) - 1)));
  const auto high = static_cast<double>(std::min(upper(i) - 1, max_));
  return (low + high) / 2;
}

double LogHistogram::mean() const {
  return count_ == 0 ? Summary::none : static_cast<double>(sum_) / static_cast<double>(count_);
}

double LogHistogram::quantile(double q) const {
  return count_ == 0 ? Summary::none : at_rank(nearest_rank(q, count_));
}

double LogHistogram::at_rank(std::uint64_t rank) const {
  if (rank >= count_) return static_cast<double>(max_);
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    seen += counts_[i];
    if (seen >= rank) return middle(i);
  }
  return static_cast<double>(max_);
}

Summary LogHistogram::summary(double scale) const {
  if (count_ == 0) return {};
  return {count_,          mean() * scale,         quantile(0.50) * scale,           quantile(0.90) * scale,
          quantile(0.95) * scale, quantile(0.99) * scale, static_cast<double>(max_) * scale};
}

LogHistogram LogHistogram::restored(const std::vector<Bucket>& filled, unsigned __int128 sum, std::int64_t max) {
  LogHistogram out;
  for (const Bucket& b : filled) {
    if (b.index >= buckets || out.count_ + b.count < out.count_) continue;
    out.counts_[b.index] += b.count;
    out.count_ += b.count;
  }
  out.sum_ = sum;
  out.max_ = max;
  return out;
}

void LogHistogram::merge(const LogHistogram& other) {
  for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
  sum_ += other.sum_;
  max_ = std::max(max_, other.max_);
}

std::vector<LogHistogram::Point> LogHistogram::cdf(std::size_t points) const {
  std::vector<Point> out;
  if (count_ == 0 || points == 0) return out;
  const double step = 1.0 / static_cast<double>(points);
  double next = step;
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    if (counts_[i] == 0) continue;
    seen += counts_[i];
    const double f = static_cast<double>(seen) / static_cast<double>(count_);
    if (f >= next || seen == count_) {
      out.push_back({seen == count_ ? static_cast<double>(max_) : middle(i), f});
      next = f + step;
    }
  }
  return out;
}
}  // namespace stowage
