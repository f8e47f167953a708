// Cases kept for good: edges that random scenarios seldom reach, and every shrunk case in which engine and oracle once
// differed (paste Case::literal() here).
#include <gtest/gtest.h>

#include <string>

#include "tests/differential/compare.hpp"

namespace stowage {
namespace {

/// Under both schedulers.
void expect_agreement(Case c) {
  EXPECT_EQ(first_difference(c).value_or(""), "") << c.describe();
  c.config.scheduler.policy = "prefill-first";
  c.config.scheduler.chunked_prefill = false;
  ASSERT_TRUE(is_valid(c.config));
  EXPECT_EQ(first_difference(c).value_or(""), "") << c.describe();
}

/// One byte a token and GPU; blocks and pages of a few tokens; every mapping costs half of a step.
Case plain(const std::string& kind, std::vector<Request> requests) {
  Case c;
  c.config.scheduler = {.max_batch = 4, .max_batched_tokens = 64, .max_model_len = 32};
  c.config.kv = {Bytes{64}, Bytes{2}, 1, 1};
  c.config.manager.kind = c.config.manager.name = kind;
  using Params = decltype(c.config.manager.params);
  if (kind == "paged") c.config.manager.params = Params{{"block_size", std::int64_t{4}}, {"watermark", 0.0}};
  if (kind == "reserve")
    c.config.manager.params =
        Params{{"length", std::string("oracle")}, {"space", std::string("buddy")}, {"min_block", std::int64_t{4}}};
  if (kind == "vattention") {
    c.config.manager.params = Params{
        {"page", std::int64_t{4}},         {"layout", std::string("per-layer")}, {"mapping", std::string("background")},
        {"reclaim", std::string("eager")}, {"lookahead", std::int64_t{9}},       {"lookahead_blocks", std::int64_t{2}}};
    c.config.vmm = {0, 100, 150, 125, ""};
  }
  c.config.cost = StepCost(StepCost::Linear{1000, 0, 0, 0});
  c.requests = std::move(requests);
  c.bind();
  return c;
}

class EveryManager : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Kept, EveryManager, testing::Values("reserve", "paged", "vattention"));

TEST_P(EveryManager, NoRequestAtAll) { expect_agreement(plain(GetParam(), {})); }

TEST_P(EveryManager, EverythingRejected) {
  expect_agreement(plain(GetParam(), {{5, 30, 3, 0}, {5, 40, 1, 1}, {9000, 31, 2, 2}}));
}

TEST_P(EveryManager, RejectedBeforeBetweenAndAfter) {
  expect_agreement(plain(
      GetParam(),
      {{0, 40, 1, 0}, {700, 8, 3, 1}, {50'000, 40, 1, 2}, {60'000, 9, 4, 3}, {60'500, 40, 1, 4}, {990'000, 40, 1, 5}}));
}

// S2.11
TEST_P(EveryManager, MoreRejectedThanAreListed) {
  std::vector<Request> requests;
  for (std::uint64_t i = 0; i < 250; ++i) requests.push_back({0, i % 2 == 0 ? 40 : 3, 2, i});
  expect_agreement(plain(GetParam(), std::move(requests)));
}

TEST_P(EveryManager, ArrivalsExactlyAtBoundaries) {
  expect_agreement(
      plain(GetParam(), {{0, 8, 3, 0}, {1000, 8, 3, 1}, {2000, 8, 1, 2}, {3000, 8, 2, 3}, {3000, 8, 2, 4}}));
}

// S1.26
TEST_P(EveryManager, TimeStandsStill) {
  Case c = plain(GetParam(), {{7, 8, 3, 0}, {7, 9, 12, 1}, {7, 1, 1, 2}, {7, 10, 14, 3}});
  c.config.cost = StepCost(StepCost::Linear{});
  c.config.vmm = {};
  expect_agreement(c);
}

// S1.1
TEST_P(EveryManager, YearsOfIdleTime) {
  constexpr std::int64_t year_ns = 31'557'600'000'000'000;
  expect_agreement(plain(GetParam(), {{0, 8, 3, 0}, {year_ns, 8, 3, 1}, {3 * year_ns, 5, 20, 2}}));
}

TEST_P(EveryManager, SeveralGpus) {
  Case c = plain(GetParam(), {{0, 8, 9, 0}, {0, 8, 9, 1}, {0, 8, 9, 2}, {10, 8, 9, 3}});
  c.config.kv = {Bytes{64 * 4 + 3}, Bytes{2 * 4}, 1, 4};
  expect_agreement(c);
}

// Eager unmapping left by a finish in the run's last boundary, and found unstarted by an idle gap.
TEST(Kept, UnmappingFoundByAnIdleGap) {
  expect_agreement(plain("vattention", {{0, 20, 3, 0}, {0, 9, 3, 1}, {1'000'000, 20, 8, 2}}));
}

/// Admission at the watermark, with the whole prompt asked for and without: every free count around the border.
TEST(Kept, TheWatermarkHoldsForTheWholePromptToo) {
  for (const bool admit_full : {true, false})
    for (const double watermark : {0.0, 0.1, 0.2, 0.35})
      for (std::int32_t prompt = 1; prompt <= 20; ++prompt) {
        Case c = plain("paged", {{0, 8, 6, 0}, {0, prompt, 2, 1}, {500, 3, 3, 2}});
        c.config.kv.pool = Bytes{48};  // 6 blocks of 4 tokens
        c.config.manager.params.insert_or_assign("watermark", watermark);
        c.config.scheduler.max_batched_tokens = 12;
        c.config.scheduler.admit_full = admit_full;
        c.bind();
        EXPECT_EQ(first_difference(c).value_or(""), "") << c.describe();
      }
}
}  // namespace
}  // namespace stowage
