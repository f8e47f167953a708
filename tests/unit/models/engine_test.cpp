// The table of engine releases.
#include "models/engine.hpp"

#include <gtest/gtest.h>

namespace stowage {
namespace {
TEST(Engines, EveryReleaseFrom15To24) {
  ASSERT_EQ(engines().size(), 10U);
  for (int minor = 15; minor <= 24; ++minor) {
    const auto* e = find_engine("vllm-0." + std::to_string(minor));
    ASSERT_NE(e, nullptr) << minor;
    EXPECT_EQ(e->admit_full, minor >= 19) << minor;
    EXPECT_DOUBLE_EQ(e->utilization, minor >= 21 ? 0.92 : 0.90) << minor;
    EXPECT_EQ(engine_graph_memory(*e, 256).count() > 0, minor >= 21) << minor;
    EXPECT_EQ(e->null_blocks, 1);
  }
  EXPECT_EQ(find_engine("vllm-0.14"), nullptr);
  EXPECT_EQ(find_engine("vllm"), nullptr);
  EXPECT_NE(engine_names().find("vllm-0.15, vllm-0.16"), std::string::npos);
}

TEST(Engines, CapturedGraphs) {
  // 1, 2, 4, then 8 ... 248 by 8 (31), then 256 ... 512 by 16 (17): 51 sizes; up to 256 tokens 3 + 31 + 1 = 35. A log
  // of 0.21 says "PIECEWISE=51, FULL=35" and 1.58 GiB for 256 sequences.
  EXPECT_EQ(engine_graphs(256), 51 + 35);
  EXPECT_EQ(engine_graphs(1024), 51 + 51);
  // Up to 16 tokens: 1, 2, 4, 8, 16; up to 8: four.
  EXPECT_EQ(engine_graphs(8), 5 + 4);
  const double gib = static_cast<double>(engine_graph_memory(*find_engine("vllm-0.21"), 256).count()) / 1073741824.0;
  EXPECT_NEAR(gib, 1.58, 0.02);
}

TEST(Engines, LimitsByGpu) {
  EXPECT_EQ(engine_limits(load_hardware("h100-sxm-80gb")).max_num_seqs, 1024);
  EXPECT_EQ(engine_limits(load_hardware("h100-sxm-80gb")).max_num_batched_tokens, 8192);
  for (const auto* name : {"a100-80gb", "l4", "rtx-4090"}) {
    EXPECT_EQ(engine_limits(load_hardware(name)).max_num_seqs, 256) << name;
    EXPECT_EQ(engine_limits(load_hardware(name)).max_num_batched_tokens, 2048) << name;
  }
}
}  // namespace
}  // namespace stowage
