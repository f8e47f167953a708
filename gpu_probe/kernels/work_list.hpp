#pragma once
// The static work lists of the attention kernels, built on the host and uploaded with each step. Plain C++: tested
// without a GPU.
#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

namespace stowage::probe {

inline constexpr int kTileTokens = 16;  // decode reads K and V in tiles of 16 tokens
inline constexpr int kPieceOverheadTokens =
    24;  // what starting and ending a piece costs, in tokens read (fill of the ring)

[[nodiscard]] inline int ceil_div(int a, int b) { return (a + b - 1) / b; }

/// One piece of one request's context: every stride-th tile of 16 tokens from `begin` on; a warp works on (piece, KV
/// head). The pieces of a request walk through its memory side by side, so that fewer pages are in use at a time than
/// if each took a stretch of its own. 16 bytes, read by the kernel as an int4.
struct DecodePiece {
  std::int32_t request = 0;  // where its K and V are: row of the block table, or of start[]
  std::int32_t begin = 0;    // token, a multiple of 16
  std::int32_t end = 0;      // the sequence length: nothing at or past it is read
  std::uint16_t row = 0;     // of the query and of the output
  std::uint16_t stride = 1;  // tiles: the number of the request's pieces
};
static_assert(sizeof(DecodePiece) == 16);

/// Tiles of a piece.
[[nodiscard]] inline int tiles_of(const DecodePiece& piece) {
  return ceil_div(ceil_div(piece.end - piece.begin, kTileTokens), piece.stride);
}

/// Split-KV plan of one decode batch: pieces of request r are pieces[first[r]] .. pieces[first[r + 1] - 1].
struct DecodePlan {
  std::vector<DecodePiece> pieces;
  std::vector<std::int32_t> first;  // batch + 1
  int chunk = 0;                    // tokens a piece holds at most
};

/// Pieces that `lengths` need at this chunk.
[[nodiscard]] inline std::int64_t piece_count(std::span<const std::int32_t> lengths, int chunk) {
  std::int64_t n = 0;
  for (const auto length : lengths) n += ceil_div(length, chunk);
  return n;
}

/// Splits each request into equal pieces (to within a tile). The chunk minimises waves x (chunk + overhead) over
/// `slots` warps; among equals the longest chunk, which combines least. Never more than max_pieces pieces (>= number of
/// requests). Requests of length 0 (padded graph rows) get none, so that nothing is read for them. requests[i]: where
/// the K and V of row i are; i itself when left out.
[[nodiscard]] inline DecodePlan plan_decode(std::span<const std::int32_t> lengths, int kv_heads, int slots,
                                            int max_pieces, std::span<const std::int32_t> requests = {}) {
  DecodePlan plan;
  int longest = kTileTokens;
  for (const auto length : lengths) longest = std::max(longest, static_cast<int>(length));
  const int top = ceil_div(longest, kTileTokens) * kTileTokens;
  std::int64_t best = -1;
  for (int chunk = 64;; chunk += std::max(16, chunk / 8 / 16 * 16)) {
    chunk = std::min(chunk, std::max(top, 64));
    const std::int64_t n = piece_count(lengths, chunk);
    const std::int64_t waves = (n * kv_heads + slots - 1) / slots;
    const std::int64_t cost = waves * (chunk + kPieceOverheadTokens);
    if (n <= max_pieces && (best < 0 || cost <= best)) {
      best = cost;
      plan.chunk = chunk;
    }
    if (chunk >= top) break;
  }
  if (plan.chunk == 0) plan.chunk = top;
  plan.first.reserve(lengths.size() + 1);
  plan.first.push_back(0);
  for (std::size_t r = 0; r < lengths.size(); ++r) {
    const int length = lengths[r];
    const int parts = ceil_div(length, plan.chunk);
    for (int p = 0; p < parts; ++p) {
      plan.pieces.push_back({requests.empty() ? static_cast<std::int32_t>(r) : requests[r], p * kTileTokens, length,
                             static_cast<std::uint16_t>(r), static_cast<std::uint16_t>(parts)});
    }
    plan.first.push_back(static_cast<std::int32_t>(plan.pieces.size()));
  }
  return plan;
}

/// One request's part of a prefill batch: `count` new tokens whose K and V are already stored, after `stored` others.
struct PrefillChunk {
  std::int32_t request = 0;    // row of the block table, or of start[]
  std::int32_t first_row = 0;  // row of the first new token in the flat token buffer
  std::int32_t count = 0;
  std::int32_t stored = 0;
};

/// One tile of query rows of one request: what a block of threads works on, for each KV head (or query head).
struct PrefillTile {
  std::int32_t request = 0;
  std::int32_t q_row = 0;      // row of the tile's first token in the flat token buffer
  std::int32_t q_pos = 0;      // position of that token in its sequence
  std::int32_t q_count = 0;    // tokens of this tile, <= tile_tokens
  std::int32_t kv_tokens = 0;  // of the whole sequence once this chunk is stored: what may be read
  std::int32_t unused[3] = {};
};
static_assert(sizeof(PrefillTile) == 32);

/// Cuts the chunks into tiles, longest context first, so that the last tiles to start are the short ones.
[[nodiscard]] inline std::vector<PrefillTile> plan_prefill(std::span<const PrefillChunk> chunks, int tile_tokens) {
  std::vector<PrefillTile> tiles;
  for (const auto& c : chunks) {
    for (int t = 0; t < c.count; t += tile_tokens) {
      tiles.push_back(
          {c.request, c.first_row + t, c.stored + t, std::min(tile_tokens, c.count - t), c.stored + c.count, {}});
    }
  }
  std::stable_sort(tiles.begin(), tiles.end(), [](const PrefillTile& a, const PrefillTile& b) {
    return a.q_pos + a.q_count > b.q_pos + b.q_count;
  });
  return tiles;
}

}  // namespace stowage::probe
