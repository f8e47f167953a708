#include "reports/html.hpp"

#include <gtest/gtest.h>

#include "reports/json.hpp"
#include "sample.hpp"

namespace stowage {
namespace {

/// The text of <script type="application/json" id="ID">.
std::string carried(const std::string& page, const std::string& id) {
  const std::string open = "<script type=\"application/json\" id=\"" + id + "\">";
  const std::size_t from = page.find(open);
  if (from == std::string::npos) return "";
  return page.substr(from + open.size(), page.find("</script>", from) - from - open.size());
}
/// The page without the chart library and the data: what is ours, and what users wrote.
std::string visible(const std::string& page) { return page.substr(0, page.find("<script")); }

std::vector<nlohmann::json> of_kind(const nlohmann::json& data, const std::string& kind) {
  std::vector<nlohmann::json> out;
  for (const auto& figure : data["figures"]) {
    if (figure["kind"] == kind) out.push_back(figure);
  }
  return out;
}

std::size_t count(const std::string& text, const std::string& what) {
  std::size_t n = 0;
  for (std::size_t i = text.find(what); i != std::string::npos; i = text.find(what, i + 1)) ++n;
  return n;
}

TEST(Html, CarriesSummaryJsonToTheDigit) {
  const ReportInput input = sample_input();
  EXPECT_EQ(nlohmann::ordered_json::parse(carried(to_html(input), "summary.json")),
            nlohmann::ordered_json::parse(to_json_text(input)));
}

TEST(Html, ChartDataFollowsTheRuns) {
  const auto data = nlohmann::json::parse(carried(to_html(sample_input()), "chart-data"));
  EXPECT_EQ(data["series"][0]["name"], "paged-16");
  EXPECT_EQ(data["series"][1]["name"], "vattention-2MiB");
  const auto stacks = of_kind(data, "stack");
  ASSERT_EQ(stacks.size(), 2U);
  EXPECT_EQ(stacks[0]["start"].size(), 25U);
  EXPECT_EQ(stacks[0]["bands"][0]["values"][3], 536870000);   // live, 6.25 % of 8 GiB = 536,870,912 to five digits
  EXPECT_EQ(stacks[0]["bands"][5]["values"][3], 7986000000);  // free, 92.96875 % of 8 GiB = 7,985,954,816
  EXPECT_EQ(stacks[0]["axis_end"], 0.5);                      // the slower of the two: one axis for both
  EXPECT_EQ(stacks[0]["end"], 0.25);
  const auto plots = of_kind(data, "plot");  // the first is throughput against latency, the second TTFT
  ASSERT_EQ(plots.size(), 6U);
  EXPECT_EQ(plots[1]["lines"][0]["x"].back(), 0.01);
  EXPECT_EQ(plots[1]["lines"][0]["y"].back(), 1);
}

TEST(Html, EveryPartIsThere) {
  const std::string page = visible(to_html(sample_input()));
  for (const auto id : {"slo", "managers", "budget", "pareto", "memory", "waste", "latency", "sensitivity", "notes",
                        "provenance"}) {
    EXPECT_EQ(count(page, "<section id=\"" + std::string(id) + "\""), 1U) << id;
    EXPECT_EQ(count(page, "href=\"#" + std::string(id) + "\""), 1U) << id;
  }
  EXPECT_NE(page.find("paged-16 meets the SLO"), std::string::npos);
  EXPECT_NE(page.find("maximum concurrency for 8,192"), std::string::npos);
  EXPECT_NE(page.find("evidence: linear"), std::string::npos);
}

TEST(Html, AsksForNothing) {
  const std::string page = to_html(sample_input());
  EXPECT_NE(page.find("default-src 'none'"), std::string::npos);
  EXPECT_EQ(count(visible(page), "href="), count(visible(page), "href=\"#")) << "links stay in the page";
  EXPECT_EQ(count(visible(page), "src="), 0U);
  EXPECT_EQ(count(visible(page), "url("), 0U);
  EXPECT_EQ(count(page, "<link"), 0U);
  EXPECT_EQ(count(page, "<script src"), 0U);
}

TEST(Html, NamesCannotRun) {
  const std::string evil = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\" '";
  const ReportInput plain = sample_input();
  ReportInput input = plain;
  input.title = input.command = input.version = input.seed = input.workload_name = input.resolved_yaml = evil;
  input.kv_line = input.ledger = input.cost_source = evil;
  input.scenario["name"] = evil;
  input.notes = {evil};
  input.cards = {{evil, {{evil, evil}}}};
  input.budget[0].label = evil;
  for (RunResult& run : input.runs) {
    run.name = evil;
    run.manager.kind = evil;
    run.rejected = 1;
    run.first_rejected = {{1, 2, 3, evil}};
  }
  const std::string page = to_html(input);
  // As many scripts as in an innocent page, and none of them or of the images from a name.
  EXPECT_EQ(count(page, "<script"), count(to_html(plain), "<script"));
  EXPECT_EQ(count(page, "</script"), count(to_html(plain), "</script"));
  EXPECT_EQ(count(page, "<img"), count(to_html(plain), "<img"));
  EXPECT_EQ(nlohmann::json::parse(carried(page, "summary.json"))["runs"][0]["name"], evil);
  EXPECT_EQ(nlohmann::json::parse(carried(page, "chart-data"))["series"][0]["name"], evil);
}

TEST(Html, StaysSmallAndWholeAtTheEdges) {
  ReportInput input = sample_input();
  RunResult run = sample_run("many bins");
  run.series.clear();
  for (std::int64_t i = 0; i < 1024; ++i) {
    const double x = 1234567.891 * static_cast<double>(i + 1);
    run.series.push_back({i * 1000003, (i + 1) * 1000003, {x, x, x, x, x, x}, 123.456, 98765.4});
  }
  for (std::int64_t i = 1; i < 2000; ++i) run.ttft_ns.add(i * 7919 * i);
  input.runs.assign(40, run);
  EXPECT_LE(to_html(input).size(), 2U << 20);

  input.runs = {RunResult{}};  // nothing completed, no series
  const std::string empty = to_html(input);
  EXPECT_EQ(count(visible(empty), "class=\"chart"), 0U);
  EXPECT_TRUE(nlohmann::json::accept(carried(empty, "chart-data")));
  input.runs.clear();
  EXPECT_NE(to_html(input).find("Nothing was run."), std::string::npos);
}

TEST(Html, LicencesOfWhatIsEmbedded) {
  EXPECT_NE(report_licences().find("Apache Software Foundation"), std::string::npos);
  EXPECT_NE(report_licences().find("Redistributions in binary form"), std::string::npos);
}
}  // namespace
}  // namespace stowage
