#include "planner/batch_means.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

namespace stowage {
namespace {
/// Two-sided 95 % quantiles of Student's t for 1 ... 30 degrees of freedom (any table).
constexpr std::array<double, 30> student = {12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
                                            2.201,  2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
                                            2.080,  2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042};
constexpr std::size_t instants = 40;
}  // namespace

BatchMeans batch_means(std::span<const double> values, std::size_t batches) {
  BatchMeans out;
  out.half_width = std::numeric_limits<double>::infinity();
  if (values.empty()) return out;
  double sum = 0;
  for (const double x : values) sum += x;
  out.mean = sum / static_cast<double>(values.size());
  const std::size_t size = values.size() / batches;
  if (size < 2 || batches < 2) return out;
  std::vector<double> means(batches);
  double grand = 0;
  for (std::size_t b = 0; b < batches; ++b) {
    for (std::size_t i = 0; i < size; ++i) means[b] += values[b * size + i];
    means[b] /= static_cast<double>(size);
    grand += means[b];
  }
  grand /= static_cast<double>(batches);
  double squares = 0;
  for (const double m : means) squares += (m - grand) * (m - grand);
  const auto n = static_cast<double>(batches);
  const double t = batches - 1 <= student.size() ? student[batches - 2] : 1.96;
  out.half_width = t * std::sqrt(squares / (n - 1) / n);
  return out;
}

std::size_t warm_up(std::span<const double> values) {
  constexpr std::size_t group = 5;
  const std::size_t n = values.size() / group;
  if (n < 20) return 0;
  std::vector<double> means(n);
  for (std::size_t b = 0; b < n; ++b) {
    for (std::size_t i = 0; i < group; ++i) means[b] += values[b * group + i];
    means[b] /= group;
  }
  // From the back: sum and sum of squares of what stays when the first d groups go.
  double sum = 0, squares = 0, least = std::numeric_limits<double>::infinity();
  std::size_t cut = 0;
  for (std::size_t d = n; d-- > 0;) {
    sum += means[d];
    squares += means[d] * means[d];
    if (d > n / 5) continue;
    const auto left = static_cast<double>(n - d);
    const double error = std::max(0.0, squares - sum * sum / left) / (left * left);
    if (error <= least) {
      least = error;
      cut = d;
    }
  }
  if (cut == 0) return 0;
  double before = 0, after = 0;
  for (std::size_t b = 0; b < n; ++b) (b < cut ? before : after) += means[b];
  const bool too_good = before / static_cast<double>(cut) < after / static_cast<double>(n - cut);
  return too_good ? cut * group : 0;
}

bool is_saturated(std::span<const Sample> samples, double growth) {
  if (samples.size() < 100) return false;  // too short to tell growth from chance
  const std::int64_t begin = samples[samples.size() / 5].arrival_ns, end = samples.back().arrival_ns;
  if (end <= begin) return false;
  // How many are in the system at each of evenly spaced instants: each request from the first instant at or after its
  // arrival to the last one before its end.
  const double step = static_cast<double>(end - begin) / (instants - 1);
  const auto instant = [&](std::size_t i) { return begin + static_cast<std::int64_t>(step * static_cast<double>(i)); };
  /// The first instant at or after `t`; `instants` when there is none.
  const auto first_at = [&](std::int64_t t) {
    if (t <= begin) return std::size_t{0};
    if (t > instant(instants - 1)) return instants;
    auto i = std::min(instants - 1, static_cast<std::size_t>(static_cast<double>(t - begin) / step));
    while (i > 0 && instant(i - 1) >= t) --i;
    while (instant(i) < t) ++i;
    return i;
  };
  std::array<std::int64_t, instants + 1> change{};
  for (const Sample& s : samples) {
    ++change[first_at(s.arrival_ns)];
    --change[first_at(s.arrival_ns + s.e2e_ns)];
  }
  std::array<double, instants> level{};
  double mean = 0;
  std::int64_t inside = 0;
  for (std::size_t i = 0; i < instants; ++i) {
    inside += change[i];
    level[i] = static_cast<double>(inside);
    mean += level[i] / instants;
  }
  const double middle = (instants - 1) / 2.0;
  double xx = 0, xy = 0;
  for (std::size_t i = 0; i < instants; ++i) {
    const double x = static_cast<double>(i) - middle;
    xx += x * x;
    xy += x * (level[i] - mean);
  }
  const double slope = xy / xx;  // requests an instant
  double residual = 0;
  for (std::size_t i = 0; i < instants; ++i) {
    const double e = level[i] - mean - slope * (static_cast<double>(i) - middle);
    residual += e * e;
  }
  const double error = std::sqrt(residual / (instants - 2) / xx);
  const double arrivals_an_instant = static_cast<double>(samples.size()) * 0.8 / (instants - 1);
  return slope > growth * arrivals_an_instant && slope > 3 * error;
}
}  // namespace stowage
