// The figures of a sweep's row, each by hand from requests whose latencies are known.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "planner/sweep.hpp"
#include "tests/unit/planner/helpers.hpp"

namespace stowage {
namespace {
using testing::TempFolder;

/// By column of the row of the only manager at the only point.
std::map<std::string, nlohmann::json> row_of(const TempFolder& folder, const std::string& text) {
  const Sweep sweep(testing::study_of(folder, text), "test");
  const auto row = nlohmann::json::parse(sweep.record(0)).at("rows").at(0);
  std::map<std::string, nlohmann::json> out;
  std::size_t i = 0;
  bool of_run = false;
  for (const std::string& name : sweep.columns()) {
    of_run = of_run || name == "manager";
    if (of_run) out[name] = row.at(i++);
  }
  EXPECT_EQ(i, row.size());
  return out;
}

/// 100 requests 10 s apart, each alone: prompt k = 1 ... 100, two tokens. The first comes after 10 + k ms, the second
/// 10 + k / 10 ms later, as its step reads k tokens.
std::string study(const std::string& slo) {
  std::string requests;
  for (int k = 1; k <= 100; ++k)
    requests += (k == 1 ? "{at: " : ", {at: ") + std::to_string(10 * k) + "s, prompt: " + std::to_string(k) +
                ", output: 2}";
  return "scenario:\n  model: llama-3-8b\n  hardware: h100-sxm-80gb\n  memory: {kv_tokens: 1600}\n"
         "  scheduler: {max_batch: 4, max_model_len: 200}\n"
         "  cost: {source: linear, base: 10ms, per_prefill_token: 1ms, per_kv_token: 100us}\n"
         "  managers: [{kind: paged}]\n  workload: {requests: [" +
         requests + "]}\n" + slo;
}

TEST(SweepColumns, AreWhatTheyAreCalled) {
  const TempFolder folder;
  const auto row = row_of(folder, study(""));
  const auto is = [&](const char* name, double expected, double tolerance) {
    ASSERT_TRUE(row.contains(name)) << name;
    EXPECT_NEAR(row.at(name).get<double>(), expected, tolerance * expected) << name;
  };
  EXPECT_EQ(row.at("manager"), "paged-16");
  EXPECT_EQ(row.at("status"), "ok");
  const double exact = 1e-9, bucket = 0.004;  // a histogram's buckets are 1/128 wide
  is("submitted", 100, 0), is("completed", 100, 0), is("iterations", 200, 0);
  EXPECT_EQ(row.at("rejected"), 0);
  EXPECT_EQ(row.at("preemptions"), 0);
  // The k-th smallest is that of prompt k; of 1 ... 100 the mean is 50.5.
  is("ttft_mean_s", 0.010 + 0.0505, exact), is("ttft_p50_s", 0.060, bucket), is("ttft_p90_s", 0.100, bucket);
  is("ttft_p99_s", 0.109, bucket);
  is("tbt_mean_s", 0.010 + 0.00505, exact), is("tbt_p99_s", 0.0199, bucket);
  is("tpot_mean_s", 0.010 + 0.00505, exact), is("tpot_p99_s", 0.0199, bucket);
  is("e2e_mean_s", 0.020 + 1.1 * 0.0505, exact), is("e2e_p99_s", 0.020 + 1.1 * 0.099, bucket);
  EXPECT_EQ(row.at("queue_p99_s"), 0);
  is("batch_mean", 1, exact), is("batch_max", 1, 0);
  is("kv_pool_tokens", 1600, 0);
  // From the first arrival to the end of the last: 990 s and the last request's 130 ms.
  is("makespan_s", 990.130, exact), is("requests_per_s", 100 / 990.130, exact);
  is("output_tokens_per_s", 200 / 990.130, exact);
}

TEST(SweepColumns, APointIsJudgedByItsOwnObjectiveElseByTheStudys) {
  const TempFolder folder;
  const auto met = [&](const std::string& slo) { return row_of(folder, study(slo)).at("slo_met"); };
  EXPECT_TRUE(met("").is_null());
  EXPECT_EQ(met("slo: {ttft_p90: 105ms}\n"), true);
  EXPECT_EQ(met("slo: {ttft_p99: 105ms}\n"), false);
  // The scenario's own 105 ms at p90 is met, the study's at p99 is not: the scenario's stands.
  EXPECT_EQ(met("  slo: {ttft_p90: 105ms}\nslo: {ttft_p99: 105ms}\n"), true);
  EXPECT_EQ(met("  slo: {ttft_p99: 105ms}\nslo: {ttft_p90: 105ms}\n"), false);
}
}  // namespace
}  // namespace stowage
