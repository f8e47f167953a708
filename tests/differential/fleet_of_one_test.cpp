// A fleet of one replica is that replica: the same bytes of JSON, whatever the router, and the same rows.
#include <gtest/gtest.h>

#include <vector>

#include "reports/json.hpp"
#include "sim/serve/router.hpp"
#include "sim/serve/simulate.hpp"
#include "tests/differential/random_scenario.hpp"

namespace stowage {
namespace {

std::string json(const RunResult& run) {
  ReportInput input;
  input.runs = {run};
  return to_json_text(input);
}

// S12.7
TEST(FleetOfOne, IsTheReplicaToTheByte) {
  for (std::uint64_t seed = 1; seed <= 120; ++seed) {
    Case c = random_case(seed);
    const std::string bare = json(simulate(c.config, {}));
    for (const RouterRow& router : routers()) {
      c.config.fleet = {std::string(router.name), seed, {{"", 1, 3, c.config.kv, c.config.cost, c.config.vmm}}};
      ASSERT_EQ(json(simulate(c.config, {})), bare) << "seed " << seed << ", " << router.name;
    }
  }
}

TEST(FleetOfOne, TellsTheSameRows) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    Case c = random_case(seed);
    const auto rows = [&] {
      std::vector<std::int64_t> out;
      RunHooks hooks;
      hooks.on_request = [&](const RequestRecord& r) {
        out.insert(out.end(), {static_cast<std::int64_t>(r.id), r.first_token_ns, r.finished_ns, r.replica});
      };
      hooks.on_iteration = [&](const IterationRecord& r) { out.insert(out.end(), {r.start_ns, r.step_ns}); };
      (void)simulate(c.config, hooks);
      return out;
    };
    const auto bare = rows();
    c.config.fleet = {"least-kv", seed, {{"", 1, 1, c.config.kv, c.config.cost, c.config.vmm}}};
    ASSERT_EQ(rows(), bare) << "seed " << seed;
  }
}

// The same seed draws the same replicas, another seed others.
TEST(Fleet, SameSeedSameResult) {
  Case c = random_case(7, CaseSize::large);
  const auto run = [&](std::uint64_t seed) {
    c.config.fleet = {"power-of-two", seed, {{"", 4, 1, c.config.kv, c.config.cost, c.config.vmm}}};
    return json(simulate(c.config, {}));
  };
  EXPECT_EQ(run(1), run(1));
  EXPECT_NE(run(1), run(2));
}
}  // namespace
}  // namespace stowage
