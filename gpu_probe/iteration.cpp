// Part iteration: whole decode, prefill and mixed iterations of the model at its real depth with random weights: the
// anchor that shows what the sum of the parts misses.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "gpu_probe/basic_kernels.hpp"
#include "gpu_probe/cuda_timer.hpp"
#include "gpu_probe/device.hpp"
#include "gpu_probe/kernels/kv_image.hpp"
#include "gpu_probe/step.hpp"

namespace stowage::probe {
namespace {

constexpr int kContextMax = 32768;
constexpr int kRequestsMax = 256;
constexpr std::int64_t kTokensMax = std::int64_t{1} << 18;
constexpr int kBlock = 16;

/// One pool of KV for all points, addressed as contiguous slots or as blocks in random order.
class Pool {
 public:
  Pool(const ModelShape& shape, int layers, std::int64_t tokens, std::uint64_t seed)
      : row_(static_cast<std::int64_t>(shape.kv_heads) * shape.head_dim), tokens_(tokens / kBlock * kBlock) {
    for (int i = 0; i < 2 * layers; ++i) {
      tensors_.emplace_back(static_cast<std::size_t>(tokens_ * row_) * 2);
      launch_fill_random(nullptr, tensors_.back().as<>(), tensors_.back().bytes(), seed + static_cast<std::uint64_t>(i),
                         true);
    }
    stride_ = kContextMax / kBlock;
    start_ = DeviceBuffer(kRequestsMax * sizeof(std::int64_t));
    table_ =
        DeviceBuffer(static_cast<std::size_t>(kRequestsMax) * static_cast<std::size_t>(stride_) * sizeof(std::int32_t));
    blocks_.resize(static_cast<std::size_t>(tokens_ / kBlock));
    for (std::size_t i = 0; i < blocks_.size(); ++i) blocks_[i] = static_cast<std::int32_t>(i);
    shuffle_blocks(blocks_, seed);
    CUDA_CHECK(cudaDeviceSynchronize());
  }

  [[nodiscard]] std::vector<KvView> views(bool paged) const {
    std::vector<KvView> out;
    for (std::size_t layer = 0; layer < tensors_.size() / 2; ++layer) {
      KvView v;
      v.k = tensors_[2 * layer].as<>();
      v.v = tensors_[2 * layer + 1].as<>();
      v.block = paged ? kBlock : 0;
      v.token_stride = row_;
      v.block_stride = paged ? kBlock * row_ : 0;
      v.start = start_.as<std::int64_t>();
      v.table = table_.as<std::int32_t>();
      v.table_stride = stride_;
      v.extent_rows = paged ? tokens_ / kBlock : tokens_;
      out.push_back(v);
    }
    return out;
  }

  /// Gives every request of the batch its place. Returns false when they do not fit.
  [[nodiscard]] bool place(const StepBatch& batch) {
    std::vector<std::int64_t> start(kRequestsMax, 0);
    std::vector<std::int32_t> table(static_cast<std::size_t>(kRequestsMax) * static_cast<std::size_t>(stride_), 0);
    std::int64_t used = 0;
    for (const StepRequest& r : batch.requests) {
      const std::int64_t blocks = (r.stored + r.count + kBlock - 1) / kBlock;
      if ((used + blocks) * kBlock > tokens_) return false;
      start[static_cast<std::size_t>(r.slot)] = used * kBlock * row_;
      for (std::int64_t b = 0; b < blocks; ++b)
        table[static_cast<std::size_t>(r.slot * std::int64_t{stride_} + b)] =
            blocks_[static_cast<std::size_t>(used + b)];
      used += blocks;
    }
    CUDA_CHECK(cudaDeviceSynchronize());
    CUDA_CHECK(cudaMemcpy(start_.as<>(), start.data(), start.size() * sizeof start[0], cudaMemcpyHostToDevice));
    CUDA_CHECK(cudaMemcpy(table_.as<>(), table.data(), table.size() * sizeof table[0], cudaMemcpyHostToDevice));
    return true;
  }

 private:
  std::int64_t row_, tokens_;
  int stride_ = 0;
  std::vector<DeviceBuffer> tensors_;
  DeviceBuffer start_, table_;
  std::vector<std::int32_t> blocks_;
};

struct Point {
  std::string kind;  // decode, prefill, mixed
  StepBatch batch;
  Keys keys;
};

void add_request(StepBatch& batch, int stored, int count, int vocab, Rng& rng) {
  batch.requests.push_back({static_cast<int>(batch.requests.size()), stored, count, true});
  for (int t = 0; t < count; ++t)
    batch.tokens.push_back(static_cast<std::int32_t>(rng() % static_cast<std::uint64_t>(vocab)));
}

Keys shape_keys(const StepBatch& batch) {
  std::int64_t decodes = 0, decode_kv = 0, chunks = 0, chunk_tokens = 0, chunk_stored = 0;
  for (const StepRequest& r : batch.requests) {
    if (r.count == 1) {
      ++decodes;
      decode_kv += r.stored;
    } else {
      ++chunks;
      chunk_tokens += r.count;
      chunk_stored += r.stored;
    }
  }
  return {{"decodes", decodes},
          {"decode_kv_tokens", decode_kv},
          {"chunks", chunks},
          {"chunk_tokens", chunk_tokens},
          {"chunk_stored_tokens", chunk_stored}};
}

Point uniform(const std::string& kind, int requests, int stored, int count, int vocab, Rng& rng) {
  Point p{kind, {}, {}};
  for (int r = 0; r < requests; ++r) add_request(p.batch, stored, count, vocab, rng);
  p.keys = shape_keys(p.batch);
  return p;
}

Point random_mixed(int vocab, Rng& rng) {
  const auto between = [&](double low, double high) {  // log-uniform
    return static_cast<int>(low * std::pow(high / low, static_cast<double>(rng() >> 11) * 0x1p-53));
  };
  Point p{"mixed", {}, {}};
  const int decodes = between(1, 128);
  for (int r = 0; r < decodes; ++r) add_request(p.batch, between(32, 4096), 1, vocab, rng);
  const int chunks = 1 + static_cast<int>(rng() % 3);
  for (int c = 0; c < chunks; ++c)
    add_request(p.batch, rng() % 2 == 0 ? 0 : between(64, 4096), std::max(2, between(32, 2048)), vocab, rng);
  p.keys = shape_keys(p.batch);
  return p;
}

std::vector<Point> points_of(Context& context) {
  const int vocab = context.model().vocab;
  Rng& rng = context.rng();
  std::vector<Point> points;
  const bool quick = context.quick();
  for (const int batch : quick ? std::vector{1, 16, 64} : std::vector{1, 2, 4, 8, 16, 32, 48, 64, 96, 128, 192, 256})
    for (const int stored : quick ? std::vector{511, 2047} : std::vector{127, 511, 1023, 2047, 4095, 8191})
      points.push_back(uniform("decode", batch, stored, 1, vocab, rng));
  for (const int count :
       quick ? std::vector{512, 2048}
             : std::vector{64, 128, 200, 256, 384, 512, 768, 1000, 1024, 1536, 2048, 3000, 4096, 6000, 8192})
    points.push_back(uniform("prefill", 1, 0, count, vocab, rng));
  if (!quick) {
    for (const int requests : {2, 4, 8}) points.push_back(uniform("prefill", requests, 0, 1024, vocab, rng));
    for (const int stored : {2048, 8192, 24576})
      for (const int count : {512, 2048}) points.push_back(uniform("prefill", 1, stored, count, vocab, rng));
  }
  for (int i = 0; i < (quick ? 4 : 40); ++i) points.push_back(random_mixed(vocab, rng));
  return points;
}

void measure_point(Context& context, CudaTimer& timer, StepRunner& runner, const Point& point, bool paged) {
  Keys keys = {{"kind", point.kind},
               {"layout", std::string(paged ? "paged" : "contiguous")},
               {"block_tokens", std::int64_t{paged ? kBlock : 0}},
               {"layers", std::int64_t{runner.layers()}}};
  keys.insert(keys.end(), point.keys.begin(), point.keys.end());
  StepShape shape;
  const auto step = [&](int) {
    shape = runner.run(point.batch, timer.stream(), true, paged ? PrefillLoader::gather : PrefillLoader::tensor);
  };
  for (int i = 0; i < 2; ++i) step(0);  // loads kernels, captures the graph
  CUDA_CHECK(cudaStreamSynchronize(timer.stream()));
  StopRule rule = context.rule(0.4);
  rule.samples_min = std::min(rule.samples_min, 8);  // milliseconds each, and quiet
  const Series series = measure(step, rule, timer, context.rng());
  context.add(figure("iteration", keys, "us", series,
                     {{"padded_rows", std::int64_t{shape.padded_rows}}, {"graph", shape.graph}}));
  if (point.kind != "decode") return;
  // As a host sees it: queue, wait, read the sampled tokens back.
  Series wall;
  std::vector<std::int32_t> tokens(kRequestsMax);
  for (int i = 0; i < (context.quick() ? 5 : 10) && !context.interrupted(); ++i) {
    const double start_s = timer.now_s();
    step(i);
    CUDA_CHECK(cudaMemcpyAsync(tokens.data(), runner.sampled(), tokens.size() * sizeof tokens[0],
                               cudaMemcpyDeviceToHost, timer.stream()));
    CUDA_CHECK(cudaStreamSynchronize(timer.stream()));
    wall.add((timer.now_s() - start_s) * 1e6);
  }
  context.add(figure("iteration_wall", keys, "us", wall));
}

std::optional<std::string> unsupported(const Context& context) {
  if (!gemm_missing().empty()) return gemm_missing();
  const ModelShape& m = context.model();
  if ((m.head_dim != 64 && m.head_dim != 128) || m.heads / m.kv_heads > 8)
    return "no attention kernel for this model's heads";
  return std::nullopt;
}

void run(Context& context) {
  const ModelShape& m = context.model();
  const int layers = context.layers();
  const StepLimits limits{
      .rows_max = 8192, .requests_max = kRequestsMax, .slots = kRequestsMax, .context_max = kContextMax};
  StepRunner runner(m, layers, limits, context.device().sms, context.options().seed);
  const auto per_token = static_cast<std::int64_t>(m.kv_bytes_per_token_layer()) * layers;
  const std::int64_t tokens = std::min(kTokensMax, static_cast<std::int64_t>(usable_device_bytes()) / per_token);
  if (tokens < 8192)
    throw EnvironmentError(fmt::format(
        "iteration: {} has room for {} tokens of KV beside its weights; --layers takes fewer layers", m.name, tokens));
  Pool pool(m, layers, tokens, context.options().seed);
  context.note(fmt::format("weights {:.2f} GiB, KV for {} tokens",
                           static_cast<double>(runner.weight_bytes()) / (1 << 30), tokens));
  // With the gate all launches of a step wait in the stream's queue; many layers would not fit there.
  CudaTimer timer({.gate = layers <= 32});
  const auto points = points_of(context);
  for (const bool paged : {false, true}) {
    runner.bind(pool.views(paged));
    int index = 0;
    for (const Point& point : points) {
      if (context.interrupted()) return;
      // Paged: every second point tells enough.
      if (paged && (context.quick() ? point.kind != "decode" : index++ % 2 == 1)) continue;
      if (pool.place(point.batch)) measure_point(context, timer, runner, point, paged);
    }
  }
}
}  // namespace

const Part iteration_part = {
    "iteration", "whole decode, prefill and mixed iterations at real depth with random weights", unsupported, run};

}  // namespace stowage::probe
