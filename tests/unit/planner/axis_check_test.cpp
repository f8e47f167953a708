// Which values of a space are errors, and which are rows: each case has its verdict by hand.
#include "planner/axis_check.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "planner/candidates.hpp"
#include "planner/sweep.hpp"
#include "tests/unit/planner/helpers.hpp"

namespace stowage {
namespace {
using testing::TempFolder;
using Texts = std::vector<std::string>;

const std::string head =
    "scenario:\n"
    "  model: llama-3-8b\n"
    "  hardware: h100-sxm-80gb\n"
    "  workload: {synthetic: {rate: 5/s, count: 200, prompt: 10, output: 5}}\n"
    "  cost: {source: linear, base: 10ms}\n"
    "  managers: [{kind: paged}]\n"
    "slo: {ttft_p99: 1s}\n"
    "space:\n";  // axes follow from line 9 on

/// What is said of a study, "LINE:COLUMN WORDS" each, by plan and by sweep, which must agree.
Texts said_of(const std::string& text) {
  const TempFolder folder;
  const auto problems = [&](auto use) {
    Texts out;
    try {
      use(testing::study_of(folder, text));
    } catch (const InputError& error) {
      for (const auto& p : error.problems())
        out.push_back(std::to_string(p.at.line) + ":" + std::to_string(p.at.column) + " " + p.message);
    }
    return out;
  };
  const Texts by_sweep = problems([](Study study) { (void)Sweep(std::move(study), ""); });
  EXPECT_EQ(by_sweep, problems([](Study study) { (void)set_up(std::move(study), 1); })) << text;
  return by_sweep;
}

Texts said(const std::string& space) { return said_of(head + space); }

TEST(AxisCheck, AWrongValueIsNamedWhereverItStands) {
  const Texts gpu = said("  scheduler.max_batch: [8, 16]\n  hardware: [l40s, h100-sxm-80gb, a100-40bg]\n");
  ASSERT_EQ(gpu.size(), 1U);
  EXPECT_TRUE(gpu[0].starts_with("10:35 no GPU 'a100-40bg' in the zoo; did you mean 'a100-40gb'?")) << gpu[0];
  const Texts units = said("  memory.kv_pool: [8GiB, 8]\n  scheduler.max_batch: [0, 8, -1, 8.5]\n");
  ASSERT_EQ(units.size(), 4U);
  EXPECT_TRUE(units[0].starts_with("9:26 'memory.kv_pool': '8' is not a size")) << units[0];
  EXPECT_TRUE(units[1].starts_with("10:25 'scheduler.max_batch': 0 is out of range")) << units[1];
  EXPECT_TRUE(units[2].starts_with("10:31 ")) << units[2];
  EXPECT_TRUE(units[3].starts_with("10:35 ")) << units[3];
}

TEST(AxisCheck, AllValuesOfAnAxisMayBeWrong) {
  EXPECT_EQ(said("  scheduler.max_batch: [0, -1]\n  memory.kv_pool: [8GiB, 16GiB]\n").size(), 2U);
  EXPECT_EQ(said("  scheduler.max_batch: [0, -1]\n  memory.kv_pool: [8, 16]\n").size(), 4U);
}

TEST(AxisCheck, AnUnknownKeyIsSaidOnce) {
  const Texts axis = said("  scheduler.max_bach: [8, 16, 32]\n  hardware: [l40s, a100-40gb]\n");
  ASSERT_EQ(axis.size(), 1U);
  EXPECT_NE(axis[0].find("unknown key 'max_bach' in 'scheduler'; did you mean 'max_batch'?"), std::string::npos);
  const Texts inside = said("  scheduler: [{max_batch: 8}, {max_bach: 8}]\n");
  ASSERT_EQ(inside.size(), 1U);
  EXPECT_TRUE(inside[0].starts_with("9:32 unknown key 'max_bach'")) << inside[0];
  EXPECT_EQ(said("  managers: [[{kind: paged}], [{kind: paged, blok_size: 16}]]\n").size(), 1U);
}

TEST(AxisCheck, WhatDoesNotFitIsARow) {
  EXPECT_EQ(said("  model: [llama-3-8b, llama-3-70b]\n"), Texts{});  // 141 GB of weights on 80
  EXPECT_EQ(said("  memory.kv_pool: [8GiB, 1MiB]\n"), Texts{});      // not one block of 2 MiB
  EXPECT_EQ(said("  model: [llama-3-70b, llama-3-8b]\n  hardware: [l40s, x9]\n").size(), 1U);
}

TEST(AxisCheck, AValueThatGoesWithSomeValuesOfTheOthersIsNotWrong) {
  // opt-13b has 40 heads: 5 divides them, not the 32 of llama-3-8b; 8 divides both.
  EXPECT_EQ(said("  cluster.tensor: [8, 5]\n  model: [llama-3-8b, opt-13b]\n"), Texts{});
  EXPECT_EQ(said("  cluster.tensor: [5, 8]\n  model: [llama-3-8b, opt-13b]\n"), Texts{});
  const Texts never = said("  cluster.tensor: [8, 3]\n  model: [llama-3-8b, opt-13b]\n");
  ASSERT_EQ(never.size(), 1U);  // 3 divides neither 32 nor 40, and the words differ
  EXPECT_TRUE(never[0].starts_with("9:23 'cluster.tensor'")) << never[0];
  // Without chunked prefill max_batched_tokens must not be below max_model_len: only the second of each will do.
  const std::string two = "  scheduler.chunked_prefill: [true, false]\n";
  EXPECT_EQ(said(two + "  scheduler.max_batched_tokens: [2048, 4096]\n  scheduler.max_model_len: [32768, 4096]\n"),
            Texts{});
  EXPECT_EQ(
      said(two + "  scheduler.max_batched_tokens: [2048, 4095]\n  scheduler.max_model_len: [32768, 4096]\n").size(),
      1U);
}

TEST(AxisCheck, MapsBesideKeysOfThemAreReadTogether) {
  EXPECT_EQ(said("  workload: [{synthetic: {rate: 1/s, count: 9, prompt: 1, output: 1}}]\n"
                 "  workload.rate_scale: [1, -1]\n")
                .size(),
            1U);
}

/// `run` reads what the scenario has where an axis stands: here line 4 holds a value for each.
TEST(AxisCheck, WhatAnAxisOverridesIsReadToo) {
  const auto own = [](const std::string& line, const std::string& space) {
    std::string text = head;
    text.replace(text.find("  cost:"), 0, "  " + line + "\n");
    return said_of(text + space);
  };
  const std::string axis = "  scheduler.max_batch: [8, 16]\n";
  EXPECT_EQ(own("scheduler: {max_batch: 4}", axis), Texts{});
  const Texts range = own("scheduler: {max_batch: -5}", axis);
  ASSERT_EQ(range.size(), 1U);
  EXPECT_EQ(range[0], "5:26 'scheduler.max_batch': -5 is out of range; write a whole number from 1 to 65536");
  EXPECT_EQ(own("scheduler: {max_num_seqs: none}", axis).size(), 1U);  // by another of its names
  EXPECT_EQ(own("scheduler: {max_batch: }", axis).size(), 1U);
  EXPECT_EQ(own("scheduler: {max_bach: 5}", axis).size(), 1U);
  // Nothing of a map that an axis replaces in whole, nor of one that another axis replaces around it.
  EXPECT_EQ(own("scheduler: {max_bach: 5}", "  scheduler: [{max_batch: 8}]\n").size(), 1U);
  EXPECT_EQ(own("scheduler: {max_batch: -5}", "  scheduler: [{policy: vllm}]\n" + axis).size(), 1U);
  EXPECT_EQ(own("memory: {kv_pool: 8}", "  memory.kv_pool: [8GiB]\n" + axis).size(), 1U);
  // Two mistakes, and one in the space.
  EXPECT_EQ(own("scheduler: {max_batch: -5, max_model_len: x}",
                "  scheduler.max_model_len: [4096, y]\n" + axis).size(), 3U);
  // 5 divides the heads of opt-13b, not those of the scenario's own model: some value of the other axis goes with it.
  EXPECT_EQ(own("cluster: {tensor: 5}", "  model: [llama-3-8b, opt-13b]\n  cluster.tensor: [8]\n"), Texts{});
  EXPECT_EQ(own("cluster: {tensor: 3}", "  model: [llama-3-8b, opt-13b]\n  cluster.tensor: [8]\n").size(), 1U);
  // What does not fit is no mistake.
  EXPECT_EQ(own("memory: {kv_pool: 1MiB}", "  memory.kv_pool: [8GiB, 16GiB]\n"), Texts{});
}

/// As many readings as values, one that fits, and one of the trace: with the first of them its file is read for all.
TEST(AxisCheck, EachValueIsReadOnceAndATraceIsReadOnceForAll) {
  const TempFolder folder;
  (void)folder.file("t.csv", "arrival_ns,prompt_tokens,output_tokens\n0,100,10\n1000000,100,10\n");
  const Study study = testing::study_of(
      folder,
      "scenario: {model: llama-3-8b, hardware: h100-sxm-80gb, workload: {trace: t.csv}, managers: [{kind: paged}]}\n"
      "space: {workload.rate_scale: '0.5..4:1000', scheduler.max_model_len: '1000..1999'}\n");
  ScenarioCache cache;
  cache.many_points = true;
  EXPECT_EQ(check_axes(study.base, Space(), cache), 2U);
  (void)folder.file("t.csv", "no trace");
  EXPECT_EQ(check_axes(study.base, Space(study.axes), cache), 2001U);
}
}  // namespace
}  // namespace stowage
