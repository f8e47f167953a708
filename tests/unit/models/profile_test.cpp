// Profiles: what is refused with its place, single prices by hand, and properties of the compiled table.
#include "models/cost/profile.hpp"

#include <gtest/gtest.h>

namespace stowage {
namespace {
std::string small_profile() {
  return R"(schema: stowage.profile/1
name: h100-sxm-80gb
gpu: "test GPU"
evidence: measured
date: "2026-01-01"
sms: 4
launch: {graph_kernel: 1us, eager_kernel: 2us}
elementwise:
  norm: {bytes: [1B, 1001B], time: [1us, 2us]}
  rotate: {bytes: [1B, 1001B], time: [1us, 2us]}
  activate: {bytes: [1B, 1001B], time: [1us, 2us]}
  sample: {bytes: [1B, 1001B], time: [1us, 2us]}
host: {graph_step: 10us, eager_step: 20us}
gemm:
  - {n: 100, k: 10, rows: [1, 10, 20], time: [5us, 10us, 30us]}
decode:
  heads: 4
  kv_heads: 1
  head_dim: 64
  batch: [1, 4]
  kv_tokens: [100, 200]
  time:
    - [10us, 20us]
    - [14us, 24us]
  layouts:
    - {block_tokens: 16, kv_tokens: [100, 200], ratio: [1.5, 1.1]}
prefill:
  query_rows: 128
  loaders:
    - loader: tensor
      block_tokens: 0
      fixed: 1us
      tile: 2us
      item: 3us
      new_tokens: [1, 2]
      kv_tokens: [1, 2]
      correction:
        - [1, 1]
        - [1, 1]
)";
}

std::string changed(const std::string& from, const std::string& to) {
  std::string text = small_profile();
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

std::string refused(const std::string& text) {
  try {
    (void)parse_profile(text, "p.yaml");
  } catch (const InputError& e) { return e.problems().front().str(); }
  return "accepted";
}

TEST(Profile, PricesByHand) {
  const Profile p = parse_profile(small_profile(), "p.yaml");
  EXPECT_DOUBLE_EQ(p.gemm_ns(1, 100, 10), 5'000);
  EXPECT_DOUBLE_EQ(p.gemm_ns(15, 100, 10), 20'000);  // half way from 10 to 30
  EXPECT_DOUBLE_EQ(p.gemm_ns(30, 100, 10), 50'000);  // the last slope, 2 us a row, goes on
  EXPECT_DOUBLE_EQ(p.norm.at(501), 1'500);
  const KvLayout contiguous, paged{16, false};
  EXPECT_DOUBLE_EQ(p.decode_attention_ns(1, 64, 1, 150, contiguous), 15'000);
  EXPECT_DOUBLE_EQ(p.decode_attention_ns(1, 64, 4, 150, contiguous), 19'000);
  EXPECT_DOUBLE_EQ(p.decode_attention_ns(1, 64, 2, 150, contiguous), 17'000);  // half way from 1 to 4 in log2
  EXPECT_DOUBLE_EQ(p.decode_attention_ns(1, 64, 1, 150, paged), 15'000 * 1.3);
  // 64 new tokens, 4 heads of one group: tiles of 32 tokens, one item each. The first (longest context) has
  // 64 + 192 = 256 tokens = 2 context tiles: 3 + 2 x 2 = 7 us; the other 224 tokens, 2 tiles as well. Two of four SMs
  // work: 14 us over 4 SMs are 3.5 us of work, 7 us alone.
  const PrefillChunk c = p.prefill_attention(4, 1, 64, 64, 192, contiguous);
  EXPECT_DOUBLE_EQ(c.work_ns, 3'500);
  EXPECT_DOUBLE_EQ(c.alone_ns, 7'000);
}

TEST(Profile, UnmeasuredShapesAreScaledAndSaidToBe) {
  const Profile p = parse_profile(small_profile(), "p.yaml");
  EXPECT_FALSE(p.is_scaled(100, 10));
  EXPECT_TRUE(p.is_scaled(200, 10));
  EXPECT_GT(p.gemm_ns(20, 200'000, 1'000), p.gemm_ns(20, 100'000, 1'000));
}

TEST(Profile, RefusesNonsenseWithItsPlace) {
  EXPECT_EQ(refused(small_profile()), "accepted");
  EXPECT_EQ(refused(changed("[5us, 10us, 30us]", "[5us, 10us, 9us]")),
            "p.yaml:15:58: error: 'gemm[0].time[2]': 9us is less than the 10us before it; a larger size cannot take "
            "less time");
  EXPECT_NE(refused(changed("[5us, 10us, 30us]", "[5, 10us, 30us]")).find("'5' is not a duration"), std::string::npos);
  EXPECT_NE(refused(changed("[5us, 10us, 30us]", "[-5us, 10us, 30us]")).find("p.yaml:15:"), std::string::npos);
  EXPECT_NE(refused(changed("[5us, 10us, 30us]", "[5us, 10us]")).find("has 2 entries, its grid has 3"),
            std::string::npos);
  EXPECT_NE(refused(changed("rows: [1, 10, 20]", "rows: [1, 20, 10]")).find("must ascend"), std::string::npos);
  EXPECT_NE(refused(changed("[1.5, 1.1]", "[.nan, 1.1]")).find("p.yaml:"), std::string::npos);
  EXPECT_NE(refused(changed("[14us, 24us]", "[14us, 4us]")).find("cannot take less time"), std::string::npos);
  EXPECT_NE(refused(changed("tile: 2us", "tile: 0us")).find("must be greater than zero"), std::string::npos);
  EXPECT_NE(refused(changed("item: 3us", "itme: 3us")).find("item"), std::string::npos);
  EXPECT_NE(refused(changed("profile/1", "profile/2")).find("reads stowage.profile/1"), std::string::npos);
  EXPECT_NE(refused("[1, 2]").find("p.yaml:1:1"), std::string::npos);
  EXPECT_EQ(refused(changed("decode:\n", "  - {n: 100, k: 10, rows: [1], time: [9us]}\ndecode:\n")),
            "p.yaml:16:5: error: 'gemm[1]': n 100 by k 10 is 'gemm[0]' already; a product has one table, remove one of "
            "them");
}

TEST(Profile, PaddedRows) {
  // vLLM's capture sizes: 1, 2, 4, then multiples of 8 to 256; multiples of 64 above.
  constexpr std::pair<int, int> cases[] = {{1, 1}, {2, 2}, {3, 4}, {5, 8}, {9, 16}, {256, 256}, {257, 320}, {321, 384}};
  for (const auto& [tokens, rows] : cases) EXPECT_EQ(padded_rows(tokens), rows) << tokens;
}

class Shipped : public ::testing::TestWithParam<KvLayout> {
 protected:
  Shipped() {
    const auto profile = shipped_profile("h100-sxm-80gb");
    cost = compile_profile(load_model("llama-3-8b"), load_hardware("h100-sxm-80gb"), profile.value(),
                           {1, 8192, 256, GetParam()});
  }
  StepCost cost;
};

TEST_P(Shipped, TheInnerLoopPricesAsTheStepDoes) {
  for (std::int64_t b = 1; b <= 256; b += 5)
    for (std::int64_t s = 0; s < 2'000'000; s = 3 * s + 1)
      ASSERT_EQ(cost.decode_line(b).ns(s), cost.ns({0, b, s, 0})) << b << ", " << s;
}

TEST_P(Shipped, NothingGetsCheaperByMore) {
  for (std::int64_t b = 1; b <= 256; b += 3) {
    const DecodeLine line = cost.decode_line(b);
    for (std::int64_t s = 1; s < 4'000'000; s += s / 7 + 1)
      ASSERT_LE(line.ns(s), line.ns(s + s / 7 + 1) * (1 + 1e-12)) << b << ", " << s;
  }
  for (std::int64_t q = 1; q < 8192; q += q / 5 + 1) {
    for (std::int64_t stored = 0; stored < 200'000; stored += stored / 3 + 17) {
      ASSERT_LE(cost.chunk(q, stored).work_ns, cost.chunk(q + q / 5 + 1 > 8192 ? 8192 : q + q / 5 + 1, stored).work_ns);
      ASSERT_LE(cost.chunk_ns(q, stored), cost.chunk_ns(q, stored + stored / 3 + 17));
      ASSERT_LE(cost.chunk(q, stored).work_ns, cost.chunk(q, stored).alone_ns * (1 + 1e-9)) << q << ", " << stored;
    }
    StepShape less{q, 0, 0, 0}, more{q + 1, 0, 0, 0};
    cost.add_chunk(less, q, 100);
    cost.add_chunk(more, q + 1, 100);
    // Products are priced at the rows they are padded to, and the library's choice there may be quicker than at fewer.
    if (padded_rows(q) == padded_rows(q + 1)) { ASSERT_LE(cost.ns(less), cost.ns(more)); }
  }
}

TEST_P(Shipped, SeveralChunksFillEachOthersIdleProcessors) {
  StepShape two{128, 0, 0, 0};
  for (int i = 0; i < 2; ++i) cost.add_chunk(two, 64, 16'384);
  const double one = cost.chunk_ns(64, 16'384);
  StepShape none{128, 0, 0, 0};
  const double attention = cost.ns(two) - cost.ns(none) + cost.table().tiles.fixed_ns;
  EXPECT_GE(attention, one * (1 - 1e-9));
  EXPECT_LT(attention, 1.5 * one);  // 64 tokens keep 16 of 132 SMs busy
}

INSTANTIATE_TEST_SUITE_P(Layouts, Shipped, ::testing::Values(KvLayout{}, KvLayout{16, false}, KvLayout{0, true}));

TEST(Profile, RowsThatWereMeasuredKeepWhatTheyTook) {
  const std::string jumps =
      "{n: 100, k: 10, rows: [1, 10, 20], time: [5us, 10us, 30us], jumps: {rows: [10], time: [40us]}}";
  const Profile p =
      parse_profile(changed("{n: 100, k: 10, rows: [1, 10, 20], time: [5us, 10us, 30us]}", jumps), "p.yaml");
  EXPECT_DOUBLE_EQ(p.gemm_ns(10, 100, 10), 40'000);  // as measured
  EXPECT_DOUBLE_EQ(p.gemm_ns(15, 100, 10), 20'000);  // by the table, which the jump does not move
}

const char* const power =
    "power:\n  rows: [1, 2]\n  slowdown: [1, 1]\n  rested: {rows: [64, 256], ratio: [1, 0.9], batch: [0, 100], "
    "capacity: "
    "[60ms, 20ms], recharge: [1, 0.4]}\nhost:";

TEST(Profile, ARestIsInterpolatedOverTheDecodingRequests) {
  const Profile p = parse_profile(changed("host:", power), "p.yaml");
  EXPECT_DOUBLE_EQ(p.rested.at(25).capacity_ns, 50e6);  // a quarter of the way from 60 to 20 ms
  EXPECT_DOUBLE_EQ(p.rested.at(25).recharge, 0.85);
  EXPECT_DOUBLE_EQ(p.rested.at(1000).recharge, 0.4);  // held
}

TEST(Profile, ARestThatSlowsDownIsRefused) {
  std::string text = changed("host:", power);
  text.replace(text.find("[1, 0.9]"), 8, "[1, 1.2]");
  EXPECT_NE(refused(text).find("must be greater than 0 and at most 1"), std::string::npos) << refused(text);
  text = changed("host:", power);
  text.replace(text.find("[1, 0.4]"), 8, "[1]");
  EXPECT_NE(refused(text).find("has 1 entries, its grid has 2"), std::string::npos) << refused(text);
}

/// Two draws of the products, and of what a rest is worth at 0 and at 100 decoding requests.
std::string with_rested_draws() {
  std::string text = changed("host:", power);
  text.replace(text.find("recharge: [1, 0.4]"), 18,
               "recharge: [1, 0.4], draws: {capacity: [[60ms, 40ms], [30ms, 20ms]], recharge: [[1, 2], [0.5, 0.3]]}");
  return text + "draws: {gemm: [1, 1.1]}\n";
}

TEST(Profile, ADrawHasACreditOfItsOwn) {
  const Profile p = parse_profile(with_rested_draws(), "p.yaml");
  ASSERT_EQ(p.draw_count(), 2U);
  const Profile second = p.drawn(1);
  EXPECT_DOUBLE_EQ(second.rested.at(0).capacity_ns, 40e6);
  EXPECT_DOUBLE_EQ(second.rested.at(0).recharge, 2);
  EXPECT_DOUBLE_EQ(second.rested.at(50).recharge, (2 + 0.3) / 2);
  EXPECT_DOUBLE_EQ(second.gemm.front().rows.ns[0], p.gemm.front().rows.ns[0] * 1.1);
  EXPECT_DOUBLE_EQ(p.drawn(0).rested.at(100).capacity_ns, 30e6);
  EXPECT_EQ(second.rested.ratio, p.rested.ratio);
  EXPECT_DOUBLE_EQ(p.rested.recharge[0], 1);  // the profile's own is the fit
  // Without them every draw keeps the fit.
  const Profile plain = parse_profile(changed("host:", power) + "draws: {gemm: [1, 1.1]}\n", "p.yaml");
  EXPECT_DOUBLE_EQ(plain.drawn(1).rested.at(0).recharge, 1);
}

TEST(Profile, DrawsOfTheCreditMustFitTheOthers) {
  const auto broken = [](const std::string& from, const std::string& to) {
    std::string text = with_rested_draws();
    return refused(text.replace(text.find(from), from.size(), to));
  };
  EXPECT_NE(broken("[0.5, 0.3]", "[0.5]").find("has 1 entries, its grid has 2"), std::string::npos);
  EXPECT_NE(broken("[[1, 2], [0.5, 0.3]]", "[[1, 2]]").find("has 1 rows, 'power.rested.batch' has 2"),
            std::string::npos);
  EXPECT_NE(broken("[[1, 2], [0.5, 0.3]]", "[[1, 2], [0.5, -1]]").find("is not a number of at least 0"),
            std::string::npos);
  EXPECT_NE(broken("draws: {gemm: [1, 1.1]}\n", "").find("are of a profile with 'draws' only"), std::string::npos);
}

TEST(Profile, ACanaryCarriesPricesToAnotherMachine) {
  std::string text = changed("host:", power);
  text.replace(text.find("launch:"), 0,
               "canary: {read: 100us, product_rested: 10us, product_loaded: 20us}\n"
               "chain: {eager: {rows: [64, 256], ratio: [1, 1]}}\n");
  const Profile p = parse_profile(text, "p.yaml");
  // Reads 10 % slower, products under load 50 % slower, rested 20 % slower.
  const Profile there = p.anchored({110e3, 12e3, 30e3});
  EXPECT_DOUBLE_EQ(there.decode.ns[0], p.decode.ns[0] * 1.1);
  EXPECT_DOUBLE_EQ(there.chain_eager.ratio[0], 1.1);  // 64 rows read weights
  EXPECT_DOUBLE_EQ(there.chain_eager.ratio[1], 1.5);  // 256 rows compute
  EXPECT_DOUBLE_EQ(there.rested.ratio[1], 0.9 * 1.2 / 1.5);
  EXPECT_DOUBLE_EQ(there.rested.ratio[0], 1.0);
}

TEST(Profile, ATableThatEndsEarlyGoesOnAsItsNeighboursDo) {
  const Profile p = *shipped_profile("h100-sxm-80gb");
  // The head of Llama-3-8B was measured to 256 rows, where it reads its weights. 1,024 rows are 2 x 1,024 x 128,256 x
  // 4,096 = 1.076e12 operations: 1.09 ms at the data sheet's 989.4 TFLOP/s, and no product does better.
  EXPECT_GT(p.gemm_ns(1024, 128'256, 4096), 1.09e6);
  EXPECT_LT(p.gemm_ns(1024, 128'256, 4096), 2 * 1.09e6);
  for (std::int64_t rows = 64; rows < 2048; rows += 64)
    EXPECT_LE(p.gemm_ns(rows, 128'256, 4096), p.gemm_ns(rows + 64, 128'256, 4096) * 1.3) << rows;
}

TEST(Profile, NoProductBeatsThePeak) {
  // Shapes that nobody measured, of gemma-2-27b, yi-34b, qwen3-32b and a made-up wide one: 989.4 TFLOP/s at most.
  const Profile p = *shipped_profile("h100-sxm-80gb");
  for (const auto& [n, k] :
       {std::pair<std::int64_t, std::int64_t>{73'728, 4608}, {40'960, 7168}, {51'200, 5120}, {90'000, 6000}})
    for (const std::int64_t rows : {512, 2048, 8192})
      EXPECT_GT(p.gemm_ns(rows, n, k), 2.0 * static_cast<double>(rows * n * k) / 989.4e12 * 1e9) << n << " " << rows;
}

TEST(Profile, NonsenseThatWouldPriceNothingIsRefused) {
  EXPECT_NE(refused(changed("query_rows: 128", "query_rows: 3")).find("multiple of 8"), std::string::npos);
  EXPECT_NE(refused(changed("time: [5us, 10us, 30us]", "time: [0us, 10us, 30us]")).find("more than nothing"),
            std::string::npos);
  std::string text = changed("host:", power);
  text.replace(text.find("[1, 0.9]"), 8, "[1, 1e-9]");
  EXPECT_NE(refused(text).find("ten times as fast"), std::string::npos) << refused(text);
}
}  // namespace
}  // namespace stowage
