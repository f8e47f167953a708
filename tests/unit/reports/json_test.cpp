#include "reports/json.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "reports/html.hpp"
#include "reports/saved.hpp"
#include "sample.hpp"

namespace stowage {
namespace {
using Json = nlohmann::ordered_json;

std::vector<std::string> keys(const Json& object) {
  std::vector<std::string> out;
  for (const auto& [key, value] : object.items()) out.push_back(key);
  return out;
}
using Keys = std::vector<std::string>;

TEST(Json, HasTheKeysOfTheContractInItsOrder) {
  const Json j = Json::parse(to_json_text(sample_input(), WallTimes::told));
  EXPECT_EQ(j["schema"], "stowage.result/1");
  EXPECT_EQ(j["scenario"]["name"], "Four requests");
  ASSERT_EQ(j["runs"].size(), 2U);
  const Json& run = j["runs"][0];
  Keys top = keys(run);
  ASSERT_GE(top.size(), 16U);
  top.resize(16);  // more keys may follow
  EXPECT_EQ(top, (Keys{"name", "manager", "requests", "makespan_s", "iterations", "throughput", "ttft_s", "tbt_s",
                       "tpot_s", "e2e_s", "queue_s", "batch", "kv", "vmm", "wall_s", "slo"}));
  EXPECT_EQ(keys(run["requests"]), (Keys{"submitted", "completed", "rejected", "unfinished", "preemptions"}));
  EXPECT_EQ(keys(run["throughput"]), (Keys{"requests_per_s", "prompt_tokens_per_s", "output_tokens_per_s"}));
  for (const auto latency : {"ttft_s", "tbt_s", "tpot_s", "e2e_s", "queue_s"}) {
    EXPECT_EQ(keys(run[latency]), (Keys{"mean", "p50", "p90", "p95", "p99", "max", "count"})) << latency;
  }
  EXPECT_EQ(keys(run["batch"]), (Keys{"mean", "max"}));
  EXPECT_EQ(keys(run["kv"]), (Keys{"pool_bytes", "pool_tokens", "bytes_per_token", "peak_committed_bytes",
                                   "peak_live_bytes", "mean_fraction"}));
  EXPECT_EQ(keys(run["kv"]["mean_fraction"]), (Keys{"live", "reserved", "internal", "cached", "external", "free"}));
  EXPECT_EQ(keys(run["vmm"]),
            (Keys{"map_calls", "unmap_calls", "busy_s", "stall_s", "stall_max_s", "stalled_iterations"}));
}

TEST(Json, NumbersInSecondsBytesAndFractions) {
  ReportInput input = sample_input();
  input.runs[0].vmm = {16384, 64, 655.36e6, 10'240'000, 10'240'000, 1};
  const Json j = Json::parse(to_json_text(input, WallTimes::told));
  const Json& run = j["runs"][0];
  EXPECT_EQ(run["name"], "paged-16");
  EXPECT_EQ(run["manager"],
            (Json{{"kind", "paged"}, {"block_size", 16}, {"preempt", "recompute"}, {"watermark", 0.01}}));
  EXPECT_EQ(run["requests"]["completed"], 4);
  EXPECT_EQ(run["makespan_s"], 0.25);
  EXPECT_DOUBLE_EQ(run["throughput"]["requests_per_s"], 16.0);          // 4 / 0.25 s
  EXPECT_DOUBLE_EQ(run["throughput"]["prompt_tokens_per_s"], 16000.0);  // 4,000 / 0.25 s
  EXPECT_DOUBLE_EQ(run["throughput"]["output_tokens_per_s"], 400.0);    // 100 / 0.25 s
  EXPECT_EQ(run["ttft_s"]["mean"], 0.01);
  EXPECT_EQ(run["ttft_s"]["max"], 0.01);
  EXPECT_NEAR(run["ttft_s"]["p50"], 0.01, 0.0001);
  EXPECT_EQ(run["tpot_s"]["mean"], 0.01);  // picoseconds inside, seconds outside
  EXPECT_EQ(run["tbt_s"]["count"], 96);
  EXPECT_EQ(run["queue_s"]["max"], 0.0);
  EXPECT_EQ(run["kv"]["pool_bytes"], 8589934592);
  EXPECT_EQ(run["kv"]["mean_fraction"]["internal"], 0.0078125);
  EXPECT_EQ(run["vmm"]["busy_s"], 0.65536);
  EXPECT_EQ(run["vmm"]["stall_s"], 0.01024);
  EXPECT_EQ(run["wall_s"], 0.0015);
}

/// What a file says of a run does not change with the time it took.
TEST(Json, FilesHoldNoWallTimes) {
  ReportInput quick = sample_input(), slow = sample_input();
  for (RunResult& run : slow.runs) run.wall_ns += 1'000'000'000;
  EXPECT_EQ(to_json_text(quick), to_json_text(slow));
  EXPECT_EQ(to_saved(quick), to_saved(slow));
  EXPECT_EQ(to_html(quick), to_html(slow));
  EXPECT_FALSE(to_json(quick)["runs"][0].contains("wall_s"));
}

TEST(Json, LatenciesAtTheClientThatNobodyHadAreNull) {
  ReportInput input = sample_input();
  EXPECT_FALSE(to_json(input)["runs"][0].contains("client_ttft_s"));  // no front end
  input.scenario["frontend"] = {{"per_request", "0s"}, {"per_token", "0s"}};
  EXPECT_FALSE(to_json(input)["runs"][0].contains("client_ttft_s"));
  input.scenario["frontend"]["per_token"] = "1us";
  for (const ReportInput& same : {input, from_saved(to_saved(input), "report.json")}) {
    const Json run = Json::parse(to_json(same)["runs"][0].dump());
    for (const auto* key : {"client_ttft_s", "client_e2e_s"}) {
      EXPECT_EQ(run[key]["count"], 0) << key;
      EXPECT_TRUE(run[key]["p99"].is_null()) << key;
    }
  }
}

TEST(Json, SloOfEveryRun) {
  const Json j = to_json(sample_input());  // ttft_p99 <= 15 ms and tbt_max <= 10 ms, steps of 10 and 20 ms
  EXPECT_EQ(j["runs"][0]["slo"]["met"], true);
  EXPECT_EQ(j["runs"][1]["slo"]["met"], false);
  EXPECT_EQ(j["runs"][1]["slo"]["targets"][1],
            (Json{{"key", "tbt_max"}, {"limit_s", 0.01}, {"achieved_s", 0.02}, {"met", false}}));
}

TEST(Json, ParsesWhateverTheInputHolds) {
  ReportInput input = sample_input();
  input.runs[0].name = "\xFF</script>\n\"";
  input.runs[0].batch_mean = std::numeric_limits<double>::quiet_NaN();
  const std::string text = to_json_text(input);
  EXPECT_EQ(text.back(), '\n');
  const Json j = Json::parse(text);
  EXPECT_EQ(j["runs"][0]["name"], "\xEF\xBF\xBD</script>\n\"");
  EXPECT_TRUE(j["runs"][0]["batch"]["mean"].is_null());
}
}  // namespace
}  // namespace stowage
