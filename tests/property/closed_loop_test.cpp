// Closed loops, by hand and through the engine. A step takes 1,000 ns.
#include <gtest/gtest.h>

#include <map>
#include <utility>
#include <vector>

#include "sim/serve/simulate.hpp"
#include "traces/workload.hpp"

namespace stowage {
namespace {

RunConfig served(std::shared_ptr<const Workload> workload) {
  RunConfig c;
  c.kv = {Bytes{4096}, Bytes{1}, 1};
  c.manager = {"paged", "", {{"block_size", std::int64_t{4}}, {"watermark", 0.0}}};
  c.scheduler.max_model_len = 64;
  c.cost = StepCost(StepCost::Linear{1000, 0, 0, 0});
  c.workload = std::move(workload);
  return c;
}
using Times = std::vector<std::pair<std::int64_t, std::int64_t>>;  // arrival and end of each request, by id

Times run(const RunConfig& c, RunResult* result = nullptr) {
  std::map<std::uint64_t, std::pair<std::int64_t, std::int64_t>> by_id;
  RunHooks hooks;
  hooks.on_request = [&](const RequestRecord& r) { by_id[r.id] = {r.client_arrival_ns, r.client_finished_ns}; };
  const RunResult r = simulate(c, hooks);
  if (result != nullptr) *result = r;
  Times out;
  for (const auto& [id, times] : by_id) out.push_back(times);
  return out;
}

std::shared_ptr<const Workload> clients(std::int64_t concurrency, std::int64_t think_ns, std::uint64_t count) {
  SyntheticSpec spec;
  spec.arrivals = ArrivalKind::closed;
  spec.concurrency = concurrency;
  spec.think_ns = static_cast<double>(think_ns);
  spec.count = count;
  spec.prompt.value = 4;
  spec.output.value = 2;
  return synthetic_workload(spec, 1);
}

// Two outputs: the prompt's step and one decode, 2,000 ns.
TEST(ClosedLoop, ClientsSendAgainWhenTheyHaveTheirAnswer) {
  EXPECT_EQ(run(served(clients(2, 0, 5))),
            (Times{{0, 2'000}, {0, 2'000}, {2'000, 4'000}, {2'000, 4'000}, {4'000, 6'000}}));
  // A thought of 500 ns leaves the engine idle from 2,000 to 2,500.
  EXPECT_EQ(run(served(clients(1, 500, 3))), (Times{{0, 2'000}, {2'500, 4'500}, {5'000, 7'000}}));
}

TEST(ClosedLoop, MoreClientsThanRequestsAreABurst) {
  EXPECT_EQ(run(served(clients(9, 0, 2))), (Times{{0, 2'000}, {0, 2'000}}));
}

// Arrivals at 0, 100, 200 and 9,000, one at a time: sent at 0, 2,000, 4,000 and 9,000.
TEST(ClosedLoop, ALimitHoldsBackWhoArrivesTooSoon) {
  const auto open = inline_workload({{0, 4, 2, 0}, {100, 4, 2, 1}, {200, 4, 2, 2}, {9'000, 4, 2, 3}});
  EXPECT_EQ(run(served(closed_loop(open, 1))),
            (Times{{0, 2'000}, {2'000, 4'000}, {4'000, 6'000}, {9'000, 11'000}}));
}

// The second is longer than max_model_len of 64: its client is told so at once, and sends the third.
TEST(ClosedLoop, ARefusedRequestDoesNotEndItsClient) {
  for (const std::size_t replicas : {1U, 2U}) {
    RunConfig c = served(closed_loop(inline_workload({{0, 4, 2, 0}, {0, 70, 2, 1}, {0, 4, 2, 2}, {0, 4, 2, 3}}), 1));
    if (replicas > 1) c.fleet.groups = {{"", 2, 1, c.kv, c.cost, c.vmm}};
    RunResult r;
    EXPECT_EQ(run(c, &r), (Times{{0, 2'000}, {2'000, 4'000}, {4'000, 6'000}})) << replicas;
    EXPECT_EQ(r.submitted, 4U);
    EXPECT_EQ(r.rejected, 1U);
  }
}

// Little's law: N clients who think Z and are served in R make N / (R + Z) requests a second.
TEST(ClosedLoop, ThroughputIsLittlesLaw) {
  for (const std::int64_t n : {1, 7, 32}) {
    RunResult r;
    (void)run(served(clients(n, 3'000, 3200)), &r);
    EXPECT_EQ(r.completed, 3200U);
    const double each = r.e2e_ns.mean() + 3'000;
    EXPECT_NEAR(static_cast<double>(r.makespan_ns) + 3'000, 3200.0 / static_cast<double>(n) * each, each) << n;
  }
}

TEST(ClosedLoop, AFleetServesTheSameClients) {
  RunConfig c = served(clients(6, 100, 300));
  c.fleet.groups = {{"", 3, 1, c.kv, c.cost, c.vmm}};
  c.fleet.router = "least-outstanding";
  // Two each: all go in step, a round of 2,100 ns.
  const Times times = run(c);
  ASSERT_EQ(times.size(), 300U);
  for (std::size_t i = 0; i < times.size(); ++i)
    EXPECT_EQ(times[i].first, static_cast<std::int64_t>(i / 6) * 2'100) << i;
}
}  // namespace
}  // namespace stowage
