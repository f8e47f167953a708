// The oracle against sums done by hand, so that the judge of the engine is judged itself.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "tests/oracle/oracle.hpp"
#include "tests/oracle/random_scenario.hpp"

namespace stowage {
namespace {

constexpr std::int64_t ms = 1'000'000;
constexpr std::int64_t MiB = std::int64_t{1} << 20, GiB = std::int64_t{1} << 30;

ManagerSpec reserve(const std::string& length, const std::string& space, std::int64_t min_block = 16) {
  return {"reserve", "", {{"length", length}, {"space", space}, {"min_block", min_block}}};
}
ManagerSpec paged(std::int64_t block_size, double watermark = 0.0) {
  return {"paged", "", {{"block_size", block_size}, {"watermark", watermark}}};
}
ManagerSpec vattention(std::int64_t page, const std::string& mapping, const std::string& reclaim = "deferred",
                       std::int64_t lookahead = 9, std::int64_t lookahead_blocks = 2,
                       const std::string& layout = "per-layer") {
  return {"vattention",
          "",
          {{"page", page},
           {"layout", layout},
           {"mapping", mapping},
           {"reclaim", reclaim},
           {"lookahead", lookahead},
           {"lookahead_blocks", lookahead_blocks}}};
}

/// Llama-3-8B: 128 KiB a token, 32 layers, 8 GiB of pool; 10 ms a step.
RunConfig llama(ManagerSpec manager) {
  RunConfig c;
  c.kv = {Bytes{8 * GiB}, Bytes{131072}, 32};
  c.manager = std::move(manager);
  c.cost = StepCost(StepCost::Linear{10.0 * ms, 0, 0, 0});
  return c;
}

/// One byte a token, one layer: bytes are tokens. 1,000 ns a step.
RunConfig tiny(std::int64_t pool, ManagerSpec manager) {
  RunConfig c;
  c.kv = {Bytes{pool}, Bytes{1}, 1};
  c.manager = std::move(manager);
  c.scheduler.max_model_len = 64;
  c.cost = StepCost(StepCost::Linear{1000, 0, 0, 0});
  return c;
}

std::vector<Request> four(std::int32_t outputs) {
  return {{0, 1000, outputs, 0}, {0, 1000, outputs, 1}, {0, 1000, outputs, 2}, {0, 1000, outputs, 3}};
}

double part(const OracleResult& r, Part p) { return r.mean_fraction[static_cast<std::size_t>(p)]; }

TEST(OracleByHand, FourRequestsUnderThreeManagers) {
  struct Row {
    ManagerSpec manager;
    std::int64_t peak_25, peak_26;
  };
  // reserve: 4 x 8,192 tokens x 128 KiB = 4 GiB. paged: 1,024 stored tokens = 64 blocks x 2 MiB = 128 MiB each; the
  // 1,025th (26 outputs) takes a 65th. vattention: 1,024 tokens = one page in 64 tensors = 128 MiB; the 1,025th
  // doubles.
  for (const auto& row : {Row{reserve("max", "slots"), 4 * GiB, 4 * GiB}, Row{paged(16), 512 * MiB, 520 * MiB},
                          Row{vattention(2 * MiB, "sync"), 512 * MiB, 1 * GiB}}) {
    const auto r = oracle_run(llama(row.manager), four(25));
    EXPECT_EQ(r.iterations.size(), 25U);
    EXPECT_EQ(r.makespan_ns, 250 * ms);
    EXPECT_EQ(r.completed, 4U);
    EXPECT_EQ(r.ttft_ns.values, std::vector<double>(4, 10.0 * ms));
    EXPECT_EQ(r.tbt_ns.values, std::vector<double>(4 * 24, 10.0 * ms));
    EXPECT_EQ(r.peak_committed_bytes, row.peak_25);
    EXPECT_EQ(r.peak_live_bytes, 4 * 1024 * std::int64_t{131072});
    EXPECT_EQ(r.vmm.stall_ns, 0);
    EXPECT_EQ(oracle_run(llama(row.manager), four(26)).peak_committed_bytes, row.peak_26);
  }
}

TEST(OracleByHand, FirstMappingStallsTheFirstStep) {
  auto c = llama(vattention(2 * MiB, "sync"));
  c.vmm = {0, 2000, 38000, 0, ""};
  const auto r = oracle_run(c, four(25));
  EXPECT_EQ(r.iterations[0].stall_ns, 10'240'000);  // 4 requests x 64 tensors x 40 us
  EXPECT_EQ(r.vmm.stall_ns, 10'240'000);
  EXPECT_EQ(r.vmm.stalled_iterations, 1U);
  EXPECT_EQ(r.vmm.map_calls, 256U);
  EXPECT_DOUBLE_EQ(r.vmm.busy_ns, 256 * 40000.0);
  EXPECT_EQ(r.makespan_ns, 250 * ms + 10'240'000);
  EXPECT_EQ(r.iterations[0].step_ns, 10 * ms);
}

TEST(OracleByHand, MemoryPartsOfFourRequests) {
  // reserve max, 25 outputs, pool 65,536 tokens, time in steps of 10 ms. In step i (0 ... 24) each request has stored
  // s_i tokens: 0, then 1,000 ... 1,023. Sum of s_i = 24 x 1,000 + (0 + ... + 23) = 24,276.
  const auto r = oracle_run(llama(reserve("max", "slots")), four(25));
  const double whole = 65536.0 * 25;
  EXPECT_DOUBLE_EQ(part(r, Part::live), 4 * 24276 / whole);
  EXPECT_DOUBLE_EQ(part(r, Part::reserved), 4 * (25 * 1024 - 24276) / whole);  // F = 1,000 + 25 - 1 = 1,024
  EXPECT_DOUBLE_EQ(part(r, Part::internal), 4 * 25 * (8192 - 1024) / whole);
  EXPECT_DOUBLE_EQ(part(r, Part::free), 0.5);
  EXPECT_DOUBLE_EQ(part(r, Part::external), 0);
}

TEST(OracleByHand, Opt13bSlots) {
  // 40 layers x 5,120 x 2 (K, V) x 2 bytes = 819,200 bytes a token; 12 GiB hold 15,728.64 tokens = 7 slots of 2,048.
  RunConfig c;
  c.kv = {Bytes{12 * GiB}, Bytes{819200}, 40};
  c.manager = reserve("max", "slots");
  c.scheduler.max_model_len = 2048;
  c.cost = StepCost(StepCost::Linear{10.0 * ms, 0, 0, 0});
  std::vector<Request> requests(20, Request{0, 100, 50, 0});
  const auto r = oracle_run(c, requests);
  EXPECT_EQ(r.batch_max, 7);
  EXPECT_NEAR(static_cast<double>(r.iterations.back().external_bytes) / (12.0 * GiB), 0.0885, 0.00005);
  EXPECT_EQ(r.iterations[0].external_bytes,
            12 * GiB - 7 * 2048 * std::int64_t{819200});  // slots full: nothing else free
}

TEST(OracleByHand, OneServerIsMd1) {
  // Poisson 100/s, 8 ms each: rho = 0.8, mean wait = rho x S / (2 (1 - rho)) = 0.8 x 8 / 0.4 = 16 ms. The theory's mean
  // is met within 2 %; each single wait is Lindley's, to the nanosecond: who arrives before the server is free waits.
  RunConfig c;
  c.kv = {Bytes{16}, Bytes{1}, 1};
  c.manager = paged(16);
  c.scheduler.max_batch = 1;
  c.cost = StepCost(StepCost::Linear{8.0 * ms, 0, 0, 0});
  std::vector<Request> requests;
  std::uint64_t state = 1;
  double now = 0;
  for (std::uint64_t i = 0; i < 400'000; ++i) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;  // Knuth's MMIX generator, high bits
    now -= std::log((static_cast<double>(state >> 11) + 0.5) * 0x1.0p-53) * 10.0 * ms;
    requests.push_back({static_cast<std::int64_t>(now), 1, 1, i});
  }
  const auto r = oracle_run(c, requests);
  EXPECT_EQ(r.completed, 400'000U);
  EXPECT_EQ(r.iterations.size(), 400'000U);
  EXPECT_NEAR(r.queue_ns.mean, 16.0 * ms, 0.02 * 16.0 * ms);
  std::int64_t free_ns = 0;  // when the server has ended all before
  std::size_t unlike_lindley = 0;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const std::int64_t start_ns = std::max(requests[i].arrival_ns, free_ns);
    free_ns = start_ns + 8 * ms;
    unlike_lindley += r.requests[i].first_scheduled_ns != start_ns || r.requests[i].finished_ns != free_ns;
  }
  EXPECT_EQ(unlike_lindley, 0U);
  EXPECT_DOUBLE_EQ(r.batch_mean, 1.0);
}

TEST(OracleByHand, PreemptionRecomputesPromptAndOutputs) {
  // paged, blocks of 4 tokens, 4 blocks. A and B: 6 prompt tokens (2 blocks each), 6 outputs, so 11 stored = 3 blocks.
  //  step 0  [0, 1000)  both prefill 6; both get output 1
  //  step 1  A 6 -> 7, B 6 -> 7;  step 2  7 -> 8: outputs 2 and 3
  //  boundary 3000: A needs a third block for its 9th token; none is free; B goes. A alone: 9, 10, 11 at 4, 5, 6 us
  //  boundaries 4000, 5000: B asks for n = 9 tokens = 3 blocks, 1 free: refused
  //  boundary 6000: A has 6 outputs and ends. B prefills 9 (6 + 3 outputs) -> 4th output at 7000, 5th 8000, 6th 9000
  const auto r = oracle_run(tiny(16, paged(4)), {{0, 6, 6, 0}, {0, 6, 6, 1}});
  ASSERT_EQ(r.iterations.size(), 9U);
  EXPECT_EQ(r.preemptions, 1U);
  EXPECT_EQ(r.requests[0].finished_ns, 6000);
  EXPECT_EQ(r.requests[1].finished_ns, 9000);
  EXPECT_EQ(r.requests[1].preemptions, 1);
  EXPECT_EQ(r.requests[1].first_token_ns, 1000);
  EXPECT_EQ(r.tbt_ns.max, 4000);  // B's gap from its 3rd output (3000) to its 4th (7000)
  EXPECT_EQ(r.iterations[6].prefill_tokens, 9);
  EXPECT_EQ(r.iterations[7].decode_kv_tokens, 9);
  EXPECT_EQ(r.iterations[3].external_bytes, 4);  // A holds 3 blocks, 1 is free, but the head was just preempted
  EXPECT_EQ(r.iterations[4].external_bytes, 4);  // refused
  EXPECT_EQ(r.iterations[6].free_bytes, 4);
  EXPECT_EQ(r.peak_live_bytes, 16);  // 8 + 8 stored at boundary 3000
  EXPECT_EQ(r.peak_committed_bytes, 16);
  // B's first stay ends with F = 8 stored: held 8 while live was 0, 6, 7. A: F = 11; held 8 8 8 12 12 12, live 0 6 7 8
  // 9 10: reserved 8 2 1 3 2 1 = 17, internal 0 0 0 1 1 1 = 3. B: reserved 8 2 1 = 11. Second stay of B: F = 11, held
  // 12, live 0 9 10: reserved 11 2 1 = 14, internal 3. Live A 40, B 13 + 19. Sum over 9 steps x 16 = 144.
  EXPECT_DOUBLE_EQ(part(r, Part::live), 72 / 144.0);
  EXPECT_DOUBLE_EQ(part(r, Part::reserved), 42 / 144.0);
  EXPECT_DOUBLE_EQ(part(r, Part::internal), 6 / 144.0);
  EXPECT_DOUBLE_EQ(part(r, Part::external), 12 / 144.0);  // steps 3, 4, 5
  EXPECT_DOUBLE_EQ(part(r, Part::free), 12 / 144.0);      // steps 6, 7, 8
}

TEST(OracleByHand, AdmitFullWaitsForTheWholeTarget) {
  // 6 blocks of 4. A takes 4 blocks (16 tokens). B's prompt is 12 tokens, but 4 are left of the budget of 20: n = 4 = 1
  // block fits; all 12 = 3 blocks do not.
  auto c = tiny(24, paged(4));
  c.scheduler.max_batched_tokens = 20;
  const std::vector<Request> requests = {{0, 16, 1, 0}, {0, 12, 1, 1}};
  EXPECT_EQ(oracle_run(c, requests).iterations[0].running, 1);
  c.scheduler.admit_full = false;
  EXPECT_EQ(oracle_run(c, requests).iterations[0].running, 2);
}

TEST(OracleByHand, WatermarkIsWaivedForTheFirst) {
  // 4 blocks of 4, floor(0.3 x 4) = 1 kept free. A takes all 4: nothing is resident, so it may. With A of 2 blocks, B
  // of 1 leaves 1 free and goes in; B of 2 leaves none and waits.
  const auto c = tiny(16, paged(4, 0.3));
  EXPECT_EQ(oracle_run(c, {{0, 16, 1, 0}}).iterations[0].free_bytes, 0);
  EXPECT_EQ(oracle_run(c, {{0, 8, 1, 0}, {0, 4, 1, 1}}).iterations[0].running, 2);
  const auto r = oracle_run(c, {{0, 8, 1, 0}, {0, 8, 1, 1}});
  EXPECT_EQ(r.iterations[0].running, 1);
  EXPECT_EQ(r.iterations[0].external_bytes, 8);
}

TEST(OracleByHand, BuddySplitsLowAndCoalesces) {
  // Pool 53 tokens, min_block 4: 13 units = 8 + 4 + 1 units at 0, 8, 12; 1 token is rounding. reserve oracle: regions
  // of P + O - 1 tokens. A (9 tokens -> 4 units) takes the block of 4 at 8: the smallest sufficient order with a free
  // block. B (5 -> 2 units) splits the 8 at 0. C (17 -> 8 units) waits until B has ended and 0...7 is whole again.
  const auto c = tiny(53, reserve("oracle", "buddy", 4));
  const auto r = oracle_run(c, {{0, 6, 4, 0}, {0, 4, 2, 1}, {0, 17, 1, 2}});
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
  EXPECT_EQ(oracle_run(c, {{0, 33, 1, 0}}).rejected, 1U);
  EXPECT_EQ(oracle_run(c, {{0, 32, 1, 0}}).rejected, 0U);
  EXPECT_EQ(oracle_run(tiny(53, reserve("pow2", "first-fit")), {{0, 5, 3, 0}}).iterations[0].held_bytes, 9);
}

TEST(OracleByHand, FirstFitTakesTheLowestHole) {
  // 20 tokens. A 8 at 0, B 4 at 8, C 8 at 12. A ends first: D (9) does not fit its hole of 8 although 8 are free; after
  // B has ended too the hole is 12.
  const auto r =
      oracle_run(tiny(20, reserve("oracle", "first-fit")), {{0, 8, 1, 0}, {0, 3, 2, 1}, {0, 6, 3, 2}, {0, 9, 1, 3}});
  EXPECT_EQ(r.iterations[1].external_bytes, 8);
  EXPECT_EQ(r.requests[3].id, 3U);
  EXPECT_EQ(r.requests.back().finished_ns, 3000);
  EXPECT_EQ(r.iterations[2].held_bytes, 8 + 9);
}

TEST(OracleByHand, MapperRunsBesideTheStepAndStallsTheNext) {
  // T = 2 tensors, page 2 bytes: a block is 4 bytes = 4 tokens; map 100 + 50 a page: 300 ns a block. P = 3, O = 6.
  //  boundary 0: need(3) = 1 block at once: stall 300. Beside step 0 (end = 3 tokens) the mapper: want(1) = need(4) =
  //  1,
  //   want(2) = need(5) = 2: one block (300 ns); with lookahead_blocks 1 it stops there. Step [300, 1300): mapper done.
  //  boundary 1300 ... : end = 4, want(1) = need(5) = 2, mapped; want(k) = 2 up to k = 4; k = 5: need(9) = 3: mapped.
  const auto spec = vattention(2, "background", "deferred", 9, 1);
  auto c = tiny(64, spec);
  c.vmm = {0, 100, 50, 30, ""};
  const auto r = oracle_run(c, {{0, 3, 6, 0}});
  EXPECT_EQ(r.iterations[0].stall_ns, 300);
  EXPECT_EQ(r.iterations[0].held_bytes, 8);
  EXPECT_EQ(r.iterations[1].start_ns, 1300);
  EXPECT_EQ(r.iterations[1].stall_ns, 0);
  EXPECT_EQ(r.iterations[1].held_bytes, 12);
  // Stored after step i: 3 + i; the third block covers up to 12; lookahead 9 wants need(3 + i + 9): i = 2: need(14)
  // = 4.
  EXPECT_EQ(r.iterations[2].held_bytes, 16);
  EXPECT_EQ(r.iterations[5].held_bytes, 20);  // need(17): one block a run only when missing; i = 3 wants need(15) = 4
  // The block of step 0 at 2,000 a page: 4,000 ns from 4,300 to 8,300; step 0 ends at 5,300: 3,000 left.
  c.vmm = {0, 1500, 500, 30, ""};
  const auto slow = oracle_run(c, {{0, 3, 6, 0}});
  EXPECT_EQ(slow.iterations[0].stall_ns, 4000);
  EXPECT_EQ(slow.iterations[1].start_ns, 5000);
  EXPECT_EQ(slow.iterations[1].stall_ns, 3000);
  // lookahead 0 maps nothing ahead.
  c.manager = vattention(2, "background", "deferred", 0, 1);
  EXPECT_EQ(oracle_run(c, {{0, 3, 6, 0}}).iterations[0].held_bytes, 4);
}

TEST(OracleByHand, EagerUnmappingIsQueuedAndDeferredPagesAreReclaimedFromTheTop) {
  // Blocks of 4 tokens, pool of 3 blocks, sync. A (5 tokens: 2 blocks) and B (3: 1 block) end at 1000.
  const std::vector<Request> requests = {{0, 5, 1, 0}, {0, 3, 1, 1}, {5000, 9, 1, 2}};
  auto c = tiny(12, vattention(2, "sync", "eager"));
  c.scheduler.max_batch = 2;
  c.vmm = {0, 100, 0, 10, ""};
  // eager: 3 blocks x 2 pages x 10 = 60 queued at 1000; at 5000 C maps 3 blocks x 2 x 100: stall 660.
  auto r = oracle_run(c, requests);
  EXPECT_EQ(r.iterations[1].stall_ns, 660);
  EXPECT_EQ(r.vmm.unmap_calls, 12U);  // C's own 6 pages at the end too, which stall nothing
  EXPECT_EQ(r.vmm.stall_ns, 600 + 660);
  EXPECT_DOUBLE_EQ(r.vmm.busy_ns, 12 * 100 + 12 * 10.0);
  // deferred: slot 0 keeps 2 blocks, slot 1 one. C (3 blocks) fits none: the most mapped, slot 0; slot 1 gives its
  // block.
  c.manager = vattention(2, "sync", "deferred");
  r = oracle_run(c, requests);
  EXPECT_EQ(r.iterations[1].stall_ns, 2 * 10 + 2 * 100);
  EXPECT_EQ(r.iterations[1].held_bytes, 12);
  EXPECT_EQ(r.iterations[1].cached_bytes, 0);
  // Cached between 1000 and 5000: all 12 bytes.
  ASSERT_EQ(r.segments[1].end_ns - r.segments[1].start_ns, 5000 - r.segments[1].start_ns);
  EXPECT_EQ(r.segments[1].bytes[static_cast<std::size_t>(Part::cached)], 12);
}

TEST(OracleByHand, NothingToDo) {
  const auto none = oracle_run(tiny(16, paged(4)), {});
  EXPECT_EQ(none.makespan_ns, 0);
  EXPECT_DOUBLE_EQ(part(none, Part::free), 1.0);
  const auto all_rejected = oracle_run(tiny(16, paged(4)), {{7, 60, 5, 0}, {9, 30, 1, 1}});
  EXPECT_EQ(all_rejected.rejected, 2U);
  EXPECT_EQ(all_rejected.rejected_requests[0].reason, "longer than max_model_len");
  EXPECT_EQ(all_rejected.rejected_requests[1].reason, "larger than the KV pool");
}

TEST(OracleByHand, RejectedArrivalStartsTheClock) {
  // Rejected at 0, served from 3000 to 4000: free for three quarters of the time, live 0 (nothing stored before the
  // end).
  const auto r = oracle_run(tiny(16, paged(4)), {{0, 60, 5, 0}, {3000, 16, 1, 1}});
  EXPECT_EQ(r.makespan_ns, 4000);
  EXPECT_DOUBLE_EQ(part(r, Part::free), 0.75);
  EXPECT_DOUBLE_EQ(part(r, Part::reserved), 0.25);
}

TEST(RandomCases, AreValidVariedAndShort) {
  int preempting = 0, rejecting = 0, unmapping = 0, stalling = 0, blocked = 0, idling = 0;
  for (std::uint64_t seed = 1; seed <= 600; ++seed) {
    const Case c = random_case(seed);
    ASSERT_TRUE(is_valid(c.config)) << c.describe();
    const auto r = oracle_run(c.config, c.requests);
    EXPECT_EQ(r.completed + r.rejected, c.requests.size()) << seed;
    EXPECT_LT(r.iterations.size(), 20'000U) << seed << " " << c.describe();
    preempting += r.preemptions > 5;
    rejecting += r.rejected > 0 && r.completed > 0;
    unmapping += r.vmm.unmap_calls > 0;
    stalling += r.vmm.stalled_iterations > 20;
    blocked += std::any_of(r.iterations.begin(), r.iterations.end(),
                           [](const auto& it) { return it.waiting > 0 && it.free_bytes == 0; });
    idling += std::any_of(r.segments.begin(), r.segments.end(), [](const auto& s) { return s.running == 0; });
  }
  for (const int cases : {preempting, rejecting, unmapping, stalling, blocked, idling}) EXPECT_GT(cases, 75);
}
}  // namespace
}  // namespace stowage
