#include "gpu_probe/attention_bench.hpp"

namespace stowage::probe {
namespace {
constexpr std::int64_t kGroupBytes = std::int64_t{2} << 20;

/// Blocks in a 2 MiB page of the tensor they lie in.
int group_blocks(const Layout& layout, const KvGeometry& geometry) {
  if (layout.block == 0) return 1;
  return static_cast<int>(std::max<std::int64_t>(1, kGroupBytes / (geometry.block_stride * 2)));
}

std::int64_t region_tokens(const Layout& layout, std::span<const std::int32_t> lengths, const KvGeometry& geometry) {
  std::int64_t tokens = 0;
  const std::int64_t block = std::max(1, layout.block);
  for (const auto length : lengths) tokens += (length + block - 1) / block * block;
  const std::int64_t unit = layout.block == 0 ? 16 : block * group_blocks(layout, geometry);
  return (tokens + unit - 1) / unit * unit;
}
}  // namespace

std::size_t PooledBatch::region_bytes(const Layout& layout, std::span<const std::int32_t> lengths,
                                      const HeadShape& shape) {
  const KvGeometry geometry(layout, shape.kv_heads, shape.head_dim);
  const std::int64_t tensors = layout.interleaved_layers > 0 ? 1 : 2;
  return static_cast<std::size_t>(region_tokens(layout, lengths, geometry) * geometry.elements_per_token * tensors * 2);
}

PooledBatch::PooledBatch(const Layout& layout, std::span<const std::int32_t> lengths, const HeadShape& shape,
                         void* pool, std::size_t bytes, std::uint64_t seed)
    : layout_(layout),
      geometry_(layout, shape.kv_heads, shape.head_dim),
      pool_(static_cast<Bf16*>(pool)),
      region_tokens_(region_tokens(layout, lengths, geometry_)) {
  const std::size_t one = region_bytes(layout, lengths, shape);
  // An interleaved region holds all layers, so a rotation over its layers is one over distinct memory.
  regions_ = layout.interleaved_layers > 0
                 ? layout.interleaved_layers
                 : static_cast<int>(std::min<std::size_t>(512, bytes / std::max<std::size_t>(one, 1)));
  if (one > bytes || regions_ < 1) throw EnvironmentError("the KV pool of the attention part is too small for a point");
  view_.block = layout.block;
  view_.token_stride = geometry_.token_stride;
  view_.block_stride = geometry_.block_stride;
  if (layout.block == 0) {
    std::vector<std::int64_t> start;
    std::int64_t tokens = 0;
    for (const auto length : lengths) {
      start.push_back(tokens * geometry_.token_stride);
      tokens += length;
    }
    start_ = KvImage::upload(std::span<const std::int64_t>(start));
    view_.start = start_.as<std::int64_t>();
    view_.extent_rows = region_tokens_;
  } else {
    const std::int64_t blocks = region_tokens_ / layout.block;
    const BlockTable table =
        make_table(lengths, layout.block, blocks, layout.order, group_blocks(layout, geometry_), seed);
    table_ = KvImage::upload(std::span<const std::int32_t>(table.blocks));
    view_.table = table_.as<std::int32_t>();
    view_.table_stride = table.stride;
    view_.extent_rows = blocks;
  }
}

KvView PooledBatch::view(int i) const {
  KvView out = view_;
  const int region = i % regions_;
  if (layout_.interleaved_layers > 0) {
    out.k = pool_ + region * geometry_.layer_offset;
    out.v = static_cast<Bf16*>(out.k) + geometry_.v_offset;
  } else {
    const std::int64_t elements = region_tokens_ * geometry_.elements_per_token;
    out.k = pool_ + 2 * region * elements;
    out.v = static_cast<Bf16*>(out.k) + elements;
  }
  return out;
}

double kv_bytes(std::span<const std::int32_t> lengths, const HeadShape& shape) {
  double tokens = 0;
  for (const auto length : lengths) tokens += length;
  return tokens * 2 * 2 * shape.kv_heads * shape.head_dim;
}

}  // namespace stowage::probe
