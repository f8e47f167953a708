#pragma once
// How the probe turns repeated timings into figures: no CUDA in here, so that it is tested without a GPU.
// Method after nvbench (measure_cold, stdrel criterion): warm up, interleave the variants that will be compared, in a
// fresh random order each round, and stop at a stated noise or a time-out, recording which.
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <numeric>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace stowage::probe {

using Rng = std::mt19937_64;

enum class StopReason { noise, samples, timeout, interrupted };
[[nodiscard]] std::string_view to_string(StopReason reason);

/// When a series is long enough. All variants of one interleaved measurement stop together, so that they stay paired.
struct StopRule {
  double rel_noise = 0.005;  // standard deviation of the mean over the mean
  int samples_min = 20;
  int samples_max = 500;
  double timeout_s = 1.0;  // for the whole interleaved measurement, warm-up left out
  int warm_ups = 2;
};

/// One timing. `slowed` = the GPU said it was slowed by heat or hardware: counted, not used.
struct Sample {
  double us = 0;
  double sm_clock_mhz = 0;  // from clock64 over globaltimer; 0 = not known
  bool slowed = false;
};

/// Percentiles are by nearest rank (the smallest value with at least p of the values at or below it), so every
/// one of them was really measured; the median of an even count is the mean of the middle two.
struct Summary {
  std::size_t n = 0;
  double mean = 0, median = 0, min = 0, p5 = 0, p95 = 0, p99 = 0, max = 0;
  double rel_noise = 0;  // standard deviation of the mean over the mean; 0 for n < 2
};
[[nodiscard]] Summary summarise(std::span<const double> values);

/// Values of one quantity as they come in, with the clock at which they were taken.
class Series {
 public:
  void add(const Sample& sample);  // us, unless slowed
  void add(double value) { add(Sample{value, 0, false}); }
  void add_dropped(std::size_t n) { dropped_ += n; }
  [[nodiscard]] std::size_t size() const { return values_.size(); }
  [[nodiscard]] std::span<const double> values() const { return values_; }
  [[nodiscard]] std::size_t dropped() const { return dropped_; }
  [[nodiscard]] double rel_noise() const;  // infinity for n < 2
  [[nodiscard]] double median_clock_mhz() const;
  [[nodiscard]] Summary summary() const { return summarise(values_); }
  void merge(const Series& other);

  StopReason stop = StopReason::samples;

 private:
  std::vector<double> values_;
  std::vector<double> clocks_mhz_;
  std::size_t dropped_ = 0;
  double mean_ = 0, m2_ = 0;  // Welford
};

/// B over A, sample by sample: paired, so that drift cancels. Empty unless both have all their samples.
[[nodiscard]] Series paired_ratio(const Series& b, const Series& a);

using Value = std::variant<std::int64_t, double, bool, std::string>;

/// What was varied: {"handle_bytes", 2097152}. Order is kept. Names end with their unit.
using Keys = std::vector<std::pair<std::string, Value>>;

/// One measured quantity of the probe file (docs/probe-format.md).
struct Figure {
  std::string name;  // within its part: "create"
  Keys keys;
  std::string unit;  // us, GB/s, TFLOP/s, bytes, count, ratio
  Summary summary;
  StopReason stop = StopReason::samples;
  std::size_t dropped = 0;
  double sm_clock_mhz = 0;
  Keys extra;  // further results of the same samples: {"bytes", …}, {"gbps", …}
};

[[nodiscard]] Figure figure(std::string name, Keys keys, std::string unit, const Series& series, Keys extra = {});
/// A single reading that has no spread (a granularity, a yes or no as 1 or 0).
[[nodiscard]] Figure fact(std::string name, Keys keys, std::string unit, double value, Keys extra = {});

/// Throughput from a series of times: bytes / us = MB/s, so 1e-3 of it is GB/s (10^9); flop / us x 1e-6 is TFLOP/s.
[[nodiscard]] inline double gbps(double bytes, double us) { return us > 0 ? bytes / us * 1e-3 : 0; }
[[nodiscard]] inline double tflops(double flop, double us) { return us > 0 ? flop / us * 1e-6 : 0; }

/// One of several things timed against each other. launch(i) queues sample i; i lets it rotate over buffers.
struct Variant {
  std::string name;
  std::function<void(int)> launch;
};

template <class T>
concept Timer = requires(T timer, const std::function<void(int)>& launch, int i) {
  { timer.time(launch, i) } -> std::same_as<Sample>;
  timer.warm_up(launch, i);  // first use may load code and allocate
  { timer.now_s() } -> std::convertible_to<double>;
  { timer.interrupted() } -> std::convertible_to<bool>;
};

/// Times all variants A, B, … once a round, each round in a fresh random order, until every one is below the rule's
/// noise (then each says `noise`), or samples_max or the time-out is reached (then those above it say which).
template <Timer T>
std::vector<Series> measure_interleaved(std::span<const Variant> variants, const StopRule& rule, T& timer, Rng& rng) {
  std::vector<Series> series(variants.size());
  int index = 0;
  for (int w = 0; w < rule.warm_ups && !timer.interrupted(); ++w)
    for (const Variant& v : variants) timer.warm_up(v.launch, index++);
  std::vector<std::size_t> order(variants.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto quiet = [&](const Series& s) {
    return s.size() >= static_cast<std::size_t>(rule.samples_min) && s.rel_noise() <= rule.rel_noise;
  };
  const double start_s = timer.now_s();
  StopReason why = StopReason::samples;
  for (int round = 0; round < rule.samples_max; ++round) {
    if (timer.interrupted()) {
      why = StopReason::interrupted;
      break;
    }
    for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[rng() % i]);
    for (const std::size_t v : order) series[v].add(timer.time(variants[v].launch, index));
    ++index;
    bool all_quiet = true;
    for (const Series& s : series) all_quiet = all_quiet && quiet(s);
    if (all_quiet) break;
    if (timer.now_s() - start_s > rule.timeout_s && round + 1 >= rule.samples_min) {
      why = StopReason::timeout;
      break;
    }
  }
  for (Series& s : series) s.stop = why != StopReason::interrupted && quiet(s) ? StopReason::noise : why;
  return series;
}

template <Timer T>
Series measure(const std::function<void(int)>& launch, const StopRule& rule, T& timer, Rng& rng) {
  const Variant one{"", launch};
  return measure_interleaved(std::span(&one, 1), rule, timer, rng).front();
}

}  // namespace stowage::probe
