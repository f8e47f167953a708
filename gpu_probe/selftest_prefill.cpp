#include <fmt/format.h>

#include <cmath>

#include "gpu_probe/kernels/prefill.hpp"
#include "gpu_probe/selftest_cases.hpp"

namespace stowage::probe {
namespace {

struct Shape {
  int heads, kv_heads, head_dim;
  std::vector<std::pair<int, int>> requests;  // stored, new
};

class PrefillCase {
 public:
  PrefillCase(const Shape& shape, std::uint64_t seed) : shape_(shape), seed_(seed) {
    for (const auto& [stored, count] : shape.requests) {
      chunks_.push_back({static_cast<std::int32_t>(lengths_.size()), rows_, count, stored});
      lengths_.push_back(stored + count);
      rows_ += count;
    }
    const auto tiles = plan_prefill(chunks_, prefill_tile_tokens(shape.heads, shape.kv_heads));
    tile_count_ = static_cast<int>(tiles.size());
    tiles_ = KvImage::upload(std::span<const PrefillTile>(tiles));
    auto [q, q_host] = random_buffer(static_cast<std::size_t>(rows_ * stride()), seed);
    q_ = std::move(q);
    q_host_ = std::move(q_host);
  }

  [[nodiscard]] KvImage image(const Layout& layout) const {
    return KvImage(layout, lengths_, shape_.kv_heads, shape_.head_dim, seed_);
  }

  [[nodiscard]] std::vector<Bf16> run(const KvView& kv, PrefillLoader loader) const {
    const DeviceBuffer out(static_cast<std::size_t>(rows_ * width()) * 2);
    CUDA_CHECK(cudaMemset(out.as<>(), 0xff, out.bytes()));
    PrefillArgs args;
    args.q = q_.as<>();
    args.q_stride = stride();
    args.q_rows = rows_;
    args.out = out.as<>();
    args.out_stride = width();
    args.tiles = tiles_.as<PrefillTile>();
    args.tile_count = tile_count_;
    args.heads = shape_.heads;
    args.kv_heads = shape_.kv_heads;
    args.head_dim = shape_.head_dim;
    args.scale = 1.F / std::sqrt(static_cast<float>(shape_.head_dim));
    args.blocks = 5;  // fewer than tiles, so that a block takes several
    launch_prefill(make_prefill_maps(kv, shape_.kv_heads, shape_.head_dim), kv, args, loader, nullptr);
    CUDA_CHECK(cudaDeviceSynchronize());
    return download<Bf16>(out, static_cast<std::size_t>(rows_ * width()));
  }

  [[nodiscard]] std::vector<double> reference(const KvImage& image) const {
    std::vector<double> out;
    for (const PrefillChunk& chunk : chunks_) {
      for (int t = 0; t < chunk.count; ++t) {
        for (int h = 0; h < shape_.heads; ++h) {
          const int kv_head = h / (shape_.heads / shape_.kv_heads);
          const auto row = attention_reference(
              std::span(q_host_).subspan(
                  static_cast<std::size_t>((chunk.first_row + t) * stride() + h * shape_.head_dim),
                  static_cast<std::size_t>(shape_.head_dim)),
              chunk.stored + t + 1, 1.0 / std::sqrt(shape_.head_dim),
              [&](int token, int d) { return image.k(chunk.request, token, kv_head, d); },
              [&](int token, int d) { return image.v(chunk.request, token, kv_head, d); });
          out.insert(out.end(), row.begin(), row.end());
        }
      }
    }
    return out;
  }

 private:
  [[nodiscard]] int width() const { return shape_.heads * shape_.head_dim; }
  [[nodiscard]] int stride() const { return width() + 64; }

  Shape shape_;
  std::uint64_t seed_;
  std::vector<PrefillChunk> chunks_;
  std::vector<std::int32_t> lengths_;
  int rows_ = 0;
  int tile_count_ = 0;
  DeviceBuffer tiles_, q_;
  std::vector<Bf16> q_host_;
};

}  // namespace

void check_prefill(Checks& checks) {
  const Shape shapes[] = {
      {8, 2, 128, {{0, 200}, {70, 1}, {130, 131}, {0, 5}}},
      {2, 2, 128, {{0, 129}, {300, 90}}},
      {7, 1, 128, {{16, 150}}},
      {8, 1, 128, {{255, 2}, {0, 64}}},
      {4, 2, 64, {{0, 140}, {33, 130}}},
  };
  std::uint64_t seed = 31;
  for (const Shape& shape : shapes) {
    const PrefillCase prefill(shape, ++seed);
    const std::string name = fmt::format("prefill {}/{} heads of {}", shape.heads, shape.kv_heads, shape.head_dim);
    std::vector<Bf16> expected;
    for (const Layout& layout : checked_layouts()) {
      const KvImage image = prefill.image(layout);
      for (const PrefillLoader loader : {PrefillLoader::tensor, PrefillLoader::gather}) {
        const auto out = prefill.run(image.view(), loader);
        if (!expected.empty()) {
          checks.add(fmt::format("{}, {} by {}: same bits as contiguous", name, layout.name(), name_of(loader)),
                     out == expected);
          continue;
        }
        expected = out;
        checks.add(fmt::format("{}, {} by {}", name, layout.name(), name_of(loader)),
                   relative_error(std::span<const Bf16>(out), prefill.reference(image)), kAttentionErrorMax);
      }
    }
  }
}

}  // namespace stowage::probe
