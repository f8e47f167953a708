// The table of engine releases.
#include "models/engine.hpp"

#include <gtest/gtest.h>

namespace stowage {
namespace {
using namespace literals;
TEST(Engines, EveryReleaseFrom6To33) {
  ASSERT_EQ(engines().size(), 29U);
  for (int minor = 6; minor <= 33; ++minor) {
    const auto* e = find_engine("vllm-0." + std::to_string(minor));
    ASSERT_NE(e, nullptr) << minor;
    EXPECT_EQ(e->admit_full, minor >= 19) << minor;
    EXPECT_DOUBLE_EQ(e->utilization, minor >= 21 ? 0.92 : 0.90) << minor;
    EXPECT_EQ(engine_graph_memory(*e, 256).count() > 0, minor >= 21) << minor;
    EXPECT_EQ(e->null_blocks, minor >= 8 ? 1 : 0) << minor;
    EXPECT_EQ(e->async_scheduling, minor >= 14) << minor;
    EXPECT_EQ(e->prefix_cache, minor >= 8) << minor;
  }
  EXPECT_EQ(find_engine("vllm-latest")->utilization, find_engine("vllm-0.33")->utilization);
  EXPECT_EQ(find_engine("vllm-0.5"), nullptr);
  EXPECT_EQ(find_engine("vllm"), nullptr);
  EXPECT_NE(engine_names().find("vllm-0.15, vllm-0.16"), std::string::npos);
}

TEST(Engines, CapturedGraphs) {
  // 1, 2, 4, then 8 ... 248 by 8 (31), then 256 ... 512 by 16 (17): 51 sizes; up to 256 tokens 3 + 31 + 1 = 35. Logs
  // print "PIECEWISE=51, FULL=35".
  EXPECT_EQ(engine_graphs(256), 51 + 35);
  EXPECT_EQ(engine_graphs(1024), 51 + 51);
  // Up to 16 tokens: 1, 2, 4, 8, 16; up to 8: four.
  EXPECT_EQ(engine_graphs(8), 5 + 4);
  // 86 graphs of 6 MiB; 0.24 deducted 0.41 to 0.63 GiB for them in three logs.
  EXPECT_EQ(engine_graph_memory(*find_engine("vllm-0.24"), 256), 6_MiB * 86);
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
