// The fits of kernels against figures that were made from prices known beforehand, and against sums by hand.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "calibrate/parts.hpp"
#include "models/hardware/hardware.hpp"
#include "tests/unit/calibrate/figures.hpp"

namespace stowage {
namespace {
using testing::add;
using Int = std::int64_t;

ProbeFile products(const std::vector<double>& us) {
  ProbeFile probe;
  for (std::size_t i = 0; i < us.size(); ++i)
    add(probe, "gemm", "gemm", {{"m", Int(16 * (i + 1))}, {"n", Int{4096}}, {"k", Int{4096}}}, us[i]);
  return probe;
}

TEST(FitGemm, WhatWasTimedIsTheirPriceAndBetweenThemNothingFalls) {
  const std::vector<double> us = {100, 110, 95, 120, 104, 130};  // the library chooses badly now and then
  Profile profile;
  std::vector<GemmTable> raw;
  (void)detail::fit_gemm(products(us), {}, profile, raw);
  ASSERT_EQ(profile.gemm.size(), 1U);
  const GemmTable& table = profile.gemm[0];
  for (std::size_t i = 0; i < us.size(); ++i)
    EXPECT_NEAR(table.at(16.0 * static_cast<double>(i + 1)), us[i] * 1e3, us[i] * 10) << "to a hundredth";
  EXPECT_TRUE(std::is_sorted(table.rows.ns.begin(), table.rows.ns.end()));
  EXPECT_EQ(raw.at(0).rows.ns, std::vector<double>({100e3, 110e3, 95e3, 120e3, 104e3, 130e3}));
}

TEST(FitGemm, ItsErrorIsOfWhatWasLeftOut) {
  Profile profile;
  std::vector<GemmTable> raw;
  const PartFit fit = detail::fit_gemm(products({10, 20, 36, 40}), {}, profile, raw);
  // 32 rows by a line from 16 to 48: (10 + 36) / 2; 48 rows by one from 32 to 64: (20 + 40) / 2.
  ASSERT_EQ(fit.points.size(), 2U);
  EXPECT_DOUBLE_EQ(fit.points[0].measured_ns, 20e3);
  EXPECT_DOUBLE_EQ(fit.points[0].predicted_ns, 23e3);
  EXPECT_DOUBLE_EQ(fit.points[1].measured_ns, 36e3);
  EXPECT_DOUBLE_EQ(fit.points[1].predicted_ns, 30e3);
  EXPECT_NEAR(fit.error.mape, (3.0 / 20 + 6.0 / 36) / 2, 1e-12);
}

TEST(FitDecode, IsTwoKernelsWithoutTheirLaunches) {
  ProbeFile probe;
  const auto decode = [&](const char* name, Int batch, Int tokens, Int block, const char* order, double value) {
    add(probe, "attention", name,
        {{"batch", batch}, {"kv_tokens", tokens}, {"heads", Int{32}}, {"kv_heads", Int{8}}, {"head_dim", Int{128}},
         {"interleaved_layers", Int{0}}, {"block_tokens", block}, {"memory", std::string("malloc")},
         {"order", std::string(order)}, {"ragged", false}},
        value);
  };
  const std::vector<double> us = {20, 30, 70, 22, 33, 80};
  std::size_t i = 0;
  for (const Int batch : {1, 8})
    for (const Int tokens : {1024, 4096, 16384}) decode("decode", batch, tokens, 0, "", us[i++]);
  for (const Int tokens : {1024, 16384}) {
    decode("decode_over_contiguous", 8, tokens, 16, "random", 1.25);
    decode("decode_over_contiguous", 8, tokens, 16, "ascending", 3);  // no engine's blocks stay in order
  }
  // Two kernels alone carry 4 us and 2 more for the second; in a graph 1.2 each: 3.6 us come off.
  detail::LaunchCosts launch;
  launch.alone_ns = 4000, launch.eager_ns = 2000, launch.graph_ns = 1200;
  Profile profile;
  (void)detail::fit_decode(probe, launch, profile);
  ASSERT_EQ(profile.decode.ns.size(), us.size());
  for (i = 0; i < us.size(); ++i) EXPECT_DOUBLE_EQ(profile.decode.ns[i], us[i] * 1e3 - 3600);
  EXPECT_DOUBLE_EQ(profile.decode_attention_ns(8, 128, 8, 4096, {}), 29'400);
  KvLayout blocks;
  blocks.block_tokens = 16;
  EXPECT_DOUBLE_EQ(profile.decode_attention_ns(8, 128, 8, 4096, blocks), 1.25 * 29'400);
}

void add_step(ProbeFile& probe, Int rows, Int samples, double us, double mhz = 1980) {
  add(probe, "iteration", "dense", {{"rows", rows}, {"samples", samples}}, us).clock_mhz = mhz;
}

TEST(StepClock, IsThatOfPromptsAndNeverRisesWithTheRows) {
  ProbeFile probe;
  const double mhz[] = {1980, 1500, 1450, 1900, 1700};
  for (std::size_t i = 0; i < 5; ++i) add_step(probe, Int{64} << i, 1, 100, mhz[i]);
  add_step(probe, 8, 8, 100, 900);  // a decode step is no prompt's
  const detail::StepClock clock = detail::step_clock(probe);
  EXPECT_EQ(clock.rows, std::vector<double>({64, 128, 256, 512, 1024}));
  // Medians with their neighbours: 1980, 1500, 1500, 1700, 1700; and none above the one before.
  EXPECT_EQ(clock.mhz, std::vector<double>({1980, 1500, 1500, 1500, 1500}));
  EXPECT_EQ(clock.reference(), 1980);
}

TEST(FitDense, DecodeStepsAndPromptsEachHaveTheirOwnRatioToTheirKernels) {
  const ModelSpec model = load_model("llama-3-8b");
  const HardwareSpec gpu = load_hardware("h100-sxm-80gb");
  Profile profile = *shipped_profile("h100-sxm-80gb");
  const std::vector<GemmTable> raw = profile.gemm;
  ProbeFile probe;
  for (const Int rows : {16, 64, 128, 256})
    add_step(probe, rows, rows, 1.25 * dense_step_ns(model, gpu, profile, 1, rows, rows, true) / 1e3);
  for (const Int rows : {512, 1024, 2048, 4096})
    add_step(probe, rows, 1, 1.5 * dense_step_ns(model, gpu, profile, 1, rows, 1, false) / 1e3);
  const PartFit fit = detail::fit_dense(probe, model, gpu, raw, profile);
  EXPECT_EQ(profile.chain_graph.rows, std::vector<double>({16, 64, 128, 256}));
  EXPECT_EQ(profile.chain_eager.rows, std::vector<double>({512, 1024, 2048, 4096}));
  for (const double r : profile.chain_graph.ratio) EXPECT_NEAR(r, 1.25, 1e-9);
  for (const double r : profile.chain_eager.ratio) EXPECT_NEAR(r, 1.5, 1e-9);
  EXPECT_NEAR(fit.error.p95, 0, 1e-9);  // one ratio for all
}

/// Single launches of new tokens on stored ones, `slower` times as long at `mhz`; then several chunks in one.
ProbeFile prompts(double slower, double mhz) {
  ProbeFile probe;
  for (const Int q : {128, 512, 2048, 8192})
    for (const Int stored : {0, 4096}) {
      const double tiles = static_cast<double>(q) / 64 * (static_cast<double>(stored) + static_cast<double>(q) / 2);
      add(probe, "attention", "prefill",
          {{"loader", std::string("tensor")}, {"block_tokens", Int{0}}, {"heads", Int{32}}, {"kv_heads", Int{8}},
           {"head_dim", Int{128}}, {"new_tokens", q}, {"stored_tokens", stored}},
          slower * (10 + tiles * 2e-3))
          .clock_mhz = mhz;
    }
  return probe;
}

TEST(FitPrefill, AtHalfTheClockTwiceTheTimeIsTheSamePrice) {
  detail::StepClock clock;
  clock.rows = {64, 4096}, clock.mhz = {1800, 1500};
  Profile fast = *shipped_profile("h100-sxm-80gb");
  fast.prefill.clear();
  Profile slow = fast;
  (void)detail::fit_prefill(prompts(1, 1800), {}, clock, fast, {{"tensor", 0}});
  (void)detail::fit_prefill(prompts(2, 900), {}, clock, slow, {{"tensor", 0}});
  ASSERT_EQ(fast.prefill.size(), 1U);
  for (const Int q : {64, 512, 4096})
    for (const Int stored : {0, 1000, 30'000}) {
      const PrefillChunk a = fast.prefill_attention(32, 8, 128, q, stored, {}),
                         b = slow.prefill_attention(32, 8, 128, q, stored, {});
      EXPECT_NEAR(a.alone_ns, b.alone_ns, 1e-6 * a.alone_ns);
      EXPECT_NEAR(a.work_ns, b.work_ns, 1e-6 * a.work_ns);
    }
}

TEST(FitPrefill, FindsHowFarChunksFillEachOthersGaps) {
  detail::StepClock clock;
  clock.rows = {64, 4096}, clock.mhz = {1800, 1500};
  Profile alone = *shipped_profile("h100-sxm-80gb");
  alone.prefill.clear();
  alone.slowdown_rows.clear(), alone.slowdown.clear();
  (void)detail::fit_prefill(prompts(1, 1800), {}, clock, alone, {{"tensor", 0}});
  for (const double unfilled : {0.1, 0.8}) {
    ProbeFile probe = prompts(1, 1800);
    // As StepCost has it: what is fixed, and the longest chunk alone or the work of all and so much of the slack.
    for (const std::string chunks :
         {"128@4096,128@4096,128@4096", "128@4096,512@0,512@4096", "512@4096,128@0,128@4096"}) {
      double work = 0, longest = 0, slack = 0;
      Int tokens = 0;
      for (const auto& [q, stored] : detail::parse_chunks(chunks)) {
        const PrefillChunk c = alone.prefill_attention(32, 8, 128, q, stored, {});
        work += c.work_ns;
        longest = std::max(longest, c.alone_ns);
        slack = std::max(slack, c.alone_ns - c.work_ns);
        tokens += q;
      }
      ASSERT_GT(slack, 0);
      const double ns = alone.prefill_fixed_ns({}) + std::max(longest, work + unfilled * slack);
      add(probe, "attention", "prefill",
          {{"loader", std::string("tensor")}, {"block_tokens", Int{0}}, {"heads", Int{32}}, {"kv_heads", Int{8}},
           {"head_dim", Int{128}}, {"new_tokens", tokens}, {"chunk_list", chunks}},
          ns / 1e3)
          .clock_mhz = 1800;
    }
    Profile found = alone;
    found.prefill.clear();
    (void)detail::fit_prefill(probe, {}, clock, found, {{"tensor", 0}});
    EXPECT_NEAR(found.prefill_unfilled, unfilled, 0.15);
  }
}

/// Pairs that explain the rests alike are drawn by one over the recharge: twice the rate is as likely beforehand as
/// half of it, so that the draws' logarithms are spread evenly.
TEST(DrawCredit, WhatNothingTellsApartIsDrawnEvenlyByItsLogarithm) {
  detail::CreditSearch search;
  search.rests = 10;
  for (int i = 1; i <= 60; ++i) search.tried.push_back({20e6, 0.05 * i, 1.0});
  Profile::Rested rested;
  detail::draw_credit(std::vector{search}, 1, rested);
  ASSERT_EQ(rested.drawn_recharge.size(), detail::draw_count);
  // Of the weight 1/r the part below x is H(20 x) / H(60), harmonic numbers: half of it lies below the 8th, 0.4.
  std::vector<double> drawn = rested.drawn_recharge;
  std::sort(drawn.begin(), drawn.end());
  double below = 0, all = 0;
  for (int i = 1; i <= 60; ++i) all += 1.0 / i;
  int i = 0;
  for (std::size_t d = 0; d < drawn.size(); ++d) {
    const double share = (static_cast<double>(d) + 0.5) / static_cast<double>(drawn.size());
    while (below < share * all) below += 1.0 / ++i;
    EXPECT_NEAR(drawn[d], 0.05 * i, 1e-9) << d;
  }
}
}  // namespace
}  // namespace stowage
