// More figures under their own names: the CSV of a run, the page of a plan's draws, the pool piece by piece, two
// results on one page, and what is called noise.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <sstream>

#include "reports/compare_page.hpp"
#include "reports/plan_page.hpp"
#include "reports/run_page.hpp"
#include "reports/saved.hpp"
#include "reports/tables.hpp"
#include "sample.hpp"
#include "sim/latency.hpp"

namespace stowage {
namespace {
using Json = nlohmann::ordered_json;

std::vector<std::string> fields(const std::string& line) {
  std::vector<std::string> out(1);
  bool quoted = false;
  for (const char c : line) {
    if (c == '"')
      quoted = !quoted;
    else if (c == ',' && !quoted)
      out.emplace_back();
    else
      out.back() += c;
  }
  return out;
}

/// Every field of a run is another number: a column that shows its neighbour's is seen.
TEST(RunCsv, EachColumnIsTheOneItNames) {
  RunResult run = sample_run("a");
  run.submitted = 11, run.completed = 7, run.rejected = 3, run.unfinished = 1, run.preemptions = 5;
  run.makespan_ns = 2'000'000'000;
  run.prompt_tokens = 700, run.output_tokens = 50;
  run.batch_mean = 2.5, run.batch_max = 6;
  run.pool_bytes = 1001, run.peak_committed_bytes = 901, run.peak_live_bytes = 801;
  run.mean_fraction = {0.01, 0.02, 0.03, 0.04, 0.05, 0.85};
  run.vmm.map_calls = 21, run.vmm.unmap_calls = 22, run.vmm.stall_ns = 23'000'000'000, run.vmm.stall_max_ns = 24e9;
  std::map<std::string, double> expected = {
      {"submitted", 11},        {"completed", 7},          {"rejected", 3},         {"unfinished", 1},
      {"preemptions", 5},       {"makespan_s", 2},         {"requests_per_s", 3.5}, {"output_tokens_per_s", 25},
      {"running_mean", 2.5},    {"prompt_tokens_per_s", 350}, {"running_max", 6},   {"kv_pool_bytes", 1001},
      {"peak_held_bytes", 901}, {"peak_live_bytes", 801},  {"pages_mapped", 21},    {"pages_unmapped", 22},
      {"stall_s", 23},          {"stall_max_s", 24}};
  for (std::size_t p = 0; p < part_count; ++p)
    expected[std::string(part_names[p]) + "_mean_fraction"] = run.mean_fraction[p];
  int first = 1;
  for (const Latency* l : latencies) {
    LogHistogram h;
    for (int i = 0; i < 100; ++i) h.add(first + i);  // the k-th of a hundred is first + k - 1
    run.*(l->histogram) = h;
    for (const auto& [name, value] :
         {std::pair{"mean", 49.5}, {"p50", 49.0}, {"p90", 89.0}, {"p95", 94.0}, {"p99", 98.0}, {"max", 99.0}})
      expected[fmt::format("{}_{}_s", l->key, name)] = (first + value) / l->units_per_s;
    first += 20;
  }
  ReportInput input = sample_input();
  input.runs = {run};
  std::istringstream csv(to_csv(input));
  std::string head, row;
  std::getline(csv, head), std::getline(csv, row);
  const auto names = fields(head), cells = fields(row);
  ASSERT_EQ(names.size(), cells.size());
  std::size_t seen = 0;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto at = expected.find(names[i]);
    if (at == expected.end()) continue;
    ++seen;
    EXPECT_NEAR(std::stod(cells[i]), at->second, 1e-12 + 1e-9 * at->second) << names[i];
  }
  EXPECT_EQ(seen, expected.size());
}

TEST(PlanPage, CertaintyIsOfTheFleetWithoutItsSpare) {
  // Five replicas of two GPUs, one of them spare: eight are decided on. In 85 % of draws they suffice; it takes ten.
  const Json plan = Json::parse(R"({"decision": {"number": 0, "sizing": {"replicas": 5}}, "demand": {"spare": 1},
    "candidates": [{"manager": "paged-16", "deployable": "vllm", "gpus_per_replica": 2}],
    "uncertainty": {"draws": 20, "of": "prices", "suffices": 0.85, "wins": 0.75, "best_settings": 0.65, "contenders": 4,
      "rate_per_s_90": [1.5, 2.5], "by_replicas": [{"replicas": 3, "suffice_in": 0.55},
      {"replicas": 4, "suffice_in": 0.85}, {"replicas": 5, "suffice_in": 0.95}, {"replicas": 6, "suffice_in": 1}]}})");
  const page::Section section = parts::plan_certainty(plan);
  EXPECT_NE(section.sentence.find("20 times"), std::string::npos) << section.sentence;
  EXPECT_NE(section.sentence.find("the decided 8 GPUs suffice in 85 % of draws; it takes 10 GPUs for 90 %"),
            std::string::npos)
      << section.sentence;
  const auto& figure = std::get<page::Figure>(section.blocks.at(0));
  for (const char* words : {"1.5/s to 2.5/s in 90 % of draws", "better in 75 %", "4 contenders in 65 %"})
    EXPECT_NE(figure.sentence.find(words), std::string::npos) << words << ": " << figure.sentence;
  const auto& rows = figure.table.groups.at(0).rows;
  ASSERT_EQ(rows.size(), 4U);
  EXPECT_EQ(rows[1].name.text, "8");
  EXPECT_EQ(rows[1].cells.at(0).text, "85 %");
}

const page::Table* table_of(const page::Page& p, const std::string& label) {
  for (const page::Section& section : p.sections)
    for (const page::Block& block : section.blocks)
      if (const auto* figure = std::get_if<page::Figure>(&block); figure && figure->table.label.starts_with(label))
        return &figure->table;
  return nullptr;
}

TEST(RunPage, ThePoolPieceByPieceIsInFifteenths) {
  ReportInput input = sample_input();
  input.runs.resize(1);
  RunTrace trace;
  // Half of the pieces are full of tokens; the others are two fifths held without a token and a fifth cached.
  OccupancyColumn column;
  for (std::size_t i = 0; i < RunTrace::occupancy_rows; ++i)
    column.cells.push_back(i % 2 == 0 ? std::array<std::uint8_t, 3>{15, 0, 0} : std::array<std::uint8_t, 3>{0, 6, 3});
  trace.occupancy = {column};
  input.runs[0].trace = std::make_shared<const RunTrace>(trace);
  const page::Page p = run_page(input);
  const page::Table* table = table_of(p, "Occupancy of the pool");
  ASSERT_NE(table, nullptr);
  std::vector<std::string> shares;
  for (const page::Cell& cell : table->groups.at(0).rows.at(0).cells) shares.push_back(cell.text);
  EXPECT_EQ(shares, std::vector<std::string>({"50 %", "20 %", "10 %", "20 %", ""}));
}

TEST(Combine, ThePageIsAsSureAsItsLeastSureResult) {
  for (const auto& [a, b] : {std::pair{Evidence::measured, Evidence::scaled}, {Evidence::scaled, Evidence::measured}}) {
    ReportInput one = sample_input(), two = sample_input();
    one.evidence = a, two.evidence = b;
    EXPECT_EQ(combine({{"a", one}, {"b", two}}, "stowage compare a b").evidence, Evidence::scaled);
  }
}

/// A difference whose interval holds zero may be noise, on whichever side it lies.
TEST(Judge, NoiseIsWhatMayBeNothing) {
  const auto word = [](double low, double high) {
    const double middle = (low + high) / 2;
    return judge({{"label", "TTFT p99"}, {"unit", "time"}, {"better", -1}, {"a", 1.0}, {"b", 1.0 + middle},
                  {"difference", middle}, {"low", low}, {"high", high}})
        .word;
  };
  EXPECT_EQ(word(0.1, 0.3), "worse");
  EXPECT_EQ(word(-0.3, -0.1), "better");
  EXPECT_EQ(word(-0.1, 0.5), "not certain");
  EXPECT_EQ(word(-0.5, 0.1), "not certain");
  EXPECT_EQ(word(0, 0.4), "not certain");
}
}  // namespace
}  // namespace stowage
