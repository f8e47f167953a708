// Asynchronous scheduling against sums done by hand: of the oracle. Blocks of 4 tokens, steps of 1,000 ns.
#include "tests/differential/ahead_hand.hpp"

namespace stowage {
namespace {
using namespace hand;
using oracle::StepLog;
using Rows = std::vector<std::vector<List>>;

Ahead run_async(RunConfig config, const std::vector<Request>& requests, std::vector<oracle::PromptShape> shapes = {}) {
  config.scheduler.async_scheduling = true;
  return run_ahead(config, requests, std::move(shapes));
}

// S1.7, S1.17, S17.1, S17.2, S17.4, S17.5, S17.6
TEST(Async, TwoStepsAreInFlight) {
  //  0     two batches: the prompt of 4, [0, 1000), and the token after it, [1000, 2000)
  //  1000  output 1 of 3; output 2 is on the way: the third row, [2000, 3000)
  //  2000  output 2, and 3 on the way: nothing to do;  3000  output 3
  const auto r = run_async(tiny(64, paged()), {{0, 4, 3, 0}});
  EXPECT_EQ(r.rows(), (Rows{{{0, 0, 4}}, {{0, 4, 1}}, {{0, 5, 1}}}));
  EXPECT_EQ(r.column(&StepLog::formed_ns), (List{0, 0, 1000}));
  EXPECT_EQ(r.column(&StepLog::start_ns), (List{0, 1000, 2000}));
  EXPECT_EQ(r.of(0).first_token_ns, 1000);
  EXPECT_EQ(r.of(0).finished_ns, 3000);
  EXPECT_EQ(r.result.tbt_ns.values, (Values{1000, 1000}));
  EXPECT_EQ(column(r.result, &IterationRecord::decode_kv_tokens), (List{0, 4, 5}));
}

// S17.2, S17.3
TEST(Async, AnArrivalWaitsForTheStepAfterTheOneThatRuns) {
  //  500   request 1 arrives during the first step: formed at 1000, starts at 2000: its token at 3000, 2.5 steps
  const auto r = run_async(tiny(64, paged()), {{0, 4, 9, 0}, {500, 2, 1, 1}});
  EXPECT_EQ(r.of(1).first_scheduled_ns, 1000);
  EXPECT_EQ(r.of(1).first_token_ns, 3000);
  // When nobody has work at 2000, the replica waits for the step until 3000, and with it who arrives at 2500.
  const auto late = run_async(tiny(64, paged()), {{0, 4, 3, 0}, {2500, 2, 1, 1}});
  EXPECT_EQ(late.column(&StepLog::formed_ns), (List{0, 0, 1000, 3000}));
}

// S15.4, S15.7, S17.11
TEST(Async, ARowBehindTheStopIsThrownAway) {
  // Stops with output 2 at 2000; the row for output 3 was formed at 1000 and runs until 3000. Request 1, here at 2100,
  // waits for it. The blocks are free at 2000.
  oracle::PromptShape stops;
  stops.stop_at = 2;
  const auto r = run_async(tiny(64, paged()), {{0, 4, 9, 0}, {2100, 3, 1, 1}}, {stops, {}});
  EXPECT_EQ(r.of(0).finished_ns, 2000);
  EXPECT_EQ(r.column(&StepLog::start_ns), (List{0, 1000, 2000, 3000}));
  EXPECT_EQ(r.result.tbt_ns.values, (Values{1000}));
  EXPECT_EQ(r.result.output_tokens, 3U);
  EXPECT_EQ(r.steps.back().free_blocks, 15);
  // Where it is the last, the run ends with its completion.
  EXPECT_EQ(run_async(tiny(64, paged()), {{0, 4, 9, 0}}, {stops}).result.makespan_ns, 2000);
}

// S17.7
TEST(Async, APreemptedRequestStillGetsWhatIsOnTheWay) {
  // 3 blocks; 0 (4 + 4), 1 (4 + 3).
  //  0     both prompts; at once 0 takes the third block for its fifth token, and 1 goes, with an output on the way
  //  1000  output 1 of both. 1 waits for 2 blocks (4 + 1 tokens);  4000  0 has ended: 1 computes 5, and then 1
  const auto r = run_async(tiny(12, paged()), {{0, 4, 4, 0}, {0, 4, 3, 1}});
  EXPECT_EQ(r.rows(), (Rows{{{0, 0, 4}, {1, 0, 4}}, {{0, 4, 1}}, {{0, 5, 1}}, {{0, 6, 1}}, {{1, 0, 5}}, {{1, 5, 1}}}));
  EXPECT_EQ(r.of(1).first_token_ns, 1000);
  EXPECT_EQ(r.of(1).finished_ns, 6000);
  EXPECT_EQ(r.of(1).preemptions, 1);
}

// S17.5, S17.8
TEST(Async, AVictimWhoseLastOutputIsOnTheWayEndsWaiting) {
  // 2 blocks: at 0 request 0 takes 1's block, whose only output is on the way until 1000.
  const auto r = run_async(tiny(8, paged()), {{0, 4, 3, 0}, {0, 4, 1, 1}});
  EXPECT_EQ(r.of(1).finished_ns, 1000);
  EXPECT_EQ(r.of(1).preemptions, 1);
  EXPECT_EQ(r.column(&StepLog::waiting), (List{0, 1, 0}));
}

// S17.9, S17.10: prompt 7, O 2. At 0 the row of token 8, output 1, is granted while that output is on the way: block 1
// stays without an id. No other row follows. At 2000, at the delivery of output 2, 8 tokens are scheduled and no output
// is on the way: now it gets one. Request 1, which begins with all 9, finds 2 blocks.
TEST(Async, ABlockThatAnOutputCompletesIsFoundAfterItsDelivery) {
  auto c = tiny(64, paged());
  c.manager.params["prefix_caching"] = std::int64_t{1};
  oracle::PromptShape turn;
  turn.session = "s";
  const auto r = run_async(c, {{0, 7, 2, 0}, {5000, 20, 1, 1}}, {turn, turn});
  EXPECT_EQ(r.rows().back(), (std::vector<List>{{1, 8, 12}}));
}
}  // namespace
}  // namespace stowage
