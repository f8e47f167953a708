// Whole iterations of a tiny model: the same tokens under every layout, graph or not, and logits against float64.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "gpu_probe/selftest_cases.hpp"
#include "gpu_probe/step.hpp"

namespace stowage::probe {
namespace {

constexpr int kSlots = 4;
constexpr int kSlotTokens = 208;
constexpr int kSms = 6;

/// A transformer in float64, straight from the definition, one sequence at a time, without a cache.
class Reference {
 public:
  Reference(const StepRunner& runner) : runner_(runner), shape_(runner.shape()), weights_(runner.weight_bytes() / 2) {
    CUDA_CHECK(cudaMemcpy(weights_.data(), runner.weights(), runner.weight_bytes(), cudaMemcpyDeviceToHost));
  }

  /// Logits after the last of `ids`.
  [[nodiscard]] std::vector<double> logits(const std::vector<std::int32_t>& ids) const {
    const int d = shape_.head_dim, group = shape_.heads / shape_.kv_heads, q_width = shape_.heads * d,
              kv_width = shape_.kv_heads * d;
    const int n = static_cast<int>(ids.size());
    const bool head_norms = shape_.name.starts_with("qwen3");
    std::vector<std::vector<double>> x;
    for (const auto id : ids) {
      std::vector<double> row(static_cast<std::size_t>(shape_.hidden));
      for (std::size_t i = 0; i < row.size(); ++i)
        row[i] = w(runner_.embedding_offset() + static_cast<std::size_t>(id) * row.size() + i);
      x.push_back(row);
    }
    for (int layer = 0; layer < runner_.layers(); ++layer) {
      const auto& at = runner_.layer_weights(layer);
      std::vector<std::vector<double>> qkv;
      for (int t = 0; t < n; ++t) {
        auto row = multiply(at.qkv, norm(x[static_cast<std::size_t>(t)], at.attention_norm), q_width + 2 * kv_width);
        for (int h = 0; h < shape_.heads + shape_.kv_heads; ++h)
          turn(row, h * d, t, head_norms ? (h < shape_.heads ? at.q_norm : at.k_norm) : 0);
        qkv.push_back(row);
      }
      for (int t = 0; t < n; ++t) {
        std::vector<double> attended(static_cast<std::size_t>(q_width), 0.0);
        for (int h = 0; h < shape_.heads; ++h)
          attend(qkv, t, h * d, q_width + h / group * d, q_width + kv_width + h / group * d, attended);
        add(x[static_cast<std::size_t>(t)], multiply(at.o, attended, shape_.hidden));
        const auto gate_up =
            multiply(at.gate_up, norm(x[static_cast<std::size_t>(t)], at.mlp_norm), 2 * shape_.intermediate);
        std::vector<double> inner(static_cast<std::size_t>(shape_.intermediate));
        for (std::size_t i = 0; i < inner.size(); ++i)
          inner[i] = gate_up[i] / (1 + std::exp(-gate_up[i])) * gate_up[inner.size() + i];
        add(x[static_cast<std::size_t>(t)], multiply(at.down, inner, shape_.hidden));
      }
    }
    return multiply(runner_.head_offset(), norm(x.back(), runner_.final_norm_offset()), shape_.vocab);
  }

 private:
  [[nodiscard]] double w(std::size_t at) const { return to_float(weights_[at]); }
  [[nodiscard]] std::vector<double> multiply(std::size_t at, const std::vector<double>& in, int n) const {
    std::vector<double> out(static_cast<std::size_t>(n), 0.0);
    for (std::size_t i = 0; i < out.size(); ++i)
      for (std::size_t j = 0; j < in.size(); ++j) out[i] += w(at + i * in.size() + j) * in[j];
    return out;
  }
  [[nodiscard]] std::vector<double> norm(std::vector<double> in, std::size_t at) const {
    double sum = 0;
    for (const double v : in) sum += v * v;
    const double factor = 1 / std::sqrt(sum / static_cast<double>(in.size()) + StepRunner::kEpsilon);
    for (std::size_t i = 0; i < in.size(); ++i) in[i] *= factor * w(at + i);
    return in;
  }
  void turn(std::vector<double>& row, int from, int position, std::size_t norm_at) const {
    const int half = shape_.head_dim / 2;
    const auto head = row.begin() + from;
    if (norm_at != 0) {
      const auto normed = norm({head, head + shape_.head_dim}, norm_at);
      std::copy(normed.begin(), normed.end(), head);
    }
    for (int i = 0; i < half; ++i) {
      const double angle = position * std::pow(double{StepRunner::kRopeTheta}, -static_cast<double>(i) / half);
      const double a = head[i], b = head[half + i];
      head[i] = a * std::cos(angle) - b * std::sin(angle);
      head[half + i] = b * std::cos(angle) + a * std::sin(angle);
    }
  }
  void attend(const std::vector<std::vector<double>>& qkv, int t, int q, int k, int v, std::vector<double>& out) const {
    std::vector<double> weight;
    double top = -INFINITY, sum = 0;
    for (int j = 0; j <= t; ++j) {
      double dot = 0;
      for (int d = 0; d < shape_.head_dim; ++d)
        dot += qkv[static_cast<std::size_t>(t)][static_cast<std::size_t>(q + d)] *
               qkv[static_cast<std::size_t>(j)][static_cast<std::size_t>(k + d)];
      weight.push_back(dot / std::sqrt(shape_.head_dim));
      top = std::max(top, weight.back());
    }
    for (double& x : weight) sum += x = std::exp(x - top);
    for (int j = 0; j <= t; ++j)
      for (int d = 0; d < shape_.head_dim; ++d)
        out[static_cast<std::size_t>(q + d)] += weight[static_cast<std::size_t>(j)] / sum *
                                                qkv[static_cast<std::size_t>(j)][static_cast<std::size_t>(v + d)];
  }
  static void add(std::vector<double>& x, const std::vector<double>& y) {
    for (std::size_t i = 0; i < x.size(); ++i) x[i] += y[i];
  }

  const StepRunner& runner_;
  const ModelShape& shape_;
  std::vector<Bf16> weights_;
};

/// The KV of all layers in one layout; what no step wrote is NaN.
class TinyKv {
 public:
  TinyKv(const ModelShape& shape, int layers, int block) {
    const std::int64_t row = static_cast<std::int64_t>(shape.kv_heads) * shape.head_dim;
    const int tokens = kSlots * kSlotTokens;
    std::vector<std::int64_t> start;
    for (int s = 0; s < kSlots; ++s) start.push_back((kSlots - 1 - s) * kSlotTokens * row);
    start_ = KvImage::upload(std::span<const std::int64_t>(start));
    const int blocks = block == 0 ? 0 : kSlots * ((kSlotTokens + block - 1) / block);
    BlockTable table;
    if (block > 0)
      table = make_table(std::vector<std::int32_t>(kSlots, kSlotTokens), block, blocks, TableOrder::random, 1, 5);
    table_ = KvImage::upload(std::span<const std::int32_t>(table.blocks));
    for (int layer = 0; layer < layers; ++layer) {
      KvView v;
      for (void** tensor : {&v.k, &v.v}) {
        memory_.emplace_back(static_cast<std::size_t>(std::max(tokens, blocks * block) * row) * 2);
        CUDA_CHECK(cudaMemset(memory_.back().as<>(), 0xff, memory_.back().bytes()));
        *tensor = memory_.back().as<>();
      }
      v.block = block;
      v.token_stride = row;
      v.block_stride = block * row;
      v.start = start_.as<std::int64_t>();
      v.table = table_.as<std::int32_t>();
      v.table_stride = table.stride;
      v.extent_rows = block == 0 ? tokens : blocks;
      views.push_back(v);
    }
  }
  std::vector<KvView> views;

 private:
  DeviceBuffer start_, table_;
  std::vector<DeviceBuffer> memory_;
};

struct Outcome {
  std::vector<std::vector<std::int32_t>> ids;  // per request, prompt and sampled
  std::vector<std::vector<Bf16>> logits;       // per request, of the last step
};

/// Three requests: two whole prompts, then a third in two chunks beside their decoding, then all decode.
Outcome serve(StepRunner& runner, const TinyKv& kv, bool graph, PrefillLoader loader) {
  const int prompts[] = {5, 37, 150};
  Outcome out;
  for (int r = 0; r < 3; ++r) {
    out.ids.emplace_back();
    for (int t = 0; t < prompts[r]; ++t) out.ids.back().push_back((r * 131 + t * 17 + 3) % runner.shape().vocab);
  }
  runner.bind(kv.views);
  const Stream stream = make_stream();
  int stored[] = {0, 0, 0};
  const auto step = [&](const std::vector<std::pair<int, int>>& parts) {  // request, new tokens
    StepBatch batch;
    for (const auto& [r, count] : parts) {
      const bool ends = stored[r] + count >= prompts[r];
      batch.requests.push_back({r + 1, stored[r], count, ends});
      // Prompt tokens from the host, sampled ones from the device: both ways are used.
      for (int t = 0; t < count; ++t)
        batch.tokens.push_back(stored[r] >= prompts[r]
                                   ? -1
                                   : out.ids[static_cast<std::size_t>(r)][static_cast<std::size_t>(stored[r] + t)]);
      stored[r] += count;
    }
    runner.run(batch, stream.get(), {.graph = graph, .loader = loader});
    CUDA_CHECK(cudaStreamSynchronize(stream.get()));
    std::vector<std::int32_t> sampled(kSlots);
    CUDA_CHECK(cudaMemcpy(sampled.data(), runner.sampled(), kSlots * sizeof(std::int32_t), cudaMemcpyDeviceToHost));
    for (const StepRequest& r : batch.requests)
      if (r.sample) out.ids[static_cast<std::size_t>(r.slot - 1)].push_back(sampled[static_cast<std::size_t>(r.slot)]);
  };
  step({{0, 5}, {1, 37}});
  step({{0, 1}, {1, 1}, {2, 100}});
  step({{0, 1}, {1, 1}, {2, 50}});
  for (int i = 0; i < 6; ++i) step({{0, 1}, {1, 1}, {2, 1}});
  const std::size_t vocab = static_cast<std::size_t>(runner.shape().vocab);
  for (std::size_t r = 0; r < 3; ++r) {
    out.logits.emplace_back(vocab);
    CUDA_CHECK(cudaMemcpy(out.logits.back().data(), static_cast<const Bf16*>(runner.logits()) + r * vocab, vocab * 2,
                          cudaMemcpyDeviceToHost));
  }
  return out;
}

}  // namespace

void check_step(Checks& checks) {
  if (!gemm_missing().empty()) {
    checks.add("whole steps left out: " + gemm_missing(), true);
    return;
  }
  const ModelShape shapes[] = {{"tiny", 2, 256, 4, 2, 64, 384, 1000}, {"qwen3-tiny", 2, 256, 4, 1, 128, 384, 1000}};
  for (const ModelShape& shape : shapes) {
    const StepLimits limits{.rows_max = 256, .requests_max = 8, .slots = kSlots, .context_max = kSlotTokens};
    StepRunner runner(shape, shape.layers, limits, kSms, 77);
    const TinyKv contiguous(shape, shape.layers, 0);
    const Outcome expected = serve(runner, contiguous, false, PrefillLoader::tensor);
    const Reference reference(runner);
    for (std::size_t r = 0; r < 3; ++r) {
      std::vector<std::int32_t> ids = expected.ids[r];
      ids.pop_back();  // sampled from the logits in question
      checks.add(fmt::format("step {}: logits of request {} after {} tokens", shape.name, r, ids.size()),
                 relative_error(std::span<const Bf16>(expected.logits[r]), reference.logits(ids)), 2e-2);
    }
    const auto same = [&](const std::string& what, const Outcome& got) {
      checks.add(fmt::format("step {}, {}: same tokens and logits as contiguous, eager", shape.name, what),
                 got.ids == expected.ids && got.logits == expected.logits);
    };
    same("contiguous, graph", serve(runner, TinyKv(shape, shape.layers, 0), true, PrefillLoader::tensor));
    for (const int block : {16, 64}) {
      const TinyKv paged(shape, shape.layers, block);
      same(fmt::format("blocks of {}, graph", block), serve(runner, paged, true, PrefillLoader::gather));
    }
  }
}

}  // namespace stowage::probe
