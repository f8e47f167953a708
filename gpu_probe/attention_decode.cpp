// Decode attention by layout: contiguous against paged, timed pairwise on L2-cold KV, beside a plain read of the same
// bytes.
#include "gpu_probe/attention_bench.hpp"
#include "gpu_probe/device.hpp"
#include "gpu_probe/driver.hpp"

namespace stowage::probe {
namespace {

constexpr std::size_t kPoolBytes = std::size_t{6} << 30;
constexpr std::size_t kPageBytes = std::size_t{2} << 20;

/// What the pool's addresses stand on.
enum class Memory { malloc, vmm, vmm_shuffled };
const char* name_of(Memory memory) {
  return memory == Memory::malloc ? "malloc" : memory == Memory::vmm ? "vmm" : "vmm-shuffled";
}

/// The pool three times: by cudaMalloc, and one set of 2 MiB handles mapped in order and mapped in random order.
class Pools {
 public:
  Pools(int device, std::size_t bytes, std::uint64_t seed) : malloc_(bytes) {
    const std::size_t pages = bytes / kPageBytes;
    std::vector<std::size_t> order(pages);
    for (std::size_t i = 0; i < pages; ++i) {
      handles_.emplace_back(device, kPageBytes);
      order[i] = i;
    }
    shuffle_blocks(order, seed);
    in_order_ = VmmRange(device, bytes, kPageBytes);
    shuffled_ = VmmRange(device, bytes, kPageBytes);
    for (std::size_t i = 0; i < pages; ++i) {
      in_order_.map(i, handles_[i]);
      shuffled_.map(i, handles_[order[i]]);
    }
    in_order_.set_access(0, pages);
    shuffled_.set_access(0, pages);
    for (const Memory memory : {Memory::malloc, Memory::vmm})
      launch_fill_random(nullptr, data(memory), bytes, seed, true);
    CUDA_CHECK(cudaDeviceSynchronize());
  }
  [[nodiscard]] void* data(Memory memory) const {
    return memory == Memory::malloc ? malloc_.as<>() : memory == Memory::vmm ? in_order_.as<>() : shuffled_.as<>();
  }
  [[nodiscard]] std::size_t bytes() const { return malloc_.bytes(); }

 private:
  DeviceBuffer malloc_;
  std::vector<VmmHandle> handles_;
  VmmRange in_order_, shuffled_;  // after the handles: unmapped before those are released
};

/// One batch on the GPU: everything a launch needs but the KV.
class DecodeBatch {
 public:
  DecodeBatch(const HeadShape& shape, std::span<const std::int32_t> lengths, int sms) : max_pieces_(0) {
    const int batch = static_cast<int>(lengths.size());
    max_pieces_ = batch + 4 * decode_slots(sms) / shape.kv_heads;
    const DecodePlan plan = plan_decode(lengths, shape.kv_heads, decode_slots(sms), max_pieces_);
    pieces_ = KvImage::upload(std::span<const DecodePiece>(plan.pieces));
    first_ = KvImage::upload(std::span<const std::int32_t>(plan.first));
    chunk_ = plan.chunk;
    const auto width = static_cast<std::size_t>(shape.heads * shape.head_dim);
    q_ = DeviceBuffer(static_cast<std::size_t>(batch) * width * 2);
    out_ = DeviceBuffer(q_.bytes());
    scratch_ = DeviceBuffer(decode_scratch_bytes(max_pieces_, shape.heads, shape.head_dim));
    launch_fill_random(nullptr, q_.as<>(), q_.bytes(), 7, true);
    CUDA_CHECK(cudaDeviceSynchronize());
    args_.q = q_.as<>();
    args_.q_stride = static_cast<std::int64_t>(width);
    args_.out = out_.as<>();
    args_.out_stride = static_cast<std::int64_t>(width);
    args_.pieces = pieces_.as<DecodePiece>();
    args_.first = first_.as<std::int32_t>();
    args_.partial = scratch_.as<float>();
    args_.batch = batch;
    args_.heads = shape.heads;
    args_.kv_heads = shape.kv_heads;
    args_.head_dim = shape.head_dim;
    args_.scale = 1.F / std::sqrt(static_cast<float>(shape.head_dim));
    args_.blocks = sms;
  }
  void launch(const KvView& kv, cudaStream_t stream) const { launch_decode(kv, args_, max_pieces_, stream); }
  [[nodiscard]] int chunk() const { return chunk_; }

 private:
  int max_pieces_;
  int chunk_ = 0;
  DeviceBuffer pieces_, first_, q_, out_, scratch_;
  DecodeArgs args_;
};

struct Point {
  HeadShape shape;
  int batch = 0;
  int context = 0;
  bool all_layouts = false;
  bool ragged = false;
};

std::vector<std::int32_t> lengths_of(const Point& point, Rng& rng) {
  std::vector<std::int32_t> lengths(static_cast<std::size_t>(point.batch), point.context);
  if (point.ragged) {  // log-uniform over context/16 .. context
    for (auto& length : lengths) {
      const double u = static_cast<double>(rng() >> 11) * 0x1p-53;
      length = std::max(1, static_cast<int>(point.context * std::exp2(-4 * u)));
    }
  }
  return lengths;
}

struct Placement {
  Layout layout;
  Memory memory = Memory::malloc;
};

std::vector<Placement> placements_of(const Point& point, int layers, std::size_t region) {
  const Layout contiguous{0, TableOrder::sequential, 0};
  std::vector<Placement> out = {{contiguous}, {{16, TableOrder::random, 0}}};
  if (!point.all_layouts) return out;
  for (const int block : {32, 64, 128, 256}) out.push_back({{block, TableOrder::random, 0}});
  out.push_back({{16, TableOrder::sequential, 0}});
  out.push_back({{16, TableOrder::grouped, 0}});
  out.push_back({contiguous, Memory::vmm});
  out.push_back({contiguous, Memory::vmm_shuffled});
  if (region * static_cast<std::size_t>(layers) <= kPoolBytes) {
    out.push_back({{0, TableOrder::sequential, layers}});
    out.push_back({{16, TableOrder::random, layers}});
  }
  return out;
}

Keys keys_of(const Placement& placement, const Point& point, std::int64_t tokens, std::int64_t longest) {
  const Layout& layout = placement.layout;
  return {{"layout", std::string(layout.block == 0 ? "contiguous" : "paged")},
          {"memory", std::string(name_of(placement.memory))},
          {"block_tokens", std::int64_t{layout.block}},
          {"order", std::string(name_of(layout.order))},
          {"interleaved_layers", std::int64_t{layout.interleaved_layers}},
          {"heads", std::int64_t{point.shape.heads}},
          {"kv_heads", std::int64_t{point.shape.kv_heads}},
          {"head_dim", std::int64_t{point.shape.head_dim}},
          {"batch", std::int64_t{point.batch}},
          {"context", std::int64_t{point.context}},
          {"ragged", point.ragged},
          {"context_max", longest},
          {"kv_tokens", tokens}};
}

void measure_point(Context& context, CudaTimer& timer, const Pools& pools, const DeviceBuffer& sink,
                   const Point& point) {
  const int sms = context.device().sms;
  const auto lengths = lengths_of(point, context.rng());
  std::int64_t tokens = 0;
  for (const auto length : lengths) tokens += length;
  const std::int64_t longest = *std::max_element(lengths.begin(), lengths.end());
  const double bytes = kv_bytes(lengths, point.shape);
  const DecodeBatch batch(point.shape, lengths, sms);
  const auto placements = placements_of(point, context.model().layers, static_cast<std::size_t>(bytes));
  ColdRegions cold;
  std::vector<std::unique_ptr<PooledBatch>> placed;
  std::vector<Variant> variants;
  for (const Placement& p : placements) {
    placed.push_back(std::make_unique<PooledBatch>(p.layout, lengths, point.shape, pools.data(p.memory), pools.bytes(),
                                                   context.options().seed));
    const PooledBatch* place = placed.back().get();
    variants.push_back(
        {p.layout.name(), [&, place](int) { batch.launch(place->view(cold.next(place->regions())), timer.stream()); }});
  }
  const auto read_bytes = static_cast<std::size_t>(bytes) / 16 * 16;
  const int reads = static_cast<int>(std::clamp<std::size_t>(pools.bytes() / read_bytes, 1, 512));
  variants.push_back({"read", [&, reads](int) {
                        launch_read(timer.stream(),
                                    static_cast<const char*>(pools.data(Memory::malloc)) +
                                        static_cast<std::size_t>(cold.next(reads)) * read_bytes,
                                    read_bytes, sink.as<std::uint32_t>(), sms);
                      }});
  const auto series = measure_interleaved(variants, context.rule(0.6), timer, context.rng());
  for (std::size_t v = 0; v < placements.size(); ++v) {
    const Keys keys = keys_of(placements[v], point, tokens, longest);
    const double us = series[v].summary().median;
    context.add(figure("decode", keys, "us", series[v],
                       {{"bytes", bytes},
                        {"gbps", gbps(bytes, us)},
                        {"of_read", series.back().summary().median / us},
                        {"chunk_tokens", std::int64_t{batch.chunk()}}}));
    if (v == 0) continue;
    const Series ratio = paired_ratio(series[v], series[0]);
    if (ratio.size() > 0) context.add(figure("decode_over_contiguous", keys, "ratio", ratio));
  }
  context.add(figure("read",
                     {{"bytes", static_cast<std::int64_t>(read_bytes)},
                      {"beside_heads", std::int64_t{point.shape.heads}},
                      {"beside_batch", std::int64_t{point.batch}},
                      {"beside_context", std::int64_t{point.context}},
                      {"ragged", point.ragged}},
                     "us", series.back(),
                     {{"gbps", gbps(static_cast<double>(read_bytes), series.back().summary().median)}}));
}

std::vector<Point> points_of(const Context& context) {
  const ModelShape& m = context.model();
  const HeadShape own{m.heads, m.kv_heads, m.head_dim};
  std::vector<Point> points;
  const std::vector<int> batches =
      context.quick() ? std::vector{1, 16, 64} : std::vector{1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256};
  const std::vector<int> contexts =
      context.quick() ? std::vector{512, 4096} : std::vector{64,   96,   128,  256,  512,  700,   1024,  1500,
                                                             2048, 3000, 4096, 6000, 8192, 16384, 32768, 65536};
  for (const int batch : batches) {
    for (const int length : contexts) {
      const bool all =
          (batch == 16 && length == 2048) || (batch == 64 && length == 4096) || (batch == 1 && length == 16384);
      points.push_back({own, batch, length, all, false});
    }
  }
  if (!context.quick()) {
    for (const int batch : {4, 8, 16, 32, 64, 128, 256}) {
      for (const int length : {512, 2048, 8192}) points.push_back({own, batch, length, false, true});
    }
  }
  // Other groups and head sizes, at a size where bandwidth counts.
  for (const HeadShape& shape :
       {HeadShape{8, 8, 128}, HeadShape{32, 8, 128}, HeadShape{64, 8, 128}, HeadShape{32, 8, 64}}) {
    if (!(shape == own)) points.push_back({shape, 64, 4096, true, false});
  }
  return points;
}

}  // namespace

void measure_decode(Context& context) {
  const std::size_t bytes = std::min(kPoolBytes, usable_device_bytes() / 2);
  const Pools pools(context.device().index, bytes / kPageBytes * kPageBytes, context.options().seed);
  const DeviceBuffer sink(16);
  CudaTimer timer;
  for (const Point& point : points_of(context)) {
    if (context.interrupted()) return;
    const std::vector<std::int32_t> longest(static_cast<std::size_t>(point.batch), point.context);
    // Two regions at least, so that what a sample reads was not just read.
    if (2 * PooledBatch::region_bytes({256, TableOrder::random, 0}, longest, point.shape) > pools.bytes()) continue;
    measure_point(context, timer, pools, sink, point);
  }
}

}  // namespace stowage::probe
