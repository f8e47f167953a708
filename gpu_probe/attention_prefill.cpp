// Prefill attention by layout and by way of loading: contiguous and paged, by the copy engine and by gathering threads.
#include "gpu_probe/attention_bench.hpp"
#include "gpu_probe/device.hpp"
#include "gpu_probe/kernels/prefill.hpp"

namespace stowage::probe {
namespace {

constexpr std::size_t kPoolBytes = std::size_t{2} << 30;

struct Chunk {
  int count = 0;   // new tokens of a request
  int stored = 0;  // tokens before them
};

struct Point {
  HeadShape shape;
  std::vector<Chunk> parts;
  bool all_layouts = false;

  Point(const HeadShape& s, int batch, int count, int stored, bool all)
      : shape(s), parts(static_cast<std::size_t>(batch), Chunk{count, stored}), all_layouts(all) {}
  [[nodiscard]] bool alone(int count) const {
    return parts.size() == 1 && parts[0].count == count && parts[0].stored == 0;
  }
};

/// "512@0,300@2048": new tokens after stored ones, request by request.
std::string list_of(const std::vector<Chunk>& parts) {
  std::string out;
  for (const Chunk& p : parts)
    out += (out.empty() ? "" : ",") + std::to_string(p.count) + "@" + std::to_string(p.stored);
  return out;
}

class PrefillBatch {
 public:
  PrefillBatch(const Point& point, int sms) {
    std::vector<PrefillChunk> chunks;
    int rows = 0;
    for (const Chunk& p : point.parts) {
      chunks.push_back({static_cast<std::int32_t>(chunks.size()), rows, p.count, p.stored});
      rows += p.count;
    }
    const HeadShape& shape = point.shape;
    const auto tiles = plan_prefill(chunks, prefill_tile_tokens(shape.heads, shape.kv_heads));
    tiles_ = KvImage::upload(std::span<const PrefillTile>(tiles));
    const int width = shape.heads * shape.head_dim;
    q_ = DeviceBuffer(static_cast<std::size_t>(rows) * static_cast<std::size_t>(width) * 2);
    out_ = DeviceBuffer(q_.bytes());
    launch_fill_random(nullptr, q_.as<>(), q_.bytes(), 5, true);
    CUDA_CHECK(cudaDeviceSynchronize());
    args_.q = q_.as<>();
    args_.q_stride = width;
    args_.q_rows = rows;
    args_.out = out_.as<>();
    args_.out_stride = width;
    args_.tiles = tiles_.as<PrefillTile>();
    args_.tile_count = static_cast<int>(tiles.size());
    args_.heads = shape.heads;
    args_.kv_heads = shape.kv_heads;
    args_.head_dim = shape.head_dim;
    args_.scale = 1.F / std::sqrt(static_cast<float>(shape.head_dim));
    args_.blocks = sms;
    flop_ = prefill_flop(chunks, shape.heads, shape.head_dim);
  }
  void launch(const PrefillMaps& maps, const KvView& kv, PrefillLoader loader, cudaStream_t stream) const {
    launch_prefill(maps, kv, args_, loader, stream);
  }
  [[nodiscard]] double flop() const { return flop_; }

 private:
  DeviceBuffer tiles_, q_, out_;
  PrefillArgs args_;
  double flop_ = 0;
};

/// One layout in the pool with the copy engine's maps of every region.
struct Placed {
  Placed(const Layout& l, PrefillLoader way, std::span<const std::int32_t> lengths, const HeadShape& shape,
         const DeviceBuffer& pool, std::uint64_t seed)
      : layout(l), loader(way), batch(l, lengths, shape, pool.as<>(), pool.bytes(), seed) {
    const int regions = std::min(batch.regions(), 32);
    for (int i = 0; i < regions; ++i) maps.push_back(make_prefill_maps(batch.view(i), shape.kv_heads, shape.head_dim));
  }
  Layout layout;
  PrefillLoader loader;
  PooledBatch batch;
  std::vector<PrefillMaps> maps;
};

std::vector<std::pair<Layout, PrefillLoader>> layouts_of(const Point& point) {
  const Layout contiguous{0, TableOrder::sequential, 0};
  const auto paged = [](int block) { return Layout{block, TableOrder::random, 0}; };
  std::vector<std::pair<Layout, PrefillLoader>> out = {{contiguous, PrefillLoader::tensor},
                                                       {paged(16), PrefillLoader::gather}};
  if (!point.all_layouts) return out;
  for (const int block : kBlockSizes) out.emplace_back(paged(block), PrefillLoader::tensor);
  out.emplace_back(contiguous, PrefillLoader::gather);
  out.emplace_back(paged(256), PrefillLoader::gather);
  return out;
}

void measure_point(Context& context, CudaTimer& timer, const DeviceBuffer& pool, const Point& point, bool sustained) {
  const PrefillBatch batch(point, context.device().sms);
  std::vector<std::int32_t> lengths;
  std::int64_t fresh = 0, stored = 0;
  for (const Chunk& p : point.parts) {
    lengths.push_back(p.stored + p.count);
    fresh += p.count;
    stored += p.stored;
  }
  const bool alike = std::all_of(point.parts.begin(), point.parts.end(), [&](const Chunk& p) {
    return p.count == point.parts[0].count && p.stored == point.parts[0].stored;
  });
  ColdRegions cold;
  std::vector<std::unique_ptr<Placed>> placed;
  std::vector<Variant> variants;
  for (const auto& [layout, loader] : layouts_of(point)) {
    placed.push_back(std::make_unique<Placed>(layout, loader, lengths, point.shape, pool, context.options().seed));
    const Placed* place = placed.back().get();
    variants.push_back({layout.name(), [&, place](int) {
                          const int region = cold.next(static_cast<int>(place->maps.size()));
                          batch.launch(place->maps[static_cast<std::size_t>(region)], place->batch.view(region),
                                       place->loader, timer.stream());
                        }});
  }
  const auto keys = [&](const Placed& place) -> Keys {
    return {{"layout", std::string(place.layout.block == 0 ? "contiguous" : "paged")},
            {"block_tokens", std::int64_t{place.layout.block}},
            {"order", std::string(name_of(place.layout.order))},
            {"loader", std::string(name_of(place.loader))},
            {"heads", std::int64_t{point.shape.heads}},
            {"kv_heads", std::int64_t{point.shape.kv_heads}},
            {"head_dim", std::int64_t{point.shape.head_dim}},
            {"batch", static_cast<std::int64_t>(point.parts.size())},
            {"new_tokens", alike ? point.parts[0].count : fresh},
            {"stored_tokens", alike ? point.parts[0].stored : stored},
            {"chunk_list", alike ? std::string() : list_of(point.parts)}};
  };
  const auto add = [&](const char* name, const Placed& place, const Series& series) {
    const double us = series.summary().median;
    context.add(
        figure(name, keys(place), "us", series, {{"flop", batch.flop()}, {"tflops", tflops(batch.flop(), us)}}));
  };
  const auto series = measure_interleaved(variants, context.rule(0.5), timer, context.rng());
  for (std::size_t v = 0; v < placed.size(); ++v) {
    add("prefill", *placed[v], series[v]);
    if (v == 0) continue;
    const Series ratio = paired_ratio(series[v], series[0]);
    if (ratio.size() > 0) context.add(figure("prefill_over_contiguous", keys(*placed[v]), "ratio", ratio));
  }
  if (!sustained) return;
  for (std::size_t v = 0; v < std::min<std::size_t>(2, placed.size()); ++v) {
    if (context.interrupted()) return;
    add("prefill_sustained", *placed[v], timer.sustained(variants[v].launch, context.quick() ? 1.0 : 3.0));
  }
}

std::vector<Point> points_of(Context& context) {
  const ModelShape& m = context.model();
  const HeadShape own{m.heads, m.kv_heads, m.head_dim};
  Rng& rng = context.rng();
  std::vector<Point> points;
  const std::vector<int> counts = context.quick() ? std::vector{512, 2048, 8192}
                                                  : std::vector{16, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384};
  for (const int count : counts) points.push_back({own, 1, count, 0, count == 8192 || count == 2048});
  const std::vector<int> prefixes = context.quick() ? std::vector{4096} : std::vector{512, 2048, 8192, 32768};
  for (const int stored : prefixes) {
    for (const int count : {64, 256, 512, 2048})
      points.push_back({own, 1, count, stored, count == 512 && (stored == 2048 || stored == 8192)});
  }
  for (const int batch : {4, 16}) points.push_back({own, batch, 512, 0, false});
  if (!context.quick()) {
    for (const int count : {100, 333, 777, 1500, 3000, 6000})
      points.push_back({own, 1, count, 0, false});  // between tile edges
  }
  if (!context.quick()) {  // requests that differ, in one launch
    for (int i = 0; i < 12; ++i) {
      Point point{own, 2 + i % 3, 0, 0, false};
      for (Chunk& p : point.parts) {
        p.count = 32 + static_cast<int>(rng() % 1500);
        p.stored = rng() % 2 == 0 ? 0 : 64 + static_cast<int>(rng() % 4000);
      }
      points.push_back(point);
    }
  }
  for (const HeadShape& shape : {HeadShape{32, 32, 128}, HeadShape{64, 8, 128}, HeadShape{32, 8, 64}}) {
    if (!(shape == own)) points.push_back({shape, 1, 4096, 0, false});
  }
  return points;
}

}  // namespace

void measure_prefill(Context& context) {
  const std::size_t bytes = std::min(kPoolBytes, usable_device_bytes());
  const DeviceBuffer pool(bytes / (std::size_t{2} << 20) * (std::size_t{2} << 20));
  launch_fill_random(nullptr, pool.as<>(), pool.bytes(), context.options().seed + 1, true);
  CUDA_CHECK(cudaDeviceSynchronize());
  CudaTimer timer;
  for (const Point& point : points_of(context)) {
    if (context.interrupted()) return;
    const bool sustained = point.alone(8192) || point.alone(2048);
    measure_point(context, timer, pool, point, sustained);
  }
}

}  // namespace stowage::probe
