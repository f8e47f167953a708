// What fits, against sums by hand.
#include "planner/fit.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "models/cost/roofline.hpp"

namespace stowage {
namespace {
using namespace literals;

FitInput question(const char* model, const Layout& layout, Bytes pool_per_gpu) {
  FitInput in;
  in.model = load_model(model);
  in.hardware = load_hardware("a100-80gb");
  in.layout = layout;
  in.budget.kv_pool = pool_per_gpu;
  in.budget.kv_bytes_per_token = in.model.kv_bytes_per_token_per_gpu(layout.tensor);
  in.cost = compile_roofline(in.model, in.hardware, layout, 2048);
  in.p50 = {1000, 101};  // 1,100 stored
  in.p95 = {2000, 101};  // 2,100
  in.max = {8000, 101};  // 8,100
  return in;
}
const FitManager& manager(const FitReport& report, const std::string& name) {
  for (const auto& m : report.managers)
    if (m.name == name) return m;
  ADD_FAILURE() << name;
  return report.managers.front();
}

TEST(Fit, SequencesByHand) {
  const auto report = fit(question("llama-3-8b", {1, 1, 1, 1}, 8_GiB));  // 65,536 tokens of 131,072 B
  EXPECT_EQ(report.pool_tokens, 65'536);
  EXPECT_EQ(manager(report, "reserve max").p50, 8);        // 65,536 / 8,192
  EXPECT_EQ(manager(report, "reserve pow2").p50, 58);      // 1,000 + 128
  EXPECT_EQ(manager(report, "reserve oracle").p50, 59);    // / 1,100 = 59.6
  EXPECT_EQ(manager(report, "paged 16").p50, 59);          // 4,096 blocks / 69
  EXPECT_EQ(manager(report, "paged 256").p50, 51);         // 256 / 5
  EXPECT_EQ(manager(report, "paged 16").max, 8);           // 4,096 / 507
  EXPECT_EQ(manager(report, "vattention 64KiB").p50, 58);  // 32 tokens a page; 2,048 blocks / 35
  EXPECT_EQ(manager(report, "vattention 2MiB").p50, 32);   // 1,024 tokens; 64 blocks of 128 MiB / 2
  EXPECT_EQ(manager(report, "vattention 2MiB").p95, 21);   // / 3
  EXPECT_EQ(manager(report, "vattention 2MiB sliced").p50, 58);
}

TEST(Fit, TheHalfPageLaw) {
  // Half a page in each of 64 tensors of 2 MiB: 64 MiB on one GPU; the same on each of two, whose pages hold twice the
  // tokens. Half a block of 16: 7.5 tokens of 131,072 B.
  const auto one = fit(question("llama-3-8b", {1, 1, 1, 1}, 8_GiB)),
             two = fit(question("llama-3-8b", {2, 1, 1, 1}, 8_GiB));
  EXPECT_DOUBLE_EQ(manager(one, "vattention 2MiB").waste_bytes, 64.0 * 1048576);
  EXPECT_DOUBLE_EQ(manager(two, "vattention 2MiB").waste_bytes, 128.0 * 1048576);
  EXPECT_EQ(manager(two, "vattention 2MiB").mapping.tokens_per_page, 2048);
  EXPECT_DOUBLE_EQ(manager(one, "vattention 64KiB").waste_bytes, 2.0 * 1048576);
  EXPECT_DOUBLE_EQ(manager(one, "vattention 2MiB sliced").waste_bytes, 2.0 * 1048576);
  EXPECT_DOUBLE_EQ(manager(one, "paged 16").waste_bytes, 7.5 * 131072);
  EXPECT_DOUBLE_EQ(manager(two, "paged 16").waste_bytes, 7.5 * 131072);
}

TEST(Fit, DriverCallsAndMappings) {
  auto in = question("llama-3-8b", {1, 1, 1, 1}, 60_GiB);
  in.arrivals_per_s = 2;
  const auto report = fit(in);
  const auto& map = manager(report, "vattention 2MiB").mapping;
  // 2 requests/s of 2 blocks of 64 pages, map and set-access: 512 calls/s; the driver makes a pair in 40 us.
  EXPECT_DOUBLE_EQ(map.calls_per_s, 512);
  EXPECT_DOUBLE_EQ(map.driver_calls_per_s, 50'000);
  EXPECT_EQ(map.live_mappings, 480 * 64);  // 60 GiB / 128 MiB
  EXPECT_EQ(manager(report, "vattention 64KiB").mapping.live_mappings, 983'040);
  const auto said = [&](const std::string& words) {
    return std::any_of(report.verdict.begin(), report.verdict.end(),
                       [&](const auto& s) { return s.find(words) != std::string::npos; });
  };
  EXPECT_TRUE(said("vattention 64KiB would need 983040 live mappings"));
  EXPECT_FALSE(said("vattention 2MiB would need"));
  EXPECT_TRUE(said("vAttention does not pay here"));
}

TEST(Fit, LongPromptsMakeVAttentionPayOverSlowPagedKernels) {
  auto in = question("yi-6b", {1, 1, 1, 1}, 60_GiB);  // 87 K prompts, as its paper's offline trace
  in.p50 = in.p95 = in.max = {87'000, 430};
  in.max_model_len = 200'000;
  const auto report = fit(in);
  EXPECT_TRUE(std::any_of(report.verdict.begin(), report.verdict.end(), [](const auto& s) {
    return s.find("vAttention pays here if your paged kernels are the slow ones") != std::string::npos;
  }));
}

TEST(Fit, APoolTooSmallSaysSo) {
  const auto report = fit(question("llama-3-8b", {1, 1, 1, 1}, 64_MiB));
  EXPECT_EQ(manager(report, "paged 16").p50, 0);
  ASSERT_EQ(report.verdict.size(), 1U);
  EXPECT_NE(report.verdict[0].find("Not one median request fits"), std::string::npos);
}
}  // namespace
}  // namespace stowage
