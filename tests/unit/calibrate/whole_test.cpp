// What whole probes and whole logs make of their parts: sums by hand, and what must not depend on noise.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <numeric>

#include "calibrate/fit.hpp"
#include "calibrate/parts.hpp"
#include "calibrate/validate_engine.hpp"
#include "tests/support/source_dir.hpp"
#include "tests/unit/calibrate/figures.hpp"
#include "tests/unit/planner/helpers.hpp"

namespace stowage {
namespace {
using testing::add;

TEST(Draws, APartPricedTooHighIsDrawnLower) {
  // All errors are +25 %, and machines do not differ: each draw is 1 / 1.25 of the price.
  const Profile::Draws d = detail::draws_of("gemm", {0.25, 0.25, 0.25}, 0, 1);
  ASSERT_EQ(d.factor.size(), detail::draw_count);
  for (const double f : d.factor) EXPECT_DOUBLE_EQ(f, 0.8);
}

/// Factors of decode attention, drawn beside a second probe whose figures of it are changed.
std::vector<double> drawn(const ProbeFile& probe, double odd, double even) {
  std::vector<ProbeFile> probes = {probe, probe};
  int i = 0;
  for (ProbeFigure& f : probes[1].parts["attention"].figures)
    if (f.name == "decode") f.median *= i++ % 2 == 0 ? even : odd;
  EXPECT_EQ(i % 2, 0) << "as many odd ones as even ones";
  for (const auto& d : calibrate(probes, {}).profile.draws)
    if (d.part == "decode") return d.factor;
  return {};
}

TEST(Calibrate, AMachineThatIsSlowerAllOverWidensDrawsAndNoiseDoesNot) {
  const ProbeFile probe = load_probe(source_dir() + "/calibrate/measurements/h100-80gb-d-all.json");
  const std::vector<double> same = drawn(probe, 1, 1), noisy = drawn(probe, 1.2, 1 / 1.2),
                            slow = drawn(probe, 1.2, 1.2);
  ASSERT_EQ(same.size(), detail::draw_count);
  ASSERT_EQ(slow.size(), same.size());
  double squares = 0;
  for (std::size_t i = 0; i < same.size(); ++i) {
    EXPECT_NEAR(noisy[i], same[i], 1e-9);
    squares += std::pow(std::log(slow[i] / same[i]), 2) / static_cast<double>(same.size());
  }
  // Of 32 draws from a normal distribution the deviation is within a third of its own.
  EXPECT_NEAR(std::sqrt(squares), std::log(1.2), std::log(1.2) / 3);
}

TEST(Calibrate, LongPromptsRunAtALowerClock) {
  const ProbeFile probe = load_probe(source_dir() + "/calibrate/measurements/h100-80gb-d-all.json");
  const detail::StepClock clock = detail::step_clock(probe);
  const Profile p = calibrate(std::vector<ProbeFile>{probe}, {}).profile;
  ASSERT_EQ(p.slowdown.size(), clock.mhz.size());
  for (std::size_t i = 0; i < p.slowdown.size(); ++i)  // cycles are the same, and each takes longer
    EXPECT_DOUBLE_EQ(p.slowdown[i] * clock.mhz[i], clock.reference());
  EXPECT_GT(p.slowdown.back(), 1);
}

TEST(Rested, AClockThatStillFallsIsNeitherFreshNorSettled) {
  ProbeFile probe;
  const auto ramp = [&](std::int64_t rows, double before_ms, double ms) {
    add(probe, "clock", "ramp", {{"rows", rows}}, ms * 1e3).extra["busy_before_us"] = before_ms * 1e3;
  };
  for (const std::int64_t rows : {512, 1024}) {
    const double ms = rows == 512 ? 10 : 20;
    ramp(rows, 0, ms);
    for (int i = 2; i < 7; ++i) ramp(rows, 20 * i, 1.1 * ms);  // from 40 ms to 120 ms
    for (int i = 8; i < 11; ++i) ramp(rows, 20 * i, 1.25 * ms);
  }
  ProbeFigure& rest = add(probe, "clock", "rest", {{"rows", 1024}, {"decodes", 0}}, 22e3);
  rest.extra["rest_us"] = 1e4;
  Profile profile;
  ASSERT_TRUE(detail::fit_rested(probe, profile));
  EXPECT_EQ(profile.rested.rows, (std::vector<double>{512, 1024}));
  for (const double r : profile.rested.ratio) EXPECT_DOUBLE_EQ(r, 0.8);  // 1 / 1.25: what settled, over what is fresh
}

TEST(EngineLog, TheHeadlineIsTheWorstErrorWhicheverWayItGoes) {
  const testing::TempFolder folder;
  EngineLog log;
  log.files = {"log.json"};
  for (int i = 0; i < 20; ++i) {
    RequestRecord r;
    r.id = static_cast<std::uint64_t>(i);
    r.arrival_ns = r.first_scheduled_ns = i * 100'000'000LL;
    r.prompt_tokens = 10, r.output_tokens = 11;
    r.first_token_ns = r.arrival_ns + 20'000'000;
    r.finished_ns = r.first_token_ns + 10 * 20'000'000LL;  // 20 ms a step
    log.requests.push_back(r);
    log.gaps_ns.emplace_back(10, 20'000'000);
  }
  for (const char* base : {"400ms", "5ms"}) {
    const std::string file = folder.file("s.yaml", std::string("model: llama-3-8b\nhardware: h100-sxm-80gb\n") +
                                                       "cost: {source: linear, base: " + base + "}\n" +
                                                       "managers: [{kind: paged}, {kind: reserve}]\n");
    const Validation v = validate_engine(log, file, {});
    ASSERT_EQ(v.managers.size(), 2U);
    const double throughput = v.managers[0].find("throughput.output_tokens_per_s")->error();
    const double makespan = v.managers[0].find("makespan_s")->error();
    EXPECT_EQ(throughput < 0, base == std::string("400ms"));
    EXPECT_DOUBLE_EQ(v.throughput_error, throughput);
    EXPECT_DOUBLE_EQ(v.makespan_error, makespan);
  }
}
}  // namespace
}  // namespace stowage
