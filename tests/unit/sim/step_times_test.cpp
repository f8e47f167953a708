// Steps that take known times: what they hold is the engine's decision, when they are formed and end is given.
#include "sim/serve/step_times.hpp"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <utility>
#include <vector>

#include "sim/kv/registry.hpp"
#include "sim/serve/simulate.hpp"
#include "tests/unit/sim/rows.hpp"

namespace stowage {
namespace {

struct Listed final : StepTimes {
  std::vector<StepTime> all;
  StepTime of(std::uint64_t index) const override { return index < all.size() ? all[index] : StepTime{}; }
};

RunConfig config_of(std::vector<Request> rows, bool async) {
  RunConfig config;
  config.scheduler = {8, 64, 64, true, true, "vllm", async};
  config.kv = {Bytes{400}, Bytes{1}, 1, 1};
  config.manager = manager_spec(*find_manager("paged"), "block_size=4");
  config.cost = StepCost(StepCost::Linear{1e9, 0, 0, 0});  // a price would show
  config.workload = std::make_shared<Rows>(std::move(rows));
  return config;
}

/// formed, begins, ends, and the tokens of its rows.
struct Seen {
  std::array<std::int64_t, 3> at;
  std::vector<std::pair<std::uint64_t, std::int64_t>> rows;
  bool operator==(const Seen&) const = default;
};
std::vector<Seen> seen(const RunConfig& config, Listed& times, RunResult& result) {
  std::vector<Seen> out;
  RunHooks hooks;
  hooks.times = &times;
  hooks.on_step = [&](const StepRecord& r) {
    Seen s{{r.formed_ns, r.begins_ns, r.ends_ns}, {}};
    for (const StepRecord::Row& row : r.rows) s.rows.emplace_back(row.id, row.tokens);
    out.push_back(std::move(s));
  };
  result = simulate(config, hooks);
  return out;
}

// From idle at 1000 the host launches step 0 until 1700; 1 arrived at 1500 and joins step 1, formed then. Step 0 ends
// at 1700 + 2000 = 3700. The host handles its end for 200: 2, of 3850, joins step 2, formed at 3900. Step 1 ends at
// 3700 + 1000 = 4700, where request 1 ends; step 3 is formed at 4700 + 100, and 0 has its third output on the way.
TEST(StepTimes, SetWhenStepsAreFormedAndEndWithTwoInFlight) {
  Listed times;
  times.all = {{0, 0, 700, 2000}, {0, 0, 0, 1000}, {0, 200, 0, 500}, {0, 100, 0, 300}};
  RunResult result;
  const auto steps = seen(config_of({{1000, 6, 3, 0}, {1500, 4, 1, 1}, {3850, 5, 2, 2}}, true), times, result);
  const std::vector<Seen> wanted = {{{1000, 1700, 3700}, {{0, 6}}},
                                    {{1700, 3700, 4700}, {{0, 1}, {1, 4}}},
                                    {{3900, 4700, 5200}, {{0, 1}, {2, 5}}},
                                    {{4800, 5200, 5500}, {{2, 1}}}};
  EXPECT_EQ(steps, wanted);
  EXPECT_EQ(result.completed, 3u);
  EXPECT_EQ(result.makespan_ns, 5500 - 1000);
  // First outputs at 3700, 4700 and 5200: (2700 + 3200 + 1350) / 3.
  EXPECT_DOUBLE_EQ(result.ttft_ns.mean(), 7250.0 / 3);
}

// A step that is not done may not be overtaken: the host would handle step 0 until 9000, and step 1 ends at 4000.
TEST(StepTimes, HandlingEndsWhereTheStepInFlightDoes) {
  Listed times;
  times.all = {{0, 0, 0, 3000}, {0, 0, 0, 1000}, {0, 6000, 0, 500}};
  RunResult result;
  const auto steps = seen(config_of({{0, 6, 3, 0}}, true), times, result);
  const std::vector<Seen> wanted = {
      {{0, 0, 3000}, {{0, 6}}}, {{0, 3000, 4000}, {{0, 1}}}, {{4000, 4000, 4500}, {{0, 1}}}};
  EXPECT_EQ(steps, wanted);
}

// One in flight: each is handled, formed, launched and run after the other, or waited for. 1 arrives after that.
// 1000 + 7 + 50 + 100 = 1157; 1157 + 20 + 50 + 100 = 1327; 2000 + 7 + 50 + 100.
TEST(StepTimes, OneInFlight) {
  Listed times;
  times.all = {{7, 20, 50, 100}, {7, 20, 50, 100}, {7, 20, 50, 100}};
  RunResult result;
  const auto steps = seen(config_of({{1000, 6, 2, 0}, {2000, 3, 1, 1}}, false), times, result);
  const std::vector<Seen> wanted = {
      {{1007, 1057, 1157}, {{0, 6}}}, {{1177, 1227, 1327}, {{0, 1}}}, {{2007, 2057, 2157}, {{1, 3}}}};
  EXPECT_EQ(steps, wanted);
}
}  // namespace
}  // namespace stowage
