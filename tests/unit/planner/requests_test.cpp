// Requests by hand: the busiest window, copies, rates, bootstraps, lengths.
#include "planner/requests.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace stowage {
namespace {
constexpr std::int64_t ms = 1'000'000;

/// Arrivals in ms; prompts are 1, 2, 3, ... tokens, so that each request tells where it stood.
std::vector<Request> at(const std::vector<std::int64_t>& arrivals_ms) {
  std::vector<Request> out;
  for (const std::int64_t t : arrivals_ms)
    out.push_back({t * ms, static_cast<std::int32_t>(out.size()) + 1, 10, out.size()});
  return out;
}
std::vector<std::int64_t> arrivals_ms(const std::vector<Request>& rows) {
  std::vector<std::int64_t> out;
  for (const Request& r : rows) out.push_back(r.arrival_ns / ms);
  return out;
}
using Times = std::vector<std::int64_t>;

TEST(Requests, OfEquallyBusyWindowsTheFirstIsTaken) {
  // Windows of 10 ms (the end not included): three requests at 0, 4, 9, and three at 50, 51, 52.
  const auto busy = busiest_window(at({0, 4, 9, 30, 50, 51, 52, 90}), 10 * ms);
  EXPECT_EQ(arrivals_ms(busy), (Times{0, 4, 9}));
  EXPECT_EQ(busy.front().prompt_tokens, 1);
  EXPECT_EQ(busiest_window(at({0, 4, 10, 30, 50, 51, 52, 90}), 10 * ms).front().prompt_tokens, 5);
}

TEST(Requests, TheBusiestWindowIsTheOneOfAllThatCountingFinds) {
  Rng rng(3, "windows");
  for (int round = 0; round < 50; ++round) {
    Times times = {0};
    for (int i = 0; i < 60; ++i) times.push_back(times.back() + static_cast<std::int64_t>(rng.below(20)));
    const auto rows = at(times);
    std::size_t best = 0, most = 0;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto inside = static_cast<std::size_t>(std::count_if(rows.begin(), rows.end(), [&](const Request& r) {
        return r.arrival_ns >= rows[i].arrival_ns && r.arrival_ns < rows[i].arrival_ns + 40 * ms;
      }));
      // Of requests that arrive together the first begins the window.
      if (inside > most) most = inside, best = i;
    }
    const auto busy = busiest_window(rows, 40 * ms);
    ASSERT_EQ(busy.size(), most);
    ASSERT_EQ(busy.front().prompt_tokens, rows[best].prompt_tokens);
    ASSERT_EQ(busy.front().arrival_ns, 0);
  }
}

TEST(Requests, ACopyComesAMeanGapAfterTheOneBefore) {
  // Span 30 ms, three gaps of 10 on average: a copy every 40 ms, so that the rate stays what it was.
  const auto rows = at({0, 5, 25, 30});
  EXPECT_EQ(arrivals_ms(of_length(rows, 10)), (Times{0, 5, 25, 30, 40, 45, 65, 70, 80, 85}));
  EXPECT_DOUBLE_EQ(request_set(rows).rate_per_s, 100);  // 3 gaps in 30 ms
  EXPECT_DOUBLE_EQ(request_set(of_length(rows, 40)).rate_per_s, 39 / 0.390);
  EXPECT_EQ(of_length(rows, 2).size(), 2U);
}

TEST(Requests, AtARateTheGapsAreThoseOfThatRate) {
  const RequestSet set = request_set(at({7, 9, 27}));
  EXPECT_DOUBLE_EQ(set.rate_per_s, 100);
  EXPECT_DOUBLE_EQ(set.prompt_mean, 2);
  std::vector<Request> rows = read_all(*at_rate(set, 50), 100);
  EXPECT_EQ(arrivals_ms(rows), (Times{0, 4, 40}));  // half the rate: twice the gaps, from zero
  EXPECT_EQ(rows[2].id, 2U);
  EXPECT_EQ(read_all(*at_rate(set, 50), 2).size(), 2U);
}

TEST(Requests, ABootstrapDrawsEveryBlockAlike) {
  const auto rows = at({0, 10, 20, 30, 40, 50, 60, 70});
  Rng rng(1, "draws");
  std::map<std::int32_t, int> begun;
  for (int draw = 0; draw < 4000; ++draw) {
    const auto out = block_bootstrap(rows, 4, rng);
    ASSERT_EQ(out.size(), rows.size());
    ASSERT_EQ(out.back().arrival_ns, 70 * ms);  // all gaps are 10 ms
    for (const std::size_t b : {0U, 4U}) {
      ++begun[out[b].prompt_tokens];
      for (std::size_t i = 1; i < 4; ++i)
        ASSERT_EQ(out[b + i].prompt_tokens, out[b].prompt_tokens + static_cast<std::int32_t>(i));
    }
  }
  // 8,000 blocks begin at requests 1 ... 5, the last one included: 1,600 each, within 4 standard deviations of 36.
  ASSERT_EQ(begun.size(), 5U);
  for (const auto& [first, times] : begun) EXPECT_NEAR(times, 1600, 144) << first;
}

TEST(Requests, LengthsAreScaledBothAndNeverToNothing) {
  const auto out = with_lengths({{0, 100, 7, 0}, {0, 1, 1, 1}}, 0.5);
  EXPECT_EQ(out[0].prompt_tokens, 50);
  EXPECT_EQ(out[0].output_tokens, 4);  // 3.5, halves away from zero
  EXPECT_EQ(out[1].prompt_tokens, 1);
  EXPECT_EQ(out[1].output_tokens, 1);
  Request stops{0, 100, 7, 0};
  stops.max_tokens = 21;
  EXPECT_EQ(with_lengths({stops}, 0.5)[0].max_tokens, 11);  // 10.5; no limit stays none
  EXPECT_EQ(out[0].max_tokens, 0);
}
}  // namespace
}  // namespace stowage
