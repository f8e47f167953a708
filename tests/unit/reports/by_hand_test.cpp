// Figures of reports against sums by hand: each number of a table, a chart and a CSV is the one its label names.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "reports/csv.hpp"
#include "reports/figures.hpp"
#include "reports/fleet.hpp"
#include "reports/json.hpp"
#include "sim/latency.hpp"
#include "reports/metrics.hpp"
#include "reports/run_page.hpp"
#include "sim/slo.hpp"
#include "sample.hpp"

namespace stowage {
namespace {
using Json = nlohmann::ordered_json;

/// Every latency has 100 values of its own: first + 0 ... first + 99 of the histogram's units, so that its p50 is first
/// + 49, p90 first + 89, p95 first + 94, p99 first + 98. Up to 255 each has a bucket of its own.
const std::pair<const Latency*, int> all_apart[] = {{&ttft, 1},      {&tbt, 21},          {&tpot, 41},      {&e2e, 61},
                                                    {&queueing, 81}, {&client_ttft, 101}, {&client_e2e, 121}};
RunResult apart() {
  RunResult run = sample_run("a");
  for (const auto& [latency, first] : all_apart) {
    LogHistogram h;
    for (int i = 0; i < 100; ++i) h.add(first + i);
    run.*(latency->histogram) = h;
  }
  return run;
}

TEST(Metrics, EachRowIsThePercentileItNames) {
  const std::vector<RunResult> runs = {apart()};
  std::size_t rows = 0;
  for (const MetricRow& row : metric_rows(runs))
    for (const auto& [latency, first] : all_apart)
      for (const auto& [name, rank] : {std::pair{"p50", 49}, {"p99", 98}}) {
        const std::string label = fmt::format("{} {}", latency == &queueing ? "queueing" : latency->label, name);
        if (row.label != label) continue;
        ++rows;
        EXPECT_NEAR(row.value(runs[0]), latency->ns(first + rank), 1e-9) << label;
        EXPECT_EQ(row.better, Better::lower) << label;
      }
  EXPECT_EQ(rows, 2 * std::size(all_apart));
}

TEST(Json, EachKeyIsThePercentileItNames) {
  ReportInput input = sample_input();
  input.runs = {apart()};
  const Json run = to_json(input)["runs"][0];
  for (const auto& [latency, first] : all_apart) {
    const Json& s = run[std::string(latency == &queueing ? "queue" : latency->key) + "_s"];
    for (const auto& [name, rank] : {std::pair{"p50", 49}, {"p90", 89}, {"p95", 94}, {"p99", 98}, {"max", 99}})
      EXPECT_NEAR(s[name].get<double>(), latency->ns(first + rank) / 1e9, 1e-18) << latency->key << " " << name;
    EXPECT_NEAR(s["mean"].get<double>(), latency->ns(first + 49.5) / 1e9, 1e-18);
  }
}

TEST(Metrics, LostIsReservedInternalAndExternal) {
  RunResult run;
  run.mean_fraction = {0.5, 0.1, 0.02, 0.04, 0.003, 0.337};  // live, reserved, internal, cached, external, free
  EXPECT_DOUBLE_EQ(lost_fraction(run), 0.123);
}

TEST(Rank, TheBestIsTheGreatestOrTheLeastAsAsked) {
  const std::array values = {3.0, 9.0, static_cast<double>(NAN), 5.0};
  EXPECT_EQ(rank(values, Better::higher).best_runs, std::vector<std::size_t>{1});
  EXPECT_EQ(rank(values, Better::higher).worst_runs, std::vector<std::size_t>{0});
  EXPECT_EQ(rank(values, Better::lower).best_runs, std::vector<std::size_t>{0});
  EXPECT_EQ(rank(values, Better::lower).worst_runs, std::vector<std::size_t>{1});
  EXPECT_TRUE(rank(values, Better::neither).best_runs.empty());
}

TEST(Rank, ATolerancesUnitIsNobodys) {
  // The same three values in ns, in s and in years: who is within 1 % of the best does not hang on the unit.
  for (const double unit : {1.0, 1e9, 1e-9, 3e16, 1e-17}) {
    const std::array values = {100 * unit, 100.9 * unit, 102 * unit};
    EXPECT_EQ(rank(values, Better::lower).best_runs, (std::vector<std::size_t>{0, 1})) << unit;
    EXPECT_FALSE(rank(values, Better::lower).alike) << unit;
  }
}

TEST(Figures, AHeatMapHasItsValuesRowByRow) {
  const auto figure = page::heat_map("M", "s", {"x", "y", "v", {"a", "b", "c"}, {"p", "q"}, {1, 2, 3, 4, 5, 6}});
  const auto& rows = figure.table.groups.at(0).rows;
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].name.text, "p");
  EXPECT_EQ(rows[0].cells[2].text, "3");
  EXPECT_EQ(rows[1].cells[0].text, "4");
  EXPECT_EQ(rows[1].cells[2].text, "6");
}

TEST(Figures, ATornadoIsSortedByItsFurtherEnd) {
  page::Tornado t{{"p99", page::Unit::seconds, false, {}, {}}, 1.0, {}};
  t.changes = {{"up by 3", "-", "+", 0.9, 4.0, ""},
               {"down by 0.8", "-", "+", 0.2, 1.1, ""},
               {"up by 2", "-", "+", 0.5, 3.0, ""},
               {"down by 5", "-", "+", -4.0, 1.5, ""}};
  const auto figure = page::tornado("T", "s", t);
  std::vector<std::string> order;
  for (const auto& row : figure.table.groups.at(0).rows) order.push_back(row.name.text);
  EXPECT_EQ(order, (std::vector<std::string>{"down by 5", "up by 3", "up by 2", "down by 0.8"}));
}

/// Of runs that serve (requests/s, p99 TTFT): who is beaten in one and not better in the other is not on the front.
TEST(RunPage, TheFrontIsOfThoseNobodyBeats) {
  ReportInput input = sample_input();
  input.runs.clear();
  const std::pair<int, int> at[] = {{4, 100}, {4, 90}, {5, 90}, {5, 95}, {3, 80}, {6, 200}, {6, 200}, {2, 80}};
  for (const auto& [served, ms] : at) {
    RunResult run = sample_run(fmt::format("r{}", input.runs.size()));
    run.completed = static_cast<std::uint64_t>(served);
    run.makespan_ns = 1'000'000'000;
    run.ttft_ns = {};
    run.ttft_ns.add(std::int64_t{ms} * 1'000'000, run.completed);
    input.runs.push_back(std::move(run));
  }
  const page::Section section = parts::pareto(input);
  const auto& figure = std::get<page::Figure>(section.blocks.at(0));
  std::vector<std::string> front;
  for (const auto& row : figure.table.groups.at(0).rows)
    if (row.cells.at(3).text == "on it") front.push_back(row.name.text);
  EXPECT_EQ(front, (std::vector<std::string>{"r2", "r4", "r5", "r6"}));  // two alike beat nobody
}

TEST(RunPage, SharesOfTheBudgetAreOfTheWhole) {
  ReportInput input = sample_input();
  input.budget = {{"weights", std::int64_t{30} << 30}, {"activations", std::int64_t{6} << 30},
                  {"KV pool", std::int64_t{24} << 30, true}};
  const page::Section section = parts::budget(input);
  const auto& bars = std::get<page::Bars>(section.blocks.at(0));
  const auto& rows = bars.table.groups.at(0).rows;
  EXPECT_EQ(rows.at(0).cells.at(1).text, "50 %");
  EXPECT_EQ(rows.at(1).cells.at(1).text, "10 %");
  EXPECT_EQ(rows.at(2).cells.at(1).text, "40 %");
  EXPECT_EQ(bars.bars.at(0).sum, "60 GiB");
}

TEST(Fleet, TheBusiestIsWhoWasBusyLongest) {
  RunResult run = sample_run("a");
  run.replicas.resize(3);
  run.replicas[0].completed = 9, run.replicas[0].busy_ns = 100;
  run.replicas[1].completed = 3, run.replicas[1].busy_ns = 300;
  run.replicas[2].completed = 5, run.replicas[2].busy_ns = 200;
  run.busy_imbalance.max_over_mean = 1.5;
  EXPECT_EQ(imbalance_words(run).substr(0, 39), "busy time max/mean 1.50 (replica 1 of 3");
}

TEST(Csv, EachColumnOfARequestIsWhatItsHeaderNames) {
  const auto path = std::filesystem::temp_directory_path() / fmt::format("stowage-by-hand-{}.csv", ::getpid());
  {
    OutputFile file(path);
    RequestsCsv csv(file, "m", true, true);
    RequestRecord r;
    r.id = 7;
    r.arrival_ns = 1000;
    r.first_scheduled_ns = 1030;
    r.first_token_ns = 1100;
    r.finished_ns = 1800;
    r.prompt_tokens = 50;
    r.output_tokens = 8;
    r.preemptions = 2;
    r.replica = 3;
    r.client_arrival_ns = 900;
    r.client_first_token_ns = 1150;
    r.client_finished_ns = 2000;
    csv.write(r);
    file.close();
  }
  std::ifstream in(path);
  std::string head, row;
  std::getline(in, head);
  std::getline(in, row);
  std::filesystem::remove(path);
  std::map<std::string, std::string> value;
  std::istringstream names(head), cells(row);
  for (std::string name, cell; std::getline(names, name, ',') && std::getline(cells, cell, ',');) value[name] = cell;
  const std::map<std::string, std::string> expected = {
      {"manager", "m"},       {"replica", "3"},  {"id", "7"},
      {"arrival_ns", "1000"}, {"prompt_tokens", "50"}, {"output_tokens", "8"},
      {"preemptions", "2"},   {"queue_ns", "30"}, {"ttft_ns", "100"},
      {"tpot_ns", "100"},     {"e2e_ns", "800"},  // (1,800 - 1,100) / 7
      {"client_arrival_ns", "900"}, {"client_ttft_ns", "250"}, {"client_e2e_ns", "1100"}};
  EXPECT_EQ(value, expected);
}
}  // namespace
}  // namespace stowage
