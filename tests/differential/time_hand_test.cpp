// Boundaries, counters and latencies against sums done by hand: of the oracle, and by agreement of the engine.
#include "sim/serve/simulate.hpp"
#include "tests/differential/hand.hpp"

namespace stowage {
namespace {
using namespace hand;

// S1.6, S1.9, S1.10, S1.11, S1.15, S1.16, S1.17, S1.18, S1.23, S1.27, S6.6, S11.9
TEST(TimeByHand, ScheduledIsHeldAndCompletedIsLive) {
  //  [0, 1000)     4 tokens scheduled: one block; none completed
  //  [1000, 2000)  output 1 makes the target 5: one more token, a second block; 4 completed
  //  2000          output 2, the last
  const auto r = run(tiny(64, paged()), {{0, 4, 2, 0}});
  EXPECT_EQ(column(r, &IterationRecord::index), (List{0, 1}));
  EXPECT_EQ(column(r, &IterationRecord::prefill_tokens), (List{4, 0}));
  EXPECT_EQ(column(r, &IterationRecord::decode_seqs), (List{0, 1}));
  EXPECT_EQ(column(r, &IterationRecord::held_bytes), (List{4, 8}));
  EXPECT_EQ(column(r, &IterationRecord::live_bytes), (List{0, 4}));
  EXPECT_EQ(r.requests[0].first_token_ns, 1000);
  EXPECT_EQ(r.requests[0].finished_ns, 2000);
}

// S1.12, S1.14, S1.21
TEST(TimeByHand, AnArrivalAtTheEndOfAnIterationIsScheduledThere) {
  const auto r = run(tiny(64, paged()), {{0, 3, 4, 0}, {1000, 2, 1, 1}, {1001, 5, 1, 2}});
  EXPECT_EQ(column(r, &IterationRecord::start_ns), (List{0, 1000, 2000, 3000}));
  EXPECT_EQ(column(r, &IterationRecord::prefill_tokens), (List{3, 2, 5, 0}));
  EXPECT_EQ(r.requests[0].first_scheduled_ns, 1000);
}

// S1.13, S1.24, S10.2
TEST(TimeByHand, SleepsUntilTheNextArrival) {
  const auto r = run(tiny(64, paged()), {{0, 3, 1, 0}, {5000, 2, 1, 1}});
  EXPECT_EQ(column(r, &IterationRecord::start_ns), (List{0, 5000}));
  ASSERT_EQ(r.segments.size(), 3U);  // an iteration, the sleep, an iteration
  EXPECT_EQ(r.segments[1].start_ns, 1000);
  EXPECT_EQ(r.segments[1].end_ns, 5000);
  EXPECT_EQ(r.segments[1].bytes[static_cast<std::size_t>(Part::free)], 64);
}

// S1.2, S1.3, S6.16: a page 0.25 ns, two of them 0.5 -> 1; a step 0.5 -> 1. Rounded together they would take 1.
TEST(TimeByHand, StallAndStepAreRoundedApart) {
  auto c = tiny(64, vattention(2, "sync"));
  c.vmm = {0, 0.25, 0, 0, ""};
  c.cost = StepCost(StepCost::Linear{0.5, 0, 0, 0});
  const auto r = run(c, {{0, 3, 1, 0}});
  EXPECT_EQ(r.iterations[0].stall_ns, 1);
  EXPECT_EQ(r.iterations[0].step_ns, 1);
  EXPECT_EQ(r.makespan_ns, 2);
}

// S1.4, S1.26: ten steps of 0.4 ns take no time at all, ten of 0.5 take ten.
TEST(TimeByHand, PricesAreNotAccumulated) {
  auto c = tiny(64, paged());
  c.cost = StepCost(StepCost::Linear{0.4, 0, 0, 0});
  EXPECT_EQ(run(c, {{7, 3, 10, 0}}).makespan_ns, 0);
  c.cost = StepCost(StepCost::Linear{0.5, 0, 0, 0});
  EXPECT_EQ(run(c, {{7, 3, 10, 0}}).makespan_ns, 10);
}

// S1.19, S1.21, S3.1
TEST(TimeByHand, EqualsKeepTheirOrder) {
  auto c = tiny(64, paged());
  EXPECT_EQ(column(run(c, {{0, 5, 2, 0}, {0, 3, 2, 1}, {0, 4, 2, 2}}).requests, &RequestRecord::id), (List{0, 1, 2}));
  c.scheduler.max_batch = 1;
  const auto r = run(c, {{0, 5, 1, 0}, {0, 3, 1, 1}, {0, 4, 1, 2}});
  EXPECT_EQ(column(r.requests, &RequestRecord::finished_ns), (List{1000, 2000, 3000}));
  EXPECT_EQ(column(r.requests, &RequestRecord::id), (List{0, 1, 2}));
}

// S1.7, S1.8
TEST(TimeByHand, OneStepIsInFlight) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const Case c = random_case(seed);
    std::int64_t end = 0;
    for (const IterationRecord& it : oracle_run(c.config, c.requests).iterations) {
      EXPECT_GE(it.start_ns, end) << seed;
      end = it.start_ns + it.stall_ns + it.step_ns;
    }
  }
}

// S5.3, S5.4, S5.5: chunks of 8 and 4. Pairs: 8 x 9 / 2 = 36; 4 x 8 + 4 x 5 / 2 = 42; 1 ns each on 100 of dense work.
TEST(TimeByHand, ChunksArePricedByWhatStandsBeforeThem) {
  auto c = tiny(64, paged());
  c.scheduler.max_batched_tokens = 8;
  StepCost::Table table;
  table.dense_ns = std::vector<double>(9, 100.0);
  table.prefill.ns_per_pair = 1;
  c.cost = StepCost(std::move(table));
  EXPECT_EQ(column(run(c, {{0, 12, 1, 0}}), &IterationRecord::step_ns), (List{136, 142}));
}

// S11.1, S11.3, S11.4, S11.5, S11.7: 1,000 ns a step and 1 ns a prefill token.
TEST(TimeByHand, LatenciesOfTwoRequests) {
  //  A: 3 + 4 tokens at 0. [0, 1003) its prompt; [1003, 2003) decodes
  //  B: 5 + 1 tokens at 1500. [2003, 3008) its prompt beside A; B ends. [3008, 4008) A ends
  auto c = tiny(64, paged());
  c.cost = StepCost(StepCost::Linear{1000, 1, 0, 0});
  const auto r = run(c, {{0, 3, 4, 0}, {1500, 5, 1, 1}});
  EXPECT_EQ(r.ttft_ns.values, (Values{1003, 1508}));  // 3008 - 1500
  EXPECT_EQ(r.queue_ns.values, (Values{0, 503}));     // 2003 - 1500
  EXPECT_EQ(r.e2e_ns.values, (Values{1508, 4008}));
  EXPECT_EQ(r.tbt_ns.values, (Values{1000, 1000, 1005}));
  EXPECT_EQ(r.tpot_ns.values, (Values{3005 / 3.0}));  // (4008 - 1003) / 3; B has one token
  EXPECT_EQ(r.makespan_ns, 4008);
}

// S11.10, S11.11: 1, 2, 3 and 4 us. Rank ceil(0.5 x 4) = 2; ceil(0.9 x 4) = 4.
TEST(TimeByHand, PercentilesAreNearestRank) {
  auto c = tiny(64, paged());
  c.scheduler.max_batch = 1;
  const auto r = run(c, {{0, 5, 1, 0}, {0, 3, 1, 1}, {0, 4, 1, 2}, {0, 4, 1, 3}});
  EXPECT_EQ(r.ttft_ns.percentile(500), 2000);
  EXPECT_EQ(r.ttft_ns.percentile(900), 4000);
  EXPECT_EQ(r.ttft_ns.mean, 2500);
}

// S10.16, S10.17: three steps of half a second. Bins of 1 ms would be 1,500; of 2 ms 750. Half a bin more: 751.
TEST(TimeByHand, SeriesHasLessThan1024WholeBins) {
  auto c = tiny(64, paged());
  for (const auto& [step_ns, bins, last_ns] :
       {std::tuple{5e8, std::size_t{750}, 2'000'000}, std::tuple{5e8 + 1e6 / 3, std::size_t{751}, 1'000'000 - 1}}) {
    c.cost = StepCost(StepCost::Linear{step_ns, 0, 0, 0});
    c.workload = in_memory({{0, 4, 3, 0}});
    const RunResult r = simulate(c, {});
    ASSERT_EQ(r.series.size(), bins);
    EXPECT_EQ(r.series.back().end_ns - r.series.back().start_ns, last_ns);
    EXPECT_DOUBLE_EQ(r.series[1].bytes[static_cast<std::size_t>(Part::reserved)], 4);
    EXPECT_DOUBLE_EQ(r.series[700].bytes[static_cast<std::size_t>(Part::live)], 5);
    EXPECT_DOUBLE_EQ(r.series[700].running, 1);
  }
}
}  // namespace
}  // namespace stowage
