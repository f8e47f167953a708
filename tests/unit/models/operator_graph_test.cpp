// The graph of a step: its paths, its prices, pipelines, experts, windows.
#include "models/cost/operator_graph.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <map>
#include <numeric>
#include <sstream>

#include "models/cost/roofline.hpp"
#include "tests/support/source_dir.hpp"

namespace stowage {
namespace {
const HardwareSpec& h100() {
  static const HardwareSpec h = load_hardware("h100-sxm-80gb");
  return h;
}
double bill_ns(const std::vector<OperatorPrice>& bill) {
  return std::accumulate(bill.begin(), bill.end(), 0.0, [](double s, const auto& o) { return s + o.ns; });
}
const OperatorPrice& line(const std::vector<OperatorPrice>& bill, const std::string& name) {
  for (const auto& o : bill)
    if (o.name == name) return o;
  ADD_FAILURE() << name;
  return bill.front();
}
const Segment& segment(const OperatorGraph& graph, const std::string& name) {
  for (const auto& s : graph.segments())
    if (s.name == name) return s;
  ADD_FAILURE() << name;
  return graph.segments().front();
}

/// The whole step as one graph, every layer of it, walked from end to end. What follows a segment waits for all of it.
double unrolled_ns(const OperatorGraph& graph, const OperatorPrices& prices, const StepRows& rows) {
  struct Node {
    double ns;
    std::vector<std::size_t> after;
  };
  std::vector<Node> nodes;
  std::vector<std::size_t> before;
  for (const auto& s : graph.segments()) {
    const auto priced = graph.walk(s, prices, rows);
    for (std::int64_t i = 0; i < s.count; ++i) {
      const std::size_t base = nodes.size();
      std::vector<bool> has_next(priced.size(), false);
      for (std::size_t v = 0; v < priced.size(); ++v) {
        Node node{priced[v].cost.ns, {}};
        for (auto [it, end] = boost::in_edges(v, s.graph); it != end; ++it) {
          node.after.push_back(base + boost::source(*it, s.graph));
          has_next[boost::source(*it, s.graph)] = true;
        }
        if (node.after.empty()) node.after = before;
        nodes.push_back(std::move(node));
      }
      before.clear();
      for (std::size_t v = 0; v < priced.size(); ++v)
        if (!has_next[v]) before.push_back(base + v);
    }
  }
  std::vector<double> ends(nodes.size());
  for (std::size_t v = 0; v < nodes.size(); ++v) {  // vertices were added after those they wait for
    double start = 0;
    for (const auto u : nodes[v].after) start = std::max(start, ends[u]);
    ends[v] = start + nodes[v].ns;
  }
  return *std::max_element(ends.begin(), ends.end());
}

struct Case {
  const char* model;
  Layout layout;
};
const Case cases[] = {
    {"llama-3-8b", {1, 1, 1, 1}},      {"llama-3-70b", {4, 1, 1, 1}},   {"opt-66b", {4, 1, 1, 1}},
    {"mixtral-8x7b", {2, 1, 1, 1}},    {"qwen3-30b-a3b", {4, 1, 4, 1}}, {"deepseek-v3", {1, 1, 16, 16}},
    {"deepseek-v3", {8, 1, 1, 1}},     {"gpt-oss-120b", {1, 1, 8, 8}},  {"gemma-3-27b", {2, 1, 1, 1}},
    {"mistral-7b-v0.1", {1, 1, 1, 1}}, {"kimi-k2", {8, 1, 16, 2}},
};

TEST(OperatorGraph, CompiledEqualsWalked) {
  for (const auto& c : cases) {
    const auto model = load_model(c.model);
    const OperatorGraph graph(model, c.layout);
    const RooflinePrices prices(h100(), c.layout);
    const auto cost = compile_step(graph, prices, 2048);
    const auto attention = prices.decode_attention(graph.attention());
    for (const std::int64_t b : {1, 7, 64, 256}) {
      const auto rows = static_cast<double>(b);
      const double kv = 1000.0 * rows;
      const double lines = std::max(attention.c0 + attention.c0_per_seq * rows + attention.s0 * kv,
                                    attention.c1 + attention.c1_per_seq * rows + attention.s1 * kv);
      const double walked = prices.host().ns + unrolled_ns(graph, prices, {rows, rows}) + lines;
      const StepShape shape{0, b, 1000 * b, 0};
      EXPECT_NEAR(cost.ns(shape), walked, 1e-9 * walked) << c.model << " " << b;
      EXPECT_NEAR(bill_ns(bill_of_step(graph, prices, shape)), walked, 1e-9 * walked) << c.model << " " << b;
    }
    const StepShape mixed{1500, 100, 50'000, cost.chunk_ns(1500, 0)};
    const double lines = std::max(attention.c0 + attention.c0_per_seq * 100 + attention.s0 * 50'000,
                                  attention.c1 + attention.c1_per_seq * 100);
    const double walked =
        prices.host().ns + unrolled_ns(graph, prices, {1600, 256}) + lines + mixed.prefill_attention_ns;
    EXPECT_NEAR(cost.ns(mixed), walked, 1e-9 * walked) << c.model;
  }
}

TEST(OperatorGraph, NeverFallsWithMoreWork) {
  for (const auto& c : cases) {
    auto layout = c.layout;
    for (const int pipeline : {1, 3}) {
      layout.pipeline = pipeline;
      const auto cost = compile_roofline(load_model(c.model), load_hardware("b200"), layout, 1024);
      const auto& table = cost.table();
      for (std::size_t i = 2; i < table.dense_ns.size(); ++i) {
        ASSERT_GE(table.dense_ns[i], table.dense_ns[i - 1]) << c.model << " " << pipeline << " " << i;
        ASSERT_GE(table.decode_dense_ns[i], table.decode_dense_ns[i - 1]) << c.model << " " << pipeline << " " << i;
      }
    }
  }
}

TEST(Experts, OnlyTouchedOnesAreRead) {
  const auto m = load_model("mixtral-8x7b");
  const Layout one;
  const OperatorGraph graph(m, one);
  const RooflinePrices prices(h100(), one);
  // One token: 2 of 8 experts, each 3 x 4,096 x 14,336 parameters. Many: 8 (1 - 0.75^64) = 8 but for a ten-millionth.
  const auto bytes = [&](std::int64_t b) {
    const auto bill = bill_of_step(graph, prices, {0, b, b, 0});
    return line(bill, "experts gate and up").bytes + line(bill, "experts down").bytes;
  };
  const double matrix = 4096.0 * 14336 * 2;
  const double rows = 2 * 2.0 * (4096 + 2 * 14336 + 14336 + 4096);  // 2 rows of each product, in and out
  EXPECT_NEAR(bytes(1), 32 * (2 * 3 * matrix + rows), 1);
  EXPECT_NEAR(bytes(2), 32 * (8 * (1 - 0.75 * 0.75) * 3 * matrix + 2 * rows), 1);
  EXPECT_NEAR(bytes(64), 32 * (8 * 3 * matrix + 64 * rows), 32 * 24 * matrix * 1e-7);
  // Spread over eight ranks that each bring 8 tokens: an expert a GPU, 64 tokens' choices among them.
  const Layout spread{1, 1, 8, 8};
  const OperatorGraph wide(m, spread);
  const auto bill = bill_of_step(wide, RooflinePrices(h100(), spread), {0, 8, 8, 0});
  EXPECT_NEAR(line(bill, "experts down").bytes, 32 * (matrix + 16 * 2.0 * (14336 + 4096)), 32 * matrix * 1e-7);
  EXPECT_NEAR(line(bill, "experts down").flops, 32 * 2 * 16 * 4096.0 * 14336, 1);
}

TEST(Experts, SharedOnesRunWhileTokensTravel) {
  const Layout layout{1, 1, 16, 16};
  const OperatorGraph graph(load_model("deepseek-v3"), layout);
  const RooflinePrices prices(h100(), layout);
  const auto bill = bill_of_step(graph, prices, {0, 128, 128'000, 0});
  const auto& dispatch = line(bill, "dispatch");
  const double shared = line(bill, "shared gate and up").ns + line(bill, "shared gate and up").hidden_ns +
                        line(bill, "shared activation").ns + line(bill, "shared activation").hidden_ns +
                        line(bill, "shared down").ns + line(bill, "shared down").hidden_ns;
  // The longer of the two is on the path, whole; the other is done beside it.
  EXPECT_GT(dispatch.ns, shared);
  EXPECT_DOUBLE_EQ(dispatch.hidden_ns, 0);
  EXPECT_DOUBLE_EQ(line(bill, "shared down").ns, 0);
  EXPECT_GT(line(bill, "shared down").hidden_ns, 0);
  EXPECT_EQ(dispatch.stream, Stream::communication);
  EXPECT_EQ(dispatch.count, 58);
}

TEST(LatentAttention, WorkByHand) {
  const Layout layout{8, 1, 1, 1};
  const OperatorGraph graph(load_model("deepseek-v3"), layout);
  // A GPU: 16 heads, absorbed 2 x 16 x (2 x 512 + 64) flop a stored token and layer; prefill 2 x 16 x (128 + 64 + 128).
  EXPECT_DOUBLE_EQ(graph.attention().decode_flops_per_kv_token, 61.0 * 2 * 16 * 1088);
  EXPECT_DOUBLE_EQ(graph.attention().prefill_flops_per_pair, 61.0 * 2 * 16 * 320);
  EXPECT_DOUBLE_EQ(graph.attention().kv_bytes_per_token, 70'272);
  // All 128 heads on one GPU: 278,528 flop for 1,152 bytes; 469 ps of 593.64 TFLOP/s against 382 ps of 3.015 TB/s.
  const Layout one{1, 1, 16, 16};
  const auto d =
      RooflinePrices(h100(), one).decode_attention(OperatorGraph(load_model("deepseek-v3"), one).attention());
  EXPECT_NEAR(d.s0, 61 * 278'528 / (989.4e12 * 0.6) * 1e9, 1e-9);
}

TEST(Windows, AttentionIsNeverTooLow) {
  const auto m = load_model("gemma-3-27b");  // 52 of 62 layers see 1,024 tokens
  const Layout one;
  const RooflinePrices prices(h100(), one);
  const OperatorGraph graph(m, one, 16'384);
  const auto d = prices.decode_attention(graph.attention());
  const double per_layer = 8'192 / (3.35e12 * 0.9) * 1e9;  // 2 x 16 x 128 x 2 bytes
  for (const double context : {100.0, 1'024.0, 4'000.0, 16'000.0}) {
    const double exact = (10 * context + 52 * std::min(context, 1'024.0)) * per_layer;
    EXPECT_GE((d.c0_per_seq + d.s0 * context) * (1 + 1e-12), exact);
    if (context >= 1'024) { EXPECT_NEAR(d.c0_per_seq + d.s0 * context, exact, 1e-9 * exact); }
  }
  // Requests of at most two windows: as if all layers saw everything.
  const auto near = prices.decode_attention(OperatorGraph(m, one, 2'048).attention());
  EXPECT_NEAR(near.s0, 62 * per_layer, 1e-9);
  // Prefill of 8,192 tokens: full layers 8,192 x 8,193 / 2 pairs, window layers 1,024 x 1,025 / 2 + 7,168 x 1,024.
  const auto cost = compile_step(graph, prices, 8192);
  const double pairs = 10 * (8192.0 * 8193 / 2) + 52 * (1024.0 * 1025 / 2 + 7168.0 * 1024);
  EXPECT_NEAR(cost.chunk_ns(8192, 0), pairs * 4 * 32 * 128 / (989.4e12 * 0.6) * 1e9, 1e-9 * cost.chunk_ns(8192, 0));
}

TEST(Quantized, WeightsAreReadAsStored) {
  const Layout one;
  const auto bill = [&](const char* name) {
    const auto m = load_model(name);
    return bill_of_step(OperatorGraph(m, one), RooflinePrices(load_hardware("b200"), one), {0, 1, 1, 0});
  };
  // gpt-oss: 4 of 32 experts in 17 / 32 bytes; 2,880 x 5,760 each, 24 layers, and 4 rows in and out.
  EXPECT_NEAR(line(bill("gpt-oss-20b"), "experts gate and up").bytes,
              24 * (4 * 2880.0 * 5760 * 17 / 32 + 4 * 2.0 * (2880 + 5760)), 1);
  EXPECT_NEAR(line(bill("gpt-oss-20b"), "qkv").bytes, 24 * 2.0 * (2880.0 * 5120 + 2880 + 5120), 1);
}

/// Micro-batches through stages, step after step, each as soon as it can: the time between two steps once it is even.
double simulated_interval(const std::vector<double>& stage_ns, double send_ns, int micro_batches) {
  const std::size_t stages = stage_ns.size();
  std::vector<double> free(stages, 0.0), done(static_cast<std::size_t>(micro_batches), 0.0);
  double before = 0, interval = 0;
  for (int step = 0; step < 50; ++step) {
    for (auto& end : done) {
      double ready = end;  // its tokens of the step before are sampled
      for (std::size_t s = 0; s < stages; ++s) {
        const double start = std::max(ready, free[s]);
        free[s] = start + stage_ns[s];
        ready = free[s] + (s + 1 < stages ? send_ns : 0);
      }
      end = ready;
    }
    interval = done.back() - before;
    before = done.back();
  }
  return interval;
}

TEST(PipelineSteps, EqualAPipelineSimulatedByHand) {
  const auto model = load_model("llama-3-70b");
  for (const int stages : {2, 4, 5}) {
    const Layout layout{2, stages, 1, 1};
    const OperatorGraph graph(model, layout);
    const RooflinePrices prices(h100(), layout);
    const auto cost = compile_step(graph, prices, 512);
    for (const std::int64_t b : {1, 2, 3, 4, 5, 64, 256}) {
      const int m = static_cast<int>(std::min<std::int64_t>(b, stages));
      const double rows = static_cast<double>(b) / m;
      std::vector<double> stage_ns;
      for (int s = 0; s < stages; ++s) {
        double ns = s == 0 ? prices.host().ns : 0;
        for (std::size_t i = 0; i < graph.segments().size(); ++i)
          ns += static_cast<double>(graph.stage(s)[i]) * graph.path_ns(graph.segments()[i], prices, {rows, rows});
        stage_ns.push_back(ns);
      }
      const double send = prices.send(graph.send_bytes_per_token() * rows).ns;
      const double expected = simulated_interval(stage_ns, send, m);
      EXPECT_NEAR(cost.decode_line(b).lead, expected, 1e-9 * expected) << stages << " " << b;
      const StepShape shape{0, b, b * 4000, 0};
      EXPECT_NEAR(bill_ns(bill_of_step(graph, prices, shape)), cost.ns(shape), 1e-9 * cost.ns(shape)) << stages;
    }
    // A lone request crosses all layers one after another; with a micro-batch for each stage only a stage's share
    // counts.
    const auto lone = cost.decode_line(1), full = cost.decode_line(64);
    EXPECT_NEAR(lone.s0, stages * full.s0, 1e-9 * lone.s0);
  }
}

TEST(Bottleneck, IsNamed) {
  const Layout one, eight{8, 1, 1, 1};
  const auto llama = load_model("llama-3-8b");
  const auto largest = [&](const Layout& layout, const StepShape& shape, double stall = 0) {
    return resource_shares(bill_of_step(OperatorGraph(llama, layout), RooflinePrices(h100(), layout), shape), stall)
        .front()
        .resource;
  };
  EXPECT_EQ(largest(one, {0, 1, 1'000, 0}), Resource::weights);
  EXPECT_EQ(largest(one, {0, 64, 640'000, 0}), Resource::kv);
  EXPECT_EQ(largest(one, {4096, 0, 0, 1e6}), Resource::compute);
  EXPECT_EQ(largest(eight, {0, 64, 64'000, 0}), Resource::collective);
  EXPECT_EQ(largest(one, {0, 1, 1'000, 0}, 50e6), Resource::mapping);
  EXPECT_EQ(resource_name(Resource::mapping), "mapping");
}

TEST(Graphviz, IsWhole) {
  const Layout layout{1, 1, 16, 16};
  const OperatorGraph graph(load_model("deepseek-v3"), layout);
  const auto text = graphviz(graph, RooflinePrices(h100(), layout), {64, 64}, "a \"title\"");
  EXPECT_EQ(text.find("digraph step {\n  label=\"a \\\"title\\\"\";"), 0U);
  EXPECT_NE(text.find("label=\"58 x expert layer\""), std::string::npos);
  EXPECT_NE(text.find("dispatch"), std::string::npos);
  EXPECT_EQ(std::count(text.begin(), text.end(), '{'), std::count(text.begin(), text.end(), '}'));
}

std::vector<std::map<std::string, std::string>> rows_of(const std::string& file) {
  std::ifstream in(source_dir() + "/../shared/measured/" + file);
  std::vector<std::map<std::string, std::string>> rows;
  std::vector<std::string> head;
  for (std::string text; std::getline(in, text);) {
    std::vector<std::string> cells;
    std::stringstream cut(text);
    for (std::string cell; std::getline(cut, cell, ',');) cells.push_back(cell);
    if (head.empty()) {
      head = cells;
      continue;
    }
    std::map<std::string, std::string> row;
    for (std::size_t i = 0; i < std::min(cells.size(), head.size()); ++i) row[head[i]] = cells[i];
    rows.push_back(std::move(row));
  }
  return rows;
}

/// Measured on H100s: a Llama-2-70B layer's operators on 1 to 8 GPUs (Vidur), and NCCL's all-reduce of its hidden
/// states (AIConfigurator), twice a layer. Attention kernels left out on both sides.
TEST(TensorScaling, OfALayerAgainstPublishedTimings) {
  std::map<std::pair<int, std::int64_t>, double> reduce_ns;
  for (const auto& row : rows_of("aiconfigurator/h100_nccl_allreduce.csv"))
    if (row.at("nccl_dtype") == "half")
      reduce_ns[{std::stoi(row.at("num_gpus")), 2 * std::stoll(row.at("message_size"))}] =
          std::stod(row.at("latency")) * 1e6;
  const auto timings = rows_of("vidur/mlp__h100__meta-llama__Llama-2-70b-hf.csv");
  if (reduce_ns.empty() || timings.empty()) GTEST_SKIP() << "the published tables are not beside the sources";
  const auto model = load_model("llama-2-70b");
  std::map<std::pair<int, std::int64_t>, double> measured;
  for (const auto& row : timings) {
    const int tensor = std::stoi(row.at("num_tensor_parallel_workers"));
    const std::int64_t tokens = std::stoll(row.at("num_tokens"));
    const auto reduce = reduce_ns.find({tensor, tokens * 8192 * 2});
    if (tensor > 1 && reduce == reduce_ns.end()) continue;
    double ns = tensor > 1 ? 2 * reduce->second : 0;
    for (const auto* op : {"input_layernorm", "attn_pre_proj", "attn_rope", "attn_post_proj",
                           "post_attention_layernorm", "mlp_up_proj", "mlp_act", "mlp_down_proj", "add"})
      ns += std::stod(row.at(std::string("time_stats.") + op + ".median")) * 1e6;
    measured[{tensor, tokens}] = ns;
  }
  double speedup_error = 0, mape = 0;
  int points = 0, speedups = 0;
  for (const std::int64_t tokens : {8, 64, 256, 1024, 4096}) {
    std::map<int, double> predicted;
    for (const int tensor : {1, 2, 4, 8}) {
      const Layout layout{tensor, 1, 1, 1};
      const OperatorGraph graph(model, layout);
      const RooflinePrices prices(h100(), layout);
      const auto rows = static_cast<double>(tokens);
      predicted[tensor] = graph.path_ns(segment(graph, "layer"), prices, {rows, rows}) - prices.attention_kernel().ns;
      const auto found = measured.find({tensor, tokens});
      if (found == measured.end()) continue;
      const double error = predicted[tensor] / found->second - 1;
      mape += std::abs(error);
      ++points;
      std::printf("tensor %d, %4lld tokens: layer %7.1f us, measured %7.1f (%+.1f %%)", tensor,
                  static_cast<long long>(tokens), predicted[tensor] / 1e3, found->second / 1e3, 100 * error);
      if (tensor > 1 && measured.contains({1, tokens})) {
        const double ours = predicted[1] / predicted[tensor], theirs = measured.at({1, tokens}) / found->second;
        std::printf(", speed-up %.2f, measured %.2f", ours, theirs);
        speedup_error += std::abs(ours / theirs - 1);
        ++speedups;
      }
      std::printf("\n");
    }
  }
  ASSERT_GE(speedups, 8);
  std::printf("%d points: mean error %.1f %%; %d speed-ups: mean error %.1f %%\n", points, 100 * mape / points,
              speedups, 100 * speedup_error / speedups);
  EXPECT_LT(mape / points, 0.09);
  EXPECT_LT(speedup_error / speedups, 0.06);
}
}  // namespace
}  // namespace stowage
