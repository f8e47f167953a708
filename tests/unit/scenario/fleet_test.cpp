// Fleets, engine presets, host and front end, vLLM's names: what a scenario makes of them.
#include <gtest/gtest.h>

#include "scenario/scenario.hpp"

namespace stowage {
namespace {
using namespace literals;

const std::string minimal =
    "model: llama-3-8b\nhardware: h100-sxm-80gb\nmemory: {kv_pool: 8GiB}\n"
    "workload: {requests: [{prompt: 1000, output: 25}]}\nmanagers: [{kind: paged}, {kind: vattention}]\n";

Scenario load(const std::vector<std::string>& sets) { return parse_scenario(minimal, "dir/some-name.yaml", sets); }

TEST(Fleet, replicas_are_alike) {
  EXPECT_TRUE(load({}).runs[0].fleet.groups.empty());
  const auto s = load({"cluster={replicas: 8, router: least-kv}", "seed=5"});
  const FleetConfig& fleet = s.runs[1].fleet;
  EXPECT_EQ(fleet.router, "least-kv");
  EXPECT_EQ(fleet.seed, 5U);
  ASSERT_EQ(fleet.groups.size(), 1U);
  EXPECT_EQ(fleet.groups[0].replicas, 8);
  EXPECT_EQ(fleet.groups[0].kv.pool, 8_GiB);  // each
  EXPECT_EQ(fleet.groups[0].vmm.map_ns, s.runs[1].vmm.map_ns);
}

TEST(Fleet, groups_have_pools_and_prices_of_their_own) {
  const auto s = load({"memory=", "cluster={groups: [{replicas: 3}, {hardware: a100-80gb, tensor: 2, weight: 4}]}"});
  const auto& groups = s.runs[0].fleet.groups;
  ASSERT_EQ(groups.size(), 2U);
  EXPECT_EQ(groups[1].name, "2 x a100-80gb");
  EXPECT_EQ(groups[1].weight, 4);
  EXPECT_EQ(groups[1].kv.gpus, 2);
  const auto alone = load({"memory=", "hardware=a100-80gb", "cluster={tensor: 2}"});
  EXPECT_EQ(groups[1].kv.pool, alone.kv.pool);
  const StepShape shape{0, 10, 20'000, 0};
  EXPECT_EQ(groups[1].cost.ns(shape), alone.runs[0].cost.ns(shape));
  EXPECT_EQ(groups[0].kv.pool, load({"memory="}).kv.pool);
  EXPECT_EQ(s.cluster.replicas_in_all(), 4);
}

// S3.18
TEST(Engine, sets_the_scheduler_by_gpu_and_what_is_written_goes_before) {
  const auto h100 = load({"engine=vllm-0.19"});
  EXPECT_EQ(h100.scheduler.max_batch, 1024);
  EXPECT_EQ(h100.scheduler.max_batched_tokens, 8192);
  EXPECT_TRUE(h100.scheduler.admit_full);
  const auto a100 = load({"engine=vllm-0.18", "hardware=a100-80gb", "scheduler={max_batch: 7}"});
  EXPECT_EQ(a100.scheduler.max_batch, 7);
  EXPECT_EQ(a100.scheduler.max_batched_tokens, 2048);
  EXPECT_FALSE(a100.scheduler.admit_full);
  EXPECT_EQ(load({"engine=vllm-0.21", "memory="}).memory.utilization, 0.92);
  EXPECT_EQ(load({"engine=vllm-0.21", "memory={utilization: 0.8}"}).memory.utilization, 0.8);
  EXPECT_EQ(h100.frontend.per_request_ns, 15.6e6);
  EXPECT_EQ(load({"engine=vllm-0.19", "frontend={per_request: 0ms}"}).frontend.per_request_ns, 0);
}

// vllm-0.19 on an H100 at utilization 0.95 reported 476,000 tokens for Llama-3.1-8B.
TEST(Engine, pool_is_what_the_release_reported) {
  const auto s = load({"model=llama-3.1-8b", "engine=vllm-0.19", "memory={utilization: 0.95}"});
  EXPECT_NEAR(static_cast<double>(s.pool_tokens), 476'000, 4'760);
}

// S13.9, S13.10
TEST(Host, is_added_to_every_step) {
  const std::string linear = "cost={source: linear, base: 1ms, per_decode_seq: 10us}";
  const auto s = load({linear, "host={per_step: 100us, per_layer: 2us, per_seq: 3us}"});
  // 5 decoding and 2 chunks: 1,000 + 5 x 10 + 100 + 32 layers x 2 + (5 + 2) x 3 = 1,235 us.
  const StepCost& cost = s.runs[0].cost;
  const StepShape shape{600, 5, 9'000, cost.chunk_ns(400, 0) + cost.chunk_ns(200, 0)};
  EXPECT_DOUBLE_EQ(cost.ns(shape), 1'235'000);
  EXPECT_EQ(cost.ns({0, 5, 9'000, 0}), cost.decode_line(5).ns(9'000));

  // A roofline's own 300 us are the host's part: they go when it is given.
  const std::string roofline = "cost={source: roofline}";
  const auto bare = load({roofline}), given = load({roofline, "host={per_step: 300us, per_seq: 3us}"});
  const StepShape mixed{400, 5, 9'000, bare.runs[0].cost.chunk_ns(400, 0)};
  StepShape same = mixed;
  same.prefill_attention_ns = given.runs[0].cost.chunk_ns(400, 0);
  EXPECT_NEAR(given.runs[0].cost.ns(same), bare.runs[0].cost.ns(mixed) + 6 * 3'000, 1e-3);
  EXPECT_NEAR(given.runs[0].cost.ns({0, 5, 9'000, 0}), bare.runs[0].cost.ns({0, 5, 9'000, 0}) + 5 * 3'000, 1e-3);
}

TEST(VllmNames, are_as_good_as_ours) {
  const auto s = load({"scheduler={max_num_seqs: 64, max-num-batched-tokens: 4096, enable_chunked_prefill: true}",
                       "memory={gpu_memory_utilization: 0.85, kv_cache_dtype: fp8}",
                       "cluster={tensor_parallel_size: 2, data-parallel-size: 3}",
                       "managers=[{kind: paged, block-size: 32}]"});
  EXPECT_EQ(s.scheduler.max_batch, 64);
  EXPECT_EQ(s.scheduler.max_batched_tokens, 4096);
  EXPECT_EQ(s.memory.utilization, 0.85);
  EXPECT_EQ(s.cluster.tensor, 2);
  EXPECT_EQ(s.cluster.replicas, 3);
  EXPECT_EQ(s.runs[0].manager.integer("block_size"), 32);
  EXPECT_EQ(s.kv.bytes_per_token, 64_KiB);  // 2 x 32 layers x 8 heads x 128 x 1 B
  const std::string text = resolved_yaml(s);
  EXPECT_NE(text.find("max_batch: 64"), std::string::npos);
  EXPECT_EQ(text.find("max_num_seqs"), std::string::npos);
}
}  // namespace
}  // namespace stowage
