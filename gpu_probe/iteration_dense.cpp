// A step without its attention: what norms, matrix products, rotation, activation and sampling cost together, chained
// as in a real step. Whole iterations are this and attention.
#include "gpu_probe/iteration.hpp"

namespace stowage::probe {
namespace {

/// `rows` decodes (sampling every one, replayed as a graph) or one chunk of `rows` tokens (sampling one, eager).
StepBatch rows_of(int rows, bool decode, int vocab, Rng& rng) {
  StepBatch batch;
  for (int r = 0; r < (decode ? rows : 1); ++r) add_request(batch, 0, decode ? 1 : rows, vocab, rng);
  return batch;
}

void measure_rows(Context& context, CudaTimer& timer, StepRunner& runner, int rows, bool decode) {
  const StepBatch batch = rows_of(rows, decode, context.model().vocab, context.rng());
  StepShape shape;
  const auto launch = [&](int) { shape = runner.run(batch, timer.stream(), {.attention = false}); };
  for (int i = 0; i < 2; ++i) launch(0);
  CUDA_CHECK(cudaStreamSynchronize(timer.stream()));
  StopRule rule = context.rule(0.3);
  rule.samples_min = std::min(rule.samples_min, 8);
  const Series series = measure(launch, rule, timer, context.rng());
  const Keys keys = {{"rows", std::int64_t{rows}},
                     {"samples", std::int64_t{decode ? rows : 1}},
                     {"layers", std::int64_t{runner.layers()}}};
  const Keys extra = {{"padded_rows", std::int64_t{shape.padded_rows}}, {"graph", shape.graph}};
  context.add(figure("dense", keys, "us", series, extra));
  if (!decode && rows >= 256 && !context.quick())
    context.add(figure("dense_sustained", keys, "us", timer.sustained(launch, 0.4), extra));
}
}  // namespace

void measure_dense(Context& context, CudaTimer& timer, StepRunner& runner, const IterationPool& pool) {
  const bool quick = context.quick();
  if (!pool.place(rows_of(kIterationRequestsMax, true, context.model().vocab, context.rng()))) return;
  for (const int rows :
       quick ? std::vector{1, 16, 64} : std::vector{1,  2,  4,   8,   16,  24,  32,  40,  48,  56,  64,  72, 80,
                                                    88, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240, 256}) {
    if (context.interrupted()) return;
    measure_rows(context, timer, runner, rows, true);
  }
  if (!pool.place(rows_of(8192, false, context.model().vocab, context.rng()))) return;
  for (const int rows :
       quick ? std::vector{512, 2048}
             : std::vector{8,   16,  32,  64,  96,   128,  160,  192,  224,  256,  320,  384,  448,  512,
                           576, 640, 768, 896, 1024, 1280, 1536, 1792, 2048, 2560, 3072, 4096, 6144, 8192}) {
    if (context.interrupted()) return;
    measure_rows(context, timer, runner, rows, false);
  }
}

std::optional<std::string> whole_steps_unsupported(const Context& context) {
  if (!gemm_missing().empty()) return gemm_missing();
  const ModelShape& m = context.model();
  if ((m.head_dim != 64 && m.head_dim != 128) || m.heads / m.kv_heads > 8)
    return "no attention kernel for this model's heads";
  return std::nullopt;
}

}  // namespace stowage::probe
