#include "gpu_probe/measure.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace stowage::probe {

std::string_view to_string(StopReason reason) {
  switch (reason) {
    case StopReason::noise: return "noise";
    case StopReason::samples: return "samples";
    case StopReason::timeout: return "timeout";
    case StopReason::interrupted: return "interrupted";
  }
  return "?";
}

namespace {
double median_of_sorted(std::span<const double> v) {
  const std::size_t half = v.size() / 2;
  return v.size() % 2 == 1 ? v[half] : (v[half - 1] + v[half]) / 2;
}

/// The smallest value with at least p of the values at or below it.
double nearest_rank(std::span<const double> sorted, double p) {
  const auto rank = static_cast<std::size_t>(std::ceil(p * static_cast<double>(sorted.size()) - 1e-9));
  return sorted[std::clamp<std::size_t>(rank, 1, sorted.size()) - 1];
}
}  // namespace

Summary summarise(std::span<const double> values) {
  Summary s;
  s.n = values.size();
  if (values.empty()) return s;
  std::vector<double> v(values.begin(), values.end());
  std::sort(v.begin(), v.end());
  const auto n = static_cast<double>(v.size());
  s.mean = std::accumulate(v.begin(), v.end(), 0.0) / n;
  s.median = median_of_sorted(v);
  s.min = v.front();
  s.max = v.back();
  s.p5 = nearest_rank(v, 0.05);
  s.p95 = nearest_rank(v, 0.95);
  s.p99 = nearest_rank(v, 0.99);
  if (v.size() > 1 && s.mean != 0) {
    double sum = 0;
    for (const double x : v) sum += (x - s.mean) * (x - s.mean);
    s.rel_noise = std::sqrt(sum / (n - 1) / n) / std::abs(s.mean);
  }
  return s;
}

void Series::add(const Sample& sample) {
  if (sample.slowed) {
    ++dropped_;
    return;
  }
  values_.push_back(sample.us);
  if (sample.sm_clock_mhz > 0) clocks_mhz_.push_back(sample.sm_clock_mhz);
  const double delta = sample.us - mean_;
  mean_ += delta / static_cast<double>(values_.size());
  m2_ += delta * (sample.us - mean_);
}

double Series::rel_noise() const {
  const auto n = static_cast<double>(values_.size());
  if (values_.size() < 2 || mean_ == 0) return std::numeric_limits<double>::infinity();
  return std::sqrt(m2_ / (n - 1) / n) / std::abs(mean_);
}

double Series::median_clock_mhz() const {
  if (clocks_mhz_.empty()) return 0;
  std::vector<double> v = clocks_mhz_;
  std::sort(v.begin(), v.end());
  return median_of_sorted(v);
}

void Series::merge(const Series& other) {
  for (const double v : other.values_) add(v);
  clocks_mhz_.insert(clocks_mhz_.end(), other.clocks_mhz_.begin(), other.clocks_mhz_.end());
  dropped_ += other.dropped_;
}

Series paired_ratio(const Series& b, const Series& a) {
  Series out;
  if (a.size() != b.size() || a.dropped() + b.dropped() > 0) return out;
  for (std::size_t i = 0; i < a.size(); ++i) out.add(b.values()[i] / a.values()[i]);
  out.stop = b.stop;
  return out;
}

Figure figure(std::string name, Keys keys, std::string unit, const Series& series, Keys extra) {
  Figure f;
  f.name = std::move(name);
  f.keys = std::move(keys);
  f.unit = std::move(unit);
  f.summary = series.summary();
  f.stop = series.stop;
  f.dropped = series.dropped();
  f.sm_clock_mhz = series.median_clock_mhz();
  f.extra = std::move(extra);
  return f;
}

Figure fact(std::string name, Keys keys, std::string unit, double value, Keys extra) {
  Series one;
  one.add(value);
  return figure(std::move(name), std::move(keys), std::move(unit), one, std::move(extra));
}

}  // namespace stowage::probe
