#include "models/cost/host.hpp"

#include <gtest/gtest.h>

namespace stowage {
namespace {
/// Two stages: one request waits for all of its attention (1 / 1), two and more for half of it.
StepCost pipeline() {
  StepCost::Table t;
  t.dense_ns = {0, 100, 200, 300, 400, 500};
  t.decode = {10, 2, 1, 0, 0, 0};
  t.decode_scale = {1, 1, 0.5, 0.5, 0.5, 0.5};
  t.prefill.fixed_ns = 7;
  return StepCost(t);
}
const HostCost host{1'000, 10, 40};  // a step, a layer, a request

TEST(Host, IsAddedWholeWhereAPipelineDividesAttention) {
  const StepCost with = with_host(pipeline(), host, 3);
  // 4 requests with 100 tokens: 400 + (10 + 2 x 4 + 100) / 2 = 459; host 1,000 + 3 x 10 + 4 x 40 = 1,190.
  EXPECT_DOUBLE_EQ(pipeline().decode_line(4).ns(100), 459);
  EXPECT_DOUBLE_EQ(with.decode_line(4).ns(100), 459 + 1'190);
  EXPECT_DOUBLE_EQ(with.ns({0, 4, 100, 0}), 459 + 1'190);
  // One: 100 + (10 + 2 + 50) = 162; host 1,000 + 30 + 40.
  EXPECT_DOUBLE_EQ(with.decode_line(1).ns(50), 162 + 1'070);
}

// S13.9, S13.10
TEST(Host, CountsEveryRequestOfAMixedStep) {
  const StepCost with = with_host(pipeline(), host, 3);
  // Two prompt tokens in one chunk and 3 requests with 60 tokens: 500 + (10 + 6 + 60) / 2 + 7 = 545; 4 requests.
  StepShape shape{2, 3, 60, 0};
  with.add_chunk(shape, 2, 0);
  EXPECT_DOUBLE_EQ(with.ns(shape), 545 + 1'000 + 30 + 4 * 40);
}

TEST(Host, IsAddedToBothLinesWithoutAPipeline) {
  StepCost::Table t;
  t.dense_ns = {0, 100, 200};
  t.decode = {10, 2, 1, 30, 1, 0};
  const StepCost with = with_host(StepCost(t), host, 0);
  EXPECT_DOUBLE_EQ(with.decode_line(2).ns(0), 200 + 32 + 1'000 + 80);    // 30 + 2 > 10 + 4
  EXPECT_DOUBLE_EQ(with.decode_line(2).ns(100), 200 + 114 + 1'000 + 80);  // 10 + 4 + 100
}
}  // namespace
}  // namespace stowage
