// What makes price tables quickly gives, bit for bit, what its plain rule gives.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/rng.hpp"
#include "models/cost/profile.hpp"

namespace stowage {
namespace {
/// Item i goes to SM i mod n in even rounds, back from the last in odd ones: one by one, as the kernel numbers them.
struct Dealt {
  double work = 0, longest = 0;
};
Dealt dealt_one_by_one(const Profile& p, const PrefillPrices& kernel, std::int64_t heads, std::int64_t kv_heads,
                       std::int64_t head_dim, std::int64_t q, std::int64_t stored) {
  const std::int64_t tile = p.prefill_tile_tokens(heads, kv_heads), units = heads / (p.prefill_query_rows / tile);
  const double size = static_cast<double>(head_dim) / static_cast<double>(p.decode.head_dim);
  const std::int64_t tiles = (q + tile - 1) / tile;
  std::vector<double> busy(static_cast<std::size_t>(p.sms));
  Dealt out;
  for (std::int64_t i = 0; i < tiles * units; ++i) {
    const std::int64_t context = stored + std::min(q, (tiles - i / units) * tile);
    const double ns = size * (kernel.item_ns + kernel.tile_ns * static_cast<double>((context + 127) / 128));
    const std::int64_t place = i % p.sms;
    busy[static_cast<std::size_t>(i / p.sms % 2 == 0 ? place : p.sms - 1 - place)] += ns;
    out.work += ns;
  }
  out.longest = *std::max_element(busy.begin(), busy.end());
  return out;
}

TEST(ProfileAttention, TilesAreDealtAsOneByOne) {
  Profile p = shipped_profile("h100-sxm-80gb").value();
  for (auto& kernel : p.prefill) kernel.correction.clear();  // the dealing alone
  p.slowdown.clear();
  const PrefillPrices& tensor = p.prefill.front();
  ASSERT_EQ(tensor.loader, "tensor");
  Rng rng(7, "tiles");
  for (const auto& [heads, kv_heads, head_dim] :
       {std::tuple{32, 8, 128}, {16, 2, 128}, {32, 32, 128}, {7, 1, 64}, {64, 8, 80}})
    for (int i = 0; i < 40; ++i) {
      p.sms = 1 + static_cast<std::int64_t>(rng.below(150));
      const auto q = 1 + static_cast<std::int64_t>(rng.below(4000)),
                 stored = static_cast<std::int64_t>(rng.below(9000));
      const Dealt want = dealt_one_by_one(p, tensor, heads, kv_heads, head_dim, q, stored);
      const PrefillChunk got = p.prefill_attention(heads, kv_heads, head_dim, q, stored, {});
      EXPECT_EQ(got.work_ns, want.work / static_cast<double>(p.sms));
      EXPECT_EQ(got.alone_ns, std::max(0.0, want.longest + tensor.fixed_ns - tensor.fixed_ns));
    }
}

TEST(ProfileAttention, ManyTilesAtOnceAreTheSameAsEachAlone) {
  for (const auto& name : shipped_profile_names()) {
    const Profile p = shipped_profile(name).value();
    for (const KvLayout& layout : {KvLayout{}, KvLayout{16, false}})
      for (const std::int64_t stored : {0, 256, 100'000}) {
        const std::int64_t tile = p.prefill_tile_tokens(32, 8);
        const auto all = p.prefill_attention_tiles(32, 8, 128, 70, stored, layout);
        ASSERT_EQ(all.size(), 70U);
        for (const std::int64_t n : {1, 2, 17, 64, 70}) {
          const PrefillChunk one = p.prefill_attention(32, 8, 128, n * tile, stored, layout);
          EXPECT_EQ(all[static_cast<std::size_t>(n - 1)].work_ns, one.work_ns) << name << " " << n;
          EXPECT_EQ(all[static_cast<std::size_t>(n - 1)].alone_ns, one.alone_ns) << name << " " << n;
        }
      }
  }
}

TEST(ProfileAttention, OneBatchLookedUpOnceIsEveryContextAlone) {
  const Profile p = shipped_profile("h100-sxm-80gb").value();
  for (const KvLayout& layout : {KvLayout{}, KvLayout{16, false}, KvLayout{0, true}})
    for (const double batch : {0.5, 1.0, 3.0, 64.0, 1000.0}) {
      const DecodeAt at(p, 4, 128, batch, layout);
      for (const double kv : {0.0, 100.0, 5e3, 7e4, 3e6})
        EXPECT_EQ(at.ns(kv), p.decode_attention_ns(4, 128, batch, kv, layout));
    }
  EXPECT_EQ(DecodeAt(p, 4, 128, 0, {}).ns(100), 0.0);
}

// Products of shapes nobody measured weigh four others; those that end before the rows asked for are passed over.
TEST(ProfileAttention, OneShapeLookedUpOnceIsEveryRowAlone) {
  const Profile p = shipped_profile("h100-sxm-80gb").value();
  for (const auto& [n, k] : {std::pair<std::int64_t, std::int64_t>{6144, 4096}, {5120, 5120}, {128'256, 4096}}) {
    const GemmAt at(p, n, k);
    for (const std::int64_t m : {1, 8, 448, 512, 1000, 8192, 20'000}) EXPECT_EQ(at.ns(m), p.gemm_ns(m, n, k)) << m;
    EXPECT_EQ(at.ns(0), 0.0);
  }
}

// Every entry of the table is the step that it stands for, priced alone.
TEST(ProfileAttention, ATableHoldsTheStepsPricedOneByOne) {
  const HardwareSpec gpu = load_hardware("h100-sxm-80gb");
  const ModelSpec m = load_model("qwen3-8b");  // shapes nobody measured
  const Profile p = shipped_profile("h100-sxm-80gb").value();
  ProfileTarget target{2, 1000, 64, {16, false}};
  target.host = false;
  const auto table = compile_profile(m, gpu, p, target).table();
  for (std::int64_t rows = 1; rows <= 1000; rows += 37) {
    const auto i = static_cast<std::size_t>(rows);
    const std::int64_t sampled = std::min(rows, profile_mixed_head_rows);
    EXPECT_EQ(table.dense_ns[i], dense_step_ns(m, gpu, p, 2, rows, sampled, false)) << rows;
    if (rows > 64) continue;
    EXPECT_EQ(table.decode_dense_ns[i], dense_step_ns(m, gpu, p, 2, rows, rows, true)) << rows;
  }
}
}  // namespace
}  // namespace stowage
