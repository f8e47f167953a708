// Part gemm: the products of a transformer layer by token count, per tensor-parallel degree: in bursts, L2-cold, and
// sustained under the chip's power limit.
#include <fmt/format.h>

#include <algorithm>

#include "gpu_probe/cuda_timer.hpp"
#include "gpu_probe/device.hpp"
#include "gpu_probe/gemm.hpp"
#include "gpu_probe/kernels/elementwise.hpp"
#include "gpu_probe/probe.hpp"

namespace stowage::probe {
namespace {

struct Product {
  std::string name;
  int n = 0, k = 0;
  bool per_sample = false;  // lm_head: one row a sampled request, not one a token
};

std::vector<Product> products_of(const ModelShape& m, int tensor) {
  const int heads = m.heads / tensor, kv_heads = std::max(1, m.kv_heads / tensor);
  return {{"qkv", (heads + 2 * kv_heads) * m.head_dim, m.hidden},
          {"o", m.hidden, heads * m.head_dim},
          {"gate_up", 2 * m.intermediate / tensor, m.hidden},
          {"down", m.hidden, m.intermediate / tensor},
          {"lm_head", (m.vocab / tensor + 7) / 8 * 8, m.hidden, true}};
}

/// Both sides of what padded_rows() and the library's tiles (64, 128, 256 rows) make of a token count.
std::vector<int> rows_of(bool quick, bool coarse) {
  if (quick) return {1, 16, 64, 256, 1024, 4096};
  if (coarse) return {1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192};
  // Nearly every count that padded_rows() gives: the library's choice jumps between neighbours, up to twice the time.
  std::vector<int> rows = {1, 2, 4, 8};
  for (int m = 16; m <= 256; m += m < 64 ? 8 : 16) rows.push_back(m);
  for (int m = 320; m <= 8192; m += m < 4096 ? 64 : 128) rows.push_back(m);
  for (const int m : {257, 513, 1025, 2049}) rows.push_back(m);  // what padding saves
  return rows;
}

/// Buffers that every product of the part fits in. Weights rotate over a pool beyond the L2, as layers do in a step.
class Bench {
 public:
  Bench(const std::vector<Product>& products, int rows_max, std::size_t l2_bytes) {
    std::size_t weights = 0, x = 0, y = 0;
    for (const Product& p : products) {
      const auto z = [](int v) { return static_cast<std::size_t>(v); };
      weights = std::max(weights, 2 * z(p.n) * z(p.k));
      const std::size_t m = p.per_sample ? 256 : z(rows_max);
      x = std::max(x, 2 * m * z(p.k));
      y = std::max(y, 2 * m * z(p.n));
    }
    pool_ = DeviceBuffer(std::max(2 * weights, 8 * l2_bytes));
    x_ = DeviceBuffer(x);
    y_ = DeviceBuffer(y);
    launch_fill_uniform(nullptr, pool_.as<>(), pool_.bytes() / 2, 3, 0.02F);
    launch_fill_uniform(nullptr, x_.as<>(), x_.bytes() / 2, 4, 1.F);
    CUDA_CHECK(cudaDeviceSynchronize());
  }
  /// With the next weights of the pool, wherever the product before (of whatever shape) found its own.
  void launch(const Product& p, int m, cudaStream_t stream) {
    const std::size_t one = 2 * static_cast<std::size_t>(p.n) * static_cast<std::size_t>(p.k);
    // Offsets go round the pool by bytes, so that products of different sizes do not meet in what was just read.
    if (next_ + one > pool_.bytes()) next_ = 0;
    const char* weights = pool_.as<char>() + next_;
    next_ += (one + 4095) / 4096 * 4096;
    gemm_.run(stream, x_.as<>(), weights, y_.as<>(), m, p.n, p.k);
  }
  [[nodiscard]] Gemm& gemm() { return gemm_; }

 private:
  Gemm gemm_;
  DeviceBuffer pool_, x_, y_;
  std::size_t next_ = 0;
};

Figure product_figure(const char* name, const Product& p, int tensor, int m, const Series& series, Gemm& gemm) {
  const double flop = 2.0 * m * p.n * p.k;
  const double bytes =
      2.0 * (static_cast<double>(p.n) * p.k + static_cast<double>(m) * p.k + static_cast<double>(m) * p.n);
  const double us = series.summary().median;
  const GemmAlgorithm a = gemm.prepare(m, p.n, p.k);
  return figure(name,
                {{"product", p.name},
                 {"tensor", std::int64_t{tensor}},
                 {"m", std::int64_t{m}},
                 {"n", std::int64_t{p.n}},
                 {"k", std::int64_t{p.k}}},
                "us", series,
                {{"tflops", tflops(flop, us)},
                 {"gbps", gbps(bytes, us)},
                 {"algorithm", fmt::format("{}/tile {}/stages {}/split {}", a.id, a.tile, a.stages, a.split_k)}});
}

void burst(Context& context, CudaTimer& timer, Bench& bench, const std::vector<Product>& products,
           const std::vector<int>& rows, int tensor) {
  for (const int m : rows) {
    if (context.interrupted()) return;
    std::vector<const Product*> timed;
    std::vector<Variant> variants;
    for (const Product& p : products) {
      if (p.per_sample && (m > 256 || tensor > 1)) continue;
      timed.push_back(&p);
      variants.push_back({p.name, [&, m](int) { bench.launch(p, m, timer.stream()); }});
    }
    const auto series = measure_interleaved(variants, context.rule(0.25), timer, context.rng());
    for (std::size_t i = 0; i < timed.size(); ++i)
      context.add(product_figure("gemm", *timed[i], tensor, m, series[i], bench.gemm()));
  }
}

/// Back to back, as in a long prefill: at power-capped clocks, which is where a loaded server's prefill runs.
void sustained(Context& context, CudaTimer& timer, Bench& bench, const std::vector<Product>& products) {
  for (const int m : {2048, 8192}) {
    for (const Product& p : products) {
      if (context.interrupted()) return;
      if (p.per_sample) continue;
      const Series series =
          timer.sustained([&](int) { bench.launch(p, m, timer.stream()); }, context.quick() ? 0.5 : 3.0);
      context.add(product_figure("gemm_sustained", p, 1, m, series, bench.gemm()));
    }
  }
}

/// Shapes of another width, coarsely: what a price carried from the measured shapes to others is worth.
void other_width(Context& context, CudaTimer& timer) {
  const ModelShape wide{"wide", 1, 8192, 64, 8, 128, 28672, 128256};
  auto products = products_of(wide, 1);
  products.pop_back();  // the head is the largest and adds no new kind of shape
  Bench bench(products, 8192, context.device().l2_bytes);
  burst(context, timer, bench, products, {1, 16, 64, 256, 512, 2048, 8192}, 1);
}

std::optional<std::string> unsupported(const Context&) {
  if (!gemm_missing().empty()) return gemm_missing();
  return std::nullopt;
}

void run(Context& context) {
  const auto products = products_of(context.model(), 1);
  Bench bench(products, 8192, context.device().l2_bytes);
  context.note(fmt::format("cuBLASLt {}", bench.gemm().version()));
  CudaTimer timer;
  burst(context, timer, bench, products, rows_of(context.quick(), false), 1);
  for (const int tensor : {2, 4, 8}) {
    const ModelShape& m = context.model();
    if (m.heads % tensor != 0 || m.kv_heads % tensor != 0 || m.intermediate % tensor != 0) continue;
    burst(context, timer, bench, products_of(m, tensor), rows_of(context.quick(), true), tensor);
  }
  if (!context.quick()) other_width(context, timer);
  sustained(context, timer, bench, products);
}
}  // namespace

const Part gemm_part = {"gemm",
                        "matrix products of a layer by token count and TP degree (cuBLASLt), burst and sustained",
                        unsupported, run};

}  // namespace stowage::probe
