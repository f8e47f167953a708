// Part elementwise: what a layer does besides matrix products and attention, kernel by kernel, by token count. A model
// whose whole steps were not measured is priced from these, from `gemm` and from `attention`. Timed as a graph of many
// in a row: one kernel between two events carries microseconds that it does not cost inside a step.
#include "gpu_probe/kernels/elementwise.hpp"

#include <algorithm>

#include "gpu_probe/cuda_timer.hpp"
#include "gpu_probe/device.hpp"
#include "gpu_probe/kv_image.hpp"
#include "gpu_probe/probe.hpp"

namespace stowage::probe {
namespace {

constexpr int kRowsMax = 8192;
constexpr int kSamplesMax = 256;
constexpr int kInARow = 20;

/// Activations of kRowsMax tokens, one token a slot, so that K and V of every row go to a place of their own.
struct Bench {
  explicit Bench(const ModelShape& m) {
    const auto z = [](int n) { return static_cast<std::size_t>(n); };
    const std::size_t row = z(m.kv_heads) * z(m.head_dim), rows = kRowsMax;
    const auto random = [](std::size_t count) {
      DeviceBuffer buffer(2 * count);
      launch_fill_uniform(nullptr, buffer.as<>(), count, count, 1.F);
      return buffer;
    };
    hidden = random(rows * z(m.hidden));
    residual = random(rows * z(m.hidden));
    normed = random(rows * z(m.hidden));
    weight = random(z(std::max(m.hidden, m.head_dim)));
    qkv = random(rows * (z(m.heads) * z(m.head_dim) + 2 * row));
    gate_up = random(rows * 2 * z(m.intermediate));
    activated = random(rows * z(m.intermediate));
    logits = random(std::size_t{kSamplesMax} * z(m.vocab));
    k = random(rows * row);
    v = random(rows * row);
    std::vector<std::int32_t> slot(rows), position(rows, 0);
    std::vector<std::int64_t> begin(rows);
    for (std::size_t i = 0; i < rows; ++i) {
      slot[i] = static_cast<std::int32_t>(i);
      begin[i] = static_cast<std::int64_t>(i * row);
    }
    slots = KvImage::upload(std::span<const std::int32_t>(slot));
    positions = KvImage::upload(std::span<const std::int32_t>(position));
    start = KvImage::upload(std::span<const std::int64_t>(begin));
    rope = DeviceBuffer(z(m.head_dim) * sizeof(float));
    launch_rope_table(nullptr, rope.as<>(), 1, m.head_dim, 500000.F);
    tokens = DeviceBuffer(rows * sizeof(std::int32_t));
    view.k = k.as<>();
    view.v = v.as<>();
    view.token_stride = static_cast<std::int64_t>(row);
    view.start = start.as<std::int64_t>();
    view.extent_rows = kRowsMax;
    CUDA_CHECK(cudaDeviceSynchronize());
  }
  DeviceBuffer hidden, residual, normed, weight, qkv, gate_up, activated, logits, k, v, slots, positions, start, rope,
      tokens;
  KvView view;
};

struct Kernel {
  std::string name;
  double bytes;  // read and written, once each
  std::function<void(cudaStream_t)> launch;
};

std::vector<Kernel> kernels_of(const Bench& b, const ModelShape& m, int rows) {
  const double bf16 = 2.0 * rows;
  const double q = double{1} * m.heads * m.head_dim, kv = double{1} * m.kv_heads * m.head_dim;
  RopeArgs args;
  args.qkv = b.qkv.as<>();
  args.positions = b.positions.as<std::int32_t>();
  args.slots = b.slots.as<std::int32_t>();
  args.cos_sin = b.rope.as<>();
  args.rows = rows;
  args.heads = m.heads;
  args.kv_heads = m.kv_heads;
  args.head_dim = m.head_dim;
  std::vector<Kernel> out = {{"rms_norm", bf16 * 4 * m.hidden,
                              [&b, &m, rows](cudaStream_t stream) {
                                launch_rms_norm(stream, b.hidden.as<>(), b.residual.as<>(), b.weight.as<>(),
                                                b.normed.as<>(), rows, m.hidden, 1e-5F);
                              }},
                             {"rope_append", bf16 * (2 * q + 4 * kv),
                              [&b, args](cudaStream_t stream) { launch_rope_append(stream, b.view, args); }},
                             {"silu_mul", bf16 * 3 * m.intermediate, [&b, &m, rows](cudaStream_t stream) {
                                launch_silu_mul(stream, b.gate_up.as<>(), b.activated.as<>(), rows, m.intermediate);
                              }}};
  if (rows <= kSamplesMax)
    out.push_back({"argmax", bf16 * m.vocab, [&b, &m, rows](cudaStream_t stream) {
                     launch_argmax(stream, b.logits.as<>(), b.slots.as<std::int32_t>(), b.tokens.as<std::int32_t>(),
                                   rows, m.vocab);
                   }});
  return out;
}

std::optional<std::string> unsupported(const Context&) { return std::nullopt; }

void run(Context& context) {
  const ModelShape& m = context.model();
  const Bench bench(m);
  CudaTimer timer;
  for (const int rows :
       context.quick() ? std::vector{1, 64, 2048} : std::vector{1, 8, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192}) {
    if (context.interrupted()) return;
    const auto kernels = kernels_of(bench, m, rows);
    std::vector<GraphExec> graphs;
    std::vector<Variant> variants;
    for (const Kernel& kernel : kernels) {
      kernel.launch(timer.stream());  // loads the code, which a capture forbids
      graphs.push_back(capture_graph(timer.stream(), [&](cudaStream_t s) {
        for (int i = 0; i < kInARow; ++i) kernel.launch(s);
      }));
    }
    for (std::size_t i = 0; i < kernels.size(); ++i)
      variants.push_back({kernels[i].name,
                          [&graphs, &timer, i](int) { CUDA_CHECK(cudaGraphLaunch(graphs[i].get(), timer.stream())); }});
    const auto series = measure_interleaved(variants, context.rule(0.2), timer, context.rng());
    for (std::size_t i = 0; i < kernels.size(); ++i) {
      Series each;
      for (const double us : series[i].values()) each.add(us / kInARow);
      each.stop = series[i].stop;
      context.add(figure("elementwise", {{"kernel", kernels[i].name}, {"rows", std::int64_t{rows}}}, "us", each,
                         {{"bytes", kernels[i].bytes}, {"gbps", gbps(kernels[i].bytes, each.summary().median)}}));
    }
  }
}
}  // namespace

const Part elementwise_part = {"elementwise", "norms, rotation with KV append, activation and sampling by token count",
                               unsupported, run};

}  // namespace stowage::probe
