#include "models/cost/profile_prices.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "models/cost/compile.hpp"

namespace stowage {
namespace {
const HardwareSpec& h100() {
  static const HardwareSpec gpu = load_hardware("h100-sxm-80gb");
  return gpu;
}
const Profile& profile() {
  static const Profile p = shipped_profile("h100-sxm-80gb").value();
  return p;
}
ProfileTarget target(int tensor, std::int64_t tokens = 2048) { return {tensor, tokens, 128, {16, false}, true}; }
StepCost partly(const ModelSpec& m, const Layout& l) {
  return compile_partly(m, h100(), profile(), l, target(l.tensor), 8192);
}

TEST(ProfilePrices, DenseModelsKeepExactlyThePricesTheyHad) {
  const ModelSpec m = load_model("llama-3-8b");
  for (const int tensor : {1, 2}) {
    const StepCost before = compile_profile(m, h100(), profile(), target(tensor));
    const StepCost now = partly(m, Layout{tensor, 1, 1, 1});
    EXPECT_EQ(now.table().dense_ns, before.table().dense_ns);
    EXPECT_EQ(now.table().decode_dense_ns, before.table().decode_dense_ns);
    for (const std::int64_t b : {1, 7, 64, 128})
      for (const std::int64_t s : {0, 1000, 90'000}) {
        EXPECT_EQ(now.decode_line(b).ns(s), before.decode_line(b).ns(s));
        StepShape shape{512, b, s, 0};
        before.add_chunk(shape, 512, 1000);
        EXPECT_EQ(now.ns(shape), before.ns(shape));
      }
  }
}

// The graph prices a dense model from the same tables by its own walk: the head of a mixed step has more rows there,
// and one norm of all rows is not in it.
TEST(ProfilePrices, TheGraphAgreesWithTheDensePath) {
  const ModelSpec m = load_model("llama-3-8b");
  for (const int tensor : {1, 2}) {
    const Layout layout{tensor, 1, 1, 1};
    const OperatorGraph graph(m, layout);
    const ProfilePrices prices(m, h100(), profile(), layout, true);
    const auto walked = compile_step(graph, prices, 2048).table();
    const auto dense = compile_profile(m, h100(), profile(), target(tensor)).table();
    for (const std::size_t b : {1, 2, 8, 64, 128})
      EXPECT_NEAR(walked.decode_dense_ns[b] / dense.decode_dense_ns[b], 1, 0.01) << tensor << " x " << b;
    for (const std::size_t rows : {64, 512, 2048})
      EXPECT_NEAR(walked.dense_ns[rows] / dense.dense_ns[rows], 1, 0.03) << tensor << " x " << rows;
  }
}

TEST(ProfilePrices, SaysWhatItCannotPrice) {
  const Layout one{1, 1, 1, 1};
  EXPECT_EQ(beyond_profile(load_model("llama-3-8b"), one), "");
  EXPECT_EQ(beyond_profile(load_model("mixtral-8x7b"), Layout{2, 1, 1, 1}), "experts");
  EXPECT_EQ(beyond_profile(load_model("llama-3-70b"), Layout{1, 4, 1, 1}), "pipeline stages");
}

TEST(ProfilePrices, ExpertsAreOfTheSheetAndTheRestOfTheProfile) {
  const ModelSpec m = load_model("mixtral-8x7b");
  const Layout layout{2, 1, 1, 1};
  const OperatorGraph graph(m, layout, 8192);
  const ProfilePrices prices(m, h100(), profile(), layout, true);
  const RooflinePrices sheet(h100(), layout);
  const StepTerms terms = prices.step(64, true);
  const StepRows rows{64, 64, terms};
  for (const Segment& segment : graph.segments()) {
    const auto priced = graph.walk(segment, prices, rows);
    const auto plain = graph.walk(segment, sheet, {64, 64});
    for (std::size_t v = 0; v < priced.size(); ++v) {
      const Operator& op = segment.graph[v];
      const bool experts = op.kind == Operator::Kind::gemm && op.routed;
      const bool qkv = op.name == "qkv";
      if (experts) {
        EXPECT_EQ(priced[v].cost.ns, plain[v].cost.ns) << op.name;
        EXPECT_FALSE(priced[v].cost.measured);
      } else if (qkv) {
        EXPECT_DOUBLE_EQ(priced[v].cost.ns, profile().gemm_ns(64, op.n, op.k) * terms.chain);
      } else if (op.kind == Operator::Kind::collective) {
        EXPECT_DOUBLE_EQ(priced[v].cost.ns, profile().all_reduce_ns(64.0 * 4096 * 2, 2) * terms.chain);
      }
    }
  }
  // Attention as the dense path has it: the same rows of the table.
  const auto own = partly(m, layout).table(), attention = compile_profile(m, h100(), profile(), target(2)).table();
  ASSERT_EQ(own.decode_rows.size(), attention.decode_rows.size());
  for (std::size_t i = 0; i < own.decode_rows.size(); ++i) EXPECT_EQ(own.decode_rows[i].s, attention.decode_rows[i].s);
  const std::string said = partly_measured(m, h100(), profile(), layout, target(2), 8192, partly(m, layout));
  EXPECT_NE(said.find("(experts)"), std::string::npos) << said;
}

TEST(ProfilePrices, NothingGetsCheaperByMore) {
  for (const auto& [name, layout] : {std::pair{"mixtral-8x7b", Layout{2, 1, 1, 1}},
                                     {"qwen3-30b-a3b", Layout{1, 1, 1, 1}},
                                     {"llama-3-70b", Layout{1, 4, 1, 1}},
                                     {"gemma-2-27b", Layout{1, 1, 1, 1}}}) {
    const StepCost cost = partly(load_model(name), layout);
    for (std::int64_t b = 1; b < 128; ++b) EXPECT_LE(cost.decode_line(b).lead, cost.decode_line(b + 1).lead) << name;
    for (std::int64_t s = 100; s < 400'000; s *= 2)
      EXPECT_LE(cost.decode_line(32).ns(s), cost.decode_line(32).ns(2 * s)) << name;
    double last = 0;
    for (std::int64_t q = 1; q <= 2048; q *= 2) {
      StepShape shape{q, 0, 0, 0};
      cost.add_chunk(shape, q, 0);
      EXPECT_GE(cost.ns(shape), last) << name << " " << q;
      last = cost.ns(shape);
    }
  }
}

// Stages divide attention: with as many requests as stages or more, each has a quarter of the layers.
TEST(ProfilePrices, PipelinesWaitForTheirShareOfAttention) {
  const ModelSpec m = load_model("llama-3-70b");
  const auto four = partly(m, Layout{1, 4, 1, 1}).table();
  const auto one = compile_profile(m, h100(), profile(), target(1)).table();
  const std::size_t at = 16 * decode_segments + 10;
  EXPECT_DOUBLE_EQ(four.decode_rows[at].s, one.decode_rows[at].s / 4);
  EXPECT_DOUBLE_EQ(four.decode_rows[decode_segments + 10].s, one.decode_rows[decode_segments + 10].s);  // one request
  EXPECT_TRUE(four.decode_scale.empty());
}
}  // namespace
}  // namespace stowage
