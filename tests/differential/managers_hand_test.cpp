// Memory managers against sums done by hand: of the oracle, and by agreement of the engine.
#include "tests/differential/hand.hpp"

namespace stowage {
namespace {
using namespace hand;

// S2.9, S7.2, S7.3, S7.7, S7.8, S7.9, S7.10, S7.11, S7.12, S10.8, S10.9
TEST(ManagersByHand, BuddySplitsLowAndCoalesces) {
  // Pool 53 tokens, min_block 4: 13 units = 8 + 4 + 1 units at 0, 8, 12; 1 token is rounding. reserve oracle: regions
  // of P + O - 1 tokens. A (9 tokens -> 4 units) takes the block of 4 at 8: the smallest sufficient order with a free
  // block. B (5 -> 2 units) splits the 8 at 0. C (17 -> 8 units) waits until B has ended and 0...7 is whole again.
  const auto c = tiny(53, reserve("oracle", "buddy", 4));
  const auto r = run(c, {{0, 6, 4, 0}, {0, 4, 2, 1}, {0, 17, 1, 2}});
  ASSERT_EQ(r.iterations.size(), 4U);
  // Held 9 + 5; round-up 16 - 9 + 8 - 5 = 10; rounding 1; the other 53 - 25 = 28 are free but cannot hold C.
  EXPECT_EQ(r.iterations[0].held_bytes, 14);
  EXPECT_EQ(r.iterations[0].external_bytes, 10 + 1 + 28);
  EXPECT_EQ(r.iterations[0].waiting, 1);
  EXPECT_EQ(r.iterations[2].running, 2);  // B ended after two steps
  EXPECT_EQ(r.iterations[2].held_bytes, 9 + 17);
  EXPECT_EQ(r.iterations[2].external_bytes, 7 + 15 + 1);
  EXPECT_EQ(r.iterations[2].free_bytes, 53 - 26 - 23);
  // 33 tokens need 16 units: never. pow2: 5 + 2^ceil(log2 3) = 9, and never more than max_model_len.
  EXPECT_EQ(run(c, {{0, 33, 1, 0}}).rejected, 1U);
  EXPECT_EQ(run(c, {{0, 32, 1, 0}}).rejected, 0U);
  EXPECT_EQ(run(tiny(53, reserve("pow2", "first-fit")), {{0, 5, 3, 0}}).iterations[0].held_bytes, 9);
}

// S7.1, S7.6
TEST(ManagersByHand, FirstFitTakesTheLowestHole) {
  // 20 tokens. A 8 at 0, B 4 at 8, C 8 at 12. A ends first: D (9) does not fit its hole of 8 although 8 are free; after
  // B has ended too the hole is 12.
  const auto r =
      run(tiny(20, reserve("oracle", "first-fit")), {{0, 8, 1, 0}, {0, 3, 2, 1}, {0, 6, 3, 2}, {0, 9, 1, 3}});
  EXPECT_EQ(r.iterations[1].external_bytes, 8);
  EXPECT_EQ(r.requests[3].id, 3U);
  EXPECT_EQ(r.requests.back().finished_ns, 3000);
  EXPECT_EQ(r.iterations[2].held_bytes, 8 + 9);
}

// S3.2, S3.13, S3.17, S8.4, S8.7
TEST(ManagersByHand, AdmitFullWaitsForTheWholeTarget) {
  // 6 blocks of 4. A takes 4 blocks (16 tokens). B's prompt is 12 tokens, but 4 are left of the budget of 20: n = 4 = 1
  // block fits; all 12 = 3 blocks do not.
  auto c = tiny(24, paged(4));
  c.scheduler.max_batched_tokens = 20;
  const std::vector<Request> requests = {{0, 16, 1, 0}, {0, 12, 1, 1}};
  EXPECT_EQ(run(c, requests).iterations[0].running, 1);
  c.scheduler.admit_full = false;
  EXPECT_EQ(run(c, requests).iterations[0].running, 2);
}

// S8.5, S8.6, S10.9
TEST(ManagersByHand, WatermarkIsWaivedForTheFirst) {
  // 4 blocks of 4, floor(0.3 x 4) = 1 kept free. A takes all 4: nothing is resident, so it may. With A of 2 blocks, B
  // of 1 leaves 1 free and goes in; B of 2 leaves none and waits.
  const auto c = tiny(16, paged(4, 0.3));
  EXPECT_EQ(run(c, {{0, 16, 1, 0}}).iterations[0].free_bytes, 0);
  EXPECT_EQ(run(c, {{0, 8, 1, 0}, {0, 4, 1, 1}}).iterations[0].running, 2);
  const auto r = run(c, {{0, 8, 1, 0}, {0, 8, 1, 1}});
  EXPECT_EQ(r.iterations[0].running, 1);
  EXPECT_EQ(r.iterations[0].external_bytes, 8);
}

// S8.4, S8.5, S8.7
TEST(ManagersByHand, WatermarkHoldsForTheWholeOfALongPrompt) {
  // 6 blocks of 4, floor(0.2 x 6) = 1 kept free. A takes 2; 4 are free, of which 3 may be taken. Of B's 16 tokens 4 are
  // left of the budget: 1 block; the whole prompt takes 4, which are there, but not without the last one.
  auto c = tiny(24, paged(4, 0.2));
  c.scheduler.max_batched_tokens = 12;
  const std::vector<Request> requests = {{0, 8, 2, 0}, {0, 16, 1, 1}};
  EXPECT_EQ(run(c, requests).iterations[0].running, 1);
  c.scheduler.admit_full = false;
  EXPECT_EQ(run(c, requests).iterations[0].running, 2);
}

// S3.12, S7.5, S10.8
TEST(ManagersByHand, Opt13bSlots) {
  // 40 layers x 5,120 x 2 (K, V) x 2 bytes = 819,200 bytes a token; 12 GiB hold 15,728.64 tokens = 7 slots of 2,048.
  RunConfig c;
  c.kv = {Bytes{12 * GiB}, Bytes{819200}, 40};
  c.manager = reserve("max", "slots");
  c.scheduler.max_model_len = 2048;
  c.cost = StepCost(StepCost::Linear{10.0 * ms, 0, 0, 0});
  std::vector<Request> requests(20, Request{0, 100, 50, 0});
  const auto r = run(c, requests);
  EXPECT_EQ(r.batch_max, 7);
  EXPECT_NEAR(static_cast<double>(r.iterations.back().external_bytes) / (12.0 * GiB), 0.0885, 0.00005);
  EXPECT_EQ(r.iterations[0].external_bytes,
            12 * GiB - 7 * 2048 * std::int64_t{819200});  // slots full: nothing else free
}

// S7.4, S7.13: `max` has slots, the others buddy blocks; nothing of a region depends on admit_full.
TEST(ManagersByHand, ReserveHasADefaultSpace) {
  // 53 tokens. Slots of 16: three, 5 tokens lost. pow2, 5 + 4 = 9 tokens: 16 of units of 16, of which 3 fit.
  auto c = tiny(53, reserve("max", ""));
  c.scheduler.max_model_len = 16;
  auto r = run(c, {{0, 5, 3, 0}});
  EXPECT_EQ(r.iterations[0].held_bytes, 16);
  EXPECT_EQ(r.iterations[0].external_bytes, 5);
  for (const bool admit_full : {true, false}) {
    c = tiny(53, reserve("pow2", ""));
    c.scheduler.admit_full = admit_full;
    r = run(c, {{0, 5, 3, 0}, {0, 17, 1, 1}});
    EXPECT_EQ(r.iterations[0].held_bytes, 9 + 18);          // 17 + 1 = 18 tokens of 32
    EXPECT_EQ(r.iterations[0].external_bytes, 5 + 7 + 14);  // 53 - 48, 16 - 9, 32 - 18
  }
}

// S6.5, S8.1: 19 bytes of 2 GPUs at 1 byte a token on each: 8 bytes a block, 2 blocks, 3 bytes lost.
TEST(ManagersByHand, PoolsAreThoseOfAllGpus) {
  auto c = tiny(19, paged());
  c.kv = {Bytes{19}, Bytes{2}, 1, 2};
  const auto r = run(c, {{0, 5, 2, 0}});
  EXPECT_EQ(r.iterations[0].held_bytes, 16);
  EXPECT_EQ(r.iterations[0].external_bytes, 3);
}
}  // namespace
}  // namespace stowage
