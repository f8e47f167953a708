// plan.csv: a row a configuration, as many fields in each as in the head, and the figures of plan.json.
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "helpers.hpp"

namespace stowage {
namespace {
using testing::rows_of;

TEST(PlanCsv, HasEveryConfigurationAndTheFiguresOfThePlan) {
  const testing::TempFolder folder;
  // 64KiB hold not one block of 16 tokens of 128 KiB each: impossible. `reserve` ships nowhere: not ranked.
  const Plan plan = make_plan(testing::study_of(folder, R"(scenario:
  model: llama-3-8b
  hardware: h100-sxm-80gb
  workload: {synthetic: {rate: 20/s, count: 500, prompt: 300, output: 20}}
  scheduler: {max_batch: 16, max_batched_tokens: 2048, max_model_len: 1024}
  cost: {source: linear, base: 8ms, per_prefill_token: 10us, per_decode_seq: 100us}
  managers: [{kind: reserve}, {kind: paged}]
space: {memory.kv_pool: [64KiB, 4GiB], scheduler.max_batch: [1, 16]}
slo: {ttft_p99: 500ms}
probe: {requests: 500, precision: 5%}
search: {draws: 0, exhaustive: true}
)"),
                              2);
  const auto rows = rows_of(plan_csv(plan));
  ASSERT_EQ(rows.size(), 1 + plan.bench.candidates.size());
  const auto json = nlohmann::json::parse(plan_json(plan));
  std::map<std::string, std::size_t> fates, column;
  for (std::size_t i = 0; i < rows[0].size(); ++i) column[rows[0][i]] = i;
  for (std::size_t i = 1; i < rows.size(); ++i) {
    ASSERT_EQ(rows[i].size(), rows[0].size()) << "row " << i;
    const auto& c = json["candidates"][i - 1];
    const auto at = [&](const std::string& name) { return rows[i][column.at(name)]; };
    ++fates[at("fate")];
    EXPECT_EQ(at("number"), std::to_string(i - 1));
    EXPECT_EQ(at("name"), c["name"]);
    if (at("fate") == "impossible") {
      EXPECT_EQ(at("set"), c["reason"]);
      continue;
    }
    EXPECT_EQ(at("set"), c["set"]);
    EXPECT_EQ(at("vllm"), c.value("vllm", ""));
    EXPECT_EQ(at("vllm").empty(), at("manager") != "paged-16");
    EXPECT_EQ(at("rank").empty(), at("manager") != "paged-16");
    EXPECT_EQ(std::stod(at("rate_per_s")), c["rate_per_s"].get<double>());
    EXPECT_EQ(std::stod(at("gpu_hours_per_million_output_tokens")),
              c["gpu_hours_per_million_output_tokens"].get<double>());
    EXPECT_EQ(std::stod(at("kv_lost")), c["at_rate"]["kv_lost"].get<double>());
    EXPECT_EQ(at("usd_per_hour"), "");
  }
  EXPECT_EQ(fates["impossible"], 4U);
  EXPECT_EQ(fates["searched"], 4U);
  EXPECT_EQ(rows[1 + plan.found.ranking.front()][column["rank"]], "1");
}
}  // namespace
}  // namespace stowage
