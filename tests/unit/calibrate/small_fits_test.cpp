// Small statistics and small parts against sums by hand and brute force.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/rng.hpp"
#include "calibrate/engine_log.hpp"
#include "calibrate/fit.hpp"
#include "calibrate/parts.hpp"
#include "tests/unit/calibrate/figures.hpp"

namespace stowage {
namespace {
using testing::add;

TEST(Statistics, APercentileIsTheLeastThatHoldsItsShare) {
  Rng rng(5, "percentiles");
  for (std::size_t n = 1; n <= 23; ++n) {
    std::vector<double> values;
    for (std::size_t i = 0; i < n; ++i) values.push_back(std::floor(10 * rng.uniform()));
    for (const double share : {0.03, 0.05, 0.5, 0.9, 0.95, 0.999, 1.0}) {
      double least = *std::max_element(values.begin(), values.end());
      for (const double v : values) {
        const auto held = static_cast<double>(
            std::count_if(values.begin(), values.end(), [&](double other) { return other <= v; }));
        if (held >= share * static_cast<double>(n)) least = std::min(least, v);
      }
      EXPECT_EQ(percentile_of(values, share), least) << n << " values, " << share;
    }
  }
  EXPECT_EQ(percentile_of({}, 0.5), 0);
}

TEST(Statistics, TheMedianOfAnEvenNumberLiesBetweenTheTwo) {
  EXPECT_EQ(median_of({4, 1, 9}), 4);
  EXPECT_EQ(median_of({4, 1, 9, 6}), 5);
  EXPECT_EQ(median_of({1, 3}), 2);
}

/// Huber's loss of the relative residuals, as fit.hpp has it.
double loss(const std::vector<Equation>& equations, const std::vector<double>& c, double knee) {
  double sum = 0;
  for (const Equation& e : equations) {
    double predicted = 0;
    for (std::size_t i = 0; i < c.size(); ++i) predicted += c[i] * e.terms[i];
    const double r = std::abs(predicted / e.value - 1);
    sum += r <= knee ? r * r / 2 : knee * (r - knee / 2);
  }
  return sum;
}

/// Terms that are nearly one another's multiples, so that without the constraint some of them go below zero.
TEST(Fit, NothingNearbyIsBetterAndNothingIsNegative) {
  Rng rng(11, "fits");
  int bound = 0;
  for (int round = 0; round < 60; ++round) {
    std::vector<Equation> equations;
    for (int i = 0; i < 25; ++i) {
      const double x = 1 + 9 * rng.uniform(), y = x * (1 + 0.05 * rng.normal()), z = 1 + x / 10 + 0.05 * rng.normal();
      equations.push_back({{x, y, z, 1}, std::max(0.1, 3 * x + rng.normal())});
    }
    const double knee = 10;  // all residuals count square: the least squares are one point
    const auto c = fit_nonnegative(equations, knee);
    const double best = loss(equations, c, knee);
    for (std::size_t i = 0; i < c.size(); ++i) {
      ASSERT_GE(c[i], 0) << "round " << round;
      bound += c[i] == 0;
      for (std::size_t j = 0; j < c.size(); ++j)
        for (const double step : {1e-3, -1e-3, 0.1, -0.1}) {
          auto other = c;
          other[i] = std::max(0.0, other[i] + step);
          other[j] = std::max(0.0, other[j] - step / 2);
          ASSERT_GE(loss(equations, other, knee), best * (1 - 1e-9)) << "round " << round;
        }
    }
  }
  EXPECT_GT(bound, 20) << "the constraint never bound: the test shows nothing";
}

ProbeFile launches() {
  ProbeFile probe;
  add(probe, "launch", "eager_gpu", {{"kernels", 1}}, 4);
  add(probe, "launch", "eager_gpu", {{"kernels", 400}}, 800);  // 2 us each
  add(probe, "launch", "graph_gpu", {{"nodes", 500}}, 600);    // 1.2 us each
  return probe;
}

TEST(Launch, CostsAreThoseOfOneKernelAndComeOffWhatIsTimedAlone) {
  Profile profile;
  const auto costs = detail::launch_costs(std::vector{launches()}, profile);
  EXPECT_DOUBLE_EQ(profile.eager_kernel_ns, 2000);
  EXPECT_DOUBLE_EQ(profile.graph_kernel_ns, 1200);
  // Alone it carries 4 us, of which 1.2 stay in a graph: 30 - (4 - 1.2). Three kernels: 4 + 2 x 2 - 3 x 1.2 = 4.4.
  EXPECT_DOUBLE_EQ(costs.in_graph(30'000), 27'200);
  EXPECT_DOUBLE_EQ(costs.in_graph(30'000, 3), 25'600);
  EXPECT_DOUBLE_EQ(costs.in_graph(2'000), 200);  // never less than a tenth
}

TEST(AllReduce, IsThatOfOneOperation) {
  ProbeFile probe;
  // Four operations in one timing: 10, 20 and 40 us each.
  for (const auto& [bytes, us] : {std::pair<std::int64_t, double>{1024, 40}, {4096, 80}, {16'384, 160}})
    add(probe, "collective", "all_reduce", {{"bytes", bytes}, {"operations", 4}}, us);
  Profile profile;
  const auto fit = detail::fit_all_reduce(std::vector{probe}, profile);
  ASSERT_TRUE(fit);
  EXPECT_DOUBLE_EQ(profile.all_reduce_ns(4096, 2), 20'000);
  // The middle one, left out, against the line of its neighbours: 10 + 30 x 3,072 / 15,360 = 16 us.
  ASSERT_EQ(fit->points.size(), 1U);
  EXPECT_DOUBLE_EQ(fit->points[0].measured_ns, 20'000);
  EXPECT_DOUBLE_EQ(fit->points[0].predicted_ns, 16'000);
}

TEST(Driver, TheMiddleOneOfAllMachinesCountsAndTheirSpreadIsSaid) {
  std::vector<ProbeFile> probes(3);
  const double us[] = {30, 36, 90};
  for (std::size_t i = 0; i < 3; ++i) {
    for (const char* name : {"create", "map", "set_access", "unmap"})
      add(probes[i], "vmm", name, {{"handle_bytes", 2 << 20}}, 5);
    for (const char* name : {"beside_decode_map", "beside_decode_set_access"})
      add(probes[i], "vmm", name, {{"maps_per_s", 0}}, us[i]);
  }
  Profile profile;
  ASSERT_TRUE(detail::fit_vmm(probes, profile));
  EXPECT_DOUBLE_EQ(profile.vmm_map->call_ns, 36'000);
  EXPECT_DOUBLE_EQ(profile.vmm_unmap->call_ns, 5'000);  // nothing but the bare call was timed
  // Two machines of 1 and e: logarithms 0 and 1, standard deviation sqrt(2 x 0.25 / 1) = 0.7071 (one degree of
  // freedom). The bare call is the same on both: 0 of one more. Together sqrt(0.5 / 2).
  probes.resize(2);
  probes[1].parts["vmm"].figures.clear();
  for (const char* name : {"create", "map", "set_access", "unmap"})
    add(probes[1], "vmm", name, {{"handle_bytes", 2 << 20}}, 5);
  for (const char* name : {"beside_decode_map", "beside_decode_set_access"})
    add(probes[1], "vmm", name, {{"maps_per_s", 0}}, 30 * std::exp(1.0));
  ASSERT_TRUE(detail::fit_vmm(probes, profile));
  EXPECT_NEAR(profile.vmm_map->spread, 0.5, 1e-12);
}

TEST(Host, IsWhatTheWallHasBeyondTheGpuOfTheSameStep) {
  ProbeFile probe;
  const auto iteration = [&](const char* kind, std::int64_t decodes, std::int64_t tokens, double gpu, double wall) {
    for (const auto& [name, us] : {std::pair{"iteration", gpu}, {"iteration_wall", wall}}) {
      add(probe, "iteration", name, {{"decodes", decodes}, {"chunk_tokens", tokens}, {"kind", std::string(kind)}}, us);
    }
  };
  iteration("decode", 1, 0, 5000, 5040);
  iteration("decode", 8, 0, 6000, 6060);
  iteration("decode", 64, 0, 8000, 8050);
  iteration("mixed", 8, 64, 7000, 7200);
  iteration("mixed", 8, 4096, 90'000, 99'000);  // the clock moves a long step by more than the host does
  Profile profile;
  detail::fit_host(probe, profile);
  EXPECT_DOUBLE_EQ(profile.host_graph_ns, 50'000);
  EXPECT_DOUBLE_EQ(profile.host_eager_ns, 200'000);
}

/// Requests one after the other; a step of request i takes step_s(i). Answers are short, so that a step more or less
/// counts.
std::string one_by_one(double (*step_s)(int)) {
  std::string log;
  double now = 0;
  for (int i = 0; i < 60; ++i) {
    const int outputs = 2 + i / 2 % 9;
    const double end = now + 0.01 + (outputs - 1) * step_s(i);
    log += "{\"input_toks\": 10, \"output_toks\": " + std::to_string(outputs) + ", \"scheduled_ts\": " +
           std::to_string(now) + ", \"first_token_ts\": " + std::to_string(now + 0.01) + ", \"last_token_ts\": " +
           std::to_string(end) + "}\n";
    now = end + 0.05;
  }
  return log;
}

TEST(EngineLog, AnAnswerTakesAStepLessThanItHasTokens) {
  const auto fit = fit_engine_log(one_by_one([](int) { return 0.02; }), "log.jsonl");
  // 20 ms a step, whatever of it is called a step's and whatever a request's.
  EXPECT_NEAR(fit.linear.base_ns + fit.linear.per_decode_seq_ns + 15 * fit.linear.per_kv_token_ns, 20e6, 0.02 * 20e6);
  EXPECT_LT(fit.fitted.mape, 0.02);
}

TEST(EngineLog, WhatIsHeldBackWasNotFitted) {
  // Every second request is served at half the speed: the fit is of the others, and off by a half on these.
  const auto fit = fit_engine_log(one_by_one([](int i) { return i % 2 == 0 ? 0.02 : 0.04; }), "log.jsonl");
  EXPECT_LT(fit.fitted.mape, 0.02);
  EXPECT_NEAR(fit.held_back.bias, -0.5, 0.02);
  EXPECT_EQ(fit.fitted.points, 30);
  EXPECT_EQ(fit.held_back.points, 30);
}
}  // namespace
}  // namespace stowage
