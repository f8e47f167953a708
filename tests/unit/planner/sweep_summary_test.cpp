// What a sweep's page shows, from records written by hand.
#include "planner/sweep_summary.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tests/unit/planner/helpers.hpp"

namespace stowage {
namespace {
using Json = nlohmann::json;
using testing::TempFolder;

/// Batches of 4, 8, 16 by two seeds by two lengths of a model, in this order: the last axis runs fastest.
Sweep sweep_of(const TempFolder& folder) {
  return Sweep(load_study(folder.file("study.yaml", R"(
scenario:
  model: llama-3-8b
  hardware: h100-sxm-80gb
  workload: {requests: [{prompt: 10, output: 2}]}
  cost: {source: linear, base: 10ms}
  managers: [{kind: paged}]
space:
  scheduler.max_batch: [4, 8, 16]
  seed: [1, 2]
  scheduler.max_model_len: [512, 1024]
)"),
                          {}, {}, {}),
               "test");
}

/// A record of one manager's row: the named figures, all others 0.
std::string record(const Sweep& sweep, std::uint64_t point, const std::map<std::string, double>& figures) {
  const auto columns = sweep.columns();
  Json row = Json::array({"paged-16", "ok"});
  for (std::size_t c = 1 + sweep.space().axes().size() + 2; c + 1 < columns.size(); ++c)
    row.push_back(figures.contains(columns[c]) ? figures.at(columns[c]) : 0.0);
  row.push_back("");
  return Json{{"point", point}, {"rows", Json::array({row})}}.dump();
}

const Json& entry(const Json& list, const std::map<std::string, Json>& keys) {
  for (const Json& e : list)
    if (std::all_of(keys.begin(), keys.end(), [&](const auto& k) { return e.at(k.first) == k.second; })) return e;
  ADD_FAILURE() << "no such entry";
  return list.front();
}

TEST(SweepSummary, EffectsAndMapsAreMediansOverTheOtherAxes) {
  const TempFolder folder;
  const Sweep sweep = sweep_of(folder);
  ASSERT_EQ(sweep.space().size(), 12U);
  std::vector<std::string> records;
  // Point p = 4 batch + 2 seed + length (places): served 100, 200, 300 by batch, + 10 by seed, + 1, 7 by length.
  for (int p = 0; p < 12; ++p)
    records.push_back(record(sweep, static_cast<std::uint64_t>(p),
                             {{"requests_per_s", 100.0 * (1 + p / 4) + 10 * (p / 2 % 2) + (p % 2 == 0 ? 1 : 7)},
                              {"ttft_p99_s", 1.0 + p},
                              {"kv_reserved", 0.1},
                              {"kv_internal", 0.02},
                              {"kv_external", 0.005 * p}}));
  const Json summary = Json::parse(sweep_summary(sweep, records, {{"paged-16", "vllm"}}));
  const Json& effect = entry(summary.at("effects"), {{"axis", 0}, {"metric", "requests_per_s"}}).at("managers").at(0);
  // Of 101, 107, 111 and 117: the middle is (107 + 111) / 2.
  EXPECT_EQ(effect.at("median"), Json({109.0, 209.0, 309.0}));
  EXPECT_EQ(effect.at("least"), Json({101.0, 201.0, 301.0}));
  EXPECT_EQ(effect.at("greatest"), Json({117.0, 217.0, 317.0}));
  // Lost: reserved, internal and external; of points 0 ... 3 external is 0, 0.005, 0.010, 0.015.
  const Json& lost = entry(summary.at("effects"), {{"axis", 0}, {"metric", "kv_lost"}}).at("managers").at(0);
  EXPECT_NEAR(lost.at("median").at(0).get<double>(), 0.1275, 1e-12);
  EXPECT_NEAR(lost.at("greatest").at(2).get<double>(), 0.12 + 0.055, 1e-12);
  // The map of the two axes with most values: batch across, seed down; the median over both lengths.
  const Json& map = entry(summary.at("maps"), {{"metric", "requests_per_s"}});
  EXPECT_EQ(map.at("x"), 0);
  EXPECT_EQ(map.at("y"), 1);
  EXPECT_EQ(map.at("values"), Json({104.0, 204.0, 304.0, 114.0, 214.0, 314.0}));
  EXPECT_EQ(summary.at("deployable").at("paged-16"), "vllm");
  EXPECT_EQ(summary.at("status").at("ok"), 12);
}

TEST(SweepSummary, TheFrontIsOfThoseWhoServeMoreThanAllSooner) {
  const TempFolder folder;
  const Sweep sweep = sweep_of(folder);
  // (served, p99 TTFT): 10 at 1 s; 9 at 2; 10 at 2; 12 at 3; 12 at 3 again; 11 at 4; 20 at 5; the others 1 at 9.
  const std::pair<double, double> at[] = {{10, 1}, {9, 2}, {10, 2}, {12, 3}, {12, 3}, {11, 4}, {20, 5}};
  std::vector<std::string> records;
  for (std::uint64_t p = 0; p < 12; ++p)
    records.push_back(record(sweep, p,
                             {{"requests_per_s", p < 7 ? at[p].first : 1}, {"ttft_p99_s", p < 7 ? at[p].second : 9}}));
  const Json summary = Json::parse(sweep_summary(sweep, records, {}));
  std::vector<int> front;
  for (const Json& point : summary.at("cloud"))
    if (point.at("front")) front.push_back(point.at("point"));
  EXPECT_EQ(front, (std::vector<int>{0, 3, 6}));
  EXPECT_EQ(summary.at("cloud").size(), 12U);
}

TEST(SweepSummary, WhatFailedIsNamedAndEntersNoFigure) {
  const TempFolder folder;
  const Sweep sweep = sweep_of(folder);
  std::vector<std::string> records;
  for (std::uint64_t p = 0; p < 12; ++p) records.push_back(record(sweep, p, {{"requests_per_s", 5}}));
  Json failed = Json::array({"", "infeasible"});
  while (failed.size() + 1 + 1 + sweep.space().axes().size() < sweep.columns().size()) failed.push_back(nullptr);
  failed.push_back("does not fit");
  for (const std::uint64_t p : {4U, 5U, 6U, 7U}) records[p] = Json{{"point", p}, {"rows", {failed}}}.dump();
  const Json summary = Json::parse(sweep_summary(sweep, records, {}));
  EXPECT_EQ(summary.at("status").at("infeasible"), 4);
  ASSERT_EQ(summary.at("failures").size(), 4U);
  EXPECT_EQ(summary.at("failures").at(1).at("point"), 5);
  EXPECT_EQ(summary.at("failures").at(1).at("note"), "does not fit");
  const Json& effect = entry(summary.at("effects"), {{"axis", 0}, {"metric", "requests_per_s"}}).at("managers").at(0);
  EXPECT_EQ(effect.at("median"), Json({5.0, nullptr, 5.0}));
}
}  // namespace
}  // namespace stowage
