// Scheduler `vllm` against sums done by hand: of the oracle, and by agreement of the engine.
#include "tests/differential/hand.hpp"

namespace stowage {
namespace {
using namespace hand;

// S3.2, S3.13, S3.16, S3.20, S5.1, S10.11
TEST(Vllm, ChunksFillTheBudget) {
  // 8 tokens a step. A 20 + 2, B 3 + 2 tokens.
  //  [0, 2000)     A 8 and 8: nothing is left for B, which no manager refuses
  //  [2000, 3000)  A 4, B 3 of the 4 left: both have their first output
  //  [3000, 4000)  both decode at 20 + 3
  auto c = tiny(64, paged());
  c.scheduler.max_batched_tokens = 8;
  const auto r = run(c, {{0, 20, 2, 0}, {0, 3, 2, 1}});
  EXPECT_EQ(column(r, &IterationRecord::prefill_tokens), (List{8, 8, 7, 0}));
  EXPECT_EQ(column(r, &IterationRecord::decode_kv_tokens), (List{0, 0, 0, 23}));
  EXPECT_EQ(column(r, &IterationRecord::running), (List{1, 1, 2, 2}));
  EXPECT_EQ(column(r, &IterationRecord::external_bytes), (List{0, 0, 0, 0}));
  // A last chunk of one token is a prefill token.
  const auto odd = run(c, {{0, 9, 1, 0}});
  EXPECT_EQ(column(odd, &IterationRecord::prefill_tokens), (List{8, 1}));
  EXPECT_EQ(column(odd, &IterationRecord::decode_seqs), (List{0, 0}));
}

// S3.3, S3.4
TEST(Vllm, WhoeverRunsGoesBeforeThoseWhoWait) {
  // 8 tokens a step. A 4 + 5 at 0, B 10 + 1 at 500: A's token first, 7 and then 3 for B.
  auto c = tiny(64, paged());
  c.scheduler.max_batched_tokens = 8;
  const auto r = run(c, {{0, 4, 5, 0}, {500, 10, 1, 1}});
  EXPECT_EQ(column(r, &IterationRecord::prefill_tokens), (List{4, 7, 3, 0, 0}));
  EXPECT_EQ(column(r, &IterationRecord::decode_kv_tokens), (List{0, 4, 5, 6, 7}));
}

// S3.7, S3.9, S3.11, S3.17
TEST(Vllm, APromptThatGrowsCanBeItsOwnVictim) {
  // 3 blocks of 4, 5 tokens a step, admit_full off. A 4 + 8, B 12 + 1.
  //  0           A 4, B 1: a block each
  //  1000        A takes the third block for its fifth token. B wants 5 tokens: no block; B is the last and goes. A
  //              block is free now, enough for 4 of B's tokens, but this boundary has preempted
  //  2000        B gets 4 tokens in that block;  3000  it wants a second and goes again;  4000  as 2000
  //  5000        A takes B's block for its ninth token;  6000, 7000  B refused
  //  8000        A has ended: B 5, 5, 2
  auto c = tiny(12, paged());
  c.scheduler.max_batched_tokens = 5;
  c.scheduler.admit_full = false;
  const auto r = run(c, {{0, 4, 8, 0}, {0, 12, 1, 1}});
  EXPECT_EQ(column(r, &IterationRecord::prefill_tokens), (List{5, 0, 4, 0, 4, 0, 0, 0, 5, 5, 2}));
  EXPECT_EQ(column(r, &IterationRecord::decode_kv_tokens), (List{0, 4, 5, 6, 7, 8, 9, 10, 0, 0, 0}));
  EXPECT_EQ(column(r, &IterationRecord::running), (List{2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 1}));
  EXPECT_EQ(column(r, &IterationRecord::external_bytes), (List{0, 4, 0, 4, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(r.requests.back().preemptions, 3);
}

// S3.6, S3.7, S3.8, S3.10
TEST(Vllm, OfTwoVictimsTheEarlierIsInFront) {
  // 3 blocks of 4; A 4 + 6, B 4 + 3, C 4 + 2 tokens: a block each.
  //  1000  A wants a second block: C goes. B wants one: none is left, and B goes itself. One block is free again
  //  2000  B asks for 4 + 1 tokens = 2 blocks: refused, until A has ended at 6000 (it takes the third block at 5000)
  //  6000  B's 5 tokens in 2 blocks; C asks for 2, one is free.  8000  B has ended: C
  const auto r = run(tiny(12, paged()), {{0, 4, 6, 0}, {0, 4, 3, 1}, {0, 4, 2, 2}});
  EXPECT_EQ(column(r, &IterationRecord::prefill_tokens), (List{12, 0, 0, 0, 0, 0, 5, 0, 5}));
  EXPECT_EQ(column(r, &IterationRecord::waiting), (List{0, 2, 2, 2, 2, 2, 1, 1, 0}));
  EXPECT_EQ(column(r.requests, &RequestRecord::id), (List{0, 1, 2}));
  EXPECT_EQ(column(r.requests, &RequestRecord::finished_ns), (List{6000, 8000, 9000}));
  EXPECT_EQ(column(r.requests, &RequestRecord::first_token_ns), (List{1000, 1000, 1000}));
}

// S3.14, S10.11
TEST(Vllm, WholePromptsWaitForABudgetThatHoldsThem) {
  // 64 tokens a step: A's 60 leave 4, too few for B's 10. Then A's token and all of B.
  auto c = tiny(80, paged());
  c.scheduler.max_batched_tokens = 64;
  c.scheduler.chunked_prefill = false;
  const auto r = run(c, {{0, 60, 3, 0}, {0, 10, 1, 1}});
  EXPECT_EQ(column(r, &IterationRecord::prefill_tokens), (List{60, 10, 0}));
  EXPECT_EQ(column(r, &IterationRecord::decode_seqs), (List{0, 1, 1}));
  EXPECT_EQ(column(r, &IterationRecord::external_bytes), (List{0, 0, 0}));
}

// S3.12, S3.15, S10.10
TEST(Vllm, NobodyOvertakesTheHead) {
  // 4 blocks of 4: A 9 + 4 holds 3. B 8 + 1 wants 2 and is refused, and C 2 + 1, for which one would do, waits behind
  // it.
  const auto r = run(tiny(16, paged()), {{0, 9, 4, 0}, {0, 8, 1, 1}, {0, 2, 1, 2}});
  EXPECT_EQ(column(r, &IterationRecord::prefill_tokens), (List{9, 0, 0, 0, 10}));
  EXPECT_EQ(column(r, &IterationRecord::external_bytes), (List{4, 4, 4, 4, 0}));
}
}  // namespace
}  // namespace stowage
