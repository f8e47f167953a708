#pragma once
// A batch's K and V laid out as one of the memory managers would, on the host and on the GPU: for self-tests (contents
// known, everything else NaN) and, without contents, for timing.
#include <algorithm>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "gpu_probe/cuda.hpp"
#include "gpu_probe/kernels/kv_view.hpp"
#include "gpu_probe/kernels/reference.hpp"
#include "gpu_probe/kernels/tables.hpp"

namespace stowage::probe {

struct Layout {
  int block = 0;  // tokens; 0 = contiguous
  TableOrder order = TableOrder::sequential;
  int interleaved_layers = 0;  // 0: each layer's K and V apart; N: all N layers of a token (or block) side by side

  [[nodiscard]] std::string name() const {
    std::string out = block == 0 ? "contiguous" : "paged" + std::to_string(block) + "-" + name_of(order);
    return interleaved_layers > 0 ? out + "-interleaved" + std::to_string(interleaved_layers) : out;
  }
};

/// Element strides of a layout and the size of one pool (per layer: K or V; interleaved: everything).
struct KvGeometry {
  std::int64_t token_stride = 0;
  std::int64_t block_stride = 0;
  std::int64_t v_offset = 0;      // from a layer's K to its V when interleaved
  std::int64_t layer_offset = 0;  // from a layer's K to the next one's when interleaved
  std::int64_t elements_per_token = 0;

  KvGeometry(const Layout& layout, int kv_heads, int head_dim) {
    const std::int64_t row = static_cast<std::int64_t>(kv_heads) * head_dim;
    const std::int64_t copies = layout.interleaved_layers > 0 ? 2 * layout.interleaved_layers : 1;
    elements_per_token = copies * row;
    token_stride = layout.block == 0 ? copies * row : row;
    block_stride = layout.block * copies * row;
    v_offset = layout.block == 0 ? row : layout.block * row;
    layer_offset = 2 * v_offset;
  }
};

/// One layer's KV of a batch with known contents: element (request, token, head, d) of K is random_bf16 of that place,
/// wherever it lies; every other byte is NaN, so that a kernel which uses what it should not read shows.
class KvImage {
 public:
  KvImage(const Layout& layout, std::span<const std::int32_t> lengths, int kv_heads, int head_dim, std::uint64_t seed)
      : geometry_(layout, kv_heads, head_dim),
        lengths_(lengths.begin(), lengths.end()),
        kv_heads_(kv_heads),
        head_dim_(head_dim),
        seed_(seed) {
    std::int64_t tokens = 0;
    if (layout.block == 0) {
      std::vector<std::int64_t> start;
      for (const auto length : lengths) {
        start.push_back(tokens * geometry_.token_stride);
        tokens += length;  // not rounded up: past the last token lies the next request, or nothing
      }
      start_ = upload(std::span<const std::int64_t>(start));
      fill(layout, tokens, Contiguous{start.data(), geometry_.token_stride});
      view_.start = start_.as<std::int64_t>();
      view_.extent_rows = tokens;
    } else {
      std::int64_t blocks = 3;  // a few more than needed, so that the order matters
      for (const auto length : lengths) blocks += (length + layout.block - 1) / layout.block;
      blocks = (blocks + 3) / 4 * 4;
      tokens = blocks * layout.block;
      const BlockTable table = make_table(lengths, layout.block, blocks, layout.order, 4, seed);
      table_ = upload(std::span<const std::int32_t>(table.blocks));
      view_.table = table_.as<std::int32_t>();
      view_.table_stride = table.stride;
      view_.extent_rows = blocks;
      view_.block = layout.block;
      view_.token_stride = geometry_.token_stride;
      view_.block_stride = geometry_.block_stride;
      KvView host = view_;
      host.table = table.blocks.data();
      with_policy(host, [&](const auto& address) { fill(layout, tokens, address); });
    }
    view_.token_stride = geometry_.token_stride;
    view_.block_stride = geometry_.block_stride;
  }

  [[nodiscard]] const KvView& view() const { return view_; }
  [[nodiscard]] double k(int request, int token, int head, int d) const {
    return to_float(value(0, request, token, head, d));
  }
  [[nodiscard]] double v(int request, int token, int head, int d) const {
    return to_float(value(1, request, token, head, d));
  }

  template <class T>
  [[nodiscard]] static DeviceBuffer upload(std::span<const T> values) {
    DeviceBuffer buffer(std::max<std::size_t>(values.size_bytes(), 16));
    CUDA_CHECK(cudaMemcpy(buffer.as<>(), values.data(), values.size_bytes(), cudaMemcpyHostToDevice));
    return buffer;
  }

 private:
  [[nodiscard]] Bf16 value(int which, int request, int token, int head, int d) const {
    const auto place = ((static_cast<std::uint64_t>(request) * 1000003 + static_cast<std::uint64_t>(token)) * 128 +
                        static_cast<std::uint64_t>(head)) *
                           256 +
                       static_cast<std::uint64_t>(d) * 2 + static_cast<std::uint64_t>(which);
    return random_bf16(seed_, place);
  }

  template <class Address>
  void fill(const Layout& layout, std::int64_t tokens, const Address& address) {
    constexpr Bf16 kNan = 0x7fc0;
    const bool one = layout.interleaved_layers > 0;
    const std::int64_t per_pool = tokens * geometry_.elements_per_token;
    std::vector<Bf16> memory(static_cast<std::size_t>(one ? per_pool : 2 * per_pool), kNan);
    // The middle layer when interleaved, so that neighbours on both sides are other layers'.
    const std::int64_t k_at = one ? geometry_.layer_offset * (layout.interleaved_layers / 2) : 0;
    const std::int64_t v_at = one ? k_at + geometry_.v_offset : per_pool;
    for (std::size_t r = 0; r < lengths_.size(); ++r) {
      for (int t = 0; t < lengths_[r]; ++t) {
        const std::int64_t row = address.row(static_cast<int>(r), t);
        for (int h = 0; h < kv_heads_; ++h) {
          for (int d = 0; d < head_dim_; ++d) {
            const std::int64_t at = row + static_cast<std::int64_t>(h) * head_dim_ + d;
            memory[static_cast<std::size_t>(k_at + at)] = value(0, static_cast<int>(r), t, h, d);
            memory[static_cast<std::size_t>(v_at + at)] = value(1, static_cast<int>(r), t, h, d);
          }
        }
      }
    }
    memory_ = upload(std::span<const Bf16>(memory));
    view_.k = memory_.as<Bf16>() + k_at;
    view_.v = memory_.as<Bf16>() + v_at;
  }

  KvGeometry geometry_;
  std::vector<std::int32_t> lengths_;
  int kv_heads_;
  int head_dim_;
  std::uint64_t seed_;
  DeviceBuffer memory_, start_, table_;
  KvView view_;
};

}  // namespace stowage::probe
