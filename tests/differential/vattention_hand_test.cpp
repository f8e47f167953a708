// Manager `vattention` against sums done by hand: of the oracle, and by agreement of the engine.
#include "tests/differential/hand.hpp"

namespace stowage {
namespace {
using namespace hand;

// S1.12, S6.10, S6.12, S6.16, S6.18, S6.19, S9.16, S9.17
TEST(VAttentionByHand, FirstMappingStallsTheFirstStep) {
  auto c = llama(vattention(2 * MiB, "sync"));
  c.vmm = {0, 2000, 38000, 0, ""};
  const auto r = run(c, four(25));
  EXPECT_EQ(r.iterations[0].stall_ns, 10'240'000);  // 4 requests x 64 tensors x 40 us
  EXPECT_EQ(r.vmm.stall_ns, 10'240'000);
  EXPECT_EQ(r.vmm.stalled_iterations, 1U);
  EXPECT_EQ(r.vmm.map_calls, 256U);
  EXPECT_DOUBLE_EQ(r.vmm.busy_ns, 256 * 40000.0);
  EXPECT_EQ(r.makespan_ns, 250 * ms + 10'240'000);
  EXPECT_EQ(r.iterations[0].step_ns, 10 * ms);
}

// S6.8, S6.14, S6.15, S9.18, S9.19, S9.20, S9.25, S9.27, S9.28, S9.29
TEST(VAttentionByHand, MapperRunsBesideTheStepAndStallsTheNext) {
  // T = 2 tensors, page 2 bytes: a block is 4 bytes = 4 tokens; map 100 + 50 a page: 300 ns a block. P = 3, O = 6.
  //  boundary 0: need(3) = 1 block at once: stall 300. Beside step 0 (end = 3 tokens) the mapper: want(1) = need(4)
  //   = 1, want(2) = need(5) = 2: one block (300 ns); with lookahead_blocks 1 it stops there. Step [300, 1300): mapper
  //   done.
  //  boundary 1300 ... : end = 4, want(1) = need(5) = 2, mapped; want(k) = 2 up to k = 4; k = 5: need(9) = 3: mapped.
  const auto spec = vattention(2, "background", "deferred", 9, 1);
  auto c = tiny(64, spec);
  c.vmm = {0, 100, 50, 30, ""};
  const auto r = run(c, {{0, 3, 6, 0}});
  EXPECT_EQ(r.iterations[0].stall_ns, 300);
  EXPECT_EQ(r.iterations[0].held_bytes, 8);
  EXPECT_EQ(r.iterations[1].start_ns, 1300);
  EXPECT_EQ(r.iterations[1].stall_ns, 0);
  EXPECT_EQ(r.iterations[1].held_bytes, 12);
  // Stored after step i: 3 + i; the third block covers up to 12; lookahead 9 wants need(3 + i + 9): i = 2:
  // need(14) = 4.
  EXPECT_EQ(r.iterations[2].held_bytes, 16);
  EXPECT_EQ(r.iterations[5].held_bytes, 20);  // need(17): one block a run only when missing; i = 3 wants need(15) = 4
  // The block of step 0 at 2,000 a page: 4,000 ns from 4,300 to 8,300; step 0 ends at 5,300: 3,000 left.
  c.vmm = {0, 1500, 500, 30, ""};
  const auto slow = run(c, {{0, 3, 6, 0}});
  EXPECT_EQ(slow.iterations[0].stall_ns, 4000);
  EXPECT_EQ(slow.iterations[1].start_ns, 5000);
  EXPECT_EQ(slow.iterations[1].stall_ns, 3000);
  // lookahead 0 maps nothing ahead.
  c.manager = vattention(2, "background", "deferred", 0, 1);
  EXPECT_EQ(run(c, {{0, 3, 6, 0}}).iterations[0].held_bytes, 4);
}

// S1.13, S6.7, S6.9, S6.12, S6.13, S6.17, S6.18, S6.19, S9.6, S9.9, S9.11, S9.12, S9.15, S9.16, S9.17, S10.7, S9.30
TEST(VAttentionByHand, EagerUnmappingIsQueuedAndDeferredPagesAreReclaimedFromTheTop) {
  // Blocks of 4 tokens, pool of 3 blocks, sync. A (5 tokens: 2 blocks) and B (3: 1 block) end at 1000.
  const std::vector<Request> requests = {{0, 5, 1, 0}, {0, 3, 1, 1}, {5000, 9, 1, 2}};
  auto c = tiny(12, vattention(2, "sync", "eager"));
  c.scheduler.max_batch = 2;
  c.vmm = {0, 100, 0, 10, ""};
  // eager: 3 blocks x 2 pages x 10 = 60 queued at 1000; at 5000 C maps 3 blocks x 2 x 100: stall 660.
  auto r = run(c, requests);
  EXPECT_EQ(r.iterations[1].stall_ns, 660);
  EXPECT_EQ(r.vmm.unmap_calls, 12U);  // C's own 6 pages at the end too, which stall nothing
  EXPECT_EQ(r.vmm.stall_ns, 600 + 660);
  EXPECT_DOUBLE_EQ(r.vmm.busy_ns, 12 * 100 + 12 * 10.0);
  // deferred: slot 0 keeps 2 blocks, slot 1 one. C (3 blocks) fits none: the most mapped, slot 0; slot 1 gives its
  // block.
  c.manager = vattention(2, "sync", "deferred");
  r = run(c, requests);
  EXPECT_EQ(r.iterations[1].stall_ns, 2 * 10 + 2 * 100);
  EXPECT_EQ(r.iterations[1].held_bytes, 12);
  EXPECT_EQ(r.iterations[1].cached_bytes, 0);
  // Cached between 1000 and 5000: all 12 bytes.
  ASSERT_EQ(r.segments[1].end_ns - r.segments[1].start_ns, 5000 - r.segments[1].start_ns);
  EXPECT_EQ(r.segments[1].bytes[static_cast<std::size_t>(Part::cached)], 12);
}

// S6.5, S9.1, S9.2, S9.4, S9.16
TEST(VAttentionByHand, BlocksOfEitherLayoutAndOfSeveralGpus) {
  // 3 layers of 2 bytes a token: per-layer has 6 tensors, sliced 2. Pages of 4 and of 12 bytes make the same block of
  // 24 bytes = 4 tokens, of 6 pages and of 2. 5 tokens: 2 blocks.
  for (const auto& [page, layout, pages] : {std::tuple{4, "per-layer", 6U}, std::tuple{12, "sliced", 2U}}) {
    auto c = tiny(72, vattention(page, "sync", "deferred", 9, 2, layout));
    c.kv = {Bytes{72}, Bytes{6}, 3};
    const auto r = run(c, {{0, 5, 1, 0}});
    EXPECT_EQ(r.iterations[0].held_bytes, 48);
    EXPECT_EQ(r.vmm.map_calls, 2 * pages);
  }
  // 2 GPUs at a byte a token each: a block is 2 tensors x 2 bytes x 2 GPUs = 8 bytes, still 4 tokens and 2 calls.
  auto c = tiny(24, vattention(2, "sync"));
  c.kv = {Bytes{24}, Bytes{2}, 1, 2};
  const auto r = run(c, {{0, 5, 1, 0}});
  EXPECT_EQ(r.iterations[0].held_bytes, 16);
  EXPECT_EQ(r.vmm.map_calls, 4U);
}

// S9.6, S9.8, S9.10
TEST(VAttentionByHand, TheTightestSlotIsTaken) {
  // Slots keep 3, 1, 2 and 2 blocks. 5 tokens need 2: slot 2, and nothing is mapped. 1 token needs 1: slot 1.
  auto c = tiny(32, vattention(2, "sync"));
  c.scheduler.max_batch = 4;
  const std::vector<Request> four = {{0, 9, 1, 0}, {0, 1, 1, 1}, {0, 5, 1, 2}, {0, 5, 1, 3}};
  for (const auto& [prompt, held] : {std::pair{5, 8}, std::pair{1, 4}}) {
    auto requests = four;
    requests.push_back({5000, prompt, 1, 4});
    const auto r = run(c, requests);
    EXPECT_EQ(r.iterations[1].held_bytes, held);
    EXPECT_EQ(r.iterations[1].cached_bytes, 32 - held);
    EXPECT_EQ(r.vmm.map_calls, 8 * 2U);
  }
  // With one slot of 3 blocks a request of 1 token has all three: growing never shrinks.
  c.scheduler.max_batch = 1;
  EXPECT_EQ(run(c, {{0, 9, 1, 0}, {5000, 1, 1, 1}}).iterations[1].held_bytes, 12);
}

// S9.8, S9.9, S9.11
TEST(VAttentionByHand, OfEqualSlotsTheLowestIsTaken) {
  // 5 blocks, 3 slots, which keep 1, 2 and 2. 9 tokens need 3: slot 1, and slot 2 gives one: 1, 3, 1. At 10000 request
  // 4 has slot 0; for its fifth token slot 2 gives its last block: 2, 3, 0. At 15000 9 tokens fit slot 1 as it is. (Had
  // 9 tokens taken slot 2, it would have 3 at first and then 2, and another block would have to be mapped.)
  auto c = tiny(20, vattention(2, "sync"));
  c.scheduler.max_batch = 3;
  const auto r =
      run(c, {{0, 1, 1, 0}, {0, 5, 1, 1}, {0, 5, 1, 2}, {5000, 9, 1, 3}, {10'000, 4, 2, 4}, {15'000, 9, 1, 5}});
  EXPECT_EQ(r.vmm.map_calls, 2 * (5 + 1 + 1U));
  EXPECT_EQ(r.vmm.unmap_calls, 2 * 2U);
}

// S6.3, S9.11, S9.13
TEST(VAttentionByHand, AFailedGrowthReclaimsNothing) {
  // 5 blocks: slot 0 has 3 with request 0 until 4000, slots 1 and 2 keep one each. Request 3 needs 3: slot 1, and one
  // more could come from slot 2, which is not enough. It waits; both keep theirs. At 4000 slot 0 fits.
  for (const bool admit_full : {true, false}) {
    auto c = tiny(20, vattention(2, "sync"));
    c.scheduler.max_batch = 4;
    c.scheduler.admit_full = admit_full;
    const auto r = run(c, {{0, 9, 4, 0}, {0, 1, 1, 1}, {0, 1, 1, 2}, {1000, 9, 1, 3}});
    EXPECT_EQ(column(r, &IterationRecord::cached_bytes), (List{0, 8, 8, 8, 8}));
    EXPECT_EQ(column(r, &IterationRecord::held_bytes), (List{20, 12, 12, 12, 12}));
    EXPECT_EQ(r.vmm.unmap_calls, 0U);
  }
}

// S3.17, S9.14
TEST(VAttentionByHand, AdmitFullCountsWhatCouldBeReclaimed) {
  // 3 blocks, 5 tokens a step. Request 0 (4 + 4) takes 4 of them; 1 (9 + 1) gets n = 1, one block, but wants 3 in all,
  // and 2 are free. At 4000 slot 0 keeps 2 blocks for its 5 tokens, and one is free: 3.
  auto c = tiny(12, vattention(2, "sync"));
  c.scheduler.max_batch = 2;
  c.scheduler.max_batched_tokens = 5;
  const std::vector<Request> requests = {{0, 4, 4, 0}, {0, 9, 1, 1}};
  const auto r = run(c, requests);
  EXPECT_EQ(column(r, &IterationRecord::prefill_tokens), (List{4, 0, 0, 0, 5, 4}));
  c.scheduler.admit_full = false;
  EXPECT_EQ(run(c, requests).iterations[0].prefill_tokens, 5);
}

// S6.13, S6.14, S6.15, S6.17, S9.15, S9.18
TEST(VAttentionByHand, UnmappingOfTheFinishedGoesBesideTheNextStep) {
  //  0     3 blocks x 2 pages x 100 = 600, until 1600. Both end: their blocks are free at once, 6 pages to unmap at 300
  //  5000  request 2 maps 3 blocks: stall 600. Beside its step, from 5600 on, 6 x 300 = 1,800: until 7400
  //  6600  it has ended. Request 3 maps a block, 200, and waits for the 800 that are left: stall 1,000. Beside its step
  //        the unmapping of 2's 6 pages; 3's own 2 pages are left at the end, and delay nobody
  auto c = tiny(12, vattention(2, "background", "eager", 0));
  c.scheduler.max_batch = 2;
  c.vmm = {0, 100, 0, 300, ""};
  const auto r = run(c, {{0, 5, 1, 0}, {0, 3, 1, 1}, {5000, 9, 1, 2}, {5500, 1, 1, 3}});
  EXPECT_EQ(column(r, &IterationRecord::start_ns), (List{0, 5000, 6600}));
  EXPECT_EQ(column(r, &IterationRecord::stall_ns), (List{600, 600, 1000}));
  EXPECT_EQ(r.vmm.map_calls, 2 * (3 + 3 + 1U));
  EXPECT_EQ(r.vmm.unmap_calls, 2 * (3 + 3 + 1U));
  EXPECT_DOUBLE_EQ(r.vmm.busy_ns, 14 * 100.0 + 14 * 300.0);
}

// S6.14, S6.15: the mapper's 4,000 from 4000 on outlast its step, [4000, 5000), and end in the idle time behind it.
TEST(VAttentionByHand, TheMapperWorksOnWhileTheReplicaSleeps) {
  auto c = tiny(64, vattention(2, "background", "deferred", 9, 1));
  c.vmm = {0, 1500, 500, 30, ""};
  for (const auto& [at, stall] : {std::pair{6000, 2000}, std::pair{9000, 0}})
    EXPECT_EQ(run(c, {{0, 3, 1, 0}, {at, 3, 1, 1}}).iterations[1].stall_ns, stall);
}

// S9.21, S9.22, S9.25, S9.28
TEST(VAttentionByHand, TheMapperReclaimsFromTheInactive) {
  // 3 blocks, 300 ns each, lookahead 1. Requests 0 (4 + 6) and 1 (4 + 1) take one each, and the mapper wants one more
  // for each: one is free, so it maps nothing. At 1600 slot 1 keeps its block; request 0 maps the free one.
  // It has 8 tokens at the end of iteration 4 and wants a ninth's block: slot 1 gives its own.
  auto c = tiny(12, vattention(2, "background", "deferred", 1, 2));
  c.scheduler.max_batch = 3;
  c.vmm = {0, 100, 50, 30, ""};
  const std::vector<Request> requests = {{0, 4, 6, 0}, {0, 4, 1, 1}};
  auto r = run(c, requests);
  EXPECT_EQ(column(r, &IterationRecord::held_bytes), (List{8, 8, 8, 8, 12, 12}));
  EXPECT_EQ(column(r, &IterationRecord::cached_bytes), (List{0, 4, 4, 4, 0, 0}));
  EXPECT_EQ(column(r, &IterationRecord::stall_ns), (List{600, 300, 0, 0, 0, 0}));
  EXPECT_EQ(r.vmm.unmap_calls, 2U);
  // Lookahead 0 still unmaps it, and the block is mapped at the next boundary.
  c.manager = vattention(2, "background", "deferred", 0, 2);
  r = run(c, requests);
  EXPECT_EQ(column(r, &IterationRecord::held_bytes), (List{8, 8, 8, 8, 8, 12}));
  EXPECT_EQ(column(r, &IterationRecord::cached_bytes), (List{0, 4, 4, 4, 0, 0}));
  EXPECT_EQ(column(r, &IterationRecord::free_bytes), (List{4, 0, 0, 0, 4, 0}));
  EXPECT_EQ(column(r, &IterationRecord::stall_ns), (List{600, 300, 0, 0, 0, 300}));
}

// S9.20, S9.23, S9.25, S9.26
TEST(VAttentionByHand, TheMapperReclaimsFromTheActive) {
  // 4 blocks, lookahead 9. Request 0 (4 + 9) alone: want(9) = need(13) = 4, all mapped beside its prompt.
  //  1300  request 1 (4 + 2) needs a block: 0, promised its fifth token, needs 2 and gives one. Beside the step 1 wants
  //        need(5) = 2: none is free or inactive; 0 has 3 and wants need(6) = 2: it gives another. 0 wants a third from
  //        k = 4 on, need(9): passed over
  //  2660  as before. 3660: 1 has ended, its slot keeps 2. 4660: 0 ends with 8 and wants need(9) = 3: slot 1 gives one
  //  8660  it ends with 12 and wants need(13) = 4: the other one
  auto c = tiny(16, vattention(2, "background", "deferred", 9, 9));
  c.vmm = {0, 100, 50, 30, ""};
  const auto r = run(c, {{0, 4, 9, 0}, {500, 4, 2, 1}});
  EXPECT_EQ(column(r, &IterationRecord::held_bytes), (List{16, 16, 16, 8, 12, 12, 12, 12, 16}));
  EXPECT_EQ(column(r, &IterationRecord::cached_bytes), (List{0, 0, 0, 8, 4, 4, 4, 4, 0}));
  EXPECT_EQ(column(r, &IterationRecord::stall_ns), (List{300, 360, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(r.vmm.unmap_calls, 4 * 2U);
}

// S9.21, S9.23
TEST(VAttentionByHand, TheMapperTakesNothingThatIsWantedNext) {
  // 4 blocks, lookahead 5. Request 0 (4 + 6) has 3 from its first step on, want(5) = need(9). At 4000 it gets its
  // eighth token beside request 1 (4 + 1), which has the fourth block and wants another. 0 needs 2 blocks now, but
  // wants need(9) = 3 next: it gives none.
  const auto r = run(tiny(16, vattention(2, "background", "deferred", 5, 9)), {{0, 4, 6, 0}, {3500, 4, 1, 1}});
  EXPECT_EQ(column(r, &IterationRecord::held_bytes), (List{12, 12, 12, 12, 16, 12}));
  EXPECT_EQ(r.vmm.unmap_calls, 0U);
}

// S9.25, S9.27
TEST(VAttentionByHand, TheNextTokenIsMappedForEverybody) {
  // lookahead_blocks 1: both want need(5) = 2 for k = 1 and get it; no other k is looked at.
  const auto r = run(tiny(64, vattention(2, "background", "deferred", 9, 1)), {{0, 4, 2, 0}, {0, 4, 2, 1}});
  EXPECT_EQ(r.iterations[0].held_bytes, 16);
}

// S9.20
TEST(VAttentionByHand, NothingIsMappedBeyondTheLongestRequest) {
  // 60 + 4 = 64 = max_model_len: want(k) = need(64) = 16 at most, though need(60 + 5) = 17.
  const auto r = run(tiny(96, vattention(2, "background")), {{0, 60, 4, 0}});
  EXPECT_EQ(column(r, &IterationRecord::held_bytes), (List{64, 64, 64, 64}));
}

// S9.24
TEST(VAttentionByHand, AMapperThatFallsShortMapsNothing) {
  // 3 blocks: requests 0 and 1 (3 + 4) and 2 (1 + 1) have one each. Beside iteration 1 both end with 4 and want one
  // more: slot 2 gives its block, which is one of two. Nothing is mapped, and that block stays free.
  const auto r =
      run(tiny(12, vattention(2, "background", "deferred", 1, 2)), {{0, 3, 4, 0}, {0, 3, 4, 1}, {0, 1, 1, 2}});
  EXPECT_EQ(r.iterations[1].held_bytes, 8);
  EXPECT_EQ(r.iterations[1].cached_bytes, 0);
  EXPECT_EQ(r.iterations[1].free_bytes, 4);
}
}  // namespace
}  // namespace stowage
