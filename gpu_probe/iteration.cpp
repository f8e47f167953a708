// Part iteration: whole decode, prefill and mixed iterations of the model at its real depth with random weights: the
// anchor that shows what the sum of the parts misses. Contiguous and paged are timed in turn.
#include "gpu_probe/iteration.hpp"

#include <fmt/format.h>

#include <cmath>

#include "gpu_probe/device.hpp"

namespace stowage::probe {
namespace {

constexpr std::int64_t kTokensMax = std::int64_t{1} << 18;
enum Layout : int { contiguous, paged, layouts };

struct Point {
  std::string kind;  // decode, prefill, mixed
  StepBatch batch;
  Keys keys;
  bool sustained_both = false;  // the sustained figure for both layouts (decode: at all)
};

Keys shape_keys(const StepBatch& batch) {
  std::int64_t decodes = 0, decode_kv = 0, chunks = 0, chunk_tokens = 0, chunk_stored = 0, longest = 0;
  std::string list;
  for (const StepRequest& r : batch.requests) {
    if (r.count == 1) {
      ++decodes;
      decode_kv += r.stored;
      longest = std::max(longest, std::int64_t{r.stored});
    } else {
      ++chunks;
      chunk_tokens += r.count;
      chunk_stored += r.stored;
      list += fmt::format("{}{}@{}", list.empty() ? "" : ",", r.count, r.stored);
    }
  }
  return {{"decodes", decodes},
          {"decode_kv_tokens", decode_kv},
          {"chunks", chunks},
          {"chunk_tokens", chunk_tokens},
          {"chunk_stored_tokens", chunk_stored},
          {"decode_context_max", longest},
          {"chunk_list", list}};
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
  for (int i = 0; i < (quick ? 4 : 32); ++i) points.push_back(random_mixed(vocab, rng));
  for (std::size_t i = 0; i < points.size(); ++i)
    points[i].sustained_both = points[i].kind == "decode" ? i % 12 == 5 : i % 2 == 0;
  return points;
}

StepOptions options_of(int layout) {
  return {.loader = layout == paged ? PrefillLoader::gather : PrefillLoader::tensor, .binding = layout};
}

Keys keys_of(const Point& point, int layout, const StepRunner& runner) {
  Keys keys = {{"kind", point.kind},
               {"layout", std::string(layout == paged ? "paged" : "contiguous")},
               {"block_tokens", std::int64_t{layout == paged ? kIterationBlock : 0}},
               {"layers", std::int64_t{runner.layers()}}};
  keys.insert(keys.end(), point.keys.begin(), point.keys.end());
  return keys;
}

/// How long a step is also run back to back, as a loaded server does, at the clocks that its power allows.
double sustained_s(const Point& point, int layout) {
  if (layout == paged && !point.sustained_both) return 0;
  return point.kind == "prefill" ? 0.6 : point.kind == "mixed" || point.sustained_both ? 0.4 : 0;
}

/// As a host sees a step: queue, wait, read the sampled tokens back.
Series wall_of(Context& context, CudaTimer& timer, StepRunner& runner, const Point& point, int layout) {
  Series wall;
  std::vector<std::int32_t> tokens(kIterationRequestsMax);
  for (int i = 0; i < (point.kind == "decode" ? 5 : 3) && !context.interrupted(); ++i) {
    const double start_s = timer.now_s();
    runner.run(point.batch, timer.stream(), options_of(layout));
    CUDA_CHECK(cudaMemcpyAsync(tokens.data(), runner.sampled(), tokens.size() * sizeof tokens[0],
                               cudaMemcpyDeviceToHost, timer.stream()));
    CUDA_CHECK(cudaStreamSynchronize(timer.stream()));
    wall.add((timer.now_s() - start_s) * 1e6);
  }
  return wall;
}

void measure_point(Context& context, CudaTimer& timer, StepRunner& runner, const Point& point) {
  StepShape shape;
  std::vector<Variant> variants;
  for (int layout = 0; layout < layouts; ++layout) {
    variants.push_back({"", [&, layout](int) { shape = runner.run(point.batch, timer.stream(), options_of(layout)); }});
    for (int i = 0; i < 2; ++i) variants.back().launch(0);  // loads kernels, captures the graph
  }
  CUDA_CHECK(cudaStreamSynchronize(timer.stream()));
  StopRule rule = context.rule(0.6);
  rule.samples_min = std::min(rule.samples_min, 8);  // milliseconds each, and quiet
  const auto series = measure_interleaved(variants, rule, timer, context.rng());
  const Keys extra = {{"padded_rows", std::int64_t{shape.padded_rows}}, {"graph", shape.graph}};
  for (int layout = 0; layout < layouts; ++layout) {
    const Keys keys = keys_of(point, layout, runner);
    context.add(figure("iteration", keys, "us", series[static_cast<std::size_t>(layout)], extra));
    context.add(figure("iteration_wall", keys, "us", wall_of(context, timer, runner, point, layout)));
    const double seconds = sustained_s(point, layout);
    if (seconds > 0 && !context.quick())
      context.add(figure("iteration_sustained", keys, "us",
                         timer.sustained(variants[static_cast<std::size_t>(layout)].launch, seconds), extra));
  }
  const Series ratio = paired_ratio(series[paged], series[contiguous]);
  if (ratio.size() > 0) context.add(figure("iteration_over_contiguous", keys_of(point, paged, runner), "ratio", ratio));
}

void run(Context& context) {
  const ModelShape& m = context.model();
  const int layers = context.layers();
  const StepLimits limits{.rows_max = 8192,
                          .requests_max = kIterationRequestsMax,
                          .slots = kIterationRequestsMax,
                          .context_max = kIterationContextMax};
  StepRunner runner(m, layers, limits, context.device().sms, context.options().seed);
  const auto per_token = static_cast<std::int64_t>(m.kv_bytes_per_token_layer()) * layers;
  const std::int64_t tokens = std::min(kTokensMax, static_cast<std::int64_t>(usable_device_bytes()) / per_token);
  if (tokens < 8192)
    throw EnvironmentError(fmt::format(
        "iteration: {} has room for {} tokens of KV beside its weights; --layers takes fewer layers", m.name, tokens));
  IterationPool pool(m, layers, tokens, context.options().seed);
  context.note(fmt::format("weights {:.2f} GiB, KV for {} tokens",
                           static_cast<double>(runner.weight_bytes()) / (1 << 30), tokens));
  // With the gate all launches of a step wait in the stream's queue; many layers would not fit there.
  CudaTimer timer({.gate = layers <= 32});
  for (int layout = 0; layout < layouts; ++layout) runner.bind(pool.views(layout == paged), layout);
  measure_dense(context, timer, runner, pool);
  for (const Point& point : points_of(context)) {
    if (context.interrupted()) return;
    if (pool.place(point.batch)) measure_point(context, timer, runner, point);
  }
}
}  // namespace

const Part iteration_part = {
    "iteration", "whole decode, prefill and mixed iterations at real depth with random weights",
    whole_steps_unsupported, run};

}  // namespace stowage::probe
