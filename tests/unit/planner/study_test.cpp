// What is said of a study before any of its points is read.
#include "planner/study.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "planner/axis_check.hpp"
#include "scenario/scenario.hpp"
#include "tests/unit/planner/helpers.hpp"

namespace stowage {
namespace {
using testing::TempFolder;
using Texts = std::vector<std::string>;

const std::string head =
    "scenario: {model: llama-3-8b, hardware: h100-sxm-80gb, managers: [{kind: paged}],\n"
    "  workload: {synthetic: {rate: 5/s, count: 200, prompt: 10, output: 5}}}\n"
    "slo: {ttft_p99: 1s}\n";  // what is added begins at line 4
constexpr const char* gpu_file =
    "name: my-gpu\ntitle: Mine\nmemory: 80GB\nmemory_bandwidth: 3TB/s\nbf16: 900TFLOP/s\npcie: 50GB/s\n"
    "vmm: {create: 1us, map: 1us, set_access: 1us, unmap: 1us, release: 1us}\n";

/// The problems without their file, "LINE:COLUMN WORDS" each.
Texts said(const TempFolder& folder, const std::string& rest, const Texts& sets = {}, const Texts& vary = {}) {
  Texts out;
  try {
    (void)load_study(folder.file("study.yaml", head + rest), sets, vary, {});
  } catch (const InputError& error) {
    for (const auto& p : error.problems())
      out.push_back(std::to_string(p.at.line) + ":" + std::to_string(p.at.column) + " " + p.message);
  }
  return out;
}

TEST(Study, APriceIsOfAGpuThatThereIs) {
  const TempFolder folder;
  const auto price = [](const std::string& gpu) { return "prices: {" + gpu + ": {usd_per_node_hour: 30}}\n"; };
  EXPECT_EQ(said(folder, price("h200")), Texts{});  // of the zoo, though no point has it: a list for many studies
  const Texts near = said(folder, price("h100-sxm-80bg"));
  ASSERT_EQ(near.size(), 1U);
  EXPECT_EQ(near[0],
            "4:10 'prices': no GPU 'h100-sxm-80bg' in the zoo or in this study; did you mean 'h100-sxm-80gb'?");
  EXPECT_EQ(said(folder, price("my-gpu")).size(), 1U);
  EXPECT_EQ(said(folder, price("h200"), {"prices.my_gpu.usd_per_node_hour=3"}).size(), 1U);
  // The name is that in the file, wherever the study names the file.
  (void)folder.file("my.yaml", gpu_file);
  EXPECT_EQ(said(folder, price("my-gpu") + "space: {hardware: [h200, ./my.yaml]}\n"), Texts{});
  EXPECT_EQ(said(folder, price("my-gpu") + "space: {gpu: [h200, ./my.yaml]}\n"), Texts{});
  EXPECT_EQ(said(folder, price("my-gpu"), {"hardware=" + folder.path("my.yaml")}), Texts{});
  EXPECT_EQ(said(folder, price("my-gpu"), {}, {"hardware=h200," + folder.path("my.yaml")}), Texts{});
  EXPECT_EQ(said(folder, price("my-gpu") + "space: {cluster: [{groups: [{replicas: 1, hardware: ./my.yaml}]}]}\n"),
            Texts{});
  EXPECT_EQ(said(folder, price("my-gqu") + "space: {hardware: [./my.yaml]}\n").size(), 1U);
  // Of a file that cannot be read nobody knows the name; the points say what is wrong with it.
  EXPECT_EQ(said(folder, price("my-gpu") + "space: {hardware: [./none.yaml]}\n"), Texts{});
}

TEST(Study, AnAxisGoesByTheNameThatWasTyped) {
  const TempFolder folder;
  const std::string space = "space: {scheduler.max_num_seqs: [8, 16]}\n";
  const Texts lost = said(folder, space, {"scheduler.max_batch=4"});
  ASSERT_EQ(lost.size(), 1U);
  EXPECT_EQ(lost[0],
            "0:0 'scheduler.max_batch' would be lost: the study varies 'scheduler.max_num_seqs'; give its values with "
            "--vary scheduler.max_num_seqs=");
}

TEST(Study, AWrongSeedHidesNoOtherError) {
  const TempFolder folder;
  const std::string file = folder.file("case.yaml", "seed: abc\nmodel: llama-3-8b\nmangers: [{kind: paged}]\n");
  const auto words = [](const auto& read) {
    Texts out;
    try {
      read();
    } catch (const InputError& error) {
      for (const auto& p : error.problems()) out.push_back(p.str());
    }
    return out;
  };
  const Texts run = words([&] { (void)load_scenario(file); });
  EXPECT_EQ(run.size(), 5U);  // three keys are missing, one is unknown, and the seed
  for (const std::optional<std::uint64_t> seed : {std::optional<std::uint64_t>{}, {7}})
    for (const Texts& vary : {Texts{}, Texts{"cluster.tensor=1,2"}})
      EXPECT_EQ(words([&] {
                  const Study study = load_study(file, {}, vary, seed);
                  ScenarioCache cache;
                  check_axes(study.base, Space(study.axes), cache);
                }),
                run);
}

TEST(Study, AnAxisInsideAnotherMayNotUndoIt) {
  const TempFolder folder;
  const auto words = [&](const std::string& space) -> std::string {
    try {
      (void)Space(load_study(folder.file("study.yaml", head + "space:\n" + space), {}, {}, {}).axes);
    } catch (const InputError& error) { return error.problems().front().message; }
    return "taken";
  };
  const std::string managers = "  managers: [[{kind: paged, block_size: 16}], [{kind: paged, block_size: 32}]]\n";
  EXPECT_EQ(words(managers + "  managers[0].prefix_caching: [true, false]\n"), "taken");
  EXPECT_EQ(words(managers + "  managers[0].block_size: [64, 128]\n"),
            "'managers[0].block_size' is also in the values of 'managers'; give it at one place");
  EXPECT_NE(words("  managers[0].block_size: [64, 128]\n" + managers).find("has no effect; write 'managers' first"),
            std::string::npos);
  EXPECT_EQ(words("  scheduler: [{max_batch: 8}]\n  scheduler.max_batch: [8]\n"),
            "'scheduler.max_batch' is also in the values of 'scheduler'; give it at one place");
}
}  // namespace
}  // namespace stowage
