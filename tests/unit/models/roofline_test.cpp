// Properties of the roofline, and orders of magnitude.
#include "models/cost/roofline.hpp"

#include <gtest/gtest.h>

#include <numeric>

namespace stowage {
namespace {
double bill(const std::vector<OperatorPrice>& operators) {
  return std::accumulate(operators.begin(), operators.end(), 0.0, [](double s, const auto& o) { return s + o.ns; });
}
const OperatorPrice& line(const std::vector<OperatorPrice>& operators, const std::string& name) {
  for (const auto& o : operators)
    if (o.name == name) return o;
  ADD_FAILURE() << name;
  return operators.front();
}
/// A step that prefills one chunk of `q` after `stored` tokens while `b` requests decode on `s` tokens.
StepShape shape(const StepCost& cost, std::int64_t q, std::int64_t stored, std::int64_t b, std::int64_t s) {
  return {q, b, s, q > 0 ? cost.chunk_ns(q, stored) : 0.0};
}

class Roofline : public testing::Test {
 protected:
  ModelSpec llama = load_model("llama-3-8b");
  HardwareSpec h100 = load_hardware("h100-sxm-80gb");
  StepCost cost = compile_roofline(llama, h100, 1, 8192);
};

TEST_F(Roofline, DecodeOfOneReadsTheWeightsOnce) {
  // 7,504,924,672 parameters x 2 B / 3.35 TB/s = 4.48 ms at the peak.
  const double ms = cost.ns({0, 1, 1000, 0}) / 1e6;
  EXPECT_GT(ms, 5.0);
  EXPECT_LT(ms, 6.5);
}

TEST_F(Roofline, PrefillOf8kTakesAQuarterOfASecond) {
  // 2 x 6.98e9 x 8,192 FLOP / 989 TFLOP/s = 0.116 s at the peak, attention 0.018 s.
  const double s = cost.ns(shape(cost, 8192, 0, 0, 0)) / 1e9;
  EXPECT_GT(s, 0.2);
  EXPECT_LT(s, 0.4);
}

TEST_F(Roofline, LongContextsCostTheirBytes) {
  // 1,000,000 more KV tokens at 131,072 B and 0.9 x 3.35 TB/s: 43.47 ms.
  const double more = cost.ns({0, 64, 1'100'000, 0}) - cost.ns({0, 64, 100'000, 0});
  EXPECT_NEAR(more / 1e6, 131'072e6 / (0.9 * 3.35e12) * 1e3, 1e-6);
}

TEST_F(Roofline, ChunkedPrefillCostsAtLeastTheWholeInAttention) {
  // The pairs are the same: 8,192 x 8,193 / 2.
  double chunks = 0;
  for (int i = 0; i < 8; ++i) chunks += cost.chunk_ns(1024, 1024 * i);
  EXPECT_NEAR(chunks, cost.chunk_ns(8192, 0), 1e-6 * chunks);
  // One token on 8,191: reading its KV is the floor, 8,192 x 131,072 B / (0.9 x 3.35 TB/s) = 356 us.
  EXPECT_NEAR(cost.chunk_ns(1, 8191) / 1e3, 356.1, 0.1);
}

TEST_F(Roofline, NeverFallsWithMoreWork) {
  const auto& table = cost.table();
  ASSERT_EQ(table.dense_ns.size(), 8193U);
  ASSERT_EQ(table.decode_dense_ns.size(), 8193U);
  for (std::size_t i = 1; i < table.dense_ns.size(); ++i) {
    ASSERT_GE(table.dense_ns[i], table.dense_ns[i - 1]) << i;
    ASSERT_GE(table.decode_dense_ns[i], table.decode_dense_ns[i - 1]) << i;
  }
  for (std::int64_t q = 1; q < 512; ++q) EXPECT_GE(cost.chunk_ns(q + 1, 100), cost.chunk_ns(q, 100));
  for (std::int64_t c = 0; c < 512; ++c) EXPECT_GE(cost.chunk_ns(16, c + 1), cost.chunk_ns(16, c));
  for (std::int64_t b = 1; b < 256; ++b) {
    EXPECT_GE(cost.ns({0, b + 1, 1000, 0}), cost.ns({0, b, 1000, 0}));
    EXPECT_GE(cost.ns({1, b, 1000, cost.chunk_ns(1, 0)}), cost.ns({0, b, 1000, 0}));
  }
}

TEST(RooflineBill, SumsToTheCompiledPrice) {
  struct Case {
    const char *model, *gpu;
    int tensor;
  };
  for (const auto& c : {Case{"llama-3-8b", "h100-sxm-80gb", 1}, Case{"opt-66b", "a100-40gb", 4},
                        Case{"qwen3-32b", "l40s", 8}, Case{"yi-6b", "a100-80gb", 8}}) {
    const auto model = load_model(c.model);
    const auto gpu = load_hardware(c.gpu);
    const auto cost = compile_roofline(model, gpu, c.tensor, 4096);
    for (const auto& s : {shape(cost, 0, 0, 1, 5), shape(cost, 0, 0, 200, 300'000), shape(cost, 0, 0, 1000, 1000),
                          shape(cost, 1, 0, 0, 0), shape(cost, 2000, 100, 0, 0), shape(cost, 3000, 0, 256, 70'000)}) {
      const double expected = cost.ns(s);
      EXPECT_NEAR(bill(roofline_operators(model, gpu, c.tensor, s)), expected, 1e-9 * expected)
          << c.model << " " << s.prefill_tokens << " " << s.decode_seqs;
    }
  }
}

TEST(RooflineBill, WorkByHand) {
  const auto model = load_model("llama-3-8b");
  const auto gpu = load_hardware("h100-sxm-80gb");
  const auto one = roofline_operators(model, gpu, 1, {0, 1, 1000, 0});
  const auto& qkv = line(one, "qkv");
  // 32 layers of 1 x 4,096 by 4,096 x 6,144: 2 x 25,165,824 FLOP; 2 x (25,165,824 + 4,096 + 6,144) bytes.
  EXPECT_EQ(qkv.count, 32);
  EXPECT_DOUBLE_EQ(qkv.flops, 32 * 2 * 25'165'824.0);
  EXPECT_DOUBLE_EQ(qkv.bytes, 32 * 2 * 25'176'064.0);
  EXPECT_EQ(qkv.bound, Bound::memory);
  EXPECT_DOUBLE_EQ(qkv.ns, 32 * (2 * 25'176'064.0 / (3.35e12 * 0.9) * 1e9 + 2000));
  const auto many = roofline_operators(model, gpu, 1, {8192, 0, 0, 1.0});
  EXPECT_EQ(line(many, "qkv").bound, Bound::compute);
  EXPECT_DOUBLE_EQ(line(many, "qkv").ns, 32 * (8192 * 2 * 25'165'824.0 / (989.4e12 * 0.65) * 1e9 + 2000));
  double weights = 0;  // every active parameter but the norms and biases is in a product
  for (const auto& o : one)
    if (o.flops > 0 && o.name != "decode attention") weights += o.flops / 2;
  EXPECT_DOUBLE_EQ(weights, static_cast<double>(model.active_parameters() - 32 * 8192 - 4096));
}

TEST(RooflineBill, TensorParallelSplitsWorkAndPaysTheLink) {
  const auto model = load_model("llama-3-70b");
  const auto gpu = load_hardware("h100-sxm-80gb");
  const StepShape step{0, 64, 64'000, 0};
  const auto two = roofline_operators(model, gpu, 2, step), four = roofline_operators(model, gpu, 4, step);
  EXPECT_DOUBLE_EQ(line(two, "down").flops, 2 * line(four, "down").flops);
  EXPECT_DOUBLE_EQ(line(two, "decode attention").bytes, 2 * line(four, "decode attention").bytes);
  EXPECT_LT(bill(four), bill(two));
  const auto& reduce = line(four, "all-reduce");
  // Two a layer; 2 x 3 / 4 of 64 x 8,192 x 2 B over 450 GB/s x 0.35, and 3 + 4 x 1.8 us.
  EXPECT_EQ(reduce.count, 160);
  EXPECT_NEAR(reduce.ns, 160 * (1.5 * 64 * 8192 * 2 / (450e9 * 0.35) * 1e9 + 10'200), 1);
  for (const auto& o : roofline_operators(load_model("llama-3-8b"), gpu, 1, step)) EXPECT_NE(o.name, "all-reduce");
}

TEST(RooflineAnchors, LongPrefillsOfTheVAttentionPaper) {
  // ASPLOS '25, Table 6, FA2_vAttention, 64 K tokens on A100-80GB; chunks of 16 K as its artifact runs them.
  struct Case {
    const char* model;
    int tensor;
    double seconds;
  };
  const auto gpu = load_hardware("a100-80gb");
  for (const auto& c : {Case{"yi-6b", 1, 9.1}, Case{"llama-3-8b", 2, 5.2}, Case{"yi-34b", 2, 22.8}}) {
    const auto cost = compile_roofline(load_model(c.model), gpu, c.tensor, 16384);
    double s = 0;
    for (int i = 0; i < 4; ++i) s += cost.ns(shape(cost, 16384, 16384 * i, 0, 0)) / 1e9;
    EXPECT_NEAR(s, c.seconds, 0.12 * c.seconds) << c.model;
  }
}

TEST(RooflineScaling, FasterGpusAreFaster) {
  const auto model = load_model("llama-3-8b");
  double decode = 1e18, prefill = 1e18;
  for (const auto* name : {"l4", "l40s", "a100-80gb", "h100-sxm-80gb", "b200"}) {
    const auto cost = compile_roofline(model, load_hardware(name), 1, 4096);
    const double d = cost.ns({0, 8, 8000, 0});
    const double p = cost.ns(shape(cost, 4096, 0, 0, 0));
    EXPECT_LT(d, decode) << name;
    if (std::string(name) != "a100-80gb") {  // 312 TFLOP/s against the L40S's 362
      EXPECT_LT(p, prefill) << name;
    }
    decode = d;
    prefill = p;
  }
  // Same FLOP/s, 4.8 against 3.35 TB/s: decode gains, prefill hardly.
  const auto h100 = compile_roofline(model, load_hardware("h100-sxm-80gb"), 1, 8192);
  const auto h200 = compile_roofline(model, load_hardware("h200"), 1, 8192);
  EXPECT_LT(h200.ns({0, 8, 80'000, 0}), 0.8 * h100.ns({0, 8, 80'000, 0}));
  EXPECT_GT(h200.ns(shape(h200, 8192, 0, 0, 0)), 0.95 * h100.ns(shape(h100, 8192, 0, 0, 0)));
}
}  // namespace
}  // namespace stowage
