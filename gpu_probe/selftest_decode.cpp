#include <fmt/format.h>

#include <cmath>

#include "gpu_probe/kernels/decode.hpp"
#include "gpu_probe/selftest_cases.hpp"

namespace stowage::probe {
namespace {

struct Shape {
  int heads, kv_heads, head_dim;
  std::vector<std::int32_t> lengths;
};

std::vector<Bf16> run_decode(const Shape& shape, const KvView& kv, const DeviceBuffer& q, int slots) {
  const int batch = static_cast<int>(shape.lengths.size());
  const int width = shape.heads * shape.head_dim;
  const DecodePlan plan = plan_decode(shape.lengths, shape.kv_heads, slots, 64 + batch);
  const DeviceBuffer pieces = KvImage::upload(std::span<const DecodePiece>(plan.pieces));
  const DeviceBuffer first = KvImage::upload(std::span<const std::int32_t>(plan.first));
  const DeviceBuffer scratch(decode_scratch_bytes(64 + batch, shape.heads, shape.head_dim));
  const DeviceBuffer out(static_cast<std::size_t>(batch * width) * 2);
  CUDA_CHECK(cudaMemset(scratch.as<>(), 0xff, scratch.bytes()));  // NaN: what is not written must not be used
  CUDA_CHECK(cudaMemset(out.as<>(), 0xff, out.bytes()));
  DecodeArgs args;
  args.q = q.as<>();
  args.q_stride = width + 8;
  args.out = out.as<>();
  args.out_stride = width;
  args.pieces = pieces.as<DecodePiece>();
  args.first = first.as<std::int32_t>();
  args.partial = scratch.as<float>();
  args.batch = batch;
  args.heads = shape.heads;
  args.kv_heads = shape.kv_heads;
  args.head_dim = shape.head_dim;
  args.scale = 1.f / std::sqrt(static_cast<float>(shape.head_dim));
  args.blocks = 4;
  launch_decode(kv, args, 64 + batch, nullptr);
  CUDA_CHECK(cudaDeviceSynchronize());
  return download<Bf16>(out, static_cast<std::size_t>(batch * width));
}

}  // namespace

void check_decode(Checks& checks) {
  const Shape shapes[] = {
      {8, 2, 128, {1, 15, 16, 17, 0, 333, 700}},
      {4, 4, 128, {129, 64, 0}},
      {16, 2, 128, {300, 31}},
      {7, 1, 128, {255, 257}},
      {8, 2, 64, {1, 100, 0, 513}},
      {8, 1, 64, {47, 48}},
  };
  std::uint64_t seed = 11;
  for (const Shape& shape : shapes) {
    ++seed;
    const int batch = static_cast<int>(shape.lengths.size());
    const int width = shape.heads * shape.head_dim;
    const auto [q, q_host] = random_buffer(static_cast<std::size_t>(batch * (width + 8)), seed);
    const std::string name = fmt::format("decode {}/{} heads of {}", shape.heads, shape.kv_heads, shape.head_dim);
    std::vector<Bf16> expected;
    for (const Layout& layout : checked_layouts()) {
      const KvImage image(layout, shape.lengths, shape.kv_heads, shape.head_dim, seed);
      const std::vector<Bf16> out = run_decode(shape, image.view(), q, 32);
      if (!expected.empty()) {
        checks.add(fmt::format("{}, {}: same bits as contiguous", name, layout.name()), out == expected);
        continue;
      }
      expected = out;
      std::vector<double> reference;
      for (int r = 0; r < batch; ++r) {
        for (int h = 0; h < shape.heads; ++h) {
          const int kv_head = h / (shape.heads / shape.kv_heads);
          const auto row = attention_reference(
              std::span(q_host).subspan(static_cast<std::size_t>(r * (width + 8) + h * shape.head_dim),
                                        static_cast<std::size_t>(shape.head_dim)),
              shape.lengths[static_cast<std::size_t>(r)], 1.0 / std::sqrt(shape.head_dim),
              [&](int t, int d) { return image.k(r, t, kv_head, d); },
              [&](int t, int d) { return image.v(r, t, kv_head, d); });
          reference.insert(reference.end(), row.begin(), row.end());
        }
      }
      checks.add(fmt::format("{}, {}", name, layout.name()), relative_error(std::span<const Bf16>(out), reference),
                 kAttentionErrorMax);
    }
  }
}

/// The checks above can fail: a table with two of its entries exchanged, and one shifted by a block, give other bits.
void check_planted_faults(Checks& checks) {
  const Shape shape{8, 2, 128, {100, 90}};
  const auto [q, q_host] = random_buffer(static_cast<std::size_t>(2 * (8 * 128 + 8)), 3);
  const KvImage image({16, TableOrder::random, 0}, shape.lengths, shape.kv_heads, shape.head_dim, 3);
  const auto expected = run_decode(shape, image.view(), q, 32);
  const std::size_t stride = static_cast<std::size_t>(image.view().table_stride);
  std::vector<std::int32_t> table(2 * stride);
  CUDA_CHECK(cudaMemcpy(table.data(), image.view().table, table.size() * sizeof table[0], cudaMemcpyDeviceToHost));
  KvView faulty = image.view();
  // Within a request attention does not see the order of its tokens: exchange blocks of two requests.
  std::swap(table[1], table[stride + 1]);
  const DeviceBuffer exchanged = KvImage::upload(std::span<const std::int32_t>(table));
  faulty.table = exchanged.as<std::int32_t>();
  checks.add("planted: blocks of two requests exchanged are noticed", run_decode(shape, faulty, q, 32) != expected);
  faulty.table = image.view().table;
  faulty.k = static_cast<Bf16*>(faulty.k) + faulty.token_stride;
  checks.add("planted: K one token off is noticed", run_decode({8, 2, 128, {90, 80}}, faulty, q, 32) !=
                                                        run_decode({8, 2, 128, {90, 80}}, image.view(), q, 32));
}

}  // namespace stowage::probe
