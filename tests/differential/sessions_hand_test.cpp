// Requests that wait for the end of others (S15.10 to S15.13), by hand. A step takes 1,000 ns; bytes are tokens.
#include "tests/differential/hand.hpp"

namespace stowage {
namespace {
using namespace hand;

Case turns(std::vector<Request> requests, std::vector<oracle::Follow> follows) {
  Case c{tiny(1024, paged()), std::move(requests)};
  c.follows = std::move(follows);
  return c;
}
/// One result a replica, after the engine has agreed.
std::vector<OracleResult> run(Case& c) {
  c.bind();
  const auto difference = first_difference(c);
  EXPECT_FALSE(difference) << *difference;
  return oracle_fleet(c.config, c.requests, {}, c.follows);
}

// S15.10
TEST(SessionsByHand, ATurnWaitsForItsTimeAndForTheEndAndTheThought) {
  // Two outputs each: a prompt's step and one decode, 2,000 ns. Turn 1 thinks 500 ns: 2,500 to 4,500. Turn 2 has its
  // own time, 9,000, which is later than 4,500 + 500.
  Case c = turns({{0, 4, 2, 0}, {0, 8, 2, 1}, {9'000, 12, 2, 2}}, {{}, {0, 500}, {1, 500}});
  const auto r = run(c).front();
  EXPECT_EQ(column(r.requests, &RequestRecord::arrival_ns), (List{0, 2'500, 9'000}));
  EXPECT_EQ(column(r.requests, &RequestRecord::finished_ns), (List{2'000, 4'500, 11'000}));
}

// S15.10: two wait for one
TEST(SessionsByHand, ToolCallsRunBesideEachOther) {
  Case c = turns({{0, 4, 1, 0}, {0, 4, 3, 1}, {0, 4, 3, 2}}, {{}, {0, 0}, {0, 0}});
  const auto r = run(c).front();
  EXPECT_EQ(column(r.requests, &RequestRecord::arrival_ns), (List{0, 1'000, 1'000}));
  EXPECT_EQ(column(r.requests, &RequestRecord::finished_ns), (List{1'000, 4'000, 4'000}));
}

// S15.11: 100 ns to the engine, and 300 ns of the server an output
TEST(SessionsByHand, TheEndIsTheClients) {
  Case c = turns({{0, 4, 1, 0}, {0, 4, 1, 1}}, {{}, {0, 0}});
  c.config.frontend = {100, 0, 300};
  const auto r = run(c).front();
  // The step runs from 100 to 1,100; the client has its output at 1,400, asks at once, and the engine hears at 1,500.
  EXPECT_EQ(column(r.requests, &RequestRecord::client_arrival_ns), (List{0, 1'400}));
  EXPECT_EQ(column(r.requests, &RequestRecord::arrival_ns), (List{100, 1'500}));
}

// S15.12: the first turn is longer than max_model_len of 64
TEST(SessionsByHand, WhoWaitsForARejectedOneIsRejected) {
  Case c = turns({{0, 70, 2, 0}, {0, 8, 2, 1}, {0, 12, 2, 2}, {5'000, 4, 2, 3}}, {{}, {0, 0}, {1, 0}, {}});
  const auto r = run(c).front();
  EXPECT_EQ(r.submitted, 4U);
  EXPECT_EQ(r.rejected, 3U);
  EXPECT_EQ(r.rejected_requests.at(0).reason, std::string("longer than max_model_len"));
  EXPECT_EQ(r.rejected_requests.at(2).reason, std::string("waits for one that was rejected"));
}

// S15.13: request 1 waited, and arrives with request 2, at 1,000; there is room for one at a time.
TEST(SessionsByHand, OfEqualsTheEarlierInTheTraceIsFirst) {
  Case c = turns({{0, 4, 1, 0}, {0, 4, 1, 1}, {1'000, 4, 1, 2}}, {{}, {0, 0}, {}});
  c.config.scheduler.max_batch = 1;
  const auto r = run(c).front();
  EXPECT_EQ(column(r.requests, &RequestRecord::finished_ns), (List{1'000, 2'000, 3'000}));
  EXPECT_EQ(r.requests.at(1).id, 1U);
}

// S12.4, S15.10: round robin over two replicas; what ends in one decides when the next request is routed.
TEST(SessionsByHand, AnEndInOneReplicaIsAnArrivalInAnother) {
  Case c = turns({{0, 4, 3, 0}, {0, 4, 10, 1}, {0, 4, 1, 2}, {4'500, 4, 1, 3}}, {{}, {}, {0, 700}, {}});
  ReplicaGroup two{"", 2, 1, c.config.kv, c.config.cost, c.config.vmm};
  c.config.fleet.groups = {two};
  const auto r = run(c);
  // 0 ends in replica 0 at 3,000, and 2 goes there at 3,700; 3 goes to replica 1, which is at its boundary of 5,000.
  EXPECT_EQ(column(r.at(0).requests, &RequestRecord::finished_ns), (List{3'000, 4'700}));
  EXPECT_EQ(column(r.at(1).requests, &RequestRecord::finished_ns), (List{6'000, 10'000}));
}
}  // namespace
}  // namespace stowage
