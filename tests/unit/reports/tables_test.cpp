#include "reports/tables.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "reports/perfetto.hpp"
#include "sample.hpp"

namespace stowage {
namespace {

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) out.push_back(line);
  return out;
}
std::size_t commas(const std::string& line) { return static_cast<std::size_t>(std::ranges::count(line, ',')); }

TEST(Csv, ARowARunWithUnitsInTheNames) {
  const auto rows = lines(to_csv(sample_input()));
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(commas(rows[1]), commas(rows[0]) + 1) << "one comma is quoted: \"vllm, trt-llm\"";
  EXPECT_NE(rows[0].find(",ttft_p99_s,"), std::string::npos);
  EXPECT_EQ(rows[1].substr(0, 9), "paged-16,");
  EXPECT_NE(rows[1].find(",0.25,16,400,"), std::string::npos)
      << "makespan 0.25 s; 4 / 0.25 requests/s; 100 / 0.25 tokens/s";
}

TEST(Csv, HostileNamesAndNothingMeasured) {
  ReportInput input = sample_input();
  input.runs.resize(1);
  input.runs[0] = RunResult{};
  input.runs[0].name = "a,\"b\"\nc";
  const std::string csv = to_csv(input);
  EXPECT_NE(csv.find("\"a,\"\"b\"\"\nc\","), std::string::npos);
  EXPECT_EQ(csv.find("nan"), std::string::npos);
}

TEST(Markdown, ATableThatCannotBeBroken) {
  ReportInput input = sample_input();
  input.runs[0].name = "a|b\n<script>*";
  const auto rows = lines(to_markdown(input));
  const auto head = std::ranges::find_if(rows, [](const std::string& r) { return r.starts_with("| | "); });
  ASSERT_NE(head, rows.end());
  EXPECT_EQ(*head, "| | a\\|b?\\<script\\>\\* | vattention-2MiB |");
  for (auto row = head + 1; row != rows.end(); ++row) {
    if (row->empty()) continue;
    std::size_t bars = 0;
    for (std::size_t i = 0; i < row->size(); ++i) bars += (*row)[i] == '|' && (i == 0 || (*row)[i - 1] != '\\');
    EXPECT_EQ(bars, 4U) << *row;
  }
}

TEST(Perfetto, EventsNestAndTracksDoNotOverlap) {
  ReportInput input = sample_input();
  auto trace = std::make_shared<RunTrace>();
  trace->iterations = {{0, 5'000, 100'000, 64, 0, 1, 0, 10, 20, 30, 64, 0, 7'000},
                       {105'000, 0, 50'000, 0, 1, 1, 2, 10, 20, 30, 0, 0, 0}};
  trace->requests = {
      {3,
       64,
       2,
       {{Phase::queue, 0, 1'000, 0}, {Phase::prefill, 1'000, 105'000, 5'000}, {Phase::decode, 105'000, 155'000, 0}}},
      {4, 64, 2, {{Phase::queue, 100'000, 120'000, 0}, {Phase::prefill, 120'000, 300'000, 0}}},
      {5, 64, 2, {{Phase::queue, 160'000, 170'000, 0}}}};
  input.runs[0].name = "</script>\"";
  input.runs[0].trace = trace;
  const auto json = nlohmann::json::parse(to_perfetto(input));
  EXPECT_EQ(json["displayTimeUnit"], "ms");
  std::map<int, std::vector<std::pair<double, double>>> tracks;  // slices by thread
  std::size_t counters = 0, names = 0;
  for (const auto& e : json["traceEvents"]) {
    const std::string ph = e["ph"];
    ASSERT_TRUE(ph == "X" || ph == "C" || ph == "M") << ph;
    EXPECT_EQ(e["pid"], 1);
    EXPECT_TRUE(e["args"].is_object());
    if (ph == "M") ++names;
    if (ph != "M") { EXPECT_GE(e["ts"].get<double>(), 0); }
    if (ph == "C") {
      ++counters;
      for (const auto& [key, value] : e["args"].items()) EXPECT_TRUE(value.is_number()) << key;
    }
    if (ph == "X") tracks[e["tid"]].emplace_back(e["ts"].get<double>(), e["ts"].get<double>() + e["dur"].get<double>());
  }
  EXPECT_EQ(counters, 4U);          // memory and requests, at each of two iterations
  EXPECT_EQ(tracks[1].size(), 3U);  // two iterations and a stall
  EXPECT_EQ(tracks[1][1], (std::pair{0.0, 5.0}));
  EXPECT_EQ(tracks[2], (std::vector<std::pair<double, double>>{{5, 12}}));  // the mapper starts when the stall is over
  EXPECT_EQ(tracks.size(), 4U);  // request 5 takes the track that request 3 left
  EXPECT_EQ(names, 5U);          // the process, iterations, mapper, two tracks of requests
  for (const auto& [tid, slices] : tracks) {
    for (const auto& [a, b] : slices) {
      for (const auto& [c, d] : slices) {
        const bool apart = b <= c || d <= a, nested = (a <= c && d <= b) || (c <= a && b <= d);
        EXPECT_TRUE(apart || nested) << tid << ": " << a << "-" << b << ", " << c << "-" << d;
      }
    }
  }
}
}  // namespace
}  // namespace stowage
