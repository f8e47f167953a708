#include "gpu_probe/step.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>

#include "gpu_probe/kernels/elementwise.hpp"

namespace stowage::probe {
namespace {
constexpr std::size_t kStagings = 4;  // steps that may be queued before the host waits
constexpr std::size_t bf16_bytes = 2;

DeviceBuffer activations(std::int64_t rows, std::int64_t width) {
  DeviceBuffer buffer(static_cast<std::size_t>(rows * width) * bf16_bytes);
  CUDA_CHECK(cudaMemset(buffer.as<>(), 0, buffer.bytes()));  // padded rows are multiplied too: let them be finite
  return buffer;
}
}  // namespace

/// Arrays of 32-bit words, each at a multiple of 16 bytes. A pure decode step's layout depends on its padded size
/// alone, so that a captured graph finds everything where it was.
struct StepRunner::Layout {
  int rows = 0, padded = 0, decodes = 0, padded_decodes = 0, tiles = 0, samples = 0;
  std::size_t positions = 0, slots = 0, tokens = 0, first = 0, pieces = 0, tile = 0, sample_rows = 0, sample_slots = 0,
              words = 0;
};

struct StepRunner::Staging {
  PinnedBuffer words;
  Event copied = make_event();
};

StepRunner::~StepRunner() { log_cuda(cudaDeviceSynchronize(), "cudaDeviceSynchronize"); }

StepRunner::StepRunner(const ModelShape& shape, int layers, const StepLimits& limits, int sms, std::uint64_t seed)
    : shape_(shape), layers_(layers), limits_(limits), sms_(sms) {
  const auto z = [](int v) { return static_cast<std::size_t>(v); };
  const std::size_t hidden = z(shape.hidden), q_width = z(shape.heads) * z(shape.head_dim);
  const std::size_t qkv_width = q_width + 2 * z(shape.kv_heads) * z(shape.head_dim);
  struct Tensor {
    std::size_t offset, count, fan_in;  // fan_in 0: a norm's weight
  };
  std::vector<Tensor> tensors;
  std::size_t total = 0;
  const auto add = [&](std::size_t count, std::size_t fan_in) {
    tensors.push_back({total, count, fan_in});
    total += (count + 127) / 128 * 128;
    return tensors.back().offset;
  };
  embedding_ = add(z(shape.vocab) * hidden, 3);
  for (int layer = 0; layer < layers; ++layer) {
    LayerWeights w{};
    w.attention_norm = add(hidden, 0);
    w.qkv = add(qkv_width * hidden, hidden);
    w.q_norm = add(z(shape.head_dim), 0);
    w.k_norm = add(z(shape.head_dim), 0);
    w.o = add(hidden * q_width, q_width);
    w.mlp_norm = add(hidden, 0);
    w.gate_up = add(2 * z(shape.intermediate) * hidden, hidden);
    w.down = add(hidden * z(shape.intermediate), z(shape.intermediate));
    offsets_.push_back(w);
  }
  final_norm_ = add(hidden, 0);
  head_ = add(z(shape.vocab) * hidden, hidden);
  weights_ = DeviceBuffer(total * bf16_bytes);
  for (const Tensor& t : tensors) {
    // Uniform with variance 1 / fan_in keeps activations of order 1; norms scale by a little around zero mean
    // otherwise.
    const float scale = t.fan_in == 0 ? 1.F : std::sqrt(3.F / static_cast<float>(t.fan_in));
    launch_fill_uniform(nullptr, weights_.as<std::uint16_t>() + t.offset, t.count, seed + t.offset, scale);
  }
  rope_ = DeviceBuffer(z(limits.context_max) * z(shape.head_dim) * sizeof(float));
  launch_rope_table(nullptr, rope_.as<>(), limits.context_max, shape.head_dim, kRopeTheta);

  const std::int64_t rows = padded_rows(limits.rows_max);
  residual_ = activations(rows, shape.hidden);
  normed_ = activations(rows, shape.hidden);
  qkv_ = activations(rows, static_cast<std::int64_t>(qkv_width));
  attended_ = activations(rows, static_cast<std::int64_t>(q_width));
  projected_ = activations(rows, shape.hidden);
  gate_up_ = activations(rows, 2 * shape.intermediate);
  activated_ = activations(rows, shape.intermediate);
  const int samples = padded_rows(limits.requests_max);
  last_rows_ = activations(samples, shape.hidden);
  logits_ = activations(samples, shape.vocab);
  scratch_ = DeviceBuffer(decode_scratch_bytes(pieces_max(samples), shape.heads, shape.head_dim));
  const int tiles = limits.rows_max / prefill_tile_tokens(shape.heads, shape.kv_heads) + limits.requests_max + 1;
  const std::size_t words = layout_of(static_cast<int>(rows), samples, tiles, samples).words;
  meta_ = DeviceBuffer(words * sizeof(std::int32_t));
  last_token_ = DeviceBuffer(z(limits.slots) * sizeof(std::int32_t));
  CUDA_CHECK(cudaMemset(last_token_.as<>(), 0, last_token_.bytes()));
  for (std::size_t i = 0; i < kStagings; ++i) {
    staging_.emplace_back();
    staging_.back().words = PinnedBuffer(words * sizeof(std::int32_t));
  }
  CUDA_CHECK(cudaDeviceSynchronize());
}

void StepRunner::bind(std::span<const KvView> layers, int binding) {
  if (static_cast<int>(layers.size()) != layers_) throw std::invalid_argument("StepRunner::bind: one view a layer");
  CUDA_CHECK(cudaDeviceSynchronize());
  Binding bound;
  bound.kv.assign(layers.begin(), layers.end());
  for (const KvView& view : bound.kv) bound.maps.push_back(make_prefill_maps(view, shape_.kv_heads, shape_.head_dim));
  bindings_[binding] = std::move(bound);
}

int StepRunner::pieces_max(int decodes) const { return decodes + 4 * decode_slots(sms_) / shape_.kv_heads; }

StepRunner::Layout StepRunner::layout_of(int rows, int decodes, int tiles, int samples) const {
  Layout l;
  l.rows = rows;
  l.padded = padded_rows(rows);
  l.decodes = decodes;
  l.tiles = tiles;
  l.samples = samples;
  const bool pure = decodes == rows;
  l.padded_decodes = pure ? l.padded : decodes;
  const auto take = [&](std::size_t count) {
    const std::size_t at = l.words;
    l.words += (count + 3) / 4 * 4;
    return at;
  };
  const auto z = [](int v) { return static_cast<std::size_t>(v); };
  l.positions = take(z(l.padded));
  l.slots = take(z(l.padded));
  l.tokens = take(z(l.padded));
  l.sample_rows = take(z(padded_rows(std::max(1, samples))));
  l.sample_slots = take(z(padded_rows(std::max(1, samples))));
  l.first = take(z(l.padded_decodes) + 1);
  l.tile = take(z(tiles) * sizeof(PrefillTile) / 4);
  l.pieces = take(l.padded_decodes == 0 ? 0 : z(pieces_max(l.padded_decodes)) * sizeof(DecodePiece) / 4);
  return l;
}

void StepRunner::fill(const StepBatch& batch, const Layout& l, std::span<const PrefillTile> tiles,
                      std::int32_t* words) const {
  std::fill_n(words, l.words, 0);
  std::fill_n(words + l.slots, l.padded, -1);
  std::fill_n(words + l.sample_slots, padded_rows(std::max(1, l.samples)), -1);
  std::vector<std::int32_t> lengths(static_cast<std::size_t>(l.padded_decodes), 0), where(lengths.size(), 0);
  int row = 0, sample = 0, decode = 0;
  for (const StepRequest& r : batch.requests) {
    if (r.count == 1) {
      lengths[static_cast<std::size_t>(decode)] = r.stored + 1;
      where[static_cast<std::size_t>(decode++)] = r.slot;
    }
    for (int t = 0; t < r.count; ++t, ++row) {
      words[l.positions + static_cast<std::size_t>(row)] = r.stored + t;
      words[l.slots + static_cast<std::size_t>(row)] = r.slot;
      words[l.tokens + static_cast<std::size_t>(row)] = batch.tokens[static_cast<std::size_t>(row)];
    }
    if (!r.sample) continue;
    words[l.sample_rows + static_cast<std::size_t>(sample)] = row - 1;
    words[l.sample_slots + static_cast<std::size_t>(sample++)] = r.slot;
  }
  if (l.padded_decodes > 0) {
    const DecodePlan plan =
        plan_decode(lengths, shape_.kv_heads, decode_slots(sms_), pieces_max(l.padded_decodes), where);
    std::copy(plan.first.begin(), plan.first.end(), words + l.first);
    std::memcpy(words + l.pieces, plan.pieces.data(), plan.pieces.size() * sizeof(DecodePiece));
  }
  if (!tiles.empty()) std::memcpy(words + l.tile, tiles.data(), tiles.size_bytes());
}

void StepRunner::attend(const Layout& l, int layer, cudaStream_t stream, const StepOptions& options) {
  const Binding& bound = bindings_.at(options.binding);
  const KvView& kv = bound.kv[static_cast<std::size_t>(layer)];
  const auto* words = meta_.as<std::int32_t>();
  const std::int64_t q_stride = static_cast<std::int64_t>(shape_.heads + 2 * shape_.kv_heads) * shape_.head_dim;
  const std::int64_t out_stride = static_cast<std::int64_t>(shape_.heads) * shape_.head_dim;
  const float scale = 1.F / std::sqrt(static_cast<float>(shape_.head_dim));
  if (l.padded_decodes > 0) {
    DecodeArgs args;
    args.q = qkv_.as<>();
    args.q_stride = q_stride;
    args.out = attended_.as<>();
    args.out_stride = out_stride;
    args.pieces = reinterpret_cast<const DecodePiece*>(words + l.pieces);
    args.first = words + l.first;
    args.partial = scratch_.as<float>();
    args.batch = l.padded_decodes;
    args.heads = shape_.heads;
    args.kv_heads = shape_.kv_heads;
    args.head_dim = shape_.head_dim;
    args.scale = scale;
    args.blocks = sms_;
    launch_decode(kv, args, pieces_max(l.padded_decodes), stream);
  }
  if (l.tiles > 0) {
    PrefillArgs args;
    args.q = qkv_.as<>();
    args.q_stride = q_stride;
    args.q_rows = l.padded;
    args.out = attended_.as<>();
    args.out_stride = out_stride;
    args.tiles = reinterpret_cast<const PrefillTile*>(words + l.tile);
    args.tile_count = l.tiles;
    args.heads = shape_.heads;
    args.kv_heads = shape_.kv_heads;
    args.head_dim = shape_.head_dim;
    args.scale = scale;
    args.blocks = sms_;
    launch_prefill(bound.maps[static_cast<std::size_t>(layer)], kv, args, options.loader, stream);
  }
}

void StepRunner::queue(const Layout& l, cudaStream_t stream, const StepOptions& options) {
  const auto* words = meta_.as<std::int32_t>();
  const int m = l.padded, hidden = shape_.hidden, q_width = shape_.heads * shape_.head_dim;
  const int qkv_width = q_width + 2 * shape_.kv_heads * shape_.head_dim;
  const bool head_norms = shape_.name.starts_with("qwen3");
  launch_embed(stream, weight(embedding_), words + l.tokens, words + l.slots, last_token_.as<std::int32_t>(),
               residual_.as<>(), m, hidden);
  RopeArgs rope;
  rope.qkv = qkv_.as<>();
  rope.positions = words + l.positions;
  rope.slots = words + l.slots;
  rope.cos_sin = rope_.as<>();
  rope.rows = m;
  rope.heads = shape_.heads;
  rope.kv_heads = shape_.kv_heads;
  rope.head_dim = shape_.head_dim;
  rope.epsilon = kEpsilon;
  for (int layer = 0; layer < layers_; ++layer) {
    const LayerWeights& w = offsets_[static_cast<std::size_t>(layer)];
    // From the second layer on, the MLP's output of the layer before joins the residual here.
    launch_rms_norm(stream, layer == 0 ? nullptr : projected_.as<>(), residual_.as<>(), weight(w.attention_norm),
                    normed_.as<>(), m, hidden, kEpsilon);
    gemm_.run(stream, normed_.as<>(), weight(w.qkv), qkv_.as<>(), m, qkv_width, hidden);
    rope.q_norm = head_norms ? weight(w.q_norm) : nullptr;
    rope.k_norm = head_norms ? weight(w.k_norm) : nullptr;
    launch_rope_append(stream, bindings_.at(options.binding).kv[static_cast<std::size_t>(layer)], rope);
    if (options.attention) attend(l, layer, stream, options);
    gemm_.run(stream, attended_.as<>(), weight(w.o), projected_.as<>(), m, hidden, q_width);
    launch_rms_norm(stream, projected_.as<>(), residual_.as<>(), weight(w.mlp_norm), normed_.as<>(), m, hidden,
                    kEpsilon);
    gemm_.run(stream, normed_.as<>(), weight(w.gate_up), gate_up_.as<>(), m, 2 * shape_.intermediate, hidden);
    launch_silu_mul(stream, gate_up_.as<>(), activated_.as<>(), m, shape_.intermediate);
    gemm_.run(stream, activated_.as<>(), weight(w.down), projected_.as<>(), m, hidden, shape_.intermediate);
  }
  if (l.samples == 0) return;
  launch_rms_norm(stream, projected_.as<>(), residual_.as<>(), weight(final_norm_), normed_.as<>(), m, hidden,
                  kEpsilon);
  const int samples = padded_rows(l.samples);
  launch_gather_rows(stream, normed_.as<>(), words + l.sample_rows, last_rows_.as<>(), samples, hidden);
  gemm_.run(stream, last_rows_.as<>(), weight(head_), logits_.as<>(), samples, shape_.vocab, hidden);
  launch_argmax(stream, logits_.as<>(), words + l.sample_slots, last_token_.as<std::int32_t>(), samples, shape_.vocab);
}

StepShape StepRunner::run(const StepBatch& batch, cudaStream_t stream, const StepOptions& options) {
  const auto bound = bindings_.find(options.binding);
  if (bound == bindings_.end()) throw std::invalid_argument("StepRunner::run before bind");
  std::vector<PrefillChunk> chunks;
  int rows = 0, decodes = 0, samples = 0;
  for (const StepRequest& r : batch.requests) {
    if (r.count < 1 || r.slot < 0 || r.slot >= limits_.slots || r.stored + r.count > limits_.context_max) {
      throw std::invalid_argument(
          fmt::format("step: {} new tokens after {} in slot {} break the limits", r.count, r.stored, r.slot));
    }
    if (r.count == 1) {
      if (!chunks.empty()) throw std::invalid_argument("step: requests with one new token come first");
      ++decodes;
    } else {
      chunks.push_back({r.slot, rows, r.count, r.stored});
    }
    rows += r.count;
    samples += r.sample ? 1 : 0;
  }
  if (rows == 0) return {};
  if (rows > limits_.rows_max || static_cast<int>(batch.requests.size()) > limits_.requests_max ||
      batch.tokens.size() != static_cast<std::size_t>(rows)) {
    throw std::invalid_argument(
        fmt::format("step: {} tokens of {} requests, {} ids", rows, batch.requests.size(), batch.tokens.size()));
  }
  const auto tiles = plan_prefill(chunks, prefill_tile_tokens(shape_.heads, shape_.kv_heads));
  // Padded rows sample nothing: a graph is one for all batches of its padded size.
  const bool graph = options.graph && decodes == rows && samples == rows;
  const Layout l = layout_of(rows, decodes, static_cast<int>(tiles.size()), samples);

  Staging& staging = staging_[next_staging_++ % staging_.size()];
  CUDA_CHECK(cudaEventSynchronize(staging.copied.get()));
  fill(batch, l, tiles, staging.words.as<std::int32_t>());
  CUDA_CHECK(cudaMemcpyAsync(meta_.as<>(), staging.words.as<>(), l.words * sizeof(std::int32_t), cudaMemcpyHostToDevice,
                             stream));
  CUDA_CHECK(cudaEventRecord(staging.copied.get(), stream));
  if (!graph) {
    queue(l, stream, options);
    return {rows, l.padded, decodes, false};
  }
  GraphExec& exec = bound->second.graphs[{l.padded, padded_rows(samples), options.attention}];
  if (exec.get() == nullptr) {
    // The first batch of a size runs eagerly: kernels are loaded at their first launch, which a capture forbids.
    queue(l, stream, options);
    exec = capture_graph(stream, [&](cudaStream_t s) { queue(l, s, options); });
    return {rows, l.padded, decodes, false};
  }
  CUDA_CHECK(cudaGraphLaunch(exec.get(), stream));
  return {rows, l.padded, decodes, true};
}

}  // namespace stowage::probe
