// What follows from a scenario: each key reaches what it is about, and nothing else does.
#include <gtest/gtest.h>

#include "base/error.hpp"
#include "models/cost/profile_prices.hpp"
#include "models/cost/vmm.hpp"
#include "scenario/scenario.hpp"

namespace stowage {
namespace {
using namespace literals;

const std::string text =
    "model: llama-3-8b\nhardware: h100-sxm-80gb\n"
    "workload: {requests: [{at: 2s, prompt: 1000, output: 25}, {at: 6s, prompt: 10, output: 5}]}\n"
    "managers: [{kind: paged}, {kind: vattention, page: 2MiB}]\n";
Scenario load(const std::vector<std::string>& sets) { return parse_scenario(text, "dir/s.yaml", sets); }

std::vector<Request> requests_of(const Scenario& s) {
  std::vector<Request> out(1000);
  out.resize(s.runs.front().workload->open()->read(out));
  return out;
}

TEST(Derive, RateScaleDividesTheTimesOfEveryKindOfWorkload) {
  for (const double scale : {0.5, 1.0, 2.0, 8.0}) {
    const std::string set = "workload.rate_scale=" + std::to_string(scale);
    const auto written = requests_of(load({set}));
    ASSERT_EQ(written.size(), 2U);
    EXPECT_EQ(written[0].arrival_ns, static_cast<std::int64_t>(2e9 / scale));
    EXPECT_EQ(written[1].arrival_ns, static_cast<std::int64_t>(6e9 / scale));
    const auto drawn = requests_of(load(
        {"workload={synthetic: {rate: 10/s, arrivals: constant, count: 21, prompt: 5, output: 5}}", set}));
    ASSERT_EQ(drawn.size(), 21U);
    EXPECT_EQ(drawn[20].arrival_ns, static_cast<std::int64_t>(2e9 / scale));
  }
}

TEST(Derive, ThePoolIsThatOfAllGpusOfAReplica) {
  for (const int tensor : {1, 2, 4}) {
    const auto s = load({"cluster={tensor: " + std::to_string(tensor) + "}"});
    EXPECT_EQ(s.kv.pool, s.budget.kv_pool * tensor);
    EXPECT_EQ(s.kv.bytes_per_token, 128_KiB);  // 8 KV heads divide evenly
    EXPECT_EQ(s.runs[0].kv.pool, s.kv.pool);
    EXPECT_EQ(s.pool_tokens, s.budget.pool_tokens);
  }
}

TEST(Derive, TheFrontEndReachesEveryRun) {
  const auto s = load({"frontend={per_request: 3ms, per_prompt_token: 2us, per_output_token: 5us}"});
  for (const RunConfig& run : s.runs) {
    EXPECT_EQ(run.frontend.per_request_ns, 3e6);
    EXPECT_EQ(run.frontend.per_prompt_token_ns, 2e3);
    EXPECT_EQ(run.frontend.per_output_token_ns, 5e3);
  }
}

/// Twice the host's time adds exactly one more of it to a step, whatever prices the step.
TEST(Derive, AHostThatIsGivenCountsOnce) {
  for (const char* cost : {"cost={source: roofline}", "cost={source: profile}", "cost={source: linear, base: 5ms}"}) {
    const auto ns = [&](const char* host) { return load({cost, host}).runs[0].cost.ns({0, 8, 8000, 0}); };
    EXPECT_NEAR(ns("host={per_step: 2ms}") - ns("host={per_step: 1ms}"), 1e6, 1e-3) << cost;
    EXPECT_NEAR(ns("host={per_seq: 1us}") - ns("host={per_seq: 0us}"), 8e3, 1e-3) << cost;
    EXPECT_NEAR(ns("host={per_layer: 1us}") - ns("host={per_layer: 0us}"), 32e3, 1e-3) << cost;
    // It stands in for the one that is assumed or measured: none at all is the least.
    if (std::string(cost).find("linear") == std::string::npos) {
      EXPECT_LT(ns("host={per_step: 0us}"), load({cost}).runs[0].cost.ns({0, 8, 8000, 0})) << cost;
    }
  }
}

TEST(Derive, AnEnginesHostAndFrontEndAreItsOwn) {
  const auto ns = [&](const std::vector<std::string>& sets) {
    return load(sets).runs[0].cost.ns({0, 8, 8000, 0});
  };
  // 126 us a step and 4 us each of 8 requests.
  const std::string cost = "cost={source: linear, base: 5ms}";
  EXPECT_NEAR(ns({cost, "engine=vllm-0.19"}) - ns({cost}), 126e3 + 8 * 4e3, 1e-3);
}

TEST(Derive, PagesOfTwoMiBAreWhatTheProfileMeasured) {
  const auto profile = shipped_profile("h100-sxm-80gb");
  ASSERT_TRUE(profile && profile->vmm_map && profile->vmm_set_access);
  const auto s = load({});
  EXPECT_EQ(s.runs[1].vmm.map_ns, profile->vmm_map->call_ns);
  EXPECT_EQ(s.runs[1].vmm.set_access_ns, profile->vmm_set_access->call_ns);
  // Smaller ones need a patched driver, which nobody measured on an H100.
  const auto small = load({"managers=[{kind: vattention, page: 64KiB}]"});
  EXPECT_EQ(small.runs[0].vmm.map_ns, vmm_cost(small.hardware, 64_KiB).map_ns);
}

TEST(Derive, EachPriceOfTheDriverCanBeGiven) {
  const auto v = load({"cost={vmm: {create: 1us, map: 2us, set_access: 3us, unmap: 4us}}"}).runs[1].vmm;
  EXPECT_EQ(v.create_ns, 1e3);
  EXPECT_EQ(v.map_ns, 2e3);
  EXPECT_EQ(v.set_access_ns, 3e3);
  EXPECT_EQ(v.unmap_ns, 4e3);
}

TEST(Derive, AFleetIsAsSureAsItsLeastSureGroup) {
  // An L40S has no profile.
  const auto of = [](const char* groups) { return load({std::string("cluster={groups: ") + groups + "}"}).cost_used; };
  EXPECT_EQ(of("[{replicas: 2}]"), CostSource::profile);
  EXPECT_EQ(of("[{replicas: 2}, {hardware: l40s}]"), CostSource::roofline);
  EXPECT_EQ(of("[{hardware: l40s}, {replicas: 2}]"), CostSource::roofline);
}

TEST(Derive, EachGroupIsPricedAsAloneAndRoutedByItsWeight) {
  const auto s = load({"cluster={groups: [{weight: 3}, {hardware: a100-80gb, weight: 5}, {hardware: l40s}]}"});
  const auto& groups = s.runs[0].fleet.groups;
  ASSERT_EQ(groups.size(), 3U);
  const std::pair<const char*, std::int64_t> expected[] = {{"h100-sxm-80gb", 3}, {"a100-80gb", 5}, {"l40s", 1}};
  for (std::size_t g = 0; g < 3; ++g) {
    const auto alone = load({std::string("hardware=") + expected[g].first});
    EXPECT_EQ(groups[g].weight, expected[g].second);
    EXPECT_EQ(groups[g].kv.pool, alone.kv.pool);
    for (const StepShape& shape : {StepShape{0, 1, 100}, StepShape{0, 64, 64'000}, StepShape{512, 0, 0}})
      EXPECT_EQ(groups[g].cost.ns(shape), alone.runs[0].cost.ns(shape)) << expected[g].first;
  }
}

TEST(Derive, WeightsThatExceedTheGpuDoNotFitHoweverThePoolIsGiven) {
  // 141 GB in 16 bits are more than the 80 GB of one H100, and less than those of two.
  for (const char* memory : {"memory={kv_tokens: 4000}", "memory={kv_pool: 1GiB}"}) {
    try {
      const auto s = load({memory, "model=llama-3-70b", "cluster={tensor: 1}"});
      ADD_FAILURE() << "70 billion parameters fit " << s.hardware.name;
    } catch (const InfeasibleError& e) {
      EXPECT_NE(std::string(e.what()).find("does not fit h100-sxm-80gb"), std::string::npos) << e.what();
    }
    EXPECT_NO_THROW((void)load({memory, "model=llama-3-70b", "cluster={tensor: 2}"}));  // 70 GB of 80
  }
}

TEST(Derive, TheCachesTypeIsTheOneThatIsWritten) {
  const auto bytes = [](const char* dtype) {
    return load({std::string("memory={kv_dtype: ") + dtype + "}"}).kv.bytes_per_token;
  };
  for (const char* wide : {"auto", "bfloat16", "float16"}) EXPECT_EQ(bytes(wide), 128_KiB) << wide;
  for (const char* narrow : {"float8", "fp8", "fp8_e4m3", "fp8_e5m2"}) EXPECT_EQ(bytes(narrow), 64_KiB) << narrow;
}
}  // namespace
}  // namespace stowage
