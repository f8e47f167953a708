// The oracle against sums done by hand, so that the judge of the engine is judged itself.
#include <algorithm>
#include <cmath>

#include "tests/differential/hand.hpp"

namespace stowage {
namespace {
using namespace hand;

// S1.17, S1.18, S6.4, S7.2, S8.1, S8.2, S9.1, S9.2, S9.3, S9.4, S9.5, S10.14, S10.15, S11.1, S11.2
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
    const auto r = run(llama(row.manager), four(25));
    EXPECT_EQ(r.iterations.size(), 25U);
    EXPECT_EQ(r.makespan_ns, 250 * ms);
    EXPECT_EQ(r.completed, 4U);
    EXPECT_EQ(r.ttft_ns.values, std::vector<double>(4, 10.0 * ms));
    EXPECT_EQ(r.tbt_ns.values, std::vector<double>(4 * 24, 10.0 * ms));
    EXPECT_EQ(r.peak_committed_bytes, row.peak_25);
    EXPECT_EQ(r.peak_live_bytes, 4 * 1024 * std::int64_t{131072});
    EXPECT_EQ(r.vmm.stall_ns, 0);
    EXPECT_EQ(run(llama(row.manager), four(26)).peak_committed_bytes, row.peak_26);
  }
}

// S10.1, S10.3, S10.4, S10.5, S10.6, S10.12
TEST(OracleByHand, MemoryPartsOfFourRequests) {
  // reserve max, 25 outputs, pool 65,536 tokens, time in steps of 10 ms. In step i (0 ... 24) each request has stored
  // s_i tokens: 0, then 1,000 ... 1,023. Sum of s_i = 24 x 1,000 + (0 + ... + 23) = 24,276.
  const auto r = run(llama(reserve("max", "slots")), four(25));
  const double whole = 65536.0 * 25;
  EXPECT_DOUBLE_EQ(part(r, Part::live), 4 * 24276 / whole);
  EXPECT_DOUBLE_EQ(part(r, Part::reserved), 4 * (25 * 1024 - 24276) / whole);  // F = 1,000 + 25 - 1 = 1,024
  EXPECT_DOUBLE_EQ(part(r, Part::internal), 4 * 25 * (8192 - 1024) / whole);
  EXPECT_DOUBLE_EQ(part(r, Part::free), 0.5);
  EXPECT_DOUBLE_EQ(part(r, Part::external), 0);
}

// S3.1, S11.5, S11.8
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

// S3.4, S3.5, S3.6, S3.8, S3.9, S3.10, S3.15, S3.19, S3.20, S8.3, S8.8, S10.2, S10.3, S10.4, S10.5, S10.6, S10.9,
// S10.10, S11.2, S11.6
TEST(OracleByHand, PreemptionRecomputesPromptAndOutputs) {
  // paged, blocks of 4 tokens, 4 blocks. A and B: 6 prompt tokens (2 blocks each), 6 outputs, so 11 stored = 3 blocks.
  //  step 0  [0, 1000)  both prefill 6; both get output 1
  //  step 1  A 6 -> 7, B 6 -> 7;  step 2  7 -> 8: outputs 2 and 3
  //  boundary 3000: A needs a third block for its 9th token; none is free; B goes. A alone: 9, 10, 11 at 4, 5, 6 us
  //  boundaries 4000, 5000: B asks for n = 9 tokens = 3 blocks, 1 free: refused
  //  boundary 6000: A has 6 outputs and ends. B prefills 9 (6 + 3 outputs) -> 4th output at 7000, 5th 8000, 6th 9000
  const auto r = run(tiny(16, paged(4)), {{0, 6, 6, 0}, {0, 6, 6, 1}});
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

// S2.7, S2.8, S2.10, S11.12
TEST(OracleByHand, NothingToDo) {
  const auto none = run(tiny(16, paged(4)), {});
  EXPECT_EQ(none.makespan_ns, 0);
  EXPECT_TRUE(std::isnan(none.batch_mean) && std::isnan(none.ttft_ns.mean) && std::isnan(none.tbt_ns.percentile(500)));
  EXPECT_DOUBLE_EQ(part(none, Part::free), 1.0);
  const auto all_rejected = run(tiny(16, paged(4)), {{7, 60, 5, 0}, {9, 30, 1, 1}});
  EXPECT_EQ(all_rejected.rejected, 2U);
  EXPECT_EQ(all_rejected.rejected_requests[0].reason, "longer than max_model_len");
  EXPECT_EQ(all_rejected.rejected_requests[1].reason, "larger than the KV pool");
}

// S2.11, S10.13, S11.7
TEST(OracleByHand, RejectedArrivalStartsTheClock) {
  // Rejected at 0, served from 3000 to 4000: free for three quarters of the time, live 0 (nothing stored before the
  // end).
  const auto r = run(tiny(16, paged(4)), {{0, 60, 5, 0}, {3000, 16, 1, 1}});
  EXPECT_EQ(r.makespan_ns, 4000);
  EXPECT_DOUBLE_EQ(part(r, Part::free), 0.75);
  EXPECT_DOUBLE_EQ(part(r, Part::reserved), 0.25);
}

// S1.25
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
  for (const auto& [what, cases] : std::initializer_list<std::pair<const char*, int>>{
           {"preempting", preempting}, {"rejecting", rejecting}, {"unmapping", unmapping}, {"stalling", stalling},
           {"blocked", blocked}, {"idling", idling}})
    EXPECT_GT(cases, 75) << what;
}
}  // namespace
}  // namespace stowage
