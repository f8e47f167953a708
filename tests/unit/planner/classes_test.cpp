// Objectives of classes of requests, by brute force: those of the class alone, judged as if there were no others.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/rng.hpp"
#include "planner/slo.hpp"

namespace stowage {
namespace {
std::vector<SloSet> sets_of(const std::string& text) {
  Problems problems;
  auto out = read_plan_slo(ConfigDocument::parse(text, "slo.yaml").root(), problems);
  problems.throw_if_any();
  return out;
}

/// Few lengths, so that many requests stand at the ends of a class; one in five is not served.
std::vector<Sample> drawn(Rng& rng) {
  std::vector<Sample> out(200);
  for (Sample& s : out) {
    s.prompt = 1 + static_cast<std::int32_t>(rng.below(8));
    s.output = 1 + static_cast<std::int32_t>(rng.below(4));
    s.ttft_ns = 1 + static_cast<std::int64_t>(rng.below(1'000'000));
    s.e2e_ns = s.ttft_ns + static_cast<std::int64_t>(rng.below(1'000'000));
    s.tpot_ns = s.output > 1 ? static_cast<double>(s.e2e_ns - s.ttft_ns) / (s.output - 1) : 0;
    s.served = rng.below(5) > 0;
  }
  return out;
}

TEST(Classes, AreJudgedAsIfThereWereNoOthers) {
  Rng rng(12, "classes");
  const std::string targets = "ttft_p70: 900us, tpot_p60: 500us, e2e_p75: 1ms, goodput: {share: 50%, ttft: 800us}";
  const auto alone = sets_of("{" + targets + "}");
  for (int round = 0; round < 60; ++round) {
    const auto samples = drawn(rng);
    const auto low = 1 + rng.below(8), high = low + rng.below(9 - low);
    for (const char* of : {"prompt", "output"}) {
      const bool prompts = of == std::string("prompt");
      std::vector<Sample> own;
      for (const Sample& s : samples) {
        const auto length = static_cast<std::uint64_t>(prompts ? s.prompt : s.output);
        if (low <= length && length <= high) own.push_back(s);
      }
      if (own.empty()) continue;
      RunResult run;
      const auto classes = check_plan_slo(
          sets_of(fmt::format("[{{for: {{{}: {}..{}}}, {}}}]", of, low, high, targets)), samples, run);
      const auto expected = check_plan_slo(alone, own, run);
      ASSERT_EQ(classes.size(), expected.size());
      for (std::size_t i = 0; i < classes.size(); ++i) {
        EXPECT_EQ(classes[i].met, expected[i].met) << of << " " << low << ".." << high << " " << classes[i].key;
        EXPECT_EQ(classes[i].achieved, expected[i].achieved) << of << " " << low << ".." << high;
      }
    }
  }
}

// A request of one token that was never served is late by any measure, though it has no time per output token.
TEST(Classes, OfOneTokenTheUnservedAreLate) {
  std::vector<Sample> samples(10);
  for (Sample& s : samples) s.prompt = 5, s.output = 2, s.tpot_ns = 1e6;
  const auto slo = sets_of("{tpot_p80: 2ms, tpot_p100: 2ms}");
  for (std::size_t i = 0; i < 3; ++i) samples[i].output = 1, samples[i].tpot_ns = 0;
  for (const TargetResult& t : check_plan_slo(slo, samples, {})) EXPECT_TRUE(t.met) << t.key;
  for (std::size_t i = 0; i < 3; ++i) samples[i].served = false;  // three of ten
  for (const TargetResult& t : check_plan_slo(slo, samples, {})) EXPECT_FALSE(t.met) << t.key;
}
}  // namespace
}  // namespace stowage
