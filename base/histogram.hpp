#pragma once
// Weighted log-bucket histogram of non-negative int64 values (nanoseconds, tokens): any quantile within 0.4 %
// relative error, exact count, mean and maximum, in fixed memory. 128 buckets an octave, as HdrHistogram lays them out.
#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <limits>
#include <vector>

namespace stowage {

/// The numbers every report shows, in the units of the values put in. Of nothing they are NaN: no statistic of an empty
/// set is a number.
struct Summary {
  static constexpr double none = std::numeric_limits<double>::quiet_NaN();
  std::uint64_t count = 0;
  double mean = none, p50 = none, p90 = none, p95 = none, p99 = none, max = none;
};

class LogHistogram {
 public:
  static constexpr int sub_bits = 7;  // 128 sub-buckets: half a bucket is 1/256 = 0.4 % of the value
  static constexpr std::size_t buckets = (64 - sub_bits) << sub_bits;

  LogHistogram() : counts_(buckets, 0) {}

  /// Adds `value` (>= 0) `weight` times.
  void add(std::int64_t value, std::uint64_t weight = 1) {
    counts_[index(value)] += weight;
    count_ += weight;
    sum_ += static_cast<unsigned __int128>(value) * weight;
    max_ = std::max(max_, value);
  }

  /// For a loop whose values hardly move: adds each with one comparison, and all at once to the histogram at the end.
  class Cursor {
   public:
    Cursor(LogHistogram& histogram, std::uint64_t weight) : histogram_(histogram), weight_(weight) {}
    void add(std::int64_t value) {
      if (static_cast<std::uint64_t>(value - low_) >= width_) [[unlikely]] enter(value);
      ++here_;
      max_ = std::max(max_, value);
    }
    /// `sum` of all values added, each once.
    void finish(std::uint64_t count, std::int64_t sum) {
      histogram_.counts_[bucket_] += here_ * weight_;
      histogram_.count_ += count * weight_;
      histogram_.sum_ += static_cast<unsigned __int128>(sum) * weight_;
      histogram_.max_ = std::max(histogram_.max_, max_);
    }

   private:
    void enter(std::int64_t value) {
      histogram_.counts_[bucket_] += here_ * weight_;
      here_ = 0;
      bucket_ = index(value);
      low_ = lower(bucket_);
      width_ = static_cast<std::uint64_t>(upper(bucket_) - low_);
    }
    LogHistogram& histogram_;
    std::uint64_t weight_, here_ = 0, width_ = 0;
    std::int64_t low_ = 0, max_ = 0;
    std::size_t bucket_ = 0;
  };

  [[nodiscard]] static std::size_t index(std::int64_t value) {
    const auto v = static_cast<std::uint64_t>(value);
    // Below 2^sub_bits values are exact; above, shift so that sub_bits + 1 significant bits remain.
    const int width = static_cast<int>(std::bit_width(v | (1U << sub_bits)));
    const int shift = width - 1 - sub_bits;
    return (static_cast<std::size_t>(shift) << sub_bits) + static_cast<std::size_t>(v >> shift);
  }
  /// The smallest value that falls in bucket `i`, and one past the largest.
  [[nodiscard]] static std::int64_t lower(std::size_t i);
  [[nodiscard]] static std::int64_t upper(std::size_t i);

  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] std::int64_t max() const { return max_; }  // 0 when empty
  [[nodiscard]] double mean() const;                       // NaN when empty
  /// The value at nearest_rank(q, count), q in (0, 1]; NaN when empty. Never above max().
  [[nodiscard]] double quantile(double q) const;
  /// The value at a rank of 1 ... count.
  [[nodiscard]] double at_rank(std::uint64_t rank) const;
  [[nodiscard]] Summary summary(double scale = 1.0) const;
  void merge(const LogHistogram& other);

  /// What is in bucket `i`, and the exact sum: with max() all there is to a histogram, so that it can be stored.
  [[nodiscard]] std::uint64_t count_in(std::size_t i) const { return counts_[i]; }
  [[nodiscard]] unsigned __int128 sum() const { return sum_; }
  struct Bucket { std::size_t index; std::uint64_t count; };
  /// The histogram that had these. Buckets beyond the last and counts that overflow are left out.
  [[nodiscard]] static LogHistogram restored(const std::vector<Bucket>& filled, unsigned __int128 sum,
                                             std::int64_t max);

  struct Point { double value; double cumulative; };  // cumulative in (0, 1]
  /// The distribution function, at most `points` points, last one at (max, 1).
  [[nodiscard]] std::vector<Point> cdf(std::size_t points) const;

 private:
  [[nodiscard]] double middle(std::size_t i) const;
  std::vector<std::uint64_t> counts_;
  std::uint64_t count_ = 0;
  unsigned __int128 sum_ = 0;
  std::int64_t max_ = 0;
};
}  // namespace stowage
