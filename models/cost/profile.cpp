// Prices of single operators from a profile's tables.
#include "models/cost/profile.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace stowage {
namespace {
constexpr double bf16_bytes = 2;
constexpr std::int64_t context_tile = 128;

/// Cell of an ascending grid and the fraction in it; below and above the grid the fraction is outside [0, 1].
std::pair<std::size_t, double> cell(const std::vector<double>& grid, double x) {
  const auto it = std::upper_bound(grid.begin(), grid.end(), x);
  const auto above = static_cast<std::size_t>(it - grid.begin());
  const std::size_t i = std::clamp<std::size_t>(above, 1, grid.size() - 1) - 1;
  return {i, (x - grid[i]) / (grid[i + 1] - grid[i])};
}

/// Interpolated, held at both ends.
double held(const std::vector<double>& grid, const std::vector<double>& values, double x) {
  if (grid.size() < 2) return values.empty() ? 1.0 : values.front();
  const auto [i, f] = cell(grid, x);
  return std::lerp(values[i], values[i + 1], std::clamp(f, 0.0, 1.0));
}

/// A roofline with round figures: only ratios of it between shapes are used.
double roof_ns(double m, double n, double k) {
  const double flops_ns = 2 * m * n * k / 600e3, bytes_ns = bf16_bytes * (n * k + m * (n + k)) / 3e3;
  return std::max(flops_ns, bytes_ns) + 2'000;
}

double log2_distance(const GemmTable& t, std::int64_t n, std::int64_t k) {
  const double dn = std::log2(static_cast<double>(t.n) / static_cast<double>(n));
  const double dk = std::log2(static_cast<double>(t.k) / static_cast<double>(k));
  return dn * dn + dk * dk;
}

const GemmTable* find_gemm(const std::vector<GemmTable>& tables, std::int64_t n, std::int64_t k) {
  const auto it = std::find_if(tables.begin(), tables.end(), [&](const auto& t) { return t.n == n && t.k == k; });
  return it == tables.end() ? nullptr : &*it;
}

const PrefillPrices& prefill_of(const Profile& p, const KvLayout& layout) {
  // Engines let the copy engine fetch whole tiles where a block holds one, and gather rows by threads below that.
  const bool whole_tiles = layout.block_tokens % context_tile == 0;
  const PrefillPrices* best = &p.prefill.front();
  double nearest = -1;
  for (const auto& candidate : p.prefill) {
    if ((candidate.loader == "tensor") != whole_tiles) continue;
    const double distance = std::abs(std::log2(static_cast<double>(candidate.block_tokens + 1)) -
                                     std::log2(static_cast<double>(layout.block_tokens + 1)));
    if (nearest >= 0 && distance >= nearest) continue;
    nearest = distance;
    best = &candidate;
  }
  return *best;
}

/// Cell and fraction in log2, held at both ends.
std::pair<std::size_t, double> log_cell(const std::vector<double>& grid, double x) {
  if (grid.size() < 2) return {0, 0.0};
  const auto [i, unused] = cell(grid, x);
  const double f = std::log2(std::max(x, 1.0) / grid[i]) / std::log2(grid[i + 1] / grid[i]);
  return {i, std::clamp(f, 0.0, 1.0)};
}

double correction_at(const PrefillPrices& p, double q, double kv) {
  if (p.correction.empty()) return 1.0;
  const auto [i, fi] = log_cell(p.new_tokens, q);
  const auto [j, fj] = log_cell(p.kv_tokens, kv);
  const std::size_t columns = p.kv_tokens.size();
  const auto at = [&](std::size_t r, std::size_t c) {
    return p.correction[std::min(r, p.new_tokens.size() - 1) * columns + std::min(c, columns - 1)];
  };
  return std::lerp(std::lerp(at(i, j), at(i, j + 1), fj), std::lerp(at(i + 1, j), at(i + 1, j + 1), fj), fi);
}
}  // namespace

std::string_view profile_evidence_name(ProfileEvidence evidence) {
  switch (evidence) {
    case ProfileEvidence::measured:
      return "measured";
    case ProfileEvidence::published:
      return "published";
    case ProfileEvidence::engine_log:
      return "engine-log";
  }
  return "";
}

double PriceTable::at(double value) const {
  if (x.size() < 2) return ns.empty() ? 0.0 : ns.front();
  if (value <= x.front()) return ns.front();
  if (value > x.back()) {
    // Not the last segment's: where sizes lie close, that is noise, and a flat end would make all beyond it free.
    const auto half = std::upper_bound(x.begin(), x.end() - 1, x.back() / 2) - x.begin();
    const auto from = static_cast<std::size_t>(std::max<std::ptrdiff_t>(0, half - 1));
    return ns.back() + (ns.back() - ns[from]) / (x.back() - x[from]) * (value - x.back());
  }
  const auto [i, f] = cell(x, value);
  return ns[i] + (ns[i + 1] - ns[i]) * f;
}

double GemmTable::at(double count) const {
  const auto it = std::lower_bound(jump_rows.begin(), jump_rows.end(), count);
  if (it != jump_rows.end() && *it == count) return jump_ns[static_cast<std::size_t>(it - jump_rows.begin())];
  return rows.at(count);
}

std::int64_t padded_rows(std::int64_t tokens) {
  if (tokens <= 2) return tokens;
  if (tokens <= 4) return 4;
  if (tokens <= 256) return (tokens + 7) / 8 * 8;
  return (tokens + 63) / 64 * 64;
}

bool Profile::is_scaled(std::int64_t n, std::int64_t k) const { return find_gemm(gemm, n, k) == nullptr; }

double Profile::gemm_ns(std::int64_t m, std::int64_t n, std::int64_t k) const {
  if (m <= 0 || n <= 0 || k <= 0) return 0.0;
  const auto rows = static_cast<double>(m);
  // A table that ends while its product still waits for weights would go on too flat (the head's does, at 256 rows): no
  // less then than by those that go further.
  const GemmTable* const own = find_gemm(gemm, n, k);
  if (own != nullptr && rows <= own->rows.x.back()) return own->at(rows);
  // Utilisation against a roofline is smooth over shapes: weigh the four nearest by distance.
  std::vector<std::pair<double, const GemmTable*>> near;
  const auto take = [&](bool all) {
    for (const auto& table : gemm)
      if (all || table.rows.x.back() >= rows) near.emplace_back(log2_distance(table, n, k), &table);
  };
  take(false);
  if (near.empty() && own != nullptr) return own->at(rows);
  if (near.empty()) take(true);
  std::stable_sort(near.begin(), near.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  double weights = 0, utilisation = 0;
  for (std::size_t i = 0; i < std::min<std::size_t>(4, near.size()); ++i) {
    const auto& [distance, table] = near[i];
    const double w = 1 / (distance + 0.05);
    weights += w;
    utilisation +=
        w * roof_ns(rows, static_cast<double>(table->n), static_cast<double>(table->k)) / table->rows.at(rows);
  }
  const double by_others = roof_ns(rows, static_cast<double>(n), static_cast<double>(k)) * weights / utilisation;
  return own == nullptr ? by_others : std::max(by_others, own->at(rows));
}

Profile::Rested::State Profile::Rested::at(double decodes) const {
  return {held(batch, capacity_ns, decodes), held(batch, recharge, decodes)};
}

double Profile::Chain::at(double step_rows) const {
  if (ratio.size() < 2) return ratio.empty() ? 1.0 : ratio.front();
  const auto [i, f] = log_cell(rows, step_rows);
  return std::lerp(ratio[i], ratio[i + 1], f);
}

double Profile::decode_attention_ns(std::int64_t kv_heads, std::int64_t head_dim, double streams, double kv_tokens,
                                    const KvLayout& layout) const {
  if (streams <= 0) return 0.0;
  const double own = static_cast<double>(decode.kv_heads * decode.head_dim);
  const double size = static_cast<double>(kv_heads * head_dim) / own;
  const double tokens = std::max(kv_tokens, streams) * size;
  const double batch = streams * static_cast<double>(kv_heads) / static_cast<double>(decode.kv_heads);
  const std::size_t columns = decode.kv_tokens.size();
  // Linear in the tokens of one row: held below the first, the last slope goes on above.
  const auto row_ns = [&](std::size_t row) {
    const double* ns = &decode.ns[row * columns];
    if (tokens <= decode.kv_tokens.front()) return ns[0];
    const auto [j, f] = cell(decode.kv_tokens, tokens);
    return ns[j] + (ns[j + 1] - ns[j]) * f;
  };
  double price = 0;
  if (batch <= decode.batch.front() || decode.batch.size() == 1) {
    price = row_ns(0);
  } else if (batch >= decode.batch.back()) {
    price = row_ns(decode.batch.size() - 1);
  } else {
    const auto [i, unused] = cell(decode.batch, batch);
    const double f = std::log2(batch / decode.batch[i]) / std::log2(decode.batch[i + 1] / decode.batch[i]);
    price = std::lerp(row_ns(i), row_ns(i + 1), f);
  }
  double ratio = 1;
  if (layout.block_tokens > 0 || layout.mapped) {
    double nearest = -1;
    for (const auto& candidate : decode.layouts) {
      if ((candidate.block_tokens == 0) != (layout.block_tokens == 0)) continue;
      const double distance = std::abs(std::log2(static_cast<double>(candidate.block_tokens + 1)) -
                                       std::log2(static_cast<double>(layout.block_tokens + 1)));
      if (nearest >= 0 && distance >= nearest) continue;
      nearest = distance;
      ratio = held(candidate.kv_tokens, candidate.ratio, tokens);
    }
  }
  return price * ratio;
}

double Profile::slowdown_at(double rows) const {
  if (slowdown.empty()) return 1.0;
  const auto [i, f] = log_cell(slowdown_rows, rows);
  return slowdown.size() == 1 ? slowdown.front() : std::lerp(slowdown[i], slowdown[i + 1], f);
}

std::int64_t Profile::prefill_tile_tokens(std::int64_t heads, std::int64_t kv_heads) const {
  const std::int64_t group = heads / std::max<std::int64_t>(1, kv_heads);
  const std::int64_t pack = group == 2 || group == 4 || group == 8 ? group : 1;
  return prefill_query_rows / pack;
}

PrefillChunk Profile::prefill_attention(std::int64_t heads, std::int64_t kv_heads, std::int64_t head_dim,
                                        std::int64_t q, std::int64_t stored, const KvLayout& layout) const {
  const PrefillPrices& p = prefill_of(*this, layout);
  const std::int64_t tile = prefill_tile_tokens(heads, kv_heads);
  const std::int64_t units = heads / (prefill_query_rows / tile);  // items of one tile: one a packed group of heads
  const double size = static_cast<double>(head_dim) / static_cast<double>(decode.head_dim);
  // Tiles go round the SMs longest first, back and forth (gpu_probe/kernels/prefill.cuh); the busiest SM decides.
  const std::int64_t tiles = (q + tile - 1) / tile, items = tiles * units;
  std::vector<double> busy(static_cast<std::size_t>(sms), 0.0);
  double work = 0;
  for (std::int64_t i = 0; i < items; ++i) {
    const std::int64_t from_end = i / units;  // tile counted from the one with the longest context
    const std::int64_t context = stored + std::min(q, (tiles - from_end) * tile);
    const double ns = size * (p.item_ns + p.tile_ns * static_cast<double>((context + context_tile - 1) / context_tile));
    const std::int64_t round = i / sms, place = i % sms;
    busy[static_cast<std::size_t>(round % 2 == 0 ? place : sms - 1 - place)] += ns;
    work += ns;
  }
  const auto n = static_cast<double>(q);
  const double factor = correction_at(p, n, n + static_cast<double>(stored)) * slowdown_at(n);
  const double longest = *std::max_element(busy.begin(), busy.end());
  // The correction is one of the whole launch, its fixed part included.
  return {work / static_cast<double>(sms) * factor, std::max(0.0, (longest + p.fixed_ns) * factor - p.fixed_ns)};
}

double Profile::prefill_fixed_ns(const KvLayout& layout) const { return prefill_of(*this, layout).fixed_ns; }

bool Profile::has_all_reduce(std::int64_t gpus) const {
  return std::any_of(all_reduce.begin(), all_reduce.end(), [&](const auto& a) { return a.gpus == gpus; });
}

double Profile::all_reduce_ns(double bytes, std::int64_t gpus) const {
  if (gpus <= 1 || all_reduce.empty()) return 0.0;
  const AllReducePrices* best = &all_reduce.front();
  for (const auto& a : all_reduce)
    if (a.gpus <= gpus) best = &a;
  if (best->gpus == gpus) return best->bytes.at(bytes);
  const auto share = [](std::int64_t n) { return 2.0 * static_cast<double>(n - 1) / static_cast<double>(n); };
  const double start = best->bytes.ns.front();
  const double moved = bytes * share(gpus) / share(best->gpus);
  return start * static_cast<double>(gpus + 1) / static_cast<double>(best->gpus + 1) + (best->bytes.at(moved) - start);
}

const PartError* Profile::error_of(std::string_view part) const {
  const auto it = std::find_if(errors.begin(), errors.end(), [&](const auto& e) { return e.part == part; });
  return it == errors.end() ? nullptr : &*it;
}

Profile Profile::drawn(std::size_t i) const {
  Profile p = *this;
  for (const auto& d : draws) {
    const double f = d.factor.at(i);
    const auto scale = [f](std::vector<double>& values) {
      for (double& v : values) v *= f;
    };
    const auto scale_call = [f](std::optional<VmmPrice>& call) {
      if (!call) return;
      call->call_ns *= f;
      call->handle_ns *= f;
    };
    if (d.part == "gemm")
      for (auto& table : p.gemm) {
        scale(table.rows.ns);
        scale(table.jump_ns);
      }
    if (d.part == "elementwise")
      for (auto* kernel : {&p.norm, &p.rotate, &p.activate, &p.sample}) scale(kernel->ns);
    if (d.part == "decode") scale(p.decode.ns);
    if (d.part == "prefill")
      for (auto& loader : p.prefill) {
        loader.fixed_ns *= f;
        loader.tile_ns *= f;
        loader.item_ns *= f;
      }
    if (d.part == "dense")
      for (auto* chain : {&p.chain_graph, &p.chain_eager}) scale(chain->ratio);
    if (d.part == "host") {
      p.host_graph_ns *= f;
      p.host_eager_ns *= f;
    }
    if (d.part == "all_reduce")
      for (auto& a : p.all_reduce) scale(a.bytes.ns);
    if (d.part == "vmm")
      for (auto* call : {&p.vmm_create, &p.vmm_map, &p.vmm_set_access, &p.vmm_unmap}) scale_call(*call);
  }
  return p;
}

std::string Profile::summary() const {
  switch (evidence) {
    case ProfileEvidence::measured:
      return fmt::format("measured on {}, {}", gpu, date);
    case ProfileEvidence::published:
      return fmt::format("published measurements of {}, {}", gpu, date);
    case ProfileEvidence::engine_log:
      return fmt::format("fitted to a serving engine's log on {}, {}", gpu, date);
  }
  return "";
}
}  // namespace stowage
