#include "reports/saved.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.hpp"
#include "reports/html.hpp"
#include "reports/json.hpp"
#include "sample.hpp"
#include "tests/support/mutations.hpp"

namespace stowage {
namespace {

/// The sample with everything a page can show.
ReportInput full_input() {
  ReportInput input = sample_input();
  input.cards = {{"Model", {{"Name", "llama \"3\" </script>"}}}};
  input.runs[0].rejected = 2;
  input.runs[0].first_rejected = {{7, 9000, 10, "longer than max_model_len"}};
  for (std::int64_t i = 1; i < 500; ++i) input.runs[0].e2e_ns.add(i * i * 7919, 3);
  input.runs[1].vmm = {640, 64, 1.25e6 / 3, 1234567, 89, 12};
  auto trace = std::make_shared<RunTrace>();
  trace->occupancy = {{0, false, {}}, {1'000'000, true, {}}};
  for (auto& column : trace->occupancy) column.cells.assign(RunTrace::occupancy_rows, {3, 12, 0});
  trace->worst = {5, 100, 20, {{Phase::queue, 0, 40, 0}, {Phase::prefill, 40, 90, 0}, {Phase::decode, 90, 500, 7}}};
  trace->median = trace->worst;
  trace->stall_ns.add(89, 12);
  input.runs[1].trace = trace;
  Sensitivity s;
  s.basis = "the first 50,000 requests";
  s.base = {WhatIf::Outcome{1e7, 16}, std::nullopt};
  s.changes.push_back({"arrival rate", "20 % less", "20 % more", "--set a=1", "--set a=2", s.base, s.base, ""});
  s.changes.push_back({"prefix-hit rate", "", "", "", "", {}, {}, "not modelled"});
  input.sensitivity = s;
  return input;
}

TEST(Saved, ThePageIsTheSameByteForByte) {
  const ReportInput input = full_input();
  const ReportInput again = from_saved(to_saved(input), "report.json");
  EXPECT_EQ(to_html(again), to_html(input));
  EXPECT_EQ(to_json_text(again), to_json_text(input));
  EXPECT_EQ(to_saved(again), to_saved(input));
}

TEST(Saved, DistributionsAreWhole) {
  const ReportInput again = from_saved(to_saved(full_input()), "report.json");
  // 4 x 0.25 s, and 3 x (1^2 + ... + 499^2) x 7,919 ns; sum of squares 499 x 500 x 999 / 6 = 41,541,750.
  const LogHistogram& h = again.runs[0].e2e_ns;
  EXPECT_EQ(h.count(), 4U + 3 * 499);
  EXPECT_EQ(h.sum(),
            static_cast<unsigned __int128>(4) * 250'000'000 + static_cast<unsigned __int128>(3) * 41'541'750 * 7'919);
  EXPECT_EQ(h.max(), 499LL * 499 * 7'919);
}

TEST(Saved, NotANumberStaysOne) {
  ReportInput input = sample_input();
  input.runs[0].series[3].bytes[0] = std::nan("");
  input.runs[0].batch_mean = std::numeric_limits<double>::infinity();
  const ReportInput again = from_saved(to_saved(input), "report.json");
  EXPECT_TRUE(std::isnan(again.runs[0].series[3].bytes[0]));
  EXPECT_EQ(to_html(again).size() > 1000, true);
}

TEST(Saved, WhatIsNoReportIsRefused) {
  const std::string good = to_saved(full_input());
  EXPECT_THROW((void)from_saved("", "f"), InputError);
  EXPECT_THROW((void)from_saved("[]", "f"), InputError);
  EXPECT_THROW((void)from_saved("{\"schema\":\"stowage.report/99\"}", "f"), InputError);
  EXPECT_THROW((void)from_saved("{\"schema\":\"stowage.report/1\"}", "f"), InputError);
  EXPECT_THROW((void)from_saved(good.substr(0, good.size() / 2), "f"), InputError);
  // Any one field of another kind is refused or read as something harmless, never a crash.
  const auto whole = nlohmann::ordered_json::parse(good);
  for (const auto& [key, value] : whole.items()) {
    for (const nlohmann::ordered_json& wrong : {nlohmann::ordered_json(nullptr), nlohmann::ordered_json(-1),
                                                nlohmann::ordered_json("x"), nlohmann::ordered_json::array({1, "a"})}) {
      nlohmann::ordered_json bad = whole;
      bad[key] = wrong;
      try {
        (void)to_html(from_saved(bad.dump(), "f"));
      } catch (const InputError& error) {
        EXPECT_NE(std::string(error.what()).find("f: error: "), std::string::npos) << key;
      }
    }
  }
}

// Every value has a kind and a range; what is not read is named here.
TEST(SavedLies, EveryValueThatIsReadIsChecked) {
  const auto document = nlohmann::ordered_json::parse(to_saved(full_input()));
  const auto read = [](const std::string& text) { (void)to_html(from_saved(text, "report.json")); };
  const test::Lies lies = test::Liar(document, "report.json", read).lies();
  EXPECT_EQ(lies.ignored, (std::set<std::string>{"/scenario/schema", "/scenario/name"}));  // shown, whatever it holds
  EXPECT_EQ(lies.unbounded,  // shown as they are
            (std::set<std::string>{"/runs/*/manager/params/block_size", "/runs/*/manager/params/watermark"}));
  test::damage(to_saved(full_input()), "", 200, read);
}

TEST(SavedLies, DataOfOtherCommandsIsShownOrRefused) {
  ReportInput input = sample_input();
  input.kind = "compare";
  input.data = nlohmann::ordered_json::parse(R"({"schema": "stowage.compare/1", "a": "a", "b": "b",
    "asked": [{"key": "k", "a": "256", "b": "2"}], "runs": [{"a": "paged-16", "b": "paged-16", "slo_a": "PASS",
    "slo_b": "-", "basis": "", "metrics": {}, "table": [{"label": "TTFT p99", "unit": "time", "better": -1, "a": 1.0,
    "b": 1.2, "difference": 0.2, "low": 0.1, "high": 0.3}]}]})");
  const auto read = [](const std::string& text) { (void)to_html(from_saved(text, "report.json")); };
  test::damage(to_saved(input), "", 400, read);
}

TEST(Saved, SeveralFoldersKeepOneColourAManager) {
  ReportInput other = full_input();
  other.title = "Eight requests";
  other.slo[0].limit_ns = 99;
  const ReportInput all = combine({{"out/a", full_input()}, {"out/b", other}}, "stowage report out/a out/b");
  ASSERT_EQ(all.runs.size(), 4U);
  EXPECT_EQ(all.runs[0].name, "paged-16 · out/a");
  EXPECT_EQ(all.runs[2].name, "paged-16 · out/b");
  EXPECT_TRUE(all.slo.empty());
  const std::string page = to_html(all);
  EXPECT_NE(page.find("different service levels"), std::string::npos);
  const std::string open = "id=\"chart-data\">";
  const std::size_t from = page.find(open) + open.size();
  const auto data = nlohmann::json::parse(page.substr(from, page.find("</script>", from) - from));
  EXPECT_EQ(data["series"][0]["colour"], data["series"][2]["colour"]);
  EXPECT_NE(data["series"][0]["colour"], data["series"][1]["colour"]);
  EXPECT_EQ(data["series"][0]["shape"], data["series"][1]["shape"]);  // a shape a folder
  EXPECT_NE(data["series"][0]["shape"], data["series"][2]["shape"]);
}
}  // namespace
}  // namespace stowage
