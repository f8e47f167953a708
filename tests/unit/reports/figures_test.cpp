#include "reports/figures.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace stowage::page {
namespace {

TEST(Decimate, KeepsEndsLeastAndGreatest) {
  std::vector<double> values(1'000'000, 5.0);
  values[123'456] = 99;
  values[654'321] = -1;
  const auto kept = decimate(values, 500);
  EXPECT_LE(kept.size(), 1002U);
  EXPECT_EQ(kept.front(), 0U);
  EXPECT_EQ(kept.back(), 999'999U);
  EXPECT_NE(std::ranges::find(kept, 123'456U), kept.end());
  EXPECT_NE(std::ranges::find(kept, 654'321U), kept.end());
  EXPECT_TRUE(std::ranges::is_sorted(kept));
  EXPECT_EQ(std::ranges::adjacent_find(kept), kept.end()) << "each once";
}

TEST(Decimate, ShortSeriesStayWhole) {
  EXPECT_EQ(decimate(std::vector<double>{3, 1, 2}, 4), (std::vector<std::size_t>{0, 1, 2}));
  EXPECT_TRUE(decimate({}, 4).empty());
}

/// A page with that figure only; what the script gets.
nlohmann::json drawn(Figure figure, std::string* html = nullptr) {
  Page p{.kind = "test", .title = "t", .version = "v"};
  p.sections.push_back({"s", "S", "A sentence.", {std::move(figure)}});
  const std::string page = to_html(p);
  if (html != nullptr) *html = page.substr(0, page.find("<script"));
  const std::string open = "id=\"chart-data\">";
  const std::size_t from = page.find(open) + open.size();
  return nlohmann::json::parse(page.substr(from, page.find("</script>", from) - from));
}

TEST(Figures, FrontIsSortedAndStepped) {
  Pareto p{
      .title = "Cost", .sentence = "s", .x = {"USD/h", {}, false, {}, {}}, .y = {"TTFT", Unit::seconds, true, {}, {}}};
  p.candidates = {{"big", "paged", "ships in vllm", 9, 0.1, true, true, "--set cluster.tensor=4"},
                  {"small", "paged", "", 2, 0.9, true, true, "--set cluster.tensor=1"},
                  {"bad", "reserve", "", 5, 4.0, false, false, ""}};
  std::string html;
  const auto data = drawn(pareto(p), &html);
  const auto& lines = data["figures"][0]["lines"];
  ASSERT_EQ(lines.size(), 3U);  // paged, reserve, the front
  EXPECT_EQ(lines[2]["x"], (nlohmann::json{2, 9}));
  EXPECT_TRUE(lines[2]["step"]);
  EXPECT_NE(html.find("--set cluster.tensor=4"), std::string::npos) << "the table says how to run it";
  EXPECT_NE(html.find("ships in vllm"), std::string::npos);
}

TEST(Figures, ChangesAreSortedByWhatTheyMove) {
  Tornado t{{"p99", Unit::seconds, false, {}, {}}, 1.0, {}};
  t.changes = {{"little", "-", "+", 0.99, 1.01, ""},
               {"prefix", "", "", {}, {}, "not modelled"},
               {"much", "-", "+", {}, 3.0, ""}};
  const auto data = drawn(tornado("T", "s", t));
  EXPECT_EQ(data["figures"][0]["rows"][0]["what"], "much");
  EXPECT_TRUE(data["figures"][0]["rows"][0]["low"].is_null());
  EXPECT_EQ(data["figures"][0]["rows"][2]["note"], "not modelled");
}

TEST(Figures, WhatIsNoNumberIsAGapOrNothing) {
  CapacityCurve c{.title = "C", .sentence = "s"};
  c.curves = {{.series = "a", .x = {1, 2, 3}, .y = {1, NAN, 3}, .low = {0.5, 1, 2}, .high = {2, INFINITY, 4}}};
  auto data = drawn(capacity_curve(c));
  EXPECT_TRUE(data["figures"][0]["lines"][0]["y"][1].is_null());
  EXPECT_EQ(data["figures"][0]["y"]["max"], 4);
  c.curves[0].y = {NAN, NAN, NAN};
  EXPECT_TRUE(drawn(capacity_curve(c))["figures"].empty());
  EXPECT_TRUE(drawn(cdf({.title = "D", .sentence = "s", .curves = {{"a", "", {}, {}, {}}}}))["figures"].empty());
  EXPECT_TRUE(drawn(histogram({.title = "H", .sentence = "s"}))["figures"].empty());
  EXPECT_TRUE(drawn(timeline("T", "s", {}))["figures"].empty());
  EXPECT_TRUE(drawn(tornado("T", "s", {{}, NAN, {{"x", "", "", 1.0, 2.0, ""}}}))["figures"].empty());
  EXPECT_TRUE(drawn(heat_map("M", "s", {"x", "y", "v", {"1"}, {"1"}, {NAN}}))["figures"].empty());
}

TEST(Figures, NamesAreTextEverywhere) {
  const std::string evil = "</script><img src=x onerror=alert(1)>\"'";
  HeatMap map{evil, evil, evil, {evil}, {evil}, {1}};
  std::string html;
  (void)drawn(heat_map(Name(evil, evil, evil), evil, map), &html);
  EXPECT_EQ(html.find("<img"), std::string::npos);
  EXPECT_EQ(html.find("\"'"), std::string::npos);
}
}  // namespace
}  // namespace stowage::page
