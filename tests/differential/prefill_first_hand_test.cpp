// Scheduler `prefill-first` against sums done by hand: of the oracle, and by agreement of the engine.
#include "tests/differential/hand.hpp"

namespace stowage {
namespace {
using namespace hand;

RunConfig prompts_first(std::int64_t pool, ManagerSpec manager) {
  RunConfig c = tiny(pool, std::move(manager));
  c.scheduler = {.max_batch = 8, .max_batched_tokens = 64, .max_model_len = 64, .chunked_prefill = false};
  c.scheduler.policy = "prefill-first";
  return c;
}
ManagerSpec mapper(std::int64_t lookahead) { return vattention(2, "background", "deferred", lookahead, 9); }

// S4.5, S4.6, S4.7, S4.8, S4.9, S5.1, S11.2, S11.8
TEST(PrefillFirst, PromptsAlonePauseADecoder) {
  //  [0, 1000)     A's prompt, 4 tokens; B (3 tokens) arrives at 500
  //  [1000, 2000)  B alone; C (2 tokens, one output) arrives at 1500
  //  [2000, 3000)  C alone: done with its first token
  //  [3000, 4000)  A and B decode at contexts 4 + 3; B has its two outputs
  //  [4000, 6000)  A decodes at 5 and 6
  // Gaps: A 1000 -> 4000, B 2000 -> 4000, A 4000 -> 5000 -> 6000.
  const auto r = run(prompts_first(64, paged()), {{0, 4, 4, 0}, {500, 3, 2, 1}, {1500, 2, 1, 2}});
  EXPECT_EQ(column(r, &IterationRecord::start_ns), (List{0, 1000, 2000, 3000, 4000, 5000}));
  EXPECT_EQ(column(r, &IterationRecord::prefill_tokens), (List{4, 3, 2, 0, 0, 0}));
  EXPECT_EQ(column(r, &IterationRecord::decode_seqs), (List{0, 0, 0, 2, 1, 1}));
  EXPECT_EQ(column(r, &IterationRecord::decode_kv_tokens), (List{0, 0, 0, 7, 5, 6}));
  EXPECT_EQ(column(r, &IterationRecord::running), (List{1, 2, 3, 2, 1, 1}));  // the paused run
  EXPECT_EQ(column(r, &IterationRecord::live_bytes), (List{0, 4, 7, 7, 5, 6}));
  // Blocks of 4: A takes its second for the fifth token, in the iteration from 3000; B keeps one; C has one at 2000.
  EXPECT_EQ(column(r, &IterationRecord::held_bytes), (List{4, 8, 12, 12, 8, 8}));
  EXPECT_EQ(r.tbt_ns.values, (Values{1000, 1000, 2000, 3000}));
  EXPECT_EQ(r.ttft_ns.values, (Values{1000, 1500, 1500}));
  EXPECT_EQ(r.e2e_ns.values, (Values{1500, 3500, 6000}));  // C 3000 - 1500, B 4000 - 500, A
  EXPECT_DOUBLE_EQ(r.batch_mean, 10 / 6.0);
}

// S4.3, S4.6, S4.10, S4.11
TEST(PrefillFirst, PreemptedAreAskedFirst) {
  // 4 blocks of 4. A and B: 6 + 6 tokens, 2 blocks each, the third at 9 tokens. C (1 + 1) arrives at 1500.
  //  [0, 1000)     both prompts;  [1000, 3000)  both decode at 6, 7; at 2000 no block is free: C refused
  //  3000          C refused; A needs a third block: B goes, with 3 outputs. A alone at 8, 9, 10 until 6000
  //  4000, 5000    B asks for 6 + 3 tokens = 3 blocks, one is free: refused, and C waits behind it
  //  [6000, 7000)  A has ended: B's 9 tokens and C's one together. C ends; B's gap is 3000 -> 7000
  //  [7000, 9000)  B decodes at 9 and 10
  const std::vector<Request> requests = {{0, 6, 6, 0}, {0, 6, 6, 1}, {1500, 1, 1, 2}};
  auto c = prompts_first(16, paged());
  const auto r = run(c, requests);
  EXPECT_EQ(column(r, &IterationRecord::prefill_tokens), (List{12, 0, 0, 0, 0, 0, 10, 0, 0}));
  EXPECT_EQ(column(r, &IterationRecord::decode_seqs), (List{0, 2, 2, 1, 1, 1, 0, 1, 1}));
  EXPECT_EQ(column(r, &IterationRecord::decode_kv_tokens), (List{0, 12, 14, 8, 9, 10, 0, 9, 10}));
  EXPECT_EQ(column(r, &IterationRecord::external_bytes), (List{0, 0, 0, 4, 4, 4, 0, 0, 0}));  // one block, refused
  EXPECT_EQ(column(r, &IterationRecord::free_bytes), (List{0, 0, 0, 0, 0, 0, 0, 4, 4}));      // C's has come back
  EXPECT_EQ(r.preemptions, 1U);
  EXPECT_EQ(r.ttft_ns.values, (Values{1000, 1000, 5500}));
  EXPECT_EQ(r.tbt_ns.values, (Values{1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 4000}));
  c.scheduler.admit_full = false;  // a head asks for all of its target anyway
  EXPECT_EQ(column(run(c, requests), &IterationRecord::prefill_tokens), column(r, &IterationRecord::prefill_tokens));
}

// S3.7, S3.10, S4.6, S11.2
TEST(PrefillFirst, PreemptionAfterAPauseKeepsTheTimeOfTheLastToken) {
  // 4 blocks of 4: A 4 + 5 tokens at 0, B 8 + 3 at 500, C 4 + 2 at 1500: prompts alone at 0, 1000 and 2000, the pool
  // is full.
  //  3000          A wants a second block: C goes (last token at 3000) and leaves one. B wants a third: none, and B is
  //                the last of running (last token at 2000). A decodes at 4, 5, 6, 7: outputs at 4000 ... 7000
  //  4000 - 6000   B asks for 9 tokens = 3 blocks, two are free
  //  [7000, 8000)  B's 9 tokens: gap 2000 -> 8000; C asks for 5 = 2 blocks, one is free
  //  [8000, 9000)  B decodes at 9 and ends;  [9000, 10000)  C's 5 tokens: gap 3000 -> 10000
  const auto r = run(prompts_first(16, paged()), {{0, 4, 5, 0}, {500, 8, 3, 1}, {1500, 4, 2, 2}});
  EXPECT_EQ(column(r, &IterationRecord::prefill_tokens), (List{4, 8, 4, 0, 0, 0, 0, 9, 0, 5}));
  EXPECT_EQ(column(r, &IterationRecord::decode_kv_tokens), (List{0, 0, 0, 4, 5, 6, 7, 0, 9, 0}));
  EXPECT_EQ(column(r, &IterationRecord::external_bytes), (List{0, 0, 0, 8, 8, 8, 8, 4, 4, 0}));
  EXPECT_EQ(r.preemptions, 2U);
  EXPECT_EQ(r.tbt_ns.values, (Values{1000, 1000, 1000, 1000, 3000, 6000, 7000}));
}

// S4.1, S4.2, S4.4, S10.11
TEST(PrefillFirst, PromptsFillTheBudgetAndTheBatch) {
  // 64 tokens a step: 40 + 20, then 10 alone. With max_batch 2 the third prompt waits until both have ended.
  const std::vector<Request> requests = {{0, 40, 2, 0}, {0, 20, 2, 1}, {0, 10, 1, 2}};
  auto c = prompts_first(80, paged());
  const auto r = run(c, requests);
  EXPECT_EQ(column(r, &IterationRecord::prefill_tokens), (List{60, 10, 0}));
  EXPECT_EQ(column(r, &IterationRecord::waiting), (List{1, 0, 0}));
  EXPECT_EQ(column(r, &IterationRecord::external_bytes), (List{0, 0, 0}));  // no manager refused it
  EXPECT_EQ(r.tbt_ns.values, (Values{2000, 2000}));
  c.scheduler.max_batch = 2;
  EXPECT_EQ(column(run(c, requests), &IterationRecord::prefill_tokens), (List{60, 0, 10}));
}

// S11.2, S4.5
TEST(PrefillFirst, OneTokenEachIsPromptsOnly) {
  // 64 / 30 = two prompts a step. Nobody ever decodes, so that no gap exists.
  const auto r = run(prompts_first(200, paged()), {{0, 30, 1, 0}, {0, 30, 1, 1}, {0, 30, 1, 2}, {2500, 30, 1, 3}});
  EXPECT_EQ(column(r, &IterationRecord::start_ns), (List{0, 1000, 2500}));
  EXPECT_EQ(column(r, &IterationRecord::decode_seqs), (List{0, 0, 0}));
  EXPECT_EQ(r.tbt_ns.values, Values{});
}

// S4.12, S9.20, S9.21
TEST(PrefillFirst, MapperLooksAtThePausedWhereTheyStand) {
  // 300 ns to map a block; lookahead 5. A 3 + 6 tokens at 0, B 4 + 1 at 500.
  //  0      A's first block: stall 300. Beside the step: A ends with 3, want(5) = need(8) = 2: a second
  //  1300   B alone, its first block: stall 300. A stays at 3: want(5) = need(8) = 2, nothing (were it taken to grow:
  //         need(9) = 3). B ends with 4: want(1) = need(5) = 2, want(5) = need(9) = 3: two more. Held 2 + 3 blocks
  //  2600   B has ended, its 3 blocks stay. A decodes at 3: ends with 4, want(5) = need(9) = 3: a third
  //  3600, 4600, 5600: ends with 5, 6, 7: need(12) = 3.  6600: ends with 8: need(13) = 4
  auto c = prompts_first(64, mapper(5));
  c.vmm = {0, 100, 50, 30, ""};
  const auto r = run(c, {{0, 3, 6, 0}, {500, 4, 1, 1}});
  EXPECT_EQ(column(r, &IterationRecord::start_ns), (List{0, 1300, 2600, 3600, 4600, 5600, 6600}));
  EXPECT_EQ(column(r, &IterationRecord::stall_ns), (List{300, 300, 0, 0, 0, 0, 0}));
  EXPECT_EQ(column(r, &IterationRecord::held_bytes), (List{8, 20, 12, 12, 12, 12, 16}));
  EXPECT_EQ(column(r, &IterationRecord::cached_bytes), (List{0, 0, 12, 12, 12, 12, 12}));
  EXPECT_EQ(r.tbt_ns.max, 2300);               // A: 1300 -> 3600
  EXPECT_EQ(r.vmm.map_calls, (4 + 3) * 2ULL);  // A's and B's blocks, a page in each of two tensors
}

// S4.12, S9.7, S9.12
TEST(PrefillFirst, AdmissionTakesWhatThePausedHaveAhead) {
  // A pool of 3 blocks. A 4 + 3 tokens: one block for its prompt, want(5) = need(9) = 3: two ahead. B 8 + 1 at 500.
  //  1300  B needs 2 blocks. A, not promised its fifth token, needs need(4) = 1 and gives two: 2 x (2 x 30 + 300) =
  //        720. (Under `vllm` A would be promised need(5) = 2, and B refused.) The mapper wants a second block for A
  //        and a third for B, finds none, and maps nothing
  //  3020  B has ended and its slot keeps 2. A needs need(5) = 2: one of them is unmapped, one mapped: 60 + 300
  //  4380  A decodes at 5 in the same two blocks; it wants need(11) = 3 ahead, and nothing is free
  auto c = prompts_first(12, mapper(5));
  c.vmm = {0, 100, 50, 30, ""};
  const std::vector<Request> requests = {{0, 4, 3, 0}, {500, 8, 1, 1}};
  const auto r = run(c, requests);
  EXPECT_EQ(column(r, &IterationRecord::start_ns), (List{0, 1300, 3020, 4380}));
  EXPECT_EQ(column(r, &IterationRecord::stall_ns), (List{300, 720, 360, 0}));
  EXPECT_EQ(column(r, &IterationRecord::prefill_tokens), (List{4, 8, 0, 0}));
  EXPECT_EQ(column(r, &IterationRecord::held_bytes), (List{12, 12, 8, 8}));
  EXPECT_EQ(column(r, &IterationRecord::cached_bytes), (List{0, 0, 4, 4}));
  c.scheduler.policy = "vllm";
  EXPECT_EQ(run(c, requests).iterations[1].waiting, 1);
}
}  // namespace
}  // namespace stowage
