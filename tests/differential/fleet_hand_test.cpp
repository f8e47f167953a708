// Fleets and the front end against sums done by hand: of the oracle, and by agreement of the engine.
#include "sim/serve/simulate.hpp"
#include "tests/differential/hand.hpp"

namespace stowage {
namespace {
using namespace hand;

struct Group {
  std::int64_t replicas, weight, pool;
};
RunConfig fleet(const std::string& router, const std::vector<Group>& groups) {
  RunConfig c = tiny(64, paged());
  c.fleet.router = router;
  for (const Group& g : groups) {
    KvGeometry kv = c.kv;
    kv.pool = Bytes{g.pool};
    c.fleet.groups.push_back({"", g.replicas, g.weight, kv, c.cost, c.vmm});
  }
  return c;
}
/// Ids of the requests each replica completed, in order.
std::vector<List> served(const std::vector<OracleResult>& all) {
  std::vector<List> out;
  for (const OracleResult& r : all) out.push_back(column(r.requests, &RequestRecord::id));
  return out;
}
using Lists = std::vector<List>;

// S1.20, S12.3, S12.4, S12.6, S12.8, S12.16, S12.17
TEST(FleetByHand, TheLeastOutstandingOfWhatHasEnded) {
  // 0: nobody has any: replica 0. Again at 0: it has one: replica 1. At 1000 both steps end at that very time: equals,
  // the first after 1 going round: replica 0. At 1500 that has one: replica 1.
  const auto r = run_fleet(fleet("least-outstanding", {{2, 1, 64}}),
                           {{0, 3, 1, 0}, {0, 3, 1, 1}, {1000, 3, 1, 2}, {1500, 3, 1, 3}});
  EXPECT_EQ(served(r), (Lists{{0, 2}, {1, 3}}));
}

// S12.5
TEST(FleetByHand, OfSeveralBoundariesAtOneTimeTheFirstIsSeen) {
  // 100 ns a prefill token, decodes take no time: replica 0 ends its request's prompt at 1000, and at 1000 again its
  // second and third output. Of these a router at 1000 sees the first alone: one outstanding against none.
  auto c = fleet("least-outstanding", {{2, 1, 64}});
  for (auto& g : c.fleet.groups) g.cost = StepCost(StepCost::Linear{0, 100, 0, 0});
  EXPECT_EQ(served(run_fleet(c, {{0, 10, 3, 0}, {0, 10, 1, 1}, {1000, 3, 1, 2}})), (Lists{{0}, {1, 2}}));
}

// S12.9, S12.10, S12.20
TEST(FleetByHand, TheLeastWanted) {
  // At 500 request 0 (6 + 6 tokens) holds 2 blocks = 8 bytes. 1 goes to replica 1, which wants its 3; so does 2, with 6
  // more; then 8 < 9: 3 goes to replica 0.
  const auto r =
      run_fleet(fleet("least-kv", {{2, 1, 64}}), {{0, 6, 6, 0}, {500, 3, 1, 1}, {500, 6, 1, 2}, {500, 1, 1, 3}});
  EXPECT_EQ(served(r), (Lists{{3, 0}, {1, 2}}));
}

// S12.1, S12.9, S12.12, S12.20
TEST(FleetByHand, ThePreemptedWantTheirOutputsToo) {
  // pool x weight is 32 for both. Requests 0 and 2 (6 + 6 tokens each) on replica 0, whose 4 blocks make 2 go at 3000,
  // with 3 outputs; 1 (14 + 18) on replica 1. At 3500: 12 + (6 + 3) = 21 against 17 tokens in 5 blocks = 20.
  const auto r = run_fleet(fleet("least-kv", {{1, 2, 16}, {1, 1, 32}}),
                           {{0, 6, 6, 0}, {0, 14, 18, 1}, {0, 6, 6, 2}, {3500, 1, 1, 3}});
  EXPECT_EQ(served(r), (Lists{{0, 2}, {3, 1}}));
  EXPECT_EQ(r[0].preemptions, 1U);
}

// S12.11, S2.8
TEST(FleetByHand, TheRejectedAreRoutedAndCountForNothing) {
  // After request 0 both have none, and the turn is replica 1's. At 5000 both have none again: replica 0's.
  const auto r = run_fleet(fleet("least-outstanding", {{2, 1, 64}}), {{0, 60, 10, 0}, {0, 3, 1, 1}, {5000, 3, 1, 2}});
  EXPECT_EQ(r[0].rejected, 1U);
  EXPECT_EQ(served(r), (Lists{{2}, {1}}));
}

// S12.1, S12.2, S12.21, S12.22, S12.23, S12.24, S12.25
TEST(FleetByHand, SumsAndMeansOfUnlikeReplicas) {
  // Replicas of 16, 48 and 48 bytes in turn; 1,000 ns a step. Request 0 (4 + 1) on replica 0: [0, 1000). Request 1 (4 +
  // 3) on replica 1: [1000, 4000). Replica 2 idles. Time runs from 0 to 4000 for all.
  auto c = fleet("round-robin", {{1, 1, 16}, {2, 1, 48}});
  const std::vector<Request> requests = {{0, 4, 1, 0}, {1000, 4, 3, 1}};
  const auto o = run_fleet(c, requests);
  ASSERT_EQ(o.size(), 3U);
  EXPECT_DOUBLE_EQ(part(o[2], Part::free), 1);
  EXPECT_DOUBLE_EQ(part(o[0], Part::free), 1 - (4 * 1.0) / (16 * 4));  // 4 of 16 bytes for a quarter of the time
  c.workload = in_memory(requests);
  const RunResult r = simulate(c, {});
  EXPECT_EQ(r.iterations, 4U);
  EXPECT_EQ(r.makespan_ns, 4000);
  EXPECT_EQ(r.pool_bytes, 112);
  EXPECT_EQ(r.peak_committed_bytes, 4 + 8);  // 6 tokens = 2 blocks on replica 1
  EXPECT_EQ(r.busy_ns, 1000 + 3000);
  EXPECT_DOUBLE_EQ(r.batch_mean, 1);
  // Held: 4 x 1 us, and 4, 8, 8 x 1 us, of 112 bytes x 4 us.
  EXPECT_DOUBLE_EQ(r.mean_fraction[static_cast<std::size_t>(Part::free)], 1 - (4 + 4 + 8 + 8) / (112 * 4.0));
  // Submitted 1, 1, 0: max / mean = 1 / (2/3); (1 + 1)^2 / (3 x 2) = 2/3. Busy 1, 3, 0: 3 / (4/3), 16 / (3 x 10).
  EXPECT_DOUBLE_EQ(r.requests_imbalance.max_over_mean, 1.5);
  EXPECT_DOUBLE_EQ(r.requests_imbalance.jain, 2 / 3.0);
  EXPECT_DOUBLE_EQ(r.busy_imbalance.max_over_mean, 2.25);
  EXPECT_DOUBLE_EQ(r.busy_imbalance.jain, 16 / 30.0);
  EXPECT_DOUBLE_EQ(r.tokens_imbalance.jain, (5.0 + 7) * (5 + 7) / (3 * (25 + 49)));
}

// S13.1, S13.2, S13.3, S13.6, S13.7, S13.8
TEST(FrontEndByHand, ADelayBeforeAndOneServerBehind) {
  // 100 + 2.5 x 3 = 107.5 -> 108 for both. [108, 1108) both prompts: 2 outputs x 300 from 1108: both at 1708. [1108,
  // 2108) the second output of request 0: max(1708, 2108) + 300 = 2408.
  auto c = tiny(64, paged());
  c.frontend = {100, 2.5, 300};
  const auto r = run_fleet(c, {{0, 3, 2, 0}, {0, 3, 1, 1}});
  ASSERT_EQ(r.size(), 1U);
  EXPECT_EQ(column(r[0], &IterationRecord::start_ns), (List{108, 1108}));
  EXPECT_EQ(column(r[0].requests, &RequestRecord::client_first_token_ns), (List{1708, 1708}));
  EXPECT_EQ(column(r[0].requests, &RequestRecord::client_finished_ns), (List{1708, 2408}));
  EXPECT_EQ(column(r[0].requests, &RequestRecord::client_arrival_ns), (List{0, 0}));
  EXPECT_EQ(r[0].ttft_ns.values, (Values{1000, 1000}));
}

// S13.4
TEST(FrontEndByHand, AShortPromptOvertakes) {
  // 100 + 2.5 x 40 = 200; 50 + 100 + 2.5 x 2 = 155: request 1 is first, alone until 1155; then 0. Equal ones, 2 and 3,
  // keep their order.
  auto c = tiny(64, paged());
  c.scheduler.max_batch = 1;
  c.frontend = {100, 2.5, 0};
  const auto r = run_fleet(c, {{0, 40, 1, 0}, {50, 2, 1, 1}, {300, 8, 1, 2}, {300, 8, 1, 3}});
  EXPECT_EQ(column(r[0], &IterationRecord::start_ns), (List{155, 1155, 2155, 3155}));
  EXPECT_EQ(column(r[0].requests, &RequestRecord::id), (List{1, 0, 2, 3}));
}

// S12.10, S13.5
TEST(FrontEndByHand, TheRouterDecidesAtTheClient) {
  // Request 0 is on its way to replica 0 until 500; at 100 it counts there.
  auto c = fleet("least-outstanding", {{2, 1, 64}});
  c.frontend = {500, 0, 0};
  EXPECT_EQ(served(run_fleet(c, {{0, 3, 1, 0}, {100, 3, 1, 1}, {200, 3, 1, 2}})), (Lists{{0, 2}, {1}}));
}
}  // namespace
}  // namespace stowage
