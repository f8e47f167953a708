// Prices of attention from a profile's tables. A price table asks for thousands of them, so what a batch or a launch
// has in common is looked up once.
#include <algorithm>
#include <cmath>
#include <span>

#include "models/cost/profile.hpp"
#include "models/cost/profile_grid.hpp"

namespace stowage {
namespace {
using detail::cell;
using detail::log_cell;
constexpr std::int64_t context_tile = 128;

double block_distance(std::int64_t a, std::int64_t b) {
  return std::abs(std::log2(static_cast<double>(a + 1)) - std::log2(static_cast<double>(b + 1)));
}

const PrefillPrices& prefill_of(const Profile& p, const KvLayout& layout) {
  // Engines let the copy engine fetch whole tiles where a block holds one, and gather rows by threads below that.
  const bool whole_tiles = layout.block_tokens % context_tile == 0;
  const PrefillPrices* best = &p.prefill.front();
  double nearest = -1;
  for (const auto& candidate : p.prefill) {
    if ((candidate.loader == "tensor") != whole_tiles) continue;
    const double distance = block_distance(candidate.block_tokens, layout.block_tokens);
    if (nearest >= 0 && distance >= nearest) continue;
    nearest = distance;
    best = &candidate;
  }
  return *best;
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

/// One layer's prefill attention of one chunk on `stored` tokens, on tiles of `tile` new tokens.
class Launch {
 public:
  Launch(const Profile& p, std::int64_t heads, std::int64_t kv_heads, std::int64_t head_dim, std::int64_t stored,
         const KvLayout& layout)
      : p_(p),
        kernel_(prefill_of(p, layout)),
        tile_(p.prefill_tile_tokens(heads, kv_heads)),
        units_(heads / (p.prefill_query_rows / tile_)),
        size_(static_cast<double>(head_dim) / static_cast<double>(p.decode.head_dim)),
        stored_(stored),
        busy_(static_cast<std::size_t>(p.sms)) {}

  [[nodiscard]] std::int64_t tile() const { return tile_; }
  /// Items of one tile: one a packed group of heads.
  [[nodiscard]] std::size_t units() const { return static_cast<std::size_t>(units_); }
  /// Times of the items of `q` new tokens, longest context first. Those of fewer whole tiles are its last ones.
  [[nodiscard]] std::vector<double> items(std::int64_t q) const {
    const std::int64_t tiles = (q + tile_ - 1) / tile_;
    std::vector<double> out;
    out.reserve(static_cast<std::size_t>(tiles * units_));
    for (std::int64_t from_end = 0; from_end < tiles; ++from_end) {
      const std::int64_t context = stored_ + std::min(q, (tiles - from_end) * tile_);
      const auto read = static_cast<double>((context + context_tile - 1) / context_tile);
      out.insert(out.end(), units(), size_ * (kernel_.item_ns + kernel_.tile_ns * read));
    }
    return out;
  }
  /// The chunk of `q` new tokens whose items these are. They go round the SMs back and forth
  /// (gpu_probe/kernels/prefill.cuh); the busiest SM decides.
  [[nodiscard]] PrefillChunk chunk(std::span<const double> items, std::int64_t q) {
    std::fill(busy_.begin(), busy_.end(), 0.0);
    double work = 0;
    const std::size_t sms = busy_.size();
    const auto give = [&](std::size_t sm, double ns) {
      busy_[sm] += ns;
      work += ns;
    };
    for (std::size_t from = 0; from < items.size(); from += 2 * sms) {
      const std::size_t forth = std::min(sms, items.size() - from), back = std::min(sms, items.size() - from - forth);
      for (std::size_t i = 0; i < forth; ++i) give(i, items[from + i]);
      for (std::size_t i = 0; i < back; ++i) give(sms - 1 - i, items[from + sms + i]);
    }
    const auto n = static_cast<double>(q);
    const double factor = correction_at(kernel_, n, n + static_cast<double>(stored_)) * p_.slowdown_at(n);
    const double longest = *std::max_element(busy_.begin(), busy_.end());
    // The correction is one of the whole launch, its fixed part included.
    return {work / static_cast<double>(p_.sms) * factor,
            std::max(0.0, (longest + kernel_.fixed_ns) * factor - kernel_.fixed_ns)};
  }

 private:
  const Profile& p_;
  const PrefillPrices& kernel_;
  std::int64_t tile_, units_;
  double size_;
  std::int64_t stored_;
  std::vector<double> busy_;  // by SM
};
}  // namespace

DecodeAt::DecodeAt(const Profile& profile, std::int64_t kv_heads, std::int64_t head_dim, double streams,
                   const KvLayout& layout)
    : decode_(&profile.decode), streams_(streams) {
  const DecodePrices& d = *decode_;
  size_ = static_cast<double>(kv_heads * head_dim) / static_cast<double>(d.kv_heads * d.head_dim);
  const double batch = streams * static_cast<double>(kv_heads) / static_cast<double>(d.kv_heads);
  if (batch >= d.batch.back() && d.batch.size() > 1) {
    low_ = high_ = d.batch.size() - 1;
  } else if (batch > d.batch.front() && d.batch.size() > 1) {
    low_ = cell(d.batch, batch).first;
    high_ = low_ + 1;
    between_ = std::log2(batch / d.batch[low_]) / std::log2(d.batch[high_] / d.batch[low_]);
  }
  if (layout.block_tokens == 0 && !layout.mapped) return;
  double nearest = -1;
  for (const auto& candidate : d.layouts) {
    if ((candidate.block_tokens == 0) != (layout.block_tokens == 0)) continue;
    const double distance = block_distance(candidate.block_tokens, layout.block_tokens);
    if (nearest >= 0 && distance >= nearest) continue;
    nearest = distance;
    layout_ = &candidate;
  }
}

double DecodeAt::ns(double kv_tokens) const {
  if (streams_ <= 0) return 0.0;
  const double tokens = std::max(kv_tokens, streams_) * size_;
  const std::size_t columns = decode_->kv_tokens.size();
  // Linear in the tokens of one row: held below the first, the last slope goes on above.
  const bool below = tokens <= decode_->kv_tokens.front();
  const auto [j, f] = below ? std::pair<std::size_t, double>{} : cell(decode_->kv_tokens, tokens);
  const auto row_ns = [&, j = j, f = f](std::size_t row) {
    const double* ns = &decode_->ns[row * columns];
    return below ? ns[0] : ns[j] + (ns[j + 1] - ns[j]) * f;
  };
  const double price = low_ == high_ ? row_ns(low_) : std::lerp(row_ns(low_), row_ns(high_), between_);
  return layout_ == nullptr ? price : price * detail::held(layout_->kv_tokens, layout_->ratio, tokens);
}

double Profile::decode_attention_ns(std::int64_t kv_heads, std::int64_t head_dim, double batch, double kv_tokens,
                                    const KvLayout& layout) const {
  return DecodeAt(*this, kv_heads, head_dim, batch, layout).ns(kv_tokens);
}

std::int64_t Profile::prefill_tile_tokens(std::int64_t heads, std::int64_t kv_heads) const {
  const std::int64_t group = heads / std::max<std::int64_t>(1, kv_heads);
  const std::int64_t pack = group == 2 || group == 4 || group == 8 ? group : 1;
  return prefill_query_rows / pack;
}

PrefillChunk Profile::prefill_attention(std::int64_t heads, std::int64_t kv_heads, std::int64_t head_dim,
                                        std::int64_t q, std::int64_t stored, const KvLayout& layout) const {
  Launch launch(*this, heads, kv_heads, head_dim, stored, layout);
  return launch.chunk(launch.items(q), q);
}

std::vector<PrefillChunk> Profile::prefill_attention_tiles(std::int64_t heads, std::int64_t kv_heads,
                                                           std::int64_t head_dim, std::int64_t tiles,
                                                           std::int64_t stored, const KvLayout& layout) const {
  Launch launch(*this, heads, kv_heads, head_dim, stored, layout);
  const std::vector<double> items = launch.items(tiles * launch.tile());
  std::vector<PrefillChunk> out;
  for (std::int64_t n = 1; n <= tiles; ++n)
    out.push_back(launch.chunk(std::span(items).last(static_cast<std::size_t>(n) * launch.units()), n * launch.tile()));
  return out;
}

double Profile::prefill_fixed_ns(const KvLayout& layout) const { return prefill_of(*this, layout).fixed_ns; }
}  // namespace stowage
