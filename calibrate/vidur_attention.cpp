// Vidur's attention tables: decode by (requests, tokens), prefill through the tile model of probe files.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "calibrate/fit.hpp"
#include "calibrate/parts.hpp"
#include "calibrate/vidur.hpp"

namespace stowage::detail {
namespace {
using Samples = std::map<double, std::vector<double>>;  // stored tokens of a request -> times, ns

constexpr double ms = 1e6;
constexpr double grid_step = 1.25;  // of the decode table's tokens

struct Shape {
  std::int64_t heads, kv_heads, head_dim, block;
  auto operator<=>(const Shape&) const = default;
};
struct Rows {
  std::map<double, Samples> decode;                                  // by requests
  std::map<std::pair<double, double>, std::vector<double>> prefill;  // (new, stored) tokens -> times, ns
  std::string path;
  [[nodiscard]] std::size_t size() const {
    std::size_t n = prefill.size();
    for (const auto& [batch, row] : decode) n += row.size();
    return n;
  }
};

std::int64_t whole(double value) { return static_cast<std::int64_t>(std::llround(value)); }

/// The heads of one GPU; the shape with most points.
std::pair<Shape, Rows> rows_of(const std::vector<VidurTable>& tables) {
  std::map<Shape, Rows> shapes;
  for (const auto& table : tables) {
    for (const auto& r : table.rows) {
      const double t = r[c_tp], q = r[c_q];
      if (!(t >= 1) || !(q >= t) || !(r[c_kv] >= 1) || !(r[c_embd] >= q)) continue;
      Rows& rows = shapes[{whole(q / t), std::max<std::int64_t>(1, whole(r[c_kv] / t)), whole(r[c_embd] / q),
                           whole(r[c_block])}];
      rows.path = table.path;
      if (r[c_is_prefill] > 0) {
        if (r[c_batch] == 1 && r[c_chunk] >= 1 && r[c_cache] >= 0 && r[c_prefill] > 0)
          rows.prefill[{r[c_chunk], r[c_cache]}].push_back(r[c_prefill] * ms);
      } else if (r[c_batch] >= 1 && r[c_cache] >= 0 && r[c_decode] > 0) {
        rows.decode[r[c_batch]][r[c_cache]].push_back(r[c_decode] * ms);
      }
    }
  }
  if (shapes.empty()) throw InputError({tables.front().path, 0, 0}, "no row of attention that can be used");
  return *std::max_element(shapes.begin(), shapes.end(),
                           [](const auto& a, const auto& b) { return a.second.size() < b.second.size(); });
}

/// Row of a batch on the table's grid. Longer than was measured: as it grew itself, or as the nearest larger batch
/// grows that reaches so far, whichever is more, and never faster than the fastest cell measured.
std::vector<double> on_grid(const std::map<double, PriceTable>& measured, double batch,
                            const std::vector<double>& grid) {
  const PriceTable& own = measured.at(batch);
  double fastest = 0;  // tokens a ns
  for (const auto& [other, table] : measured)
    for (std::size_t i = 0; i < table.x.size(); ++i) fastest = std::max(fastest, table.x[i] / table.ns[i]);
  const auto as_others = [&](double tokens) {
    for (auto next = measured.upper_bound(batch); next != measured.end(); ++next)
      if (next->second.x.back() >= tokens && next->second.x.front() <= own.x.back())
        return own.ns.back() * next->second.at(tokens) / next->second.at(own.x.back());
    return 0.0;
  };
  std::vector<double> out;
  for (const double tokens : grid) {
    double ns = own.at(tokens);
    if (tokens > own.x.back()) ns = std::max({ns, as_others(tokens), tokens / fastest});
    out.push_back(out.empty() ? ns : std::max(ns, out.back()));
  }
  return out;
}

DecodePrices without(const DecodePrices& d, std::size_t batch) {
  DecodePrices out = d;
  const auto columns = static_cast<std::ptrdiff_t>(d.kv_tokens.size());
  const auto row = static_cast<std::ptrdiff_t>(batch);
  out.batch.erase(out.batch.begin() + row);
  out.ns.erase(out.ns.begin() + row * columns, out.ns.begin() + (row + 1) * columns);
  return out;
}

PartFit fit_decode_table(const Shape& shape, const Rows& rows, Profile& profile) {
  DecodePrices& d = profile.decode;
  d.heads = shape.heads;
  d.kv_heads = shape.kv_heads;
  d.head_dim = shape.head_dim;
  std::map<double, PriceTable> measured;  // by tokens of the whole batch, the new ones included
  double low = 0, high = 0;
  for (const auto& [batch, row] : rows.decode) {
    if (row.size() < 3) continue;
    PriceTable table;
    for (const auto& [stored, times] : row) {
      table.x.push_back(batch * (stored + 1));
      table.ns.push_back(median_of(times));
    }
    table.ns = monotone(table.ns);
    low = measured.empty() ? table.x.front() : std::min(low, table.x.front());
    high = std::max(high, table.x.back());
    measured[batch] = std::move(table);
  }
  if (measured.size() < 3)
    throw InputError({rows.path, 0, 0},
                     "too few rows of decode attention: three batch_size at three kv_cache_size each "
                     "are the least");
  for (double x = low; x < high; x = std::ceil(x * grid_step)) d.kv_tokens.push_back(x);
  for (int i = 0; i < 4; ++i) d.kv_tokens.push_back(high * std::exp2(i));  // other models' heads make them more tokens
  for (const auto& [batch, table] : measured) {
    d.batch.push_back(batch);
    const auto row = on_grid(measured, batch, d.kv_tokens);
    d.ns.insert(d.ns.end(), row.begin(), row.end());
  }
  PartFit fit;
  std::vector<double> residuals;
  Profile others = profile;
  for (std::size_t i = 1; i + 1 < d.batch.size(); ++i) {
    const double batch = d.batch[i];
    others.decode = without(d, i);
    for (const auto& [stored, times] : rows.decode.at(batch)) {
      const double tokens = batch * (stored + 1);
      fit.points.push_back({fmt::format("{} requests, {} tokens", batch, tokens), fmt::format("{} requests", batch),
                            tokens, median_of(times),
                            others.decode_attention_ns(d.kv_heads, d.head_dim, batch, tokens, {})});
      residuals.push_back(fit.points.back().residual());
    }
  }
  fit.error = error_of("decode", residuals, "decode attention, each batch size left out, from its neighbours");
  return fit;
}

PartFit fit_chunks(const Shape& shape, const Rows& rows, Profile& profile) {
  if (rows.prefill.size() < 4)
    throw InputError({rows.path, 0, 0},
                     "too few rows of prefill attention: four of batch_size 1 with is_prefill True are the least");
  ProbeFile probe;
  probe.path = rows.path;
  ProbePart part{"measured", "", {}};
  double best = 0;  // FLOP/s
  for (const auto& [chunk, times] : rows.prefill) {
    const auto& [q, stored] = chunk;
    ProbeFigure f;
    f.name = "prefill";
    f.unit = "us";
    f.keys = {{"loader", std::string("gather")}, {"block_tokens", shape.block}, {"heads", shape.heads},
              {"kv_heads", shape.kv_heads},      {"head_dim", shape.head_dim},  {"new_tokens", whole(q)},
              {"stored_tokens", whole(stored)}};
    f.median = median_of(times) / 1e3;
    // Two products of each query with the context before it (causal), two operations a multiply and add.
    const double flop = 4 * q * (stored + q / 2) * static_cast<double>(shape.heads * shape.head_dim);
    best = std::max(best, flop / f.median * 1e6);
    part.figures.push_back(std::move(f));
  }
  probe.parts["attention"] = std::move(part);
  PartFit fit = fit_prefill(probe, {}, {}, profile, {{"gather", shape.block}});
  fit.error.how = "prefill attention of one chunk, left out one at a time";
  profile.gaps.push_back(
      fmt::format("attention was timed on blocks of {} tokens: contiguous memory and other blocks are priced as that",
                  shape.block));
  profile.gaps.push_back(fmt::format(
      "prefill attention reached {:.0f} TFLOP/s at most with the kernel timed; later kernels are faster, and "
      "long prompts then take less than priced",
      best / 1e12));
  return fit;
}
}  // namespace

void fit_vidur_attention(const std::vector<VidurTable>& tables, Calibration& out) {
  const auto [shape, rows] = rows_of(tables);
  out.parts.push_back(fit_decode_table(shape, rows, out.profile));
  out.parts.push_back(fit_chunks(shape, rows, out.profile));
  double stored = 0, context = 0;
  for (const auto& [batch, row] : rows.decode) stored = std::max(stored, row.rbegin()->first);
  for (const auto& [chunk, times] : rows.prefill) context = std::max(context, chunk.first + chunk.second);
  out.profile.gaps.push_back(
      fmt::format("attention was timed to {:.0f} requests of {:.0f} tokens decoding and prompts "
                  "of {:.0f}: what is longer is extrapolated",
                  rows.decode.rbegin()->first, stored, context));
}

void scale_attention(const Profile& from, const HardwareSpec& from_gpu, const HardwareSpec& to_gpu, Profile& to) {
  const double bytes = from_gpu.memory_bytes_per_s / to_gpu.memory_bytes_per_s;
  const double flops = from_gpu.bf16_flop_per_s / static_cast<double>(from_gpu.sms) /
                       (to_gpu.bf16_flop_per_s / static_cast<double>(to_gpu.sms));
  to.decode = from.decode;
  for (double& ns : to.decode.ns) ns *= bytes;
  to.prefill = from.prefill;
  to.prefill_query_rows = from.prefill_query_rows;
  to.prefill_unfilled = from.prefill_unfilled;
  for (auto& p : to.prefill) {
    p.tile_ns *= flops;
    p.item_ns *= flops;
  }
  to.gaps.push_back(
      fmt::format("attention was not timed on this GPU: scaled from the {} by the data sheets' memory "
                  "bandwidth (decode) and FLOP/s of an SM (prefill), with an error nobody knows",
                  from_gpu.title));
}
}  // namespace stowage::detail
