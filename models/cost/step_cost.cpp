#include "models/cost/step_cost.hpp"

#include <cmath>
#include <utility>

#include "base/error.hpp"

namespace stowage {
namespace {
/// Position of x on an ascending grid: cell index and fraction, held at the ends.
std::pair<std::size_t, double> locate(const std::vector<double>& grid, double x) {
  if (grid.size() < 2 || x <= grid.front()) return {0, 0.0};
  if (x >= grid.back()) return {grid.size() - 2, 1.0};
  const auto it = std::upper_bound(grid.begin(), grid.end(), x);
  const auto i = static_cast<std::size_t>(it - grid.begin()) - 1;
  return {i, (x - grid[i]) / (grid[i + 1] - grid[i])};
}

double utilisation_at(const PrefillAttention& p, double q, double kv) {
  if (p.utilisation.empty()) return 1.0;
  const auto [i, fi] = locate(p.log2_q, std::log2(q));
  const auto [j, fj] = locate(p.log2_kv, std::log2(kv));
  const std::size_t columns = p.log2_kv.size();
  const auto at = [&](std::size_t r, std::size_t c) {
    return p.utilisation[std::min(r, p.log2_q.size() - 1) * columns + std::min(c, columns - 1)];
  };
  const double low = at(i, j) + (at(i, j + 1) - at(i, j)) * fj;
  const double high = at(i + 1, j) + (at(i + 1, j + 1) - at(i + 1, j)) * fj;
  return low + (high - low) * fi;
}
}  // namespace

StepCost::StepCost(Linear linear) : kind_(Kind::linear), linear_(linear) {}

StepCost::StepCost(Table table) : kind_(Kind::table), table_(std::make_shared<const Table>(std::move(table))) {
  STOWAGE_ASSERT(!table_->dense_ns.empty());
  STOWAGE_ASSERT(table_->prefill.utilisation.size() == table_->prefill.log2_q.size() * table_->prefill.log2_kv.size());
  STOWAGE_ASSERT(table_->decode_rows.size() % decode_segments == 0);
  STOWAGE_ASSERT(table_->boost.ratio.empty() || table_->boost.ratio.size() == table_->dense_ns.size());
  STOWAGE_ASSERT(table_->boost.capacity_ns.size() == table_->boost.recharge.size());
  const auto& tiles = table_->tiles;
  STOWAGE_ASSERT(tiles.tile_tokens == 0 || (tiles.knots >= 2 && tiles.chunks.size() % tiles.knots == 0));
}

DecodeLine StepCost::decode_line(std::int64_t b) const {
  const auto seqs = static_cast<double>(b);
  if (kind_ == Kind::linear)
    return {(linear_.base_ns + linear_.per_prefill_token_ns * 0.0) + linear_.per_decode_seq_ns * seqs,
            0.0,
            linear_.per_kv_token_ns,
            0.0,
            0.0,
            nullptr};
  const auto& t = *table_;
  const auto& dense = t.decode_dense_ns.empty() ? t.dense_ns : t.decode_dense_ns;
  STOWAGE_ASSERT(b < static_cast<std::int64_t>(dense.size()));
  if (!t.decode_rows.empty()) {
    const std::size_t at = static_cast<std::size_t>(b) * decode_segments;
    STOWAGE_ASSERT(at < t.decode_rows.size());
    return {dense[static_cast<std::size_t>(b)], 0, 0, 0, 0, &t.decode_rows[at]};
  }
  DecodeLine line{dense[static_cast<std::size_t>(b)],
                  t.decode.c0 + t.decode.c0_per_seq * seqs,
                  t.decode.s0,
                  t.decode.c1 + t.decode.c1_per_seq * seqs,
                  t.decode.s1,
                  nullptr};
  if (t.decode_scale.empty()) return line;
  for (double* part : {&line.c0, &line.s0, &line.c1, &line.s1}) *part *= t.decode_scale[static_cast<std::size_t>(b)];
  for (double* part : {&line.c0, &line.c1}) *part += t.decode_seq_ns * seqs;
  return line;
}

double StepCost::ns(const StepShape& shape) const {
  if (kind_ == Kind::table && shape.prefill_tokens == 0)
    return decode_line(shape.decode_seqs).ns(shape.decode_kv_tokens);
  return price(shape).ns;
}

StepCost::Price StepCost::price(const StepShape& shape) const {
  if (kind_ == Kind::linear)
    return {((linear_.base_ns + linear_.per_prefill_token_ns * static_cast<double>(shape.prefill_tokens)) +
             linear_.per_decode_seq_ns * static_cast<double>(shape.decode_seqs)) +
                linear_.per_kv_token_ns * static_cast<double>(shape.decode_kv_tokens) + shape.prefill_attention_ns,
            0.0};
  const auto tokens = static_cast<std::size_t>(shape.prefill_tokens + shape.decode_seqs);
  STOWAGE_ASSERT(tokens < table_->dense_ns.size());
  const double memory = memory_ns(shape);
  const double ns = table_->dense_ns[tokens] + memory;
  return {ns + table_->tiles.fixed_ns +
              std::max(shape.prefill_alone_ns,
                       shape.prefill_attention_ns + table_->tiles.unfilled * shape.prefill_slack_ns),
          memory};
}

double StepCost::memory_ns(const StepShape& shape) const {
  if (shape.decode_seqs == 0) return 0.0;
  DecodeLine line = decode_line(shape.decode_seqs);
  line.lead = 0;
  return line.ns(shape.decode_kv_tokens) + table_->mixed_decode_ns;
}

double StepCost::least_step_ns() const {
  if (kind_ == Kind::linear) return linear_.base_ns;
  const auto& t = *table_;
  double least = *std::min_element(t.dense_ns.begin(), t.dense_ns.end());
  if (has_boost()) least *= *std::min_element(t.boost.ratio.begin(), t.boost.ratio.end());
  for (const double ns : t.decode_dense_ns) least = std::min(least, ns);
  return least;  // attention adds to it, whatever the shape
}

PrefillChunk StepCost::chunk(std::int64_t q, std::int64_t stored) const {
  if (kind_ == Kind::linear) return {linear_.per_chunk_ns, 0.0};
  if (const auto& tiles = table_->tiles; tiles.tile_tokens > 0) {
    const auto n = static_cast<std::size_t>((q + tiles.tile_tokens - 1) / tiles.tile_tokens);
    STOWAGE_ASSERT((n + 1) * tiles.knots <= tiles.chunks.size());
    const auto below = static_cast<std::size_t>(std::bit_width(static_cast<std::uint64_t>(stored) >> 8));
    const std::size_t i = std::min(below, tiles.knots - 2);
    const auto low = static_cast<double>(PrefillTiles::knot(i)), high = static_cast<double>(PrefillTiles::knot(i + 1));
    const double f = (static_cast<double>(stored) - low) / (high - low);
    const PrefillChunk& a = tiles.chunks[n * tiles.knots + i];
    const PrefillChunk& b = tiles.chunks[n * tiles.knots + i + 1];
    return {a.work_ns + (b.work_ns - a.work_ns) * f, a.alone_ns + (b.alone_ns - a.alone_ns) * f};
  }
  const auto& p = table_->prefill;
  const auto n = static_cast<double>(q);
  const auto kv = static_cast<double>(stored + q);
  const double pairs = n * static_cast<double>(stored) + n * (n + 1) / 2;
  return {p.fixed_ns + std::max(pairs * p.ns_per_pair / utilisation_at(p, n, kv), kv * p.ns_per_kv_token), 0.0};
}

double StepCost::chunk_ns(std::int64_t q, std::int64_t stored) const {
  const PrefillChunk c = chunk(q, stored);
  return (kind_ == Kind::table ? table_->tiles.fixed_ns : 0.0) + std::max(c.work_ns, c.alone_ns);
}
}  // namespace stowage
