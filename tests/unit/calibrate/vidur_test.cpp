// Vidur's tables: what becomes of them on a folder small enough to add up by hand, what is refused, and the real ones.
#include "calibrate/vidur.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "models/cost/roofline.hpp"
#include "tests/support/source_dir.hpp"

namespace stowage {
namespace {
namespace fs = std::filesystem;

/// A folder of CSVs that goes when the test ends.
class VidurFolder : public ::testing::Test {
 protected:
  VidurFolder()
      : root(fs::temp_directory_path() / fmt::format("stowage-vidur-{}-{}", ::getpid(),
                                                     ::testing::UnitTest::GetInstance()->current_test_info()->name())) {
    fs::create_directories(root);
  }
  ~VidurFolder() override { fs::remove_all(root); }
  VidurFolder(const VidurFolder&) = delete;
  VidurFolder& operator=(const VidurFolder&) = delete;

  void write(const std::string& name, const std::string& text) const {
    fs::create_directories((root / name).parent_path());
    std::ofstream(root / name) << text;
  }
  /// A layer of 4 heads of 128, hidden 512, gated MLP of 1,280: times in ms, growing with the tokens.
  static std::string dense() {
    std::string out =
        "time_stats.input_layernorm.median,time_stats.attn_pre_proj.median,time_stats.attn_rope.median,"
        "time_stats.attn_post_proj.median,time_stats.mlp_up_proj.median,time_stats.mlp_act.median,"
        "time_stats.mlp_down_proj.median,time_stats.add.median,n_head,n_kv_head,n_embd,n_expanded_embd,use_gated_mlp,"
        "num_tokens,num_tensor_parallel_workers\n";
    for (const int gpus : {1, 2})
      for (const int m : {1, 2, 4, 8, 16})
        out += fmt::format("{},{},{},{},{},{},{},{},4,4,512,1280,True,{},{}\n", 0.002 + 0.001 * m, 0.010 * m / gpus,
                           0.003, 0.020 * m / gpus, 0.030 * m / gpus, 0.004, 0.040 * m / gpus, 0.001 * m, m, gpus);
    return out;
  }
  /// 8 heads over 2 GPUs, blocks of 16. Decode: 10 us and 1 us for 32 tokens of the batch; prefill: 5 us and 1 us for
  /// 64 x 1,024 pairs.
  static std::string attention() {
    std::string out =
        "time_stats.attn_decode.median,time_stats.attn_prefill.median,n_embd,n_q_head,n_kv_head,block_size,"
        "num_tensor_parallel_workers,batch_size,prefill_chunk_size,kv_cache_size,is_prefill\n";
    for (const int batch : {1, 2, 4})
      for (const int stored : {31, 63, 127})
        out +=
            fmt::format("{},,1024,8,8,16,2,{},0,{},False\n", 0.010 + 0.001 * batch * (stored + 1) / 32, batch, stored);
    for (const int q : {128, 256, 512, 1024})
      for (const int stored : {0, 1024})
        out += fmt::format(",{},1024,8,8,16,2,1,{},{},True\n", 0.005 + 0.001 * q * (stored + q / 2) / 65536, q, stored);
    return out;
  }
  static std::string reduce() {
    return "time_stats.all_reduce.median,num_workers,size,devices_per_node\n"
           "0.010,2,1024,2\n0.020,2,4096,2\n0.030,2,16384,2\n0.5,2,16384,1\n0.040,4,16384,4\n";
  }
  [[nodiscard]] Calibration calibrated(const std::string& hardware = "") const {
    return calibrate_vidur(root.string(), {hardware, "test", 1});
  }
  [[nodiscard]] std::string refused(const std::string& hardware = "") const {
    try {
      (void)calibrated(hardware);
    } catch (const InputError& e) { return e.problems().front().str(); }
    return "accepted";
  }

  fs::path root;
};

TEST_F(VidurFolder, TablesBecomePrices) {
  write("compute/a40/model/mlp.csv", dense());
  write("compute/a40/model/attention.csv", attention());
  write("network/a40_dgx/all_reduce.csv", reduce());
  const Calibration c = calibrated();
  const Profile& p = c.profile;
  EXPECT_EQ(p.name, "a40");
  EXPECT_EQ(p.evidence, ProfileEvidence::published);
  EXPECT_EQ(p.sms, 84);
  // Products of one GPU: q + k + v = 512 x 3, output 512, gate and up 2 x 1,280, down 1,280; milliseconds are 1e6 ns.
  EXPECT_DOUBLE_EQ(p.gemm_ns(8, 1536, 512), 80'000);
  EXPECT_DOUBLE_EQ(p.gemm_ns(4, 512, 512), 80'000);
  EXPECT_DOUBLE_EQ(p.gemm_ns(1, 2560, 512), 30'000);
  EXPECT_DOUBLE_EQ(p.gemm_ns(2, 512, 1280), 80'000);
  // A GPU of two: half of the heads and of the MLP, and half the time.
  EXPECT_DOUBLE_EQ(p.gemm_ns(8, 768, 512), 40'000);
  EXPECT_DOUBLE_EQ(p.gemm_ns(4, 512, 256), 40'000);
  EXPECT_DOUBLE_EQ(p.gemm_ns(1, 1280, 512), 15'000);
  EXPECT_DOUBLE_EQ(p.gemm_ns(2, 512, 640), 40'000);
  EXPECT_EQ(p.gemm.size(), 8U);
  // 4 tokens: norm 2 + 4 us and addition 4 us, over 4 x 512 x 2 bytes a token; of the sizes 1, 4, 16 are kept.
  EXPECT_DOUBLE_EQ(p.norm.at(4 * 512 * 2 * 4), 10'000);
  EXPECT_DOUBLE_EQ(p.sample.at(3 * 512 * 2 * 4), 4'000);
  // 4 heads and 4 KV heads a GPU. One request with 64 tokens: 10 us + 2 us; four with 384: 10 us + 12 us.
  EXPECT_EQ(p.decode.heads, 4);
  EXPECT_EQ(p.decode.kv_heads, 4);
  EXPECT_EQ(p.decode.head_dim, 128);
  EXPECT_NEAR(p.decode_attention_ns(4, 128, 1, 64, {}), 12'000, 1);
  EXPECT_NEAR(p.decode_attention_ns(4, 128, 4, 384, {}), 22'000, 1);
  // One request with 256 tokens: not measured; as two grow from 128 to 256 (14 to 18 us) from its own 14 us at 128.
  EXPECT_NEAR(p.decode_attention_ns(4, 128, 1, 256, {}), 18'000, 1);
  // All layouts alike: one was timed.
  EXPECT_EQ(p.decode_attention_ns(4, 128, 2, 200, {256, false}), p.decode_attention_ns(4, 128, 2, 200, {0, true}));
  // 1,024 new tokens: 5 us + 1,024 x 512 / 65,536 us = 13 us, to what a fit of tiles makes of it.
  const double prefill = p.prefill_attention(4, 4, 128, 1024, 0, {}).alone_ns + p.prefill_fixed_ns({});
  EXPECT_NEAR(prefill, 13'000, 1'300);
  // All-reduce of one host only: 16 KiB over 2 GPUs is 30 us, not the 500 us of two hosts.
  ASSERT_EQ(p.all_reduce.size(), 2U);
  EXPECT_DOUBLE_EQ(p.all_reduce_ns(16'384, 2), 30'000);
  EXPECT_DOUBLE_EQ(p.all_reduce_ns(16'384, 4), 40'000);
  // Not in the tables: taken from elsewhere, and said.
  EXPECT_EQ(p.host_graph_ns, RooflineEfficiency{}.step_ns);
  EXPECT_EQ(p.eager_kernel_ns, 0);
  EXPECT_FALSE(p.vmm_map);
  EXPECT_GE(p.gaps.size(), 6U);
}

TEST_F(VidurFolder, AGpuHoldsAtLeastOneWholeKvHead) {
  // 4 query heads of 128 over 4 GPUs, 2 KV heads: each GPU has one query head and one KV head, q + k + v = 128 x 3.
  std::string table = dense();
  for (const int m : {1, 2, 4, 8, 16})
    table += fmt::format("0.003,{},0.003,{},{},0.004,{},0.001,4,2,512,1280,True,{},4\n", 0.005 * m, 0.007 * m,
                         0.009 * m, 0.011 * m, m);
  write("a40/mlp.csv", table);
  write("a40/attention.csv", attention());
  const Profile p = calibrated().profile;
  EXPECT_DOUBLE_EQ(p.gemm_ns(8, 384, 512), 40'000);
  EXPECT_TRUE(std::ranges::none_of(p.gemm, [](const GemmTable& g) { return g.n == 256 && g.k == 512; }));
}

TEST_F(VidurFolder, TheProfileReadsBackToTheSamePrices) {
  write("compute__a40__mlp.csv", dense());
  write("compute__a40__attention.csv", attention());
  const Profile p = calibrated().profile;
  const Profile q = parse_profile(profile_yaml(p), "p.yaml");
  EXPECT_EQ(q.evidence, ProfileEvidence::published);
  EXPECT_EQ(q.gaps, p.gaps);
  EXPECT_EQ(q.errors.size(), 4U);
  EXPECT_NEAR(q.gemm_ns(8, 1536, 512), p.gemm_ns(8, 1536, 512), 1);
  EXPECT_NEAR(q.decode_attention_ns(4, 128, 3, 300, {}), p.decode_attention_ns(4, 128, 3, 300, {}), 1);
  EXPECT_EQ(profile_yaml(calibrated().profile), profile_yaml(p));
}

TEST_F(VidurFolder, ErrorsAreOfWhatWasLeftOut) {
  write("a40/mlp.csv", dense());
  write("a40/attention.csv", attention());
  const Profile p = calibrated().profile;
  // Two batches make the row of the one between them: 3 contexts. Products: 8 shapes with 3 inner sizes each, on lines
  // through the origin, so that nothing errs.
  EXPECT_EQ(p.error_of("decode")->points, 3);
  EXPECT_EQ(p.error_of("gemm")->points, 24);
  EXPECT_NEAR(p.error_of("gemm")->mape, 0, 1e-9);
  EXPECT_EQ(p.error_of("prefill")->points, 8);
}

TEST_F(VidurFolder, AttentionNobodyTimedIsScaledAndSaidSo) {
  write("a40/mlp.csv", dense());
  write("a100/attention.csv", attention());
  const Profile p = calibrated().profile;
  // 12 us on 2,039 GB/s are 35.155 us on 696 GB/s.
  EXPECT_NEAR(p.decode_attention_ns(4, 128, 1, 64, {}), 12'000 * 2039.0 / 696.0, 1);
  EXPECT_TRUE(std::ranges::any_of(p.gaps, [](const std::string& gap) {
    return gap.starts_with("attention was not timed on this GPU: scaled from the NVIDIA A100 SXM 80GB");
  }));
  // Nothing is known of its error, so that it is drawn wider than what was timed.
  ASSERT_EQ(p.draw_count(), 32U);
  EXPECT_TRUE(std::ranges::any_of(p.draws, [](const auto& d) { return d.part == "decode"; }));
}

TEST_F(VidurFolder, AnEmptyCellIsNoMeasurement) {
  std::string text = dense();
  const std::string row = "\n0.003,0.01,";  // one token on one GPU
  text.replace(text.find(row), row.size(), "\n0.003,,");
  write("a40/mlp.csv", text);
  write("a40/attention.csv", attention());
  const Profile p = calibrated().profile;
  for (const auto& g : p.gemm)
    EXPECT_EQ(g.rows.x.front(), g.n == 768 || g.k == 256 || g.n == 1280 || g.k == 640 ? 1 : 2);
}

TEST_F(VidurFolder, RefusesWhatIsNotVidurs) {
  EXPECT_NE(refused().find("no table of a layer's kernels (mlp.csv) of a100, a40, h100"), std::string::npos);
  write("notes.csv", "a,b\n1,2\n");
  EXPECT_NE(refused().find("no table of a layer's kernels"), std::string::npos);
  EXPECT_NE(refused("l4").find("'l4'"), std::string::npos);
  write("a40/mlp.csv", dense());
  EXPECT_NE(refused().find("no table of attention (attention.csv) of a40, nor of a100"), std::string::npos);
  EXPECT_NE(refused("h100-sxm-80gb").find("no table of a layer's kernels (mlp.csv) of h100"), std::string::npos);
  write("a100/mlp.csv", dense());
  EXPECT_NE(refused().find("several GPUs; choose with --hardware, of a100-80gb, a40"), std::string::npos);
  fs::remove_all(root);
  EXPECT_NE(refused().find("not a folder"), std::string::npos);
}

TEST_F(VidurFolder, RefusesDamagedTablesWithThePlace) {
  const std::string name = (root / "a40/mlp.csv").string();
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = dense();
    const auto at = text.find(from);
    if (at == std::string::npos) return std::string("the test is wrong");
    write("a40/mlp.csv", text.replace(at, from.size(), to));
    return refused();
  };
  EXPECT_EQ(with("time_stats.add.median", "add").substr(0, name.size() + 5), name + ":1:1:");
  EXPECT_NE(with("num_tokens", "tokens").find("no column 'num_tokens', which Vidur's table has"), std::string::npos);
  EXPECT_NE(with("\n0.003,0.01,", "\n0.003,-0.01,").find(":2:7: error: time_stats.attn_pre_proj.median: '-0.01'"),
            std::string::npos);
  EXPECT_NE(with("\n0.003,0.01,", "\n0.003,nan,").find("'nan' is not a number"), std::string::npos);
  EXPECT_NE(with("\n0.003,0.01,", "\n0.003,1e300,").find("'1e300' is not a number"), std::string::npos);
  EXPECT_NE(with("\n0.004,", "\n0.004,1,").find(":3:1: error: 16 cells, the header has 15: a torn row"),
            std::string::npos);
  const std::string whole = dense();
  write("a40/mlp.csv", whole.substr(0, whole.size() - 30));
  EXPECT_NE(refused().find(":11:1: error: "), std::string::npos);
  write("a40/mlp.csv", whole.substr(0, whole.find('\n') + 1));
  EXPECT_NE(refused().find("no row that times all four products"), std::string::npos);
}

/// The published tables: not part of this repository.
TEST(VidurData, RealTablesGiveProfilesNearThemselves) {
  const std::string folder = source_dir() + "/../shared/measured/vidur";
  if (!fs::exists(folder)) GTEST_SKIP() << "not here: " << folder;
  for (const char* hardware : {"a100-80gb", "a40"}) {
    const Calibration c = calibrate_vidur(folder, {hardware, "", 1});
    const std::string yaml = profile_yaml(c.profile);
    EXPECT_LT(yaml.size(), 200'000U) << hardware;
    EXPECT_NO_THROW((void)parse_profile(yaml, "p.yaml"));
    EXPECT_LT(c.profile.error_of("gemm")->mape, 0.05) << hardware;
    for (const auto& part : c.parts) EXPECT_LE(part.points.size(), 600U) << part.error.part;
  }
}
}  // namespace
}  // namespace stowage
