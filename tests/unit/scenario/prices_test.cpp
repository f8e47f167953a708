// How a scenario is priced: where step costs and driver calls come from, and what is said of them.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "scenario/scenario.hpp"
#include "tests/support/source_dir.hpp"
#include "tests/unit/scenario/minimal.hpp"

namespace stowage {
namespace {
using namespace literals;
namespace fs = std::filesystem;

TEST(ScenarioPrices, costs) {
  const auto linear = load(minimal, {"cost={source: linear, base: 5ms, per_prefill_token: 20us, per_decode_seq: 50us, "
                                     "per_kv_token: 1ns}"});
  EXPECT_EQ(linear.cost_used, CostSource::linear);
  EXPECT_TRUE(linear.notes.empty());
  // 5 ms + 100 x 20 us + 3 x 50 us + 4,000 x 1 ns = 7.154 ms
  EXPECT_DOUBLE_EQ(linear.runs[0].cost.ns({100, 3, 4000, 0}), 7.154e6);
  const auto roofline = load(minimal, {"cost.source=roofline"});
  EXPECT_EQ(roofline.runs[0].cost.kind(), StepCost::Kind::table);
  EXPECT_EQ(roofline.runs[0].cost.table().dense_ns.size(), 8193U);
  const auto profile = load(minimal);
  EXPECT_EQ(profile.cost_used, CostSource::profile);
  EXPECT_TRUE(profile.notes.empty());
  const auto without = load(minimal, {"hardware=l40s"});
  EXPECT_EQ(without.cost_used, CostSource::roofline);
  ASSERT_EQ(without.notes.size(), 1U);
  EXPECT_EQ(without.notes[0],
            "l40s has no calibrated profile: steps are priced by its spec sheet (roofline, "
            "uncalibrated)");
}

TEST(ScenarioPrices, each_memory_layout_has_kernels_of_its_own) {
  const auto s = load(minimal, {"managers=[{kind: reserve}, {kind: paged}, {kind: paged, block_size: 16}, "
                                "{kind: vattention}]"});
  const auto price = [&](std::size_t i) { return s.runs[i].cost.ns({0, 64, 64 * 2000, 0}); };
  EXPECT_LT(price(0), price(1));  // block tables cost the kernel a little
  EXPECT_EQ(price(1), price(2));
  EXPECT_LT(price(3), price(1));  // contiguous addresses over mapped pages
}

TEST(ScenarioPrices, shapes_that_nobody_measured_are_said_to_be_scaled) {
  const auto s = load(minimal, {"model=qwen3-8b"});
  EXPECT_EQ(s.cost_used, CostSource::profile);
  EXPECT_FALSE(s.profile_gaps.empty());
  EXPECT_FALSE(s.notes.empty());
}

// S6.10, S6.11
TEST(ScenarioPrices, vmm_prices_follow_the_page_and_can_be_given) {
  const std::string three = "managers=[{kind: vattention}, {kind: vattention, page: 64KiB}, {kind: paged}]";
  const auto s = load(minimal, {three, "cost.source=roofline"});
  EXPECT_EQ(s.runs[0].vmm.set_access_ns, 28000);
  const auto profiled = load(minimal, {three});
  EXPECT_EQ(profiled.runs[0].vmm.set_access_ns, profiled.profile->vmm_set_access->call_ns);
  EXPECT_EQ(profiled.runs[1].vmm.map_ns, 8000);  // no stock driver maps 64 KiB: as published
  EXPECT_EQ(s.runs[1].vmm.map_ns, 8000);
  EXPECT_EQ(s.runs[1].vmm.set_access_ns, 0);
  EXPECT_EQ(s.runs[2].vmm.map_ns, 0);
  const auto given =
      load(minimal, {"managers=[{kind: vattention, page: 64KiB}]", "cost.vmm={map: 2us, set_access: 38us}"});
  EXPECT_EQ(given.runs[0].vmm.map_ns, 2000);
  EXPECT_EQ(given.runs[0].vmm.set_access_ns, 38000);
  EXPECT_EQ(given.runs[0].vmm.unmap_ns, 2000);  // Table 3 still
  EXPECT_NE(given.runs[0].vmm.source.find("cost.vmm of the scenario (map, set_access)"), std::string::npos);
}

TEST(ScenarioPrices, a_gpu_that_bears_anothers_name_and_other_speeds_is_said_to_be_priced_as_that_one) {
  std::ifstream zoo(source_dir() + "/models/hardware/zoo/h100-sxm-80gb.yaml");
  const std::string same{std::istreambuf_iterator<char>(zoo), {}};
  const auto folder = fs::path(testing::TempDir()) / ("scenario_prices_" + std::to_string(::getpid()));
  fs::create_directories(folder);
  std::ofstream(folder / "s.yaml") << minimal;
  const auto notes = [&](std::string_view from, std::string_view to) {
    std::string text = same;
    text.replace(text.find(from), from.size(), to);
    std::ofstream(folder / "gpu.yaml") << text;
    const std::vector<std::string> sets = {"hardware=" + (folder / "gpu.yaml").string()};
    return load_scenario((folder / "s.yaml").string(), sets).notes;
  };
  EXPECT_TRUE(notes("", "").empty());
  EXPECT_TRUE(notes("sms: 132", "sms: 131").empty());  // no speed
  for (const auto& [from, to] : {std::pair{"3.35TB/s", "1.35TB/s"}, {"989.4TFLOP/s", "500TFLOP/s"},
                                 {"1978.9TFLOP/s", "1000TFLOP/s"}, {"900GB/s", "600GB/s"},
                                 {": 64GB/s", ": 32GB/s"}, {": 50GB/s", ": 25GB/s"}}) {
    const auto said = notes(from, to);
    ASSERT_EQ(said.size(), 1U) << from;
    EXPECT_NE(said[0].find("has other speeds than h100-sxm-80gb of the zoo"), std::string::npos) << said[0];
  }
  const auto renamed = notes("name: h100-sxm-80gb", "name: mine");
  ASSERT_EQ(renamed.size(), 1U);
  EXPECT_NE(renamed[0].find("mine has no calibrated profile"), std::string::npos) << renamed[0];
  fs::remove_all(folder);
}

}  // namespace
}  // namespace stowage
