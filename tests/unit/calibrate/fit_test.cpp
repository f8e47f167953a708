// The fits on data whose answer is known.
#include "calibrate/fit.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "calibrate/parts.hpp"
#include "models/cost/power_credit.hpp"

namespace stowage {
namespace {
TEST(Fit, FindsTheCoefficientsOfCleanData) {
  std::vector<Equation> equations;
  for (double x = 1; x <= 20; ++x) equations.push_back({{1, x, x * x}, 5 + 2 * x + 0.5 * x * x});
  const auto c = fit_nonnegative(equations);
  EXPECT_NEAR(c[0], 5, 1e-6);
  EXPECT_NEAR(c[1], 2, 1e-6);
  EXPECT_NEAR(c[2], 0.5, 1e-6);
}

TEST(Fit, ATermThatWouldBeNegativeIsZero) {
  std::vector<Equation> equations;  // 3 x - 1: the constant wants to be negative
  for (double x = 1; x <= 20; ++x) equations.push_back({{1, x}, 3 * x - 1});
  const auto c = fit_nonnegative(equations);
  EXPECT_EQ(c[0], 0);
  EXPECT_NEAR(c[1], 2.9, 0.15);
}

TEST(Fit, OneWildPointMovesNothing) {
  std::vector<Equation> equations;
  for (double x = 1; x <= 40; ++x) equations.push_back({{1, x}, (10 + x) * (x == 7 ? 3 : 1)});
  const auto c = fit_nonnegative(equations);
  EXPECT_NEAR(c[0], 10, 0.1);
  EXPECT_NEAR(c[1], 1, 0.01);
}

TEST(Fit, TooFewPointsAreAnError) {
  const std::vector<Equation> one = {{{1, 2}, 3}};
  EXPECT_THROW((void)fit_nonnegative(one), InputError);
}

TEST(Monotone, LeavesARisingSequenceAsItIs) {
  EXPECT_EQ(monotone(std::vector<double>{1, 2, 2, 5}), (std::vector<double>{1, 2, 2, 5}));
}

TEST(Monotone, AWildValueDoesNotDragItsNeighboursAlong) {
  // 288 before 158: their pool's median, weighted by 1 / v, is 158, for 1/158 is more than half of 1/158 + 1/288. The
  // pool lies below 199 then, which stays as it is.
  EXPECT_EQ(monotone(std::vector<double>{128, 288, 158, 199, 205}), (std::vector<double>{128, 158, 158, 199, 205}));
}

TEST(Error, MeanBiasAndPercentile) {
  std::vector<double> residuals(19, 0.01);
  residuals.push_back(-0.21);
  const PartError e = error_of("x", residuals, "");
  EXPECT_NEAR(e.mape, (19 * 0.01 + 0.21) / 20, 1e-12);
  EXPECT_NEAR(e.bias, (19 * 0.01 - 0.21) / 20, 1e-12);
  EXPECT_DOUBLE_EQ(e.p95, 0.01);  // rank 19 of 20
  EXPECT_EQ(e.points, 20);
}

/// Part `clock` as a chip with these numbers would have measured it, by the rule itself.
ProbeFile clock_probe(double ratio, double capacity_ns, double recharge) {
  ProbeFile probe;
  auto& part = probe.parts["clock"];
  part.status = "measured";
  const auto figure = [&](const char* name, double us) -> ProbeFigure& {
    ProbeFigure& f = part.figures.emplace_back();
    f.name = name;
    f.unit = "us";
    f.n = 1;
    f.median = us;
    return f;
  };
  const std::map<std::int64_t, double> loaded_us = {{256, 8'000}, {1024, 24'000}, {4096, 98'000}};
  const auto cost_of = [&](std::int64_t rows) {
    StepCost::Table table;
    table.dense_ns = {0, loaded_us.at(rows) * 1e3};
    table.boost = {{1, ratio}, {capacity_ns}, {recharge}};
    return StepCost(std::move(table));
  };
  StepShape shape;
  shape.prefill_tokens = 1;
  for (const auto& [rows, us] : loaded_us) {
    PowerCredit power;
    double now = 0;
    for (int i = 0; i < 60 && now < 400e6; ++i) {
      const auto ns = static_cast<double>(power.step_ns(cost_of(rows), shape, static_cast<std::int64_t>(now)));
      ProbeFigure& f = figure("ramp", ns / 1e3);
      f.keys = {{"rows", rows}, {"place", std::int64_t{i}}};
      f.extra["busy_before_us"] = now / 1e3;
      now += ns;
    }
  }
  // As the probe does: seven cycles from rested, the median of the last five.
  for (const std::int64_t rows : {1024, 4096})
    for (const double rest_us : {5e3, 10e3, 20e3, 40e3, 80e3, 200e3}) {
      PowerCredit power;
      double now = 0;
      std::vector<double> took;
      for (int i = 0; i < 7; ++i) {
        const auto ns = static_cast<double>(power.step_ns(cost_of(rows), shape, static_cast<std::int64_t>(now)));
        if (i >= 2) took.push_back(ns);
        now += ns + rest_us * 1e3;
      }
      ProbeFigure& f = figure("rest", median_of(took) / 1e3);
      f.keys = {{"rows", rows}, {"decodes", std::int64_t{0}}};
      f.extra["rest_us"] = rest_us;
    }
  return probe;
}

TEST(Rested, FindsTheChipThatMeasuredIt) {
  Profile profile;
  const auto fit = detail::fit_rested(clock_probe(0.9, 60e6, 0.8), profile);
  ASSERT_TRUE(fit);
  const auto& r = profile.rested;
  ASSERT_EQ(r.rows, (std::vector<double>{256, 1024}));  // the first step of 4096 rows is not all fresh
  EXPECT_NEAR(r.ratio[0], 0.9, 1e-3);
  EXPECT_NEAR(r.ratio[1], 0.9, 1e-3);
  ASSERT_EQ(r.batch, std::vector<double>{0});
  EXPECT_NEAR(r.capacity_ns[0], 60e6, 2.5e6);
  EXPECT_NEAR(r.recharge[0], 0.8, 0.05);
}

TEST(Rested, DrawsLieAboutTheChipThatMeasuredIt) {
  Profile profile;
  ASSERT_TRUE(detail::fit_rested(clock_probe(0.9, 60e6, 0.8), profile));
  const auto& r = profile.rested;
  ASSERT_EQ(r.drawn_recharge.size(), detail::draw_count);
  ASSERT_EQ(r.drawn_capacity_ns.size(), detail::draw_count);
  const auto [least, most] = std::minmax_element(r.drawn_recharge.begin(), r.drawn_recharge.end());
  EXPECT_NEAR(median_of(r.drawn_recharge), 0.8, 0.1);
  EXPECT_GT(*least, 0.5);
  EXPECT_LT(*most, 1.3);
  EXPECT_NEAR(median_of(r.drawn_capacity_ns), 60e6, 5e6);
  // The same seed draws the same; the others of a profile are not disturbed by it.
  Profile again;
  ASSERT_TRUE(detail::fit_rested(clock_probe(0.9, 60e6, 0.8), again));
  EXPECT_EQ(again.rested.drawn_recharge, r.drawn_recharge);
}

// Rests so long that any recharge fills the credit say nothing of it: draws then go as far as the grid.
TEST(Rested, WhatRestsCannotTellIsDrawnWidely) {
  ProbeFile probe = clock_probe(0.9, 60e6, 0.8);
  auto& figures = probe.parts["clock"].figures;
  std::erase_if(figures, [](const ProbeFigure& f) { return f.name == "rest" && f.extra.at("rest_us") < 200e3; });
  Profile profile;
  ASSERT_TRUE(detail::fit_rested(probe, profile));
  const auto& drawn = profile.rested.drawn_recharge;
  EXPECT_GT(*std::max_element(drawn.begin(), drawn.end()), 1.5);
  EXPECT_LT(*std::min_element(drawn.begin(), drawn.end()), 0.6);
}

TEST(Rested, TheNoiseOfRepeatsWidensDraws) {
  const auto spread = [](double noise) {
    ProbeFile probe = clock_probe(0.9, 60e6, 0.8);
    for (ProbeFigure& f : probe.parts["clock"].figures) f.rel_noise = noise;
    Profile profile;
    (void)detail::fit_rested(probe, profile);
    const auto& drawn = profile.rested.drawn_recharge;
    const auto [least, most] = std::minmax_element(drawn.begin(), drawn.end());
    return *most / *least;
  };
  EXPECT_GT(spread(0.02), 1.5 * spread(0));
}

TEST(Rested, TimesOfNothingAreLeftOut) {
  ProbeFile probe = clock_probe(0.9, 60e6, 0.8);
  ProbeFigure zero;
  zero.name = "rest";
  zero.keys = {{"rows", std::int64_t{1024}}, {"decodes", std::int64_t{0}}};
  zero.extra["rest_us"] = 20e3;
  probe.parts["clock"].figures.push_back(zero);
  zero.name = "walk";
  probe.parts["clock"].figures.push_back(zero);
  Profile profile;
  const auto fit = detail::fit_rested(probe, profile);
  ASSERT_TRUE(fit);
  EXPECT_NEAR(profile.rested.recharge[0], 0.8, 0.05);
  EXPECT_TRUE(fit->points.empty());
}

/// Rests of prompts that take less than one earns are the same whatever it earns; rests after the clock has settled are
/// not.
TEST(Rested, OneRestAfterTheClockSettledSaysWhatAnIdleChipEarns) {
  for (const double recharge : {0.75, 1.65}) {
    ProbeFile probe = clock_probe(0.9, 50e6, recharge);
    auto& figures = probe.parts["clock"].figures;
    std::erase_if(figures, [](const ProbeFigure& f) { return f.name == "rest" && f.extra.at("rest_us") < 200e3; });
    Profile blind;
    ASSERT_TRUE(detail::fit_rested(probe, blind));
    EXPECT_NE(blind.rested.recharge[0], recharge);
    // 24 ms under load, 21.6 at full clock. 10 ms earn 7.5 or 16.5 ms of it, so that the first prompt takes
    // 24 - 7.5 / 9 = 23.167 or 24 - 16.5 / 9 = 22.167; 40 ms earn 30 or 50 (the most), which lasts for more than one.
    for (const double rest_ms : {10.0, 40.0}) {
      double left = std::min(50.0, recharge * rest_ms);
      for (int place = 0; place < 8; ++place) {
        const double used = std::min(left, 21.6);
        left -= used;
        ProbeFigure& f = figures.emplace_back();
        f.name = "refill";
        f.n = 5;
        f.mean = f.median = (24 - used / 9) * 1e3;
        f.keys = {{"rows", std::int64_t{1024}}, {"place", std::int64_t{place}}, {"idle_ms", rest_ms}};
        f.extra = {{"rest_us", rest_ms * 1e3}, {"settled_us", 24e3}};
      }
    }
    Profile profile;
    ASSERT_TRUE(detail::fit_rested(probe, profile));
    EXPECT_NEAR(profile.rested.recharge[0], recharge, 0.05 + 1e-9);
    EXPECT_NEAR(profile.rested.capacity_ns[0], 50e6, 5e6);
  }
}

/// A rest over and over leaves other times in the first cycles than in the last: the fit reads the figure as it was
/// made.
TEST(Rested, ReadsTheMedianThatTheProbeTook) {
  // 1024 rows, 21.6 ms at full clock of 24; 60 ms of it at first, 0.5 x 20 = 10 earned a cycle. Left before each of the
  // seven: 60, 48.4, 36.8, 25.2, 13.6, 10, 10, so that the last five take 21.6, 21.6, 24 - 13.6 / 9 = 22.489, 22.889
  // and 22.889.
  ProbeFile probe = clock_probe(0.9, 60e6, 0.5);
  const auto& figures = probe.parts["clock"].figures;
  const auto rest = std::find_if(figures.begin(), figures.end(), [](const ProbeFigure& f) {
    return f.name == "rest" && f.integer("rows") == 1024 && f.extra.at("rest_us") == 20e3;
  });
  ASSERT_NE(rest, figures.end());
  EXPECT_NEAR(rest->median, 22'489, 1);
  Profile profile;
  ASSERT_TRUE(detail::fit_rested(probe, profile));
  EXPECT_NEAR(profile.rested.capacity_ns[0], 60e6, 2.5e6);
  EXPECT_NEAR(profile.rested.recharge[0], 0.5, 0.05 + 1e-9);
}

TEST(Rested, AProbeWithoutThePartHasNoRest) {
  Profile profile;
  EXPECT_FALSE(detail::fit_rested(ProbeFile{}, profile));
  EXPECT_TRUE(profile.rested.rows.empty());
}
}  // namespace
}  // namespace stowage
