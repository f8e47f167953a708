// The engine's loop on the host (S18) against sums done by hand. A step takes 1,000 ns of the GPU.
#include "tests/differential/ahead_hand.hpp"

namespace stowage {
namespace {
using namespace hand;
using oracle::StepLog;

RunConfig looping(bool async) {
  RunConfig c = tiny(1024, paged());
  c.host_loop = {.form_ns = 100, .launch_ns = 1'500, .launch_eager_ns = 4'000, .graph_tokens = 8, .update_ns = 50};
  c.scheduler.async_scheduling = async;
  return c;
}
/// Of the oracle, after the engine has agreed.
Ahead told(const RunConfig& c, const std::vector<Request>& requests) {
  run(c, requests);
  return run_ahead(c, requests);
}

// S18.1, S18.2, S18.4, S18.5, S18.7, S18.8
TEST(HostLoop, StandsBesideTwoSteps) {
  //  0      the prompt is formed, ready at 100; its launch lasts until 1600, and so does it: out at 1650
  //  1600   the first decode is formed, ready and launched at 1700, when the outputs of the prompt are taken: 1750
  //  1750   the second decode; ready at 1850, it waits for the GPU until 2700
  const auto r = told(looping(true), {{0, 4, 3, 0}});
  EXPECT_EQ(r.column(&StepLog::formed_ns), (List{0, 1'600, 1'750}));
  EXPECT_EQ(r.column(&StepLog::start_ns), (List{100, 1'700, 2'700}));
  EXPECT_EQ(r.of(0).first_token_ns, 1'750);
  EXPECT_EQ(r.of(0).finished_ns, 3'750);
}

// S18.1, S18.2, S18.5
TEST(HostLoop, AddsToEachStepWhereThereIsOne) {
  //  0 to 1600, out at 1650; ready at 1750, to 2750, out at 2800; 2900 to 3900, out at 3950
  const auto r = told(looping(false), {{0, 4, 3, 0}});
  EXPECT_EQ(r.column(&StepLog::start_ns), (List{100, 1'750, 2'900}));
  EXPECT_EQ(r.of(0).finished_ns, 3'950);
}

// S18.3: nine tokens have no graphs
TEST(HostLoop, LaunchesLongStepsKernelByKernel) {
  EXPECT_EQ(told(looping(false), {{0, 9, 1, 0}}).of(0).finished_ns, 4'150);
}

// S18.1, S18.5: two requests, 10 ns each to form and 7 ns an output
TEST(HostLoop, GrowsWithTheBatch) {
  RunConfig c = looping(false);
  c.host_loop = {.form_per_request_ns = 10, .update_per_output_ns = 7};
  // 20 + 1000 + 14, twice
  EXPECT_EQ(told(c, {{0, 2, 2, 0}, {0, 2, 2, 1}}).of(1).finished_ns, 2'068);
}

// S18.6: a step of many outputs is behind no shorter one
TEST(HostLoop, OutputsComeInTheOrderOfSteps) {
  RunConfig c = looping(true);
  c.host_loop = {.update_per_output_ns = 900};
  c.cost = StepCost(StepCost::Linear{0, 1, 0, 0});
  // Three prompts of 4: [0, 12), out at 2712. Their last outputs come of a decode that takes nothing: 2712 + 2700.
  const auto r = told(c, {{0, 4, 2, 0}, {0, 4, 2, 1}, {0, 4, 2, 2}});
  EXPECT_EQ(r.of(2).first_token_ns, 2'712);
  EXPECT_EQ(r.of(2).finished_ns, 5'412);
}
}  // namespace
}  // namespace stowage
