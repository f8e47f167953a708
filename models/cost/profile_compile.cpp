// A profile's prices compiled into the table of one replica under one KV layout.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "models/cost/profile.hpp"

namespace stowage {
namespace {
constexpr std::int64_t attention_kernels = 2;  // decode: one reads, one combines

/// Everything but attention, by rows, on one GPU of a replica.
class Dense {
 public:
  Dense(const ModelSpec& model, const HardwareSpec& hardware, const Profile& profile, std::int64_t tensor)
      : m_(model), hardware_(hardware), p_(profile), t_(tensor) {
    q_ = m_.heads / t_ * m_.head_dim;
    kv_ = m_.kv_heads_per_gpu(static_cast<int>(t_)) * m_.head_dim;
    mlp_ = m_.intermediate / t_;
    ups_ = m_.mlp == Mlp::gated ? 2 : 1;
    element_ = static_cast<double>(dtype_bytes(m_.dtype));
    const std::int64_t hidden = m_.hidden;
    for (const auto& [n, k] : {std::pair{q_ + 2 * kv_, hidden}, {hidden, q_}, {ups_ * mlp_, hidden}, {hidden, mlp_}})
      products_.emplace_back(p_, n, k);
    head_share_ = (m_.vocab + t_ - 1) / t_;
    head_.emplace(p_, head_share_, hidden);
  }

  /// Its kernels, as a step has them.
  [[nodiscard]] double step_ns(std::int64_t tokens, std::int64_t sampled, bool graph) const {
    const auto rows = static_cast<double>(padded_rows(tokens));
    return ns(tokens, sampled, graph) * (graph ? p_.chain_graph : p_.chain_eager).at(rows);
  }

 private:
  [[nodiscard]] double ns(std::int64_t tokens, std::int64_t sampled, bool graph) const {
    if (tokens == 0) return 0.0;
    const std::int64_t rows = padded_rows(tokens);
    const auto r = static_cast<double>(rows), hidden = static_cast<double>(m_.hidden);
    double layer = 0;
    for (const GemmAt& product : products_) layer += product.ns(rows);
    layer += 2 * p_.norm.at(4 * hidden * element_ * r);                           // norm and residual: two in, two out
    layer += p_.rotate.at(static_cast<double>(2 * q_ + 4 * kv_) * element_ * r);  // rotation, append
    layer += p_.activate.at(static_cast<double>((ups_ + 1) * mlp_) * element_ * r);
    std::int64_t kernels = 8;
    if (t_ > 1) {
      layer += 2 * all_reduce_ns(hidden * element_ * r);
      kernels += 2;
    }
    return static_cast<double>(m_.layers) * (layer + launch_ns(kernels, graph)) + ends_ns(r, sampled, graph);
  }
  [[nodiscard]] double launch_ns(std::int64_t kernels, bool graph) const {
    return graph ? 0.0 : static_cast<double>(kernels) * std::max(0.0, p_.eager_kernel_ns - p_.graph_kernel_ns);
  }
  [[nodiscard]] double ends_ns(double rows, std::int64_t sampled, bool graph) const {
    const std::int64_t head_rows = padded_rows(sampled);
    const auto hidden = static_cast<double>(m_.hidden), h = static_cast<double>(head_rows);
    return p_.norm.at(2 * hidden * element_ * rows) + p_.norm.at(4 * hidden * element_ * rows) +
           p_.norm.at(2 * hidden * element_ * h) + head_->ns(head_rows) +
           p_.sample.at(static_cast<double>(head_share_) * element_ * h) + launch_ns(5, graph);
  }
  [[nodiscard]] double all_reduce_ns(double bytes) const {
    if (!p_.all_reduce.empty()) return p_.all_reduce_ns(bytes, t_);
    // Nothing measured: a ring at 70 % of the link's data-sheet rate, as the roofline has it.
    const auto t = static_cast<double>(t_);
    return (t + 1) * 2'000 + 2 * (t - 1) / t * bytes * 1e9 / (hardware_.link_bytes_per_s() * 0.7);
  }

  const ModelSpec& m_;
  const HardwareSpec& hardware_;
  const Profile& p_;
  std::int64_t t_, q_ = 0, kv_ = 0, mlp_ = 0, ups_ = 0, head_share_ = 0;
  std::vector<GemmAt> products_;  // of a layer
  std::optional<GemmAt> head_;
  double element_ = 2;
};

std::vector<DecodeSegment> decode_rows(const ModelSpec& model, const Profile& p, const ProfileTarget& target,
                                       const Stages& stages, std::int64_t batch_max) {
  const auto layers = static_cast<double>(model.layers);
  const std::int64_t kv_heads = model.kv_heads_per_gpu(target.tensor);
  // One element size was measured; a smaller one moves fewer bytes.
  const double element = static_cast<double>(dtype_bytes(model.kv_dtype)) / 2;
  std::vector<DecodeSegment> rows(static_cast<std::size_t>(batch_max + 1) * decode_segments);
  for (std::int64_t b = 1; b <= batch_max; ++b) {
    const double m = stages.micro_batches(static_cast<double>(b)), each = static_cast<double>(b) / m;
    // One request has nothing to be unequal to; many are as unequal as the measured ones.
    const double ragged = target.ragged ? 1 + (p.decode.ragged_ratio - 1) * (1 - 1 / each) : 1.0;
    const DecodeAt attention(p, kv_heads, model.head_dim, each, target.layout);
    // S counts what is stored before the step; the kernel reads the new token too.
    const auto price = [&](std::int64_t kv) {
      return stages.passes(m) * (ragged * layers * attention.ns(static_cast<double>(kv + b) * element / m));
    };
    double low = price(decode_knot(0));
    for (std::size_t i = 0; i < decode_segments; ++i) {
      const double high = std::max(low, price(decode_knot(i + 1)));
      const auto from = static_cast<double>(decode_knot(i)), to = static_cast<double>(decode_knot(i + 1));
      const double slope = (high - low) / (to - from);
      rows[static_cast<std::size_t>(b) * decode_segments + i] = {low - slope * from, slope};
      low = high;
    }
    // Below the first knot nothing gets cheaper than what reading it costs.
    auto& first = rows[static_cast<std::size_t>(b) * decode_segments];
    if (first.c < 0) first = {price(decode_knot(0)), 0.0};
  }
  return rows;
}

/// Chunks by whole tiles and knots of the stored tokens, from price(tiles, knot): none costs less than a smaller one.
template <class Price>
void fill_chunks(PrefillTiles& tiles, std::int64_t rows, const Price& price) {
  tiles.chunks.assign(static_cast<std::size_t>(rows + 1) * tiles.knots, {});
  for (std::int64_t n = 1; n <= rows; ++n)
    for (std::size_t i = 0; i < tiles.knots; ++i) {
      PrefillChunk c = price(n, i);
      const auto keep = [&](const PrefillChunk& less) {
        c = {std::max(c.work_ns, less.work_ns), std::max(c.alone_ns, less.alone_ns)};
      };
      keep(tiles.chunks[static_cast<std::size_t>(n - 1) * tiles.knots + i]);
      if (i > 0) keep(tiles.chunks[static_cast<std::size_t>(n) * tiles.knots + i - 1]);
      tiles.chunks[static_cast<std::size_t>(n) * tiles.knots + i] = c;
    }
}

PrefillTiles prefill_tiles(const ModelSpec& model, const Profile& p, const ProfileTarget& target) {
  const auto layers = static_cast<double>(model.layers);
  const std::int64_t heads = model.heads / target.tensor, kv_heads = model.kv_heads_per_gpu(target.tensor);
  PrefillTiles out;
  out.tile_tokens = p.prefill_tile_tokens(heads, kv_heads);
  out.fixed_ns = layers * (p.prefill_fixed_ns(target.layout) + std::max(0.0, p.eager_kernel_ns - p.graph_kernel_ns));
  out.unfilled = p.prefill_unfilled;
  out.knots = 14;  // to 1 Mi tokens
  const std::int64_t rows = (target.max_batched_tokens + out.tile_tokens - 1) / out.tile_tokens;
  std::vector<std::vector<PrefillChunk>> by_knot;
  for (std::size_t i = 0; i < out.knots; ++i)
    by_knot.push_back(
        p.prefill_attention_tiles(heads, kv_heads, model.head_dim, rows, PrefillTiles::knot(i), target.layout));
  fill_chunks(out, rows, [&](std::int64_t n, std::size_t i) {
    const PrefillChunk& c = by_knot[i][static_cast<std::size_t>(n - 1)];
    return PrefillChunk{layers * c.work_ns, layers * c.alone_ns};
  });
  return out;
}

/// The same on a pipeline: a chunk is cut evenly into the micro-batches, each of which reads what those before it
/// wrote.
PrefillTiles staged(PrefillTiles plain, const Stages& stages) {
  if (stages.count == 1) return plain;
  StepCost::Table table;
  table.dense_ns = {0};
  table.tiles = plain;
  const StepCost whole(std::move(table));
  plain.fixed_ns *= stages.passes(stages.count);
  const auto rows = static_cast<std::int64_t>(plain.chunks.size() / plain.knots) - 1;
  fill_chunks(plain, rows, [&](std::int64_t n, std::size_t i) {
    const std::int64_t q = n * plain.tile_tokens;
    const auto pieces = static_cast<std::int64_t>(stages.micro_batches(static_cast<double>(q)));
    PrefillChunk sum;
    for (std::int64_t j = 0; j < pieces; ++j) {
      const std::int64_t from = q * j / pieces, to = q * (j + 1) / pieces;
      const PrefillChunk c = whole.chunk(to - from, PrefillTiles::knot(i) + from);
      sum = {sum.work_ns + c.work_ns, sum.alone_ns + c.alone_ns};
    }
    const double share = stages.passes(static_cast<double>(pieces)) / static_cast<double>(pieces);
    return PrefillChunk{share * sum.work_ns, share * sum.alone_ns};
  });
  return plain;
}

/// By tokens of a step and by its decoding requests, interpolated and held at both ends: the rows and requests of one
/// micro-batch are what a stage's clock sees.
Boost boost(const Profile::Rested& rested, const Stages& stages, std::size_t entries, std::size_t decodes) {
  Boost out;
  if (rested.rows.empty()) return out;
  const auto share = [&](std::size_t of) {
    return static_cast<double>(of) / stages.micro_batches(static_cast<double>(of));
  };
  const Profile::Chain ratio{rested.rows, rested.ratio};
  std::int64_t rows = -1;
  for (std::size_t i = 0; i < entries; ++i) {
    const std::int64_t padded = padded_rows(std::max<std::int64_t>(1, static_cast<std::int64_t>(std::ceil(share(i)))));
    out.ratio.push_back(padded == rows ? out.ratio.back() : ratio.at(static_cast<double>(padded)));
    rows = padded;
  }
  for (std::size_t b = 0; b < decodes; ++b) {
    const auto state = rested.at(share(b));
    out.capacity_ns.push_back(state.capacity_ns);
    out.recharge.push_back(state.recharge);
  }
  return out;
}
}  // namespace

double dense_step_ns(const ModelSpec& model, const HardwareSpec& hardware, const Profile& profile, int tensor,
                     std::int64_t tokens, std::int64_t sampled, bool graph) {
  return Dense(model, hardware, profile, tensor).step_ns(tokens, sampled, graph);
}

void compile_attention(const ModelSpec& model, const Profile& profile, const ProfileTarget& target,
                       const Stages& stages, StepCost::Table& table) {
  const std::int64_t batch_max = std::min(target.max_batch, target.max_batched_tokens);
  table.decode = {};
  table.prefill = {};
  table.decode_scale.clear();
  table.mixed_decode_ns =
      stages.passes(stages.count) * (static_cast<double>(model.layers * attention_kernels) *
                                     std::max(0.0, profile.eager_kernel_ns - profile.graph_kernel_ns));
  table.decode_rows = decode_rows(model, profile, target, stages, batch_max);
  table.tiles = staged(prefill_tiles(model, profile, target), stages);
  table.boost = boost(profile.rested, stages, table.dense_ns.size(), static_cast<std::size_t>(batch_max) + 1);
}

StepCost compile_profile(const ModelSpec& model, const HardwareSpec& hardware, const Profile& profile,
                         const ProfileTarget& target) {
  STOWAGE_ASSERT(!parallel_problem(model, target.tensor, 1));
  StepCost::Table table;
  const auto entries = static_cast<std::size_t>(target.max_batched_tokens) + 1;
  const auto decodes = static_cast<std::size_t>(std::min(target.max_batch, target.max_batched_tokens)) + 1;
  table.dense_ns.resize(entries);
  table.decode_dense_ns.resize(decodes);
  const Dense dense(model, hardware, profile, target.tensor);
  // Steps of like padded rows take the same: products, kernels that move bytes and the head run at those.
  std::int64_t rows = -1;
  double graph_ns = 0, eager_ns = 0;
  for (std::size_t i = 0; i < entries; ++i) {
    const auto m = static_cast<std::int64_t>(i);
    if (padded_rows(m) != rows) {
      rows = padded_rows(m);
      if (i < decodes) graph_ns = dense.step_ns(m, m, true);
      eager_ns = dense.step_ns(m, std::min(m, profile_mixed_head_rows), false);
    }
    if (i < decodes) table.decode_dense_ns[i] = (target.host ? profile.host_graph_ns : 0) + graph_ns;
    table.dense_ns[i] = (target.host ? profile.host_eager_ns : 0) + eager_ns;
  }
  compile_attention(model, profile, target, {}, table);
  return StepCost(std::move(table));
}

std::vector<std::string> profile_gaps(const ModelSpec& model, const Profile& profile, int tensor) {
  std::vector<std::string> gaps;
  if (!profile.gaps.empty())
    gaps.push_back(
        fmt::format("{} things were not timed and are left out or taken from elsewhere: `gaps` in the file, "
                    "or `stowage hardware show {}`",
                    profile.gaps.size(), profile.name));
  if (profile.decode.layouts.empty())
    gaps.emplace_back("attention was timed on one memory layout: all managers are priced alike");
  const std::int64_t t = tensor, q = model.heads / t * model.head_dim;
  const std::int64_t kv = model.kv_heads_per_gpu(tensor) * model.head_dim, mlp = model.intermediate / t;
  const std::int64_t up = (model.mlp == Mlp::gated ? 2 : 1) * mlp;
  int scaled = 0;
  for (const auto& [n, k] :
       {std::pair{q + 2 * kv, model.hidden}, {model.hidden, q}, {up, model.hidden}, {model.hidden, mlp}})
    scaled += profile.is_scaled(n, k) ? 1 : 0;
  if (scaled > 0)
    gaps.push_back(
        fmt::format("{} of 4 products of a layer are of shapes nobody measured: scaled from others", scaled));
  if (model.head_dim != profile.decode.head_dim || model.kv_heads_per_gpu(tensor) != profile.decode.kv_heads ||
      model.heads / t != profile.decode.heads)
    gaps.push_back(fmt::format("attention was measured with {} heads of {}, {} KV heads: scaled to {}, {}, {}",
                               profile.decode.heads, profile.decode.head_dim, profile.decode.kv_heads, model.heads / t,
                               model.head_dim, model.kv_heads_per_gpu(tensor)));
  if (tensor > 1 && !profile.has_all_reduce(t))
    gaps.push_back(profile.all_reduce.empty()
                       ? std::string("all-reduce was not measured: priced by the link's data sheet")
                       : fmt::format("all-reduce over {} GPUs is extrapolated from fewer", tensor));
  if (model.dtype == Dtype::float8 || model.kv_dtype == Dtype::float8)
    gaps.emplace_back("measured in bf16; 8-bit K and V are priced by their bytes");
  return gaps;
}
}  // namespace stowage
