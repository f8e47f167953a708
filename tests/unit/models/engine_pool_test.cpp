// The memory an engine leaves for KV, against vLLM's own start-up logs.
#include "models/memory_budget.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"
#include "models/engine.hpp"
#include "models/hardware/hardware.hpp"
#include "models/llm/model.hpp"
#include "models/vllm_log.hpp"

namespace stowage {
namespace {
using namespace literals;
double in_gib(Bytes b) { return static_cast<double>(b.count()) / 1073741824.0; }
Bytes gib(double x) { return Bytes{static_cast<std::int64_t>(x * 1073741824.0)}; }

struct Published {
  const char *model, *engine;
  double kv_gib;
  std::int64_t tokens;  // 0 = not published
};
// vLLM on an H100 80GB, utilization 0.95, 8,192 batched tokens, 1,024 sequences.
const Published published[] = {{"llama-3.1-8b", "vllm-0.19", 58.11, 476'000},
                               {"qwen2.5-7b", "vllm-0.19", 58.53, 1'096'000},
                               {"qwen3-14b", "vllm-0.15", 41.94, 0},
                               {"qwen3-14b", "vllm-0.17", 45.34, 0},
                               {"qwen3-14b", "vllm-0.18", 45.23, 0}};

TEST(EnginePool, EqualsWhatVllmReportedWithinAPercent) {
  const auto h100 = load_hardware("h100-sxm-80gb");
  for (const auto& row : published) {
    MemoryOptions o;
    o.engine = find_engine(row.engine);
    o.utilization = 0.95;
    o.max_batch = engine_limits(h100).max_num_seqs;
    o.max_batched_tokens = engine_limits(h100).max_num_batched_tokens;
    const auto b = memory_budget(load_model(row.model), h100, o);
    EXPECT_NEAR(in_gib(b.kv_pool + b.null_block), row.kv_gib, 0.01 * row.kv_gib) << row.model << " " << row.engine;
    if (row.tokens > 0) {
      EXPECT_NEAR(static_cast<double>(b.pool_tokens), static_cast<double>(row.tokens),
                  0.01 * static_cast<double>(row.tokens));
    }
  }
}

TEST(EnginePool, EachTermByRelease) {
  const auto m = load_model("llama-3.1-8b");
  const auto h100 = load_hardware("h100-sxm-80gb");
  MemoryOptions o;
  o.max_batch = 1024;
  const auto of = [&](const char* engine) {
    o.engine = find_engine(engine);
    return memory_budget(m, h100, o);
  };
  // 1,024 x 128,256 x (2 + 36) + 8,192 x 2 x 4,096 x 2 = 5,124,915,200 B of peak at 0.15; 12 instead of 36 from 0.17.
  EXPECT_EQ(of("vllm-0.15").activations.count(), 1'024LL * 128'256 * 38 + 134'217'728);
  EXPECT_EQ(of("vllm-0.17").activations.count(), 1'024LL * 128'256 * 14 + 134'217'728);
  EXPECT_NEAR(in_gib(of("vllm-0.15").activations), 4.8, 0.05);
  EXPECT_EQ(of("vllm-0.17").overhead, gib(0.13));
  EXPECT_EQ(of("vllm-0.18").overhead, gib(0.25));
  EXPECT_EQ(of("vllm-0.19").null_block, 2_MiB);  // 16 x 131,072
  EXPECT_EQ(of("vllm-0.20").graphs.count(), 0);
  EXPECT_EQ(of("vllm-0.21").graphs, 6_MiB * 102);
  EXPECT_EQ(of("vllm-0.22").graphs, 6_MiB * 102);   // the first model runner
  EXPECT_EQ(of("vllm-0.23").graphs.count(), 0);     // the second sets nothing aside
  const auto b = of("vllm-0.21");
  EXPECT_EQ(b.kv_pool, b.usable - b.weights - b.activations - b.overhead - b.graphs - b.null_block);
  o.tensor = 2;
  EXPECT_EQ(of("vllm-0.19").overhead, gib(2.1));
  EXPECT_EQ(of("vllm-0.19").null_block, 1_MiB);
  // Every term can be given.
  o.device = gib(70);
  o.weights = gib(10);
  o.activations = gib(3);
  o.overhead = gib(2);
  o.graphs = gib(1);
  EXPECT_EQ(of("vllm-0.24").kv_pool, Bytes{static_cast<std::int64_t>(70.0 * 1073741824 * 0.9)} - gib(16) - 1_MiB);
}

constexpr const char* log_12330 =
    "INFO 01-22 worker.py:241] the current vLLM instance can use total_gpu_memory (39.50GiB) x "
    "gpu_memory_utilization (0.90) = 35.55GiB\n"
    "INFO 01-22 worker.py:241] model weights take 14.96GiB; non_torch_memory takes 0.10GiB; PyTorch activation peak "
    "memory takes 9.37GiB; the rest of the memory reserved for KV Cache is 11.12GiB.\n"
    "INFO 01-22 gpu_executor.py:76] # GPU blocks: 5691, # CPU blocks: 2048\n"
    "INFO 01-22 gpu_executor.py:80] Maximum concurrency for 8192 tokens per request: 11.12x\n";

TEST(VllmLog, Issue12330ToTheToken) {
  const auto log = parse_vllm_log(log_12330, "vllm.log");
  EXPECT_EQ(log.blocks, 5691);
  EXPECT_EQ(log.kv_tokens, 91'056);
  EXPECT_EQ(log.device, gib(39.50));
  EXPECT_EQ(log.weights, gib(14.96));
  EXPECT_EQ(log.activations, gib(9.37));
  EXPECT_EQ(log.overhead, gib(0.10));
  EXPECT_EQ(log.kv_cache, gib(11.12));
  EXPECT_DOUBLE_EQ(log.utilization.value(), 0.9);
  EXPECT_DOUBLE_EQ(log.concurrency.value(), 11.12);
  EXPECT_EQ(log.concurrency_len, 8192);
  EXPECT_EQ(vllm_line(*log.kv_tokens, 8192),
            "KV cache 91,056 tokens; maximum concurrency for 8,192 tokens per request: 11.12x");
  // From the terms as printed, to 0.01 GiB each: 35.55 - 14.96 - 0.10 - 9.37 = 11.12 GiB, as printed.
  MemoryOptions o;
  o.device = log.device;
  o.weights = log.weights;
  o.activations = log.activations;
  o.overhead = log.overhead;
  const auto b = memory_budget(load_model("llama-3-8b"), load_hardware("a100-40gb"), o);
  EXPECT_NEAR(in_gib(b.kv_pool), 11.12, 0.0001);
  // 5,691 blocks of 2 MiB lie within the rounding of that pool.
  EXPECT_NEAR(in_gib(2_MiB * 5691), in_gib(b.kv_pool), 0.005);
}

TEST(VllmLog, DeepSeekR1OnB200) {
  const auto log = parse_vllm_log(
      "(Worker_TP0 pid=1) INFO [gpu_worker.py:298] Available KV cache memory: 62.24 GiB\n"
      "(EngineCore pid=9) INFO [kv_cache_utils.py:1087] GPU KV cache size: 1,901,888 tokens\n",
      "x");
  EXPECT_EQ(log.kv_tokens, 1'901'888);
  auto m = load_model("deepseek-r1");
  m.kv_dtype = Dtype::float8;
  // 61 x 576 = 35,136 bytes a token on every GPU: 66,824,736,768 bytes in all, 62.24 GiB, and 29,717 blocks of 64.
  const Bytes pool = m.kv_bytes_per_token_per_gpu(8) * *log.kv_tokens;
  EXPECT_EQ(pool.count(), 66'824'736'768);
  EXPECT_NEAR(in_gib(pool), 62.24, 0.005);
  EXPECT_EQ(*log.kv_tokens % 64, 0);
  EXPECT_EQ(floor_div(pool, m.kv_bytes_per_token()), 1'901'888);
}

TEST(VllmLog, NewerLinesAndNone) {
  const auto log = parse_vllm_log(
      "Actual usage is 8.58 GiB for weight, 9.96 GiB for peak activation, 0.07 GiB for "
      "non-torch memory, and 0.65 GiB for CUDAGraph memory.\n"
      "Estimated CUDA graph memory: 0.36 GiB total\nAvailable KV cache memory: 6.87 GiB\n",
      "x");
  EXPECT_EQ(log.weights, gib(8.58));
  EXPECT_EQ(log.activations, gib(9.96));
  EXPECT_EQ(log.overhead, gib(0.07));
  EXPECT_EQ(log.graphs, gib(0.36));
  EXPECT_EQ(log.kv_cache, gib(6.87));
  EXPECT_FALSE(log.kv_tokens);
  EXPECT_THROW((void)parse_vllm_log("Application startup complete.\n", "x"), InputError);
  EXPECT_THROW((void)parse_vllm_log("GPU KV cache size: many tokens\n", "x"), InputError);
}
}  // namespace
}  // namespace stowage
