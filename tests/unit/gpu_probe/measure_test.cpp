// The statistics and the stopping rule, on timings that are written down here: no GPU.
#include "gpu_probe/measure.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace stowage::probe {
namespace {

/// launch() says how long it takes by setting next_us; a clock that only moves by what was timed.
struct FakeTimer {
  double next_us = 0;
  double clock_s = 0;
  int stop_after = 1 << 30;
  bool slowed = false;
  std::vector<int> order;  // what was timed, warm-ups left out

  Sample time(const std::function<void(int)>& launch, int i) {
    launch(i);
    clock_s += next_us * 1e-6;
    --stop_after;
    return {next_us, 1500, slowed};
  }
  void warm_up(const std::function<void(int)>& launch, int i) {
    launch(i);
    ++warm_ups;
  }
  [[nodiscard]] double now_s() const { return clock_s; }
  [[nodiscard]] bool interrupted() const { return stop_after <= 0; }
  int warm_ups = 0;
};
static_assert(Timer<FakeTimer>);

TEST(Summary, PercentilesAreMeasuredValues) {
  std::vector<double> v;
  for (int i = 100; i >= 1; --i) v.push_back(i);  // 1..100, unsorted
  const Summary s = summarise(v);
  EXPECT_EQ(s.n, 100U);
  EXPECT_DOUBLE_EQ(s.median, 50.5);  // mean of the 50th and 51st
  EXPECT_DOUBLE_EQ(s.p5, 5);         // the 5th of 100 has 5 % at or below it
  EXPECT_DOUBLE_EQ(s.p95, 95);
  EXPECT_DOUBLE_EQ(s.p99, 99);
  EXPECT_DOUBLE_EQ(s.min, 1);
  EXPECT_DOUBLE_EQ(s.max, 100);
  EXPECT_DOUBLE_EQ(s.mean, 50.5);
}

TEST(Summary, NoiseIsTheDeviationOfTheMeanOverTheMean) {
  const Summary s = summarise(std::vector<double>{8, 12, 8, 12});
  // mean 10, variance (4 x 4) / 3, of the mean / 4, root 1.1547, over 10
  EXPECT_NEAR(s.rel_noise, std::sqrt(16.0 / 3 / 4) / 10, 1e-12);
  EXPECT_DOUBLE_EQ(summarise(std::vector<double>{7}).rel_noise, 0);
  EXPECT_EQ(summarise(std::vector<double>{}).n, 0U);
  EXPECT_DOUBLE_EQ(summarise(std::vector<double>{7}).p5, 7);
}

TEST(Series, OnlineNoiseEqualsThatOfTheSummary) {
  Series series;
  EXPECT_TRUE(std::isinf(series.rel_noise()));
  for (const double v : {1e6 + 3.0, 1e6 - 1.0, 1e6 + 7.0, 1e6, 1e6 + 2.0}) series.add(v);
  EXPECT_NEAR(series.rel_noise(), series.summary().rel_noise, 1e-15);
}

TEST(Series, DropsAndCountsSlowedSamples) {
  Series series;
  series.add({10, 1400, false});
  series.add({99, 600, true});
  series.add({12, 1600, false});
  EXPECT_EQ(series.size(), 2U);
  EXPECT_EQ(series.dropped(), 1U);
  EXPECT_DOUBLE_EQ(series.median_clock_mhz(), 1500);  // of 1400 and 1600
  EXPECT_DOUBLE_EQ(series.summary().max, 12);
}

TEST(Series, MergeKeepsValuesAndCounts) {
  Series a, b;
  a.add(1);
  b.add({3, 900, false});
  b.add({5, 0, true});
  a.merge(b);
  EXPECT_EQ(a.size(), 2U);
  EXPECT_EQ(a.dropped(), 1U);
  EXPECT_DOUBLE_EQ(a.summary().mean, 2);
  EXPECT_DOUBLE_EQ(a.median_clock_mhz(), 900);
}

TEST(Measure, StopsAtTheNoiseAndSaysSo) {
  FakeTimer timer;
  Rng rng(1);
  const Series s =
      measure([&](int i) { timer.next_us = 100 + i % 2; }, {.rel_noise = 0.01, .samples_min = 10}, timer, rng);
  EXPECT_EQ(s.size(), 10U);  // 0.5 % of spread is below 1 % at once: the least number of samples
  EXPECT_EQ(s.stop, StopReason::noise);
  EXPECT_EQ(timer.warm_ups, 2);
}

TEST(Measure, StopsAtTheTimeOutAndSaysSo) {
  FakeTimer timer;
  Rng rng(1);
  // 1 ms and 3 ms in turn, noise 50 % / root n: 0.1 % would need 250 000 samples. 2 ms each: 50 in 0.1 s, one more to
  // see it.
  const StopRule rule{.rel_noise = 0.001, .samples_min = 10, .samples_max = 1000, .timeout_s = 0.1};
  const Series s = measure([&](int i) { timer.next_us = i % 2 == 0 ? 1000 : 3000; }, rule, timer, rng);
  EXPECT_EQ(s.stop, StopReason::timeout);
  EXPECT_NEAR(static_cast<double>(s.size()), 51, 1);
}

TEST(Measure, StopsAtTheLargestNumberOfSamples) {
  FakeTimer timer;
  Rng rng(1);
  const StopRule rule{.rel_noise = 1e-6, .samples_min = 10, .samples_max = 40, .timeout_s = 1e9};
  const Series s = measure([&](int i) { timer.next_us = i % 2 == 0 ? 1 : 3; }, rule, timer, rng);
  EXPECT_EQ(s.stop, StopReason::samples);
  EXPECT_EQ(s.size(), 40U);
}

TEST(Measure, TakesTheLeastNumberOfSamplesEvenPastTheTimeOut) {
  FakeTimer timer;
  Rng rng(1);
  const StopRule rule{.rel_noise = 1e-6, .samples_min = 5, .samples_max = 40, .timeout_s = 1e-9};
  const Series s = measure([&](int i) { timer.next_us = 1 + i % 3; }, rule, timer, rng);
  EXPECT_EQ(s.size(), 5U);
  EXPECT_EQ(s.stop, StopReason::timeout);
}

TEST(Measure, AnInterruptKeepsWhatWasMeasured) {
  FakeTimer timer;
  timer.stop_after = 7;
  Rng rng(1);
  const Series s = measure([&](int) { timer.next_us = 5; }, {}, timer, rng);
  EXPECT_EQ(s.size(), 7U);
  EXPECT_EQ(s.stop, StopReason::interrupted);
}

TEST(MeasureInterleaved, EveryRoundTakesEachVariantOnceInVaryingOrder) {
  FakeTimer timer;
  Rng rng(3);
  std::vector<int> order;
  std::vector<Variant> variants;
  for (int v = 0; v < 3; ++v)
    variants.push_back({std::to_string(v), [&, v](int i) {
                          order.push_back(v);
                          timer.next_us = v == 1 ? 100 + i % 2 * 100 : 10;  // the middle one is noisy
                        }});
  const StopRule rule{.rel_noise = 0.02, .samples_min = 10, .samples_max = 100, .timeout_s = 1e9, .warm_ups = 0};
  const auto series = measure_interleaved(std::span<const Variant>(variants), rule, timer, rng);
  EXPECT_EQ(series[0].size(), series[1].size());
  EXPECT_EQ(series[2].size(), series[1].size());
  // 100 and 200 in turn: 50/150 = 1/3 over root n is 2 % at n = 278: not reached, while the quiet ones are.
  EXPECT_EQ(series[0].stop, StopReason::noise);
  EXPECT_EQ(series[1].stop, StopReason::samples);
  ASSERT_EQ(order.size(), 300U);
  std::map<std::vector<int>, int> seen;
  for (std::size_t i = 0; i < order.size(); i += 3) {
    std::vector<int> round(order.begin() + static_cast<std::ptrdiff_t>(i),
                           order.begin() + static_cast<std::ptrdiff_t>(i) + 3);
    ++seen[round];
    std::sort(round.begin(), round.end());
    EXPECT_EQ(round, (std::vector<int>{0, 1, 2}));
  }
  EXPECT_EQ(seen.size(), 6U);  // all 3! orders in 100 rounds
}

TEST(MeasureInterleaved, SamplesOfOneRoundShareTheIndexSoThatPairsStayPaired) {
  FakeTimer timer;
  Rng rng(3);
  std::vector<std::vector<int>> indices(2);
  std::vector<Variant> variants;
  for (std::size_t v = 0; v < 2; ++v)
    variants.push_back({"", [&, v](int i) {
                          indices[v].push_back(i);
                          timer.next_us = 1;
                        }});
  const StopRule rule{.samples_min = 4, .warm_ups = 0};
  static_cast<void>(measure_interleaved(std::span<const Variant>(variants), rule, timer, rng));
  EXPECT_EQ(indices[0], indices[1]);
  EXPECT_EQ(indices[0], (std::vector<int>{0, 1, 2, 3}));
}

TEST(Rates, FromBytesAndMicroseconds) {
  EXPECT_DOUBLE_EQ(gbps(3e9, 1e6), 3);     // 3 GB in a second
  EXPECT_DOUBLE_EQ(tflops(2e12, 1e6), 2);  // 2 Tflop in a second
  EXPECT_DOUBLE_EQ(gbps(1, 0), 0);
}

}  // namespace
}  // namespace stowage::probe
