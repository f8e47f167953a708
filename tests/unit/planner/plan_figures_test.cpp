// The figures of plan.json and plan.csv under their own names, of replicas of two GPUs in nodes of eight; the demand.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "tests/unit/planner/helpers.hpp"

namespace stowage {
namespace {
using testing::TempFolder;

Plan plan_of(const TempFolder& folder, const std::string& rest,
             const std::string& cost = "{source: linear, base: 10ms}", int tensor = 2) {
  return make_plan(testing::study_of(folder, fmt::format(R"(
scenario:
  model: llama-3-8b
  hardware: h100-sxm-80gb
  cluster: {{tensor: {}}}
  memory: {{kv_pool: 8GiB}}
  workload: {{synthetic: {{rate: 10/s, count: 1000, prompt: 100, output: 4}}}}
  scheduler: {{max_batch: 1, max_model_len: 1024}}
  cost: {}
  managers: [{{kind: paged}}]
slo: {{e2e_p90: 300ms}}
probe: {{requests: 1000, precision: 1%}}
search: {{draws: 12}}
prices: {{h100-sxm-80gb: {{usd_per_node_hour: 12, gpus_per_node: 8, watts: 4000}}}}
{}
)",
                                                         tensor, cost, rest)),
                   2);
}

TEST(PlanFigures, StandUnderTheirOwnNames) {
  const TempFolder folder;
  const Plan plan = plan_of(folder, "demand: 80/s");
  ASSERT_TRUE(plan.decision.feasible);
  const Candidate& w = plan.bench.candidates[*plan.decision.winner];
  const Probe& at = *w.capacity.at;
  // A node of eight GPUs holds four replicas of two; what they leave stands idle.
  const auto n = w.sizing->replicas, nodes = (n + 3) / 4, idle = 8 * nodes - 2 * n;
  ASSERT_NE(nodes, idle);
  std::map<std::string, double> expected = {
      {"replicas", n},          {"gpus", 2 * n},         {"nodes", nodes},  {"stranded_gpus", idle},
      {"usd_per_hour", 12 * nodes}, {"gpus_per_replica", 2}, {"number", 0}, {"rate_per_s", w.capacity.rate_per_s},
      {"bound_per_s", w.bound_per_s}};
  // 12 / 8 x 2 USD an hour for two GPUs, at 0.8 of the rate, four tokens a request.
  expected["usd_per_million_output_tokens"] = 3 / (0.8 * w.capacity.rate_per_s * 4 * 3600) * 1e6;
  expected["ttft_p50_s"] = at.ttft_p50_ns / 1e9;
  expected["tpot_p50_s"] = 0.010;
  expected["kv_lost"] = at.kv_lost;

  const auto rows = testing::rows_of(plan_csv(plan));
  ASSERT_EQ(rows.size(), 2U);
  std::map<std::string, std::string> of;
  for (std::size_t i = 0; i < rows[0].size(); ++i) of[rows[0][i]] = rows[1].at(i);
  for (const auto& [key, value] : expected) {
    ASSERT_TRUE(of.contains(key)) << key;
    EXPECT_NEAR(std::stod(of[key]), value, 1e-9 * value) << key;
  }
  const auto json = nlohmann::json::parse(plan_json(plan));
  const auto& c = json["candidates"][0];
  for (const char* key : {"replicas", "gpus", "nodes", "stranded_gpus", "usd_per_hour"})
    EXPECT_NEAR(c["sizing"][key].get<double>(), expected[key], 1e-9 * expected[key]) << key;
  EXPECT_EQ(c["sizing"]["node_gpus"], 8 * nodes);
  EXPECT_EQ(c["sizing"]["watts"], 4000.0 * static_cast<double>(nodes));
  EXPECT_NEAR(c["usd_per_million_output_tokens"].get<double>(), expected["usd_per_million_output_tokens"], 1e-9);
  // Two GPUs make the tokens of a replica.
  EXPECT_DOUBLE_EQ(c["output_tokens_per_s_per_gpu"].get<double>() * 2, at.output_tokens_per_s);
  EXPECT_NEAR(at.output_tokens_per_s, 4 * w.capacity.rate_per_s, 0.1 * w.capacity.rate_per_s);
  const auto& u = json["uncertainty"];
  EXPECT_EQ(u["suffices"], plan.uncertainty.suffices);
  EXPECT_EQ(u["wins"], plan.uncertainty.wins);
  EXPECT_LE(u["rate_per_s_90"][0].get<double>(), u["rate_per_s_90"][1].get<double>());
}

TEST(PlanFigures, GrowthIsBought) {
  const TempFolder folder;
  const Plan now = plan_of(folder, "demand: 200/s"), later = plan_of(folder, "demand: 200/s\ngrowth: 1.5");
  EXPECT_DOUBLE_EQ(later.bench.demand_per_s, 300);
  const auto rate = now.bench.candidates[0].capacity.rate_per_s;
  EXPECT_EQ(now.bench.candidates[0].sizing->needed, std::ceil(200 / (0.8 * rate)));
  EXPECT_EQ(later.bench.candidates[0].sizing->needed, std::ceil(300 / (0.8 * rate)));
}

/// What a profile does not know of a model's shapes is scaled from others, as half of its heads: then nothing is firm,
/// whatever the draws say.
TEST(PlanFigures, ScaledPricesAreNeverFirm) {
  const TempFolder folder;
  std::set<bool> seen;
  for (const int tensor : {1, 2}) {
    const Plan plan = plan_of(folder, "demand: 1/s", "{source: profile}", tensor);
    const Candidate& c = plan.bench.candidates[0];
    ASSERT_EQ(c.scenario->cost_used, CostSource::profile) << tensor;
    const bool gaps = !c.scenario->profile_gaps.empty();
    seen.insert(gaps);
    EXPECT_EQ(c.grounds == Grounds::measured, !gaps) << tensor;
    ASSERT_TRUE(plan.decision.feasible) << plan.decision.text;
    EXPECT_EQ(plan.decision.firmness.starts_with("firm"), !gaps) << tensor << ": " << plan.decision.firmness;
  }
  EXPECT_EQ(seen.size(), 2U) << "one kind only: the test shows nothing";
}
}  // namespace
}  // namespace stowage
