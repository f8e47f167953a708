// A manager for which a GPU has no room says nothing about the others on that GPU: plans and sweeps keep them.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "planner/sweep.hpp"
#include "scenario/scenario.hpp"
#include "tests/unit/planner/helpers.hpp"

namespace stowage {
namespace {
using testing::TempFolder;
using Json = nlohmann::json;

/// 1,000 tokens are 125 MiB: no page of 2 MiB in each of vattention's 64 tensors, which are 128. 2,000 are enough.
std::string scenario_of(const std::string& managers) {
  return fmt::format(R"(
  model: llama-3-8b
  hardware: h100-sxm-80gb
  memory: {{kv_tokens: 1000}}
  workload: {{synthetic: {{rate: 5/s, count: 300, prompt: 100, output: 10}}}}
  scheduler: {{max_batch: 8, max_model_len: 500}}
  cost: {{source: linear, base: 10ms}}
  managers: [{}]
)",
                     managers);
}
std::string study_of(const std::string& managers) {
  return fmt::format("scenario:{}space: {{memory.kv_tokens: [1000, 2000]}}\nslo: {{ttft_p99: 1s}}\n"
                     "probe: {{requests: 300}}\nsearch: {{draws: 0, exhaustive: true}}\n",
                     scenario_of(managers));
}
constexpr const char *all = "{kind: paged}, {kind: vattention}, {kind: paged, block_size: 32}",
                     *fitting = "{kind: paged}, {kind: paged, block_size: 32}";

TEST(Unfit, OfAPlanIsOneCandidateLess) {
  const TempFolder folder;
  const Plan with = make_plan(testing::study_of(folder, study_of(all)), 1);
  const Plan without = make_plan(testing::study_of(folder, study_of(fitting)), 1);
  EXPECT_EQ(with.found.counts.candidates, 6U);
  EXPECT_EQ(with.found.counts.impossible, 1U);
  std::map<std::string, double> rates, expected;
  for (const Candidate& c : without.bench.candidates) expected[c.name] = c.capacity.rate_per_s;
  for (const Candidate& c : with.bench.candidates) {
    if (c.fate == Fate::impossible) {
      EXPECT_NE(c.name.find("vattention"), std::string::npos);
      EXPECT_NE(c.reason.find("page"), std::string::npos);
    } else if (c.kind == "paged") {
      rates[c.name] = c.capacity.rate_per_s;
      EXPECT_EQ(c.config().manager.name, c.manager);
      // What to type for it names its own manager, not its neighbour's.
      EXPECT_EQ(c.sets.find("block_size: 32") != std::string::npos, c.manager == "paged-32") << c.sets;
    }
  }
  EXPECT_EQ(rates, expected);
  EXPECT_EQ(rates.size(), 4U);
}

TEST(Unfit, OfASweepIsARowOfItsOwn) {
  const TempFolder folder;
  const Sweep with(testing::study_of(folder, study_of(all)), "test"),
      without(testing::study_of(folder, study_of(fitting)), "test");
  for (const std::uint64_t point : {0, 1}) {
    const Json rows = Json::parse(with.record(point))["rows"], others = Json::parse(without.record(point))["rows"];
    ASSERT_EQ(rows.size(), 3U);
    EXPECT_EQ(rows[0], others[0]);
    EXPECT_EQ(rows[1][0], "vattention-2MiB");
    EXPECT_EQ(rows[1][1], point == 0 ? "infeasible" : "ok");
    EXPECT_EQ(rows[2], others[1]);
  }
}

TEST(Unfit, OfARunIsAnError) {
  const TempFolder folder;
  const std::string file = folder.file("scenario.yaml", scenario_of(all));
  EXPECT_THROW((void)load_scenario(file), InfeasibleError);
  // Where nothing fits, no point of a study is left.
  std::string small = study_of("{kind: vattention}");
  small.replace(small.find("[1000, 2000]"), 12, "[1000]");
  EXPECT_THROW((void)set_up(testing::study_of(folder, small), 1), InfeasibleError);
}
}  // namespace
}  // namespace stowage
