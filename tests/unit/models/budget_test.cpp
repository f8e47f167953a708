// The KV pool against start-up logs of vLLM.
#include <gtest/gtest.h>

#include "base/error.hpp"
#include "models/cost/vmm.hpp"
#include "models/memory_budget.hpp"

namespace stowage {
namespace {
using namespace literals;
Bytes gib(double x) { return Bytes{static_cast<std::int64_t>(x * 1073741824.0)}; }
double in_gib(Bytes b) { return static_cast<double>(b.count()) / 1073741824.0; }

TEST(MemoryBudget, VllmIssue12330) {
  // A100 39.50 GiB x 0.90 = 35.55; - 14.96 weights - 0.10 non-torch - 9.37 activations = 11.12 GiB.
  MemoryOptions o;
  o.activations = gib(9.37);
  o.overhead = gib(0.10);
  const auto b = memory_budget(load_model("llama-3-8b"), load_hardware("a100-40gb"), o);
  EXPECT_NEAR(in_gib(b.usable), 35.55, 0.005);
  EXPECT_NEAR(in_gib(b.weights), 14.96, 0.005);
  EXPECT_NEAR(in_gib(b.kv_pool), 11.12, 0.01);
  // 5,691 blocks of 16 in the log, whose figures are rounded to 0.01 GiB (5 blocks).
  EXPECT_NEAR(static_cast<double>(b.pool_tokens) / 16, 5691, 5);
  EXPECT_EQ(b.kv_pool, b.usable - b.weights - b.activations - b.overhead);
}

TEST(MemoryBudget, DefaultsComeCloseToVllm019OnH100) {
  // Utilization 0.95, 8,192 batched tokens, 1,024 sequences. Llama-3.1-8B: 58.11 GiB = 476,000 tokens;
  // Qwen2.5-7B: 58.53 GiB = 1,096,000 tokens.
  MemoryOptions o;
  o.utilization = 0.95;
  o.max_batch = 1024;
  const auto h100 = load_hardware("h100-sxm-80gb");
  const auto llama = memory_budget(load_model("llama-3.1-8b"), h100, o);
  EXPECT_NEAR(in_gib(llama.kv_pool), 58.11, 0.01 * 58.11);
  EXPECT_NEAR(static_cast<double>(llama.pool_tokens), 476'000, 4'760);
  EXPECT_NEAR(in_gib(llama.activations), 1.89, 0.06);
  EXPECT_NEAR(in_gib(llama.weights), 14.96, 0.01);
  const auto qwen = memory_budget(load_model("qwen2.5-7b"), h100, o);
  EXPECT_NEAR(in_gib(qwen.kv_pool), 58.53, 0.01 * 58.53);
  EXPECT_NEAR(static_cast<double>(qwen.pool_tokens), 1'096'000, 10'960);
  // Qwen3-14B (40 layers, hidden 5,120, 40 heads, intermediate 17,408): activations about 2.2 GiB, KV 45.23 GiB.
  const auto qwen14 = parse_model(
      "name: qwen3-14b\nlayers: 40\nhidden: 5120\nheads: 40\nkv_heads: 8\nhead_dim: 128\n"
      "intermediate: 17408\nvocab: 151936\nmax_positions: 40960\nqk_norm: true\n",
      "x");
  const auto b = memory_budget(qwen14, h100, o);
  EXPECT_NEAR(in_gib(b.activations), 2.2, 0.06);
  EXPECT_NEAR(in_gib(b.kv_pool), 45.23, 0.01 * 45.23);
}

TEST(ActivationPeak, ByHand) {
  const auto m = load_model("llama-3-8b");
  // Small batch: the MLP decides. 8,192 x (2 x 4,096 + 3 x 14,336) x 2 bytes = 838,860,800.
  EXPECT_EQ(activation_peak(m, 1, 8192, 256).count(), 838'860'800);
  // 8,192 x (8,192 + 3 x 7,168) x 2 = 486,539,264 on two GPUs, but 256 x 128,256 x 14 + 134,217,728 = 593,887,232.
  EXPECT_EQ(activation_peak(m, 2, 8192, 256).count(), 593'887'232);
  // 64 tokens a step: no more than 64 sequences are sampled, 64 x 128,256 x 14 + 64 x 2 x 4,096 x 2 = 115,965,952.
  EXPECT_EQ(activation_peak(m, 1, 64, 1024).count(), 115'965'952);
}

TEST(ActivationPeak, NoStepSamplesMoreSequencesThanItHasTokens) {
  for (const char* name : {"llama-3-8b", "opt-13b", "mixtral-8x7b"}) {
    const auto m = load_model(name);
    for (const std::int64_t tokens : {1, 7, 64, 300, 2048})
      for (const std::int64_t more : {0, 1, 100, 60'000})
        EXPECT_EQ(activation_peak(m, 1, tokens, tokens + more), activation_peak(m, 1, tokens, tokens)) << name;
  }
}

TEST(MemoryBudget, TensorParallelReplica) {
  MemoryOptions o;
  o.tensor = 4;
  const auto m = load_model("llama-3-70b");
  const auto b = memory_budget(m, load_hardware("h100-sxm-80gb"), o);
  EXPECT_EQ(b.kv_bytes_per_token, 80_KiB);  // 320 KiB over 4 GPUs
  EXPECT_EQ(b.replica_kv_pool, b.kv_pool * 4);
  EXPECT_EQ(b.replica_kv_bytes_per_token, 320_KiB);
  EXPECT_EQ(floor_div(b.replica_kv_pool, b.replica_kv_bytes_per_token), b.pool_tokens);
}

TEST(MemoryBudget, TheFullestPipelineStageDecides) {
  MemoryOptions o;
  o.pipeline = 2;
  const auto m = load_model("llama-3-8b");  // 16 layers each; the last stage has the head and the last norm
  const auto b = memory_budget(m, load_hardware("l40s"), o);
  EXPECT_EQ(b.stage, 1);
  EXPECT_EQ(b.weights, m.weights_bytes_per_gpu(1, 2, 1));
  EXPECT_EQ(b.kv_bytes_per_token, 64_KiB);
  EXPECT_EQ(floor_div(b.replica_kv_pool, b.replica_kv_bytes_per_token), b.pool_tokens);
  o.pipeline = 3;  // 11, 11 and 10 layers: the first has the embedding besides its 11
  EXPECT_EQ(memory_budget(m, load_hardware("l40s"), o).stage, 0);
}

TEST(MemoryBudget, AModelTooLargeIsInfeasible) {
  const auto m = load_model("llama-3-70b");
  const auto h = load_hardware("a100-40gb");
  const auto b = memory_budget(m, h, {});
  EXPECT_LT(b.kv_pool.count(), 0);
  EXPECT_EQ(b.pool_tokens, 0);
  try {
    require_fits(b, m, h);
    FAIL();
  } catch (const InfeasibleError& e) {
    EXPECT_NE(std::string(e.what()).find("llama-3-70b does not fit a100-40gb: of 39.50 GiB a GPU, 35.55"),
              std::string::npos)
        << e.what();
  }
  EXPECT_NO_THROW(require_fits(memory_budget(load_model("llama-3-8b"), h, {}), m, h));
}

TEST(VllmLine, SaysItInVllmsWords) {
  EXPECT_EQ(vllm_line(227'840, 8192),
            "KV cache 227,840 tokens; maximum concurrency for 8,192 tokens per request: 27.81x");
  EXPECT_EQ(vllm_line(91'056, 8192),
            "KV cache 91,056 tokens; maximum concurrency for 8,192 tokens per request: 11.12x");
  EXPECT_EQ(vllm_line(999, 1'000'000),
            "KV cache 999 tokens; maximum concurrency for 1,000,000 tokens per request: 0.00x");
}

TEST(VllmBlocks, KvplanSample) {
  // L4: 4.91 GiB at 131,072 B a token: 2,513 blocks of 16 = 40,208 tokens.
  EXPECT_EQ(floor_div(gib(4.91), load_model("llama-3-8b").kv_bytes_per_token() * 16), 2513);
}

TEST(Vmm, TablesByPageAndGpu) {
  const auto h100 = load_hardware("h100-sxm-80gb");
  const auto a100 = load_hardware("a100-80gb");
  const auto check = [](const VmmCost& c, double create, double map, double set_access, double unmap) {
    EXPECT_DOUBLE_EQ(c.create_ns, create);
    EXPECT_DOUBLE_EQ(c.map_ns, map);
    EXPECT_DOUBLE_EQ(c.set_access_ns, set_access);
    EXPECT_DOUBLE_EQ(c.unmap_ns, unmap);
    EXPECT_FALSE(c.source.empty());
  };
  check(vmm_cost(h100, 2_MiB), 11e3, 1e3, 28e3, 18e3);
  check(vmm_cost(h100, 64_MiB), 11e3, 1e3, 28e3, 18e3);  // per call, not per byte
  check(vmm_cost(a100, 2_MiB), 29e3, 2e3, 38e3, 34e3);
  for (const auto& h : {h100, a100}) {  // one patched driver was measured
    check(vmm_cost(h, 64_KiB), 1.7e3, 8e3, 0, 2e3);
    check(vmm_cost(h, 128_KiB), 2e3, 8.5e3, 0, 3e3);
    check(vmm_cost(h, 256_KiB), 2.1e3, 9e3, 0, 4e3);
    check(vmm_cost(h, 1_MiB), 2.1e3, 9e3, 0, 4e3);
    check(vmm_cost(h, 123_B), 1.7e3, 8e3, 0, 2e3);
  }
  EXPECT_EQ(vmm_cost(h100, 64_KiB).source.find("no measurement"), std::string::npos);
  EXPECT_NE(vmm_cost(h100, 1_MiB).source.find("no measurement at this page size"), std::string::npos);
  EXPECT_NE(vmm_cost(load_hardware("l4"), 2_MiB).source.find("nearest measured GPU"), std::string::npos);
}
}  // namespace
}  // namespace stowage
