// Prefix caching against sums done by hand: of the oracle. Blocks of 4 tokens, T = 4, steps of 1,000 ns.
#include <algorithm>

#include "tests/differential/ahead_hand.hpp"

namespace stowage {
namespace {
using namespace hand;
using oracle::PromptShape;
using oracle::StepLog;
using Rows = std::vector<std::vector<List>>;

RunConfig caching(std::int64_t pool, double watermark = 0) {
  RunConfig c = tiny(pool, paged(4, watermark));
  c.manager.params["prefix_caching"] = std::int64_t{1};
  return c;
}
PromptShape hashes(std::vector<std::uint64_t> list) {
  PromptShape shape;
  shape.hashes = std::move(list);
  return shape;
}

// S15.1, S15.2, S16.7, S16.9: a prompt of 8, twice: of its 2 blocks the last is never looked for. 9: both, 1 is
// computed.
TEST(Prefix, TheLastTokenIsComputed) {
  const auto eight = run_ahead(caching(64), {{0, 8, 1, 0}, {5000, 8, 1, 1}}, {hashes({1, 2}), hashes({1, 2})});
  EXPECT_EQ(eight.rows(), (Rows{{{0, 0, 8}}, {{1, 4, 4}}}));
  const auto nine = run_ahead(caching(64), {{0, 9, 1, 0}, {5000, 9, 1, 1}}, {hashes({1, 2}), hashes({1, 2})});
  EXPECT_EQ(nine.rows(), (Rows{{{0, 0, 9}}, {{1, 8, 1}}}));
  // Without hashes they have nothing in common.
  EXPECT_EQ(run_ahead(caching(64), {{0, 9, 1, 0}, {5000, 9, 1, 1}}).rows(), (Rows{{{0, 0, 9}}, {{1, 0, 9}}}));
}

// S16.9, S16.14, S16.15: 10 tokens a step: 9, and 1 of 9 beside it.
TEST(Prefix, EqualPromptsOfOneBoundaryAreComputedOnce) {
  auto c = caching(64);
  c.scheduler.max_batched_tokens = 10;
  const auto r = run_ahead(c, {{0, 9, 1, 0}, {0, 9, 1, 1}}, {hashes({1, 2}), hashes({1, 2})});
  EXPECT_EQ(r.rows(), (Rows{{{0, 0, 9}, {1, 8, 1}}}));
  EXPECT_EQ(r.steps[0].free_blocks, 16 - 4);  // 3 and 1
}

// S15.6: the second blocks are alike, and stand behind unlike ones.
TEST(Prefix, ABlockIsItsWholePrefix) {
  const auto r = run_ahead(caching(64), {{0, 9, 1, 0}, {5000, 9, 1, 1}}, {hashes({1, 2}), hashes({3, 2})});
  EXPECT_EQ(r.rows()[1], (std::vector<List>{{1, 0, 9}}));
}

// S15.3, S15.5, S16.16 (of outputs): the answer of the first turn, 5 of its 6 tokens stored, begins the second.
// 7 + 5 = 12 tokens = 3 blocks.
TEST(Prefix, ATurnFindsTheOneBefore) {
  PromptShape turn;
  turn.session = "s";
  const auto r = run_ahead(caching(64), {{0, 7, 6, 0}, {9000, 20, 1, 1}}, {turn, turn});
  EXPECT_EQ(r.rows().back(), (std::vector<List>{{1, 12, 8}}));
}

// S15.3, S15.8: the second turn is 4 + 1 tokens of the first and 8 of its own, whatever its hashes say.
TEST(Prefix, ALaterTurnHasNoHashes) {
  PromptShape first = hashes({1}), next = hashes({1, 2}), alone = hashes({1, 2});
  first.session = next.session = "s";
  first.prompt = 4;
  first.output = next.output = alone.output = 1;
  next.prompt = alone.prompt = 13;
  const auto c = oracle::contents({first, next, alone}, 4);
  const auto common = [](std::uint64_t token, const std::vector<std::uint64_t>& list) {
    return std::find(list.begin(), list.end(), token) != list.end();
  };
  for (std::size_t k = 0; k < 13; ++k) EXPECT_EQ(common(c[1].prompt[k], c[2].prompt), k < 4) << k;
  EXPECT_EQ(c[1].prompt[4], c[0].output[0]);
}

// S16.2, S16.3, S16.4, S16.10: 3 blocks. Request 0 (12 tokens) leaves all three with ids, the last block first in the
// list. 1 (4 tokens of its own) takes that one. 2, equal to 0, finds blocks 0 and 1, which are free: it asks for 3 - 2
// + 2.
TEST(Prefix, TheTailIsEvictedFirst) {
  const auto r = run_ahead(caching(12), {{0, 12, 1, 0}, {50'000, 4, 1, 1}, {100'000, 12, 1, 2}},
                           {hashes({1, 2, 3}), {}, hashes({1, 2, 3})});
  EXPECT_EQ(r.rows(), (Rows{{{0, 0, 12}}, {{1, 0, 4}}, {{2, 8, 4}}}));
  EXPECT_EQ(r.column(&StepLog::free_blocks), (List{0, 2, 0}));
}

// S16.5: 3 blocks. Request 0 (10 tokens) leaves its third, partial block without an id: 1 takes that one, and 2 finds
// both others. (Were it at the end of the list, 1 would have taken block 1, and 2 found one.)
TEST(Prefix, BlocksWithoutIdAreTakenFirst) {
  const auto r = run_ahead(caching(12), {{0, 10, 1, 0}, {50'000, 4, 1, 1}, {100'000, 10, 1, 2}},
                           {hashes({1, 2}), {}, hashes({1, 2})});
  EXPECT_EQ(r.rows()[2], (std::vector<List>{{2, 8, 2}}));
}

// S16.19: 3 blocks. Request 0 (8 tokens) leaves the list 2x 1b 0a (x: without an id). 1 (2 tokens) takes and gives back
// block 2: to the front, or as freed to the end: 1b 0a 2x. 2 then takes 2, or 1 with id b. 3 finds 2 blocks, or 1.
TEST(Prefix, BlocksGoToTheEndAsFreed) {
  const std::vector<Request> requests{{0, 8, 1, 0}, {50'000, 2, 1, 1}, {100'000, 2, 1, 2}, {150'000, 9, 1, 3}};
  auto c = caching(12);
  EXPECT_EQ(run_ahead(c, requests, {hashes({1, 2}), {}, {}, hashes({1, 2})}).rows()[3], (std::vector<List>{{3, 8, 1}}));
  c.manager.params["free_order"] = std::string("as_freed");
  EXPECT_EQ(run_ahead(c, requests, {hashes({1, 2}), {}, {}, hashes({1, 2})}).rows()[3], (std::vector<List>{{3, 4, 5}}));
}

// S16.6: 6 blocks. The list, by index, after each request has ended (x: without an id):
//  0: prompt 8 of ids a, b takes 0, 1                                   2x 3x 4x 5x 1b 0a
//  1: prompt 5 of id c takes 2, 3; 3 is partial: to the front          3x 4x 5x 1b 0a 2c
//  2: as 0: finds 0, computes b again in 3: two copies                 4x 5x 1b 2c 3b 0a
//  3: prompt 9 of a, b holds 0 and 1, the older copy, and 4 until 24000. 4 has 8 tokens meanwhile: it takes 5 and 2,
//  and c is gone. (With the newer copy 1 would be free and taken, and 5 would find c.)
TEST(Prefix, TheOldestCopyIsFound) {
  const auto r = run_ahead(
      caching(24),
      {{0, 8, 1, 0}, {5000, 5, 1, 1}, {10'000, 8, 1, 2}, {20'000, 9, 4, 3}, {21'500, 8, 1, 4}, {25'000, 5, 1, 5}},
      {hashes({1, 2}), hashes({9}), hashes({1, 2}), hashes({1, 2}), {}, hashes({9})});
  EXPECT_EQ(r.rows()[2], (std::vector<List>{{2, 4, 4}}));
  EXPECT_EQ(r.rows()[3], (std::vector<List>{{3, 8, 1}}));
  EXPECT_EQ(r.rows().back(), (std::vector<List>{{5, 0, 5}}));
}

// S16.8, S16.11: 4 blocks. 0 runs in 3 of them. 1 ended before and left one block with an id. 2 finds it and is refused
// (it wants 2 more): the block is not refreshed. 0 takes it for its thirteenth token, and 2 has to compute all.
TEST(Prefix, ARefusedHeadHasTouchedNothing) {
  const auto r =
      run_ahead(caching(16), {{0, 4, 1, 0}, {1000, 12, 3, 1}, {1500, 9, 1, 2}}, {hashes({1}), {}, hashes({1})});
  EXPECT_EQ(r.rows(), (Rows{{{0, 0, 4}}, {{1, 0, 12}}, {{1, 12, 1}}, {{1, 13, 1}}, {{2, 0, 9}}}));
}

// S16.12: 9 blocks, floor(0.1 x 10) = 1 must stay free: 0 has 2, 1 wants the other 7 and waits; 6 would do.
TEST(Prefix, TheWatermarkCountsTheNullBlock) {
  for (const auto& [prompt, together] : {std::pair{28, 1U}, std::pair{24, 2U}}) {
    const auto r = run_ahead(caching(36, 0.1), {{0, 8, 1, 0}, {0, prompt, 1, 1}});
    EXPECT_EQ(r.rows()[0].size(), together);
  }
}

// S16.1, S16.13, S16.17, S16.18, S10.1: the sum of all parts is the pool at every boundary (the oracle stops
// otherwise).
TEST(Prefix, ASharedBlockCountsOnce) {
  // 16 blocks. At 0 both take 9 tokens: 0 has 3 blocks, 1 the same first two and one of its own: 4 blocks = 16 bytes.
  // At 1000 request 0 has ended: the shared blocks count for 1, its third is free without an id. At 2000 1 has 10
  // tokens.
  const auto r = run_ahead(caching(64), {{0, 9, 1, 0}, {0, 9, 3, 1}}, {hashes({1, 2}), hashes({1, 2})});
  EXPECT_EQ(column(r.result, &IterationRecord::held_bytes), (List{16, 12, 12}));
  EXPECT_EQ(column(r.result, &IterationRecord::live_bytes), (List{0, 9, 10}));
  EXPECT_EQ(column(r.result, &IterationRecord::cached_bytes), (List{0, 0, 0}));
  // After that its two whole blocks, and the 11 tokens' third, which is not whole.
  const auto later = run_ahead(caching(64), {{0, 9, 3, 0}, {9000, 1, 1, 1}}, {hashes({1, 2}), {}});
  EXPECT_EQ(later.result.iterations.back().cached_bytes, 8);
}

// S16.16: 6 and 6 + 6 tokens in 4 blocks. At 3000 request 0 wants a third block: 1 goes with 8 tokens stored in 2
// blocks, of which the second is taken (its last block first). At 6000 it finds its first block, and computes 9 - 4 = 5
// tokens.
TEST(Prefix, APreemptedRequestFindsWhatIsLeft) {
  const auto r = run_ahead(caching(16), {{0, 6, 6, 0}, {0, 6, 6, 1}});
  EXPECT_EQ(r.of(1).preemptions, 1);
  EXPECT_EQ(r.rows()[6], (std::vector<List>{{1, 4, 5}}));
}

// S15.9: hashes of 8 tokens, [7, 8] before prompts of 13: 8 are those of hash 7, and 5 of each prompt are its own. So
// request 1 finds two blocks of 4, and computes 13 - 8 = 5.
TEST(Prefix, APartOfAHashIsThePromptsOwn) {
  std::vector<oracle::PromptShape> shapes(2);
  shapes[0].hashes = shapes[1].hashes = {7, 8};
  const auto r = run_ahead(caching(64), {{0, 13, 1, 0}, {1000, 13, 1, 1}}, shapes, {}, 8);
  EXPECT_EQ(r.rows(), (Rows{{{0, 0, 13}}, {{1, 8, 5}}}));
}

// S3.21: 4 at most.
TEST(Prefix, LongPromptsAreCutByTheThreshold) {
  RunConfig config = caching(64);
  config.scheduler.long_prefill_threshold = 4;
  const auto r = run_ahead(config, {{0, 9, 1, 0}, {0, 3, 1, 1}});
  EXPECT_EQ(r.rows(), (Rows{{{0, 0, 4}, {1, 0, 3}}, {{0, 4, 4}}, {{0, 8, 1}}}));
}

// S3.22: both are here at 0, so request 0 gets 4; at 1000 it is alone and gets the other 5.
TEST(Prefix, TheThresholdIsWaivedForWhoIsAlone) {
  RunConfig config = caching(64);
  config.scheduler.long_prefill_threshold = 4;
  config.scheduler.threshold_waived_alone = true;
  EXPECT_EQ(run_ahead(config, {{0, 9, 1, 0}, {0, 3, 1, 1}}).rows(), (Rows{{{0, 0, 4}, {1, 0, 3}}, {{0, 4, 5}}}));
  EXPECT_EQ(run_ahead(config, {{0, 9, 1, 0}}).rows(), (Rows{{{0, 0, 9}}}));
}
}  // namespace
}  // namespace stowage
