// What the kernels take from the host, checked without a GPU: addresses, block tables, work lists, bf16, the reference.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "gpu_probe/kernels/kv_view.hpp"
#include "gpu_probe/kernels/reference.hpp"
#include "gpu_probe/kernels/tables.hpp"
#include "gpu_probe/kernels/work_list.hpp"

namespace stowage::probe {
namespace {

TEST(Address, ContiguousRowIsStartPlusTokens) {
  const std::int64_t start[] = {0, 5000};
  const Contiguous address{start, 1024};  // 8 KV heads of 128
  EXPECT_EQ(address.row(0, 3), 3 * 1024);
  EXPECT_EQ(address.row(1, 2), 5000 + 2 * 1024);
}

TEST(Address, PagedRowGoesThroughTheTable) {
  const std::int32_t table[] = {7, 2, 0, 9};  // two requests of two blocks
  const Paged<16> address{table, 2, 16 * 1024, 1024};
  EXPECT_EQ(address.row(0, 5), 7 * 16 * 1024 + 5 * 1024);
  EXPECT_EQ(address.row(0, 16), 2 * 16 * 1024);
  EXPECT_EQ(address.row(1, 31), 9 * 16 * 1024 + 15 * 1024);
}

TEST(Address, OffsetsBeyond32Bits) {
  const std::int32_t table[] = {3'000'000};
  const Paged<256> address{table, 1, 256 * 1024, 1024};
  EXPECT_EQ(address.row(0, 255), std::int64_t{3'000'000} * 256 * 1024 + 255 * 1024);  // 7.9e11
}

TEST(Address, AnyBlockSizeAgreesWithTheCompiledOnes) {
  std::int32_t table[64];
  for (int i = 0; i < 64; ++i) table[i] = (i * 37) % 64;
  for (const int block : kBlockSizes) {
    KvView view;
    view.block = block;
    view.table = table;
    view.table_stride = 8;
    view.token_stride = 256;
    view.block_stride = std::int64_t{block} * 256;
    std::vector<std::int64_t> compiled, any;
    ASSERT_TRUE(with_policy(view, [&](const auto& a) {
      for (int t = 0; t < 4 * block; t += 7) compiled.push_back(a.row(3, t));
    }));
    with_any_policy(view, [&](const auto& a) {
      for (int t = 0; t < 4 * block; t += 7) any.push_back(a.row(3, t));
    });
    EXPECT_EQ(compiled, any) << block;
  }
}

TEST(Address, UnknownBlockSizeHasNoKernel) {
  KvView view;
  view.block = 48;
  EXPECT_FALSE(with_policy(view, [](const auto&) {}));
}

TEST(Tables, EveryOrderHandsOutEachBlockOnce) {
  const std::vector<std::int32_t> lengths = {1, 16, 17, 0, 100};  // 1 + 1 + 2 + 0 + 7 = 11 blocks
  for (const TableOrder order : {TableOrder::sequential, TableOrder::random, TableOrder::grouped}) {
    const BlockTable table = make_table(lengths, 16, 32, order, 4, 1);
    EXPECT_EQ(table.stride, 7);
    std::set<std::int32_t> seen;
    int used = 0;
    for (const auto block : table.blocks) {
      if (block < 0) continue;
      ++used;
      EXPECT_LT(block, 32);
      EXPECT_TRUE(seen.insert(block).second) << name_of(order) << " gives block " << block << " twice";
    }
    EXPECT_EQ(used, 11) << name_of(order);
  }
}

TEST(Tables, SequentialIsInOrderAndGroupedIsInOrderWithinAGroup) {
  const std::vector<std::int32_t> lengths = {16 * 16};
  const BlockTable plain = make_table(lengths, 16, 64, TableOrder::sequential, 4, 1);
  for (int i = 0; i < 16; ++i) EXPECT_EQ(plain.blocks[static_cast<std::size_t>(i)], i);
  const BlockTable grouped = make_table(lengths, 16, 64, TableOrder::grouped, 4, 1);
  bool moved = false;
  for (std::size_t i = 0; i < 16; i += 4) {
    EXPECT_EQ(grouped.blocks[i] % 4, 0);
    for (std::size_t j = 1; j < 4; ++j) EXPECT_EQ(grouped.blocks[i + j], grouped.blocks[i] + static_cast<int>(j));
    moved = moved || grouped.blocks[i] != static_cast<int>(i);
  }
  EXPECT_TRUE(moved);
}

TEST(Tables, TooSmallAPoolIsRefused) {
  EXPECT_THROW((void)make_table(std::vector<std::int32_t>{33}, 16, 2, TableOrder::random, 1, 1), std::invalid_argument);
}

/// Every token of every request lies in exactly one tile of one piece.
void expect_cover(const std::vector<std::int32_t>& lengths, const DecodePlan& plan) {
  ASSERT_EQ(plan.first.size(), lengths.size() + 1);
  EXPECT_EQ(plan.first.back(), static_cast<int>(plan.pieces.size()));
  for (std::size_t r = 0; r < lengths.size(); ++r) {
    std::vector<int> times(static_cast<std::size_t>(lengths[r]), 0);
    for (int i = plan.first[r]; i < plan.first[r + 1]; ++i) {
      const DecodePiece& piece = plan.pieces[static_cast<std::size_t>(i)];
      EXPECT_EQ(piece.row, r);
      EXPECT_EQ(piece.end, lengths[r]);
      EXPECT_GE(tiles_of(piece), 1);
      for (int tile = 0; tile < tiles_of(piece); ++tile) {
        const int token = piece.begin + tile * piece.stride * kTileTokens;
        EXPECT_EQ(token % kTileTokens, 0);
        ASSERT_LT(token, lengths[r]);  // a tile without a token would be read past the end
        for (int t = token; t < std::min(token + kTileTokens, lengths[r]); ++t) ++times[static_cast<std::size_t>(t)];
      }
    }
    EXPECT_TRUE(std::all_of(times.begin(), times.end(), [](int n) { return n == 1; })) << "request " << r;
  }
}

TEST(DecodePlan, CoversEveryTokenOnce) {
  std::mt19937_64 random(5);
  for (int round = 0; round < 50; ++round) {
    std::vector<std::int32_t> lengths;
    for (std::uint64_t i = 0; i < 1 + random() % 40; ++i) lengths.push_back(static_cast<std::int32_t>(random() % 5000));
    expect_cover(lengths, plan_decode(lengths, 8, 1056, 4000));
  }
}

TEST(DecodePlan, PaddedRowsGetNothing) {
  const std::vector<std::int32_t> lengths = {0, 100, 0, 0};
  const DecodePlan plan = plan_decode(lengths, 8, 1056, 64);
  EXPECT_EQ(plan.first[0], plan.first[1]);
  EXPECT_EQ(plan.first[2], plan.first[4]);
  EXPECT_TRUE(plan_decode(std::vector<std::int32_t>{0, 0}, 8, 1056, 64).pieces.empty());
}

TEST(DecodePlan, OneWaveWhenTheBatchIsUniform) {
  // 64 requests of 4,096 tokens, 8 KV heads, 132 SMs x 8 warps: 2 pieces each are 64 x 2 x 8 = 1,024 of 1,056 warps.
  const DecodePlan plan = plan_decode(std::vector<std::int32_t>(64, 4096), 8, 1056, 4000);
  EXPECT_EQ(plan.pieces.size(), 128u);
  for (const DecodePiece& piece : plan.pieces) EXPECT_EQ(tiles_of(piece), 128);  // 4,096 / 16 / 2
}

TEST(DecodePlan, RaggedWorkIsBalanced) {
  // A warp's work is the tiles of the items dealt to it in turn. No warp has over twice the mean and a chunk more.
  std::mt19937_64 random(9);
  std::vector<std::int32_t> lengths;
  for (int i = 0; i < 100; ++i) lengths.push_back(static_cast<std::int32_t>(100 + random() % 8000));
  const DecodePlan plan = plan_decode(lengths, 8, 1056, 4000);
  std::vector<int> work(1056, 0);
  std::size_t item = 0;
  double total = 0;
  for (const DecodePiece& piece : plan.pieces) {
    for (int head = 0; head < 8; ++head) work[item++ % work.size()] += tiles_of(piece);
    total += 8.0 * tiles_of(piece);
  }
  const double mean = total / 1056;
  EXPECT_LE(*std::max_element(work.begin(), work.end()), 2 * mean + plan.chunk / 16.0);
}

TEST(DecodePlan, NeverMorePiecesThanScratchHolds) {
  const std::vector<std::int32_t> lengths(200, 8000);
  EXPECT_LE(plan_decode(lengths, 1, 1056, 210).pieces.size(), 210u);
  EXPECT_EQ(plan_decode(lengths, 1, 1056, 200).pieces.size(), 200u);
}

TEST(DecodePlan, RequestsMayLieElsewhereThanTheirRow) {
  const std::vector<std::int32_t> lengths = {20, 30}, where = {9, 4};
  const DecodePlan plan = plan_decode(lengths, 8, 1056, 64, where);
  EXPECT_EQ(plan.pieces.front().request, 9);
  EXPECT_EQ(plan.pieces.front().row, 0);
  EXPECT_EQ(plan.pieces.back().request, 4);
  EXPECT_EQ(plan.pieces.back().row, 1);
}

TEST(PrefillPlan, TilesCoverTheChunksLongestContextFirst) {
  const std::vector<PrefillChunk> chunks = {{0, 0, 100, 0}, {1, 100, 70, 500}};
  const auto tiles = plan_prefill(chunks, 32);
  // 100 = 32 + 32 + 32 + 4, 70 = 32 + 32 + 6
  ASSERT_EQ(tiles.size(), 7u);
  std::map<int, int> rows;
  int before = 1 << 30;
  for (const PrefillTile& tile : tiles) {
    EXPECT_LE(tile.q_pos + tile.q_count, before);
    before = tile.q_pos + tile.q_count;
    rows[tile.request] += tile.q_count;
    EXPECT_EQ(tile.kv_tokens, tile.request == 0 ? 100 : 570);
    EXPECT_EQ(tile.q_row - tile.q_pos, tile.request == 0 ? 0 : 100 - 500);
  }
  EXPECT_EQ(rows[0], 100);
  EXPECT_EQ(rows[1], 70);
}

TEST(Bf16, RoundsToNearestEven) {
  EXPECT_EQ(to_bf16(1.F), 0x3f80);
  EXPECT_EQ(to_bf16(1.F + 0x1p-8F), 0x3f80);  // half-way, to even
  EXPECT_EQ(to_bf16(1.F + 0x1p-8F + 0x1p-20F), 0x3f81);
  EXPECT_EQ(to_bf16(1.F + 3 * 0x1p-8F), 0x3f82);  // half-way, to even
  EXPECT_FLOAT_EQ(to_float(0xc000), -2.F);
}

TEST(Reference, TwoTokensByHand) {
  // q = (1, 0), keys (ln 3, 0) and (0, 0), scale 1: weights 3/4 and 1/4; values (4, 0) and (0, 8) give (3, 2).
  const std::vector<Bf16> q = {to_bf16(1.F), to_bf16(0.F)};
  const double k[2][2] = {{std::log(3.0), 0}, {0, 0}}, v[2][2] = {{4, 0}, {0, 8}};
  const auto out = attention_reference(
      q, 2, 1.0, [&](int t, int d) { return k[t][d]; }, [&](int t, int d) { return v[t][d]; });
  EXPECT_NEAR(out[0], 3, 1e-12);
  EXPECT_NEAR(out[1], 2, 1e-12);
}

TEST(Reference, NanNeverPasses) {
  const std::vector<Bf16> out = {0x7fc0, to_bf16(1.F)};
  const std::vector<double> reference = {1, 1};
  EXPECT_FALSE(relative_error(std::span<const Bf16>(out), reference) <= 1e9);
}

}  // namespace
}  // namespace stowage::probe
