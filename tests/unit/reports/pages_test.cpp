// Pages of plans, sweeps and comparisons from their data alone.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/error.hpp"
#include "reports/compare_page.hpp"
#include "reports/html.hpp"
#include "reports/plan_page.hpp"
#include "reports/saved.hpp"
#include "reports/sweep_page.hpp"
#include "sample.hpp"

namespace stowage {
namespace {
using Json = nlohmann::ordered_json;

ReportInput of(std::string kind, Json data) {
  ReportInput input;
  input.kind = std::move(kind);
  input.title = "a study";
  input.version = "stowage 0.1.0";
  input.data = std::move(data);
  return input;
}

Json comparison() {
  return Json::parse(R"({"schema": "stowage.compare/1", "a": "a/summary.json", "b": "b/summary.json",
    "asked": [{"key": "scheduler/max_batch", "a": "256", "b": "2"}],
    "runs": [{"a": "paged-16", "b": "paged-16", "slo_a": "PASS", "slo_b": "-", "basis": "Intervals of 400 requests.",
      "metrics": {}, "table": [
      {"label": "requests/s", "unit": "rate", "better": 1, "a": 10.0, "b": 12.0},
      {"label": "TTFT p99", "unit": "time", "better": -1, "a": 1.0, "b": 1.2,
       "difference": 0.2, "low": 0.1, "high": 0.3},
      {"label": "E2E p99", "unit": "time", "better": -1, "a": 1.0, "b": 1.2,
       "difference": 0.2, "low": -0.1, "high": 0.3},
      {"label": "TBT p50", "unit": "time", "better": -1, "a": 0.01, "b": null}]}]})");
}

TEST(ComparePage, CountsWhatIsBetterWorseAndNoise) {
  const page::Page p = compare_page(of("compare", comparison()));
  EXPECT_EQ(p.verdict.sentence, "B is better than A in 1 figure and worse in 1; 1 may be noise.");
  const std::string html = page::to_html(p);
  EXPECT_NE(html.find("+200 ms"), std::string::npos);
  EXPECT_NE(html.find("+100 ms to +300 ms"), std::string::npos);
  EXPECT_NE(html.find("not certain"), std::string::npos);
}

TEST(ComparePage, JudgesFigures) {
  const Json table = comparison()["runs"][0]["table"];
  const Judged served = judge(table[0]), certain = judge(table[1]), noise = judge(table[2]), missing = judge(table[3]);
  EXPECT_EQ(served.relative, "+20.0 %");
  EXPECT_EQ(served.word, "better");
  EXPECT_EQ(certain.word, "worse");
  EXPECT_EQ(noise.word, "not certain");
  EXPECT_EQ(noise.low, "-100 ms");
  EXPECT_EQ(missing.apart + missing.relative + missing.word, "");
  const auto of_share = judge(Json::parse(R"({"unit": "share", "better": -1, "a": 0.25, "b": 0.22})"));
  EXPECT_EQ(of_share.apart, "-3 points");
  EXPECT_EQ(of_share.word, "better");
  EXPECT_EQ(judge(Json::parse(R"({"unit": "time", "better": -1, "a": 0.03, "b": 162.0})")).relative, "5,400 times");
}

/// As large as comparisons get: two folders of twenty managers with series and maps as full as a run records them,
/// and two scenarios that share no key. The chart library counts even in a build without it.
TEST(ComparePage, StaysSmallHoweverMuchIsCompared) {
  constexpr std::size_t library = 1'130'000, managers = 20;
  Json data = comparison();
  const Json pair = data["runs"][0];
  RunResult full = sample_run("a manager");
  full.series.clear();
  for (std::int64_t i = 0; i < 1024; ++i) {
    const double x = 1234567891.0 + 7654321.0 * static_cast<double>(i * i % 911);
    full.series.push_back({i * 1000003, (i + 1) * 1000003, {x, x / 3, x / 5, x / 7, x / 9, x / 11}, 123.456, 98765.4});
  }
  for (std::int64_t i = 1; i < 2000; ++i)
    for (LogHistogram* h : {&full.ttft_ns, &full.tbt_ns, &full.e2e_ns, &full.queue_ns, &full.tpot_ps})
      h->add(i * 7919 * i);
  OccupancyColumn column;
  column.cells.assign(RunTrace::occupancy_rows, {7, 3, 1});
  RunTrace trace;
  trace.occupancy.assign(RunTrace::max_columns, column);
  full.trace = std::make_shared<const RunTrace>(std::move(trace));
  std::vector<NamedInput> folders;
  for (const char* folder : {"one", "other"}) {
    folders.push_back({folder, sample_input()});
    folders.back().input.runs.assign(managers, full);
    for (std::size_t i = 0; i < managers; ++i)
      folders.back().input.runs[i].name = folders.back().input.runs[i].manager.name = fmt::format("manager-{}", i);
  }
  for (std::size_t i = 0; i < managers * 100; ++i) {
    data["asked"].push_back({{"key", fmt::format("workload/requests/{}/prompt", i)}, {"a", "1000"}, {"b", "-"}});
    data["runs"].push_back(pair);
  }
  ReportInput input = combine(std::move(folders), "stowage compare one other");
  pair_up(input);
  EXPECT_EQ(input.runs[0].name, "manager-0 · one");
  EXPECT_EQ(input.runs[1].name, "manager-0 · other");
  EXPECT_EQ(input.folders[39], "other");
  input.kind = "compare";
  input.data = std::move(data);
  const std::string html = to_html(input);
  EXPECT_LE(html.size() + (charts_built_in() ? 0 : library), 2'000'000U);
  EXPECT_NE(html.find("of 2,001\xC2\xA0pairs are shown"), std::string::npos);
  EXPECT_NE(html.find("of 2,001\xC2\xA0keys of the resolved"), std::string::npos);
}

TEST(Pages, AreMadeAgainFromWhatWasSaved) {
  const ReportInput input = of("compare", comparison());
  const ReportInput again = from_saved(to_saved(input), "report.json");
  EXPECT_EQ(again.kind, "compare");
  EXPECT_EQ(again.data, input.data);
  EXPECT_EQ(to_html(again), to_html(input));
}

TEST(Pages, DataThatIsNoneIsRefused) {
  for (const char* kind : {"plan", "sweep", "compare"}) {
    EXPECT_THROW((void)to_html(of(kind, Json::parse("{\"runs\": 3}"))), InputError) << kind;
    EXPECT_THROW((void)to_html(of(kind, nullptr)), InputError) << kind;
  }
}

TEST(SweepPage, NumbersThatAreNoneAreGaps) {
  const page::Page p = sweep_page(of("sweep", Json::parse(R"({"points": 2, "status": {"ok": 1, "infeasible": 1},
    "axes": [{"path": "x", "values": ["1", "2"], "numbers": [1, 2], "unit": ""}], "managers": ["paged-16"],
    "deployable": {"paged-16": "vllm"}, "maps": [], "cloud": [], "columns": ["point", "x", "manager", "status", "note"],
    "effects": [{"axis": 0, "metric": "ttft_p99_s", "managers": [
      {"name": "paged-16", "median": [0.5, null], "least": [0.5, null], "greatest": [0.5, null]}]}],
    "failures": [{"point": 1, "set": "--set x=2", "manager": "", "status": "infeasible", "note": "does not fit"}],
    "table": [[0, "1", "paged-16", "ok", ""], [1, "2", "", "infeasible", "does not fit"]]})")));
  EXPECT_EQ(p.verdict.sentence, "2 points: 1 of 2 runs went through.");
  const std::string html = page::to_html(p);
  EXPECT_NE(html.find("Point 1 (--set x=2): infeasible: does not fit"), std::string::npos);
  EXPECT_NE(html.find("\"y\":[0.5,null]"), std::string::npos);
}

TEST(SweepPage, TwoPercentilesAreExplainedWhereTheyMayDiffer) {
  const auto reasons = [](const char* judged, const char* short_runs) {
    const std::string text = R"({"points": 1, "status": {"ok": 1}, "cloud": [], "slo": {"met": 1, "judged": )" +
                             std::string(judged) + R"(}, "unserved": {"most": 3, "of": 90, "runs": )" + short_runs +
                             "}}";
    return sweep_verdict(Json::parse(text)).reasons;
  };
  ASSERT_EQ(reasons("1", "1").size(), 1U);
  EXPECT_TRUE(reasons("1", "1")[0].starts_with("slo_met counts requests that are not served as missed"));
  EXPECT_TRUE(reasons("1", "0").empty());
  EXPECT_TRUE(reasons("0", "1").empty());
}

TEST(RunPage, AFleetIsSavedWholeAndNamesItsReplicas) {
  ReportInput input = sample_input();
  for (int i = 0; i < 40; ++i) {
    ReplicaSummary r;
    r.group = "h100";
    r.submitted = r.completed = 10;
    r.busy_ns = 1'000'000 * (i == 17 ? 90 : 10);
    r.ttft_ns = {10, 1e6, 1e6, 1e6, 1e6, i == 23 ? 9e9 : 1e6, 9e9};
    input.runs[0].replicas.push_back(r);
  }
  const std::string html = to_html(input);
  EXPECT_NE(html.find("replica 23 (h100): slowest p99 TTFT"), std::string::npos);
  EXPECT_NE(html.find("replica 17 (h100): busiest"), std::string::npos);
  EXPECT_EQ(to_html(from_saved(to_saved(input), "report.json")), html);
}
}  // namespace
}  // namespace stowage
