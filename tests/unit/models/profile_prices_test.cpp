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

// The graph prices a dense model from the same tables by its own walk: the same kernels on the same rows.
TEST(ProfilePrices, TheGraphAgreesWithTheDensePath) {
  for (const auto& [name, tensor] :
       {std::pair{"llama-3-8b", 1}, {"llama-3-8b", 2}, {"llama-2-70b", 4}, {"qwen3-8b", 2}}) {
    const ModelSpec m = load_model(name);
    const Layout layout{tensor, 1, 1, 1};
    const OperatorGraph graph(m, layout);
    const ProfilePrices prices(m, h100(), profile(), layout, true);
    const auto walked = compile_step(graph, prices, 2048).table();
    const auto dense = compile_profile(m, h100(), profile(), target(tensor)).table();
    for (std::size_t b = 1; b <= 128; ++b)
      EXPECT_NEAR(walked.decode_dense_ns[b] / dense.decode_dense_ns[b], 1, 1e-12)
          << name << " " << tensor << " x " << b;
    for (std::size_t rows = 1; rows <= 2048; ++rows)
      EXPECT_NEAR(walked.dense_ns[rows] / dense.dense_ns[rows], 1, 1e-12) << name << " " << tensor << " x " << rows;
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

/// What measurements price of a step without attention.
double measured_ns(const OperatorGraph& graph, const ProfilePrices& prices, const StepShape& shape) {
  double ns = 0;
  for (const OperatorPrice& line : bill_of_step(graph, prices, shape)) ns += line.measured ? line.ns : 0;
  return ns;
}

// Kernels get cheaper at some numbers of rows; the step does there, and nowhere else.
TEST(ProfilePrices, AStepFallsOnlyWhereWhatWasMeasuredFalls) {
  int falls = 0;
  for (const auto& [name, layout] : {std::pair{"mixtral-8x7b", Layout{2, 1, 1, 1}},
                                     {"qwen3-30b-a3b", Layout{1, 1, 1, 1}},
                                     {"llama-3-70b", Layout{1, 4, 1, 1}},
                                     {"gemma-2-27b", Layout{1, 1, 1, 1}}}) {
    const ModelSpec m = load_model(name);
    const StepCost cost = partly(m, layout);
    const OperatorGraph graph(m, layout, 8192);
    const ProfilePrices prices(m, h100(), profile(), layout, true);
    for (std::int64_t b = 1; b < 128; ++b) {
      if (cost.decode_line(b).lead <= cost.decode_line(b + 1).lead) continue;
      EXPECT_GT(measured_ns(graph, prices, {0, b, 0, 0}), measured_ns(graph, prices, {0, b + 1, 0, 0})) << name << b;
    }
    for (std::int64_t s = 100; s < 400'000; s *= 2)
      EXPECT_LE(cost.decode_line(32).ns(s), cost.decode_line(32).ns(2 * s)) << name;
    for (std::int64_t q = 1; q < 2048; ++q) {
      const auto& dense = cost.table().dense_ns;
      if (dense[static_cast<std::size_t>(q)] <= dense[static_cast<std::size_t>(q + 1)]) continue;
      ++falls;
      EXPECT_GT(measured_ns(graph, prices, {q, 0, 0, 0}), measured_ns(graph, prices, {q + 1, 0, 0, 0})) << name << q;
    }
  }
  EXPECT_GT(falls, 0);  // else this tests nothing
}

/// Two stages of 40 of Llama-2-70B's 80 layers on `tensor` GPUs each, from prices of whole models: a model of 40 layers
/// less than one of 80 is 40 layers, and what both share is embedding and head.
struct HalfModel {
  double layers_ns = 0, ends_ns = 0;
};
HalfModel half(const ModelSpec& m, const HardwareSpec& gpu, const Profile& p, int tensor, std::int64_t rows,
               std::int64_t sampled, bool graph) {
  ModelSpec forty = m;
  forty.layers = 40;
  const double all = dense_step_ns(m, gpu, p, tensor, rows, sampled, graph);
  const double some = dense_step_ns(forty, gpu, p, tensor, rows, sampled, graph);
  return {all - some, some - (all - some)};
}

TEST(ProfilePrices, TwoStagesAreTwoHalvesAndASend) {
  for (const char* hardware : {"h100-sxm-80gb", "a100-80gb"}) {
    const HardwareSpec gpu = load_hardware(hardware);
    const Profile p = shipped_profile(hardware).value();
    const ModelSpec m = load_model("llama-2-70b");
    for (const int tensor : {2, 4}) {
      const Layout layout{tensor, 2, 1, 1};
      const auto t = compile_partly(m, gpu, p, layout, target(tensor), 4096).table();
      const RooflinePrices sheet(gpu, layout);
      const auto check = [&](double price, std::int64_t tokens, std::int64_t sampled, bool graph, double host) {
        const std::int64_t rows = tokens / 2;  // of a micro-batch
        const HalfModel h = half(m, gpu, p, tensor, rows, sampled / 2, graph);
        const double send = sheet.send(static_cast<double>(rows) * 2 * 8192 * 2).ns;  // hidden and residual, 2 bytes
        // A micro-batch through both stages; its embedding is on the first, its head on the second.
        const double through = host + 2 * h.layers_ns + h.ends_ns + send;
        EXPECT_GE(price, through * (1 - 1e-12)) << hardware << tokens;
        // The slower stage twice: at most all ends on it.
        const double twice = 2 * (h.layers_ns + h.ends_ns) + 2 * host;
        EXPECT_LE(price, std::max(through, twice) * (1 + 1e-12)) << hardware << tokens;
        EXPECT_GE(price, 2 * h.layers_ns);
      };
      for (const std::int64_t b : {2, 16, 64, 128})
        check(t.decode_dense_ns[static_cast<std::size_t>(b)], b, b, true, p.host_graph_ns);
      for (const std::int64_t q : {512, 1024, 2048})
        check(t.dense_ns[static_cast<std::size_t>(q)], q, 64, false, p.host_eager_ns);
    }
  }
}

// A stage's attention is that of its layers over a micro-batch, as often as there are micro-batches.
TEST(ProfilePrices, PipelinesAttendMicroBatchByMicroBatch) {
  const ModelSpec m = load_model("llama-3-70b");
  const StepCost four = partly(m, Layout{1, 4, 1, 1});
  const auto one = compile_profile(m, h100(), profile(), target(1)).table();
  const auto attention = [](const StepCost::Table& t, std::int64_t b, std::int64_t kv) {
    return t.decode_rows[static_cast<std::size_t>(b) * decode_segments + decode_segment_of(kv)];
  };
  const auto ns = [](const DecodeSegment& line, std::int64_t kv) { return line.c + line.s * static_cast<double>(kv); };
  // 64 requests with 65,536 tokens in four micro-batches of 16 and 16,384: 4 x a quarter of the layers of each.
  EXPECT_NEAR(ns(attention(four.table(), 64, 65'536), 65'536) / ns(attention(one, 16, 16'384), 16'384), 1, 1e-9);
  // One request is alone on its way through all stages: nothing is saved.
  EXPECT_NEAR(ns(attention(four.table(), 1, 65'536), 65'536) / ns(attention(one, 1, 65'536), 65'536), 1, 1e-9);
  EXPECT_TRUE(four.table().decode_scale.empty());
  // A prompt of 2,048 tokens is cut into four of 512 on 0, 512, 1,024 and 1,536 tokens.
  const StepCost whole = compile_profile(m, h100(), profile(), target(1));
  PrefillChunk pieces;
  for (const std::int64_t stored : {0, 512, 1024, 1536}) {
    const PrefillChunk c = whole.chunk(512, stored);
    pieces = {pieces.work_ns + c.work_ns / 4, pieces.alone_ns + c.alone_ns / 4};
  }
  EXPECT_NEAR(four.chunk(2048, 0).work_ns / pieces.work_ns, 1, 1e-9);
  EXPECT_NEAR(four.chunk(2048, 0).alone_ns / pieces.alone_ns, 1, 1e-9);
  EXPECT_DOUBLE_EQ(four.table().tiles.fixed_ns, one.tiles.fixed_ns);  // four launches a layer, a quarter of the layers
  EXPECT_DOUBLE_EQ(four.table().mixed_decode_ns, one.mixed_decode_ns);
}

TEST(ProfilePrices, FullClockIsCreditedWhereAllProductsWereMeasured) {
  const auto four = partly(load_model("llama-3-70b"), Layout{1, 4, 1, 1}).table();
  const auto one = compile_profile(load_model("llama-3-70b"), h100(), profile(), target(1)).table();
  // A stage sees a quarter of the rows and of the requests.
  ASSERT_EQ(four.boost.ratio.size(), four.dense_ns.size());
  EXPECT_DOUBLE_EQ(four.boost.ratio[2048], one.boost.ratio[512]);
  EXPECT_LT(four.boost.ratio[2048], 1);
  EXPECT_DOUBLE_EQ(four.boost.capacity_ns[128], one.boost.capacity_ns[32]);
  EXPECT_DOUBLE_EQ(four.boost.recharge[128], one.boost.recharge[32]);
  ModelSpec eight_bit = load_model("llama-3-8b");
  eight_bit.kv_dtype = Dtype::float8;
  EXPECT_FALSE(partly(eight_bit, Layout{1, 1, 1, 1}).table().boost.ratio.empty());
  EXPECT_TRUE(partly(load_model("mixtral-8x7b"), Layout{2, 1, 1, 1}).table().boost.ratio.empty());
}
}  // namespace
}  // namespace stowage
