#include "models/memory_budget.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "base/error.hpp"

namespace stowage {
namespace {
constexpr double gib = 1024.0 * 1024.0 * 1024.0;
double in_gib(Bytes bytes) { return static_cast<double>(bytes.count()) / gib; }

std::string grouped(std::int64_t n) {
  std::string digits = std::to_string(n);
  const std::size_t first = n < 0 ? 1 : 0;
  for (std::size_t i = digits.size(); i > first + 3;) digits.insert(i -= 3, ",");
  return digits;
}
}  // namespace

Bytes activation_peak(const ModelSpec& model, int tensor, std::int64_t max_batched_tokens, std::int64_t max_batch,
                      std::int64_t sampler_bytes) {
  const std::int64_t element = dtype_bytes(model.dtype);
  // Gated: the gate-and-up output (2 I) and the activation (I). Plain: up's output and the activation.
  const std::int64_t mlp_width = (model.mlp == Mlp::gated ? 3 : 2) * (model.widest_mlp() / tensor);
  const std::int64_t streams = max_batched_tokens * 2 * model.hidden * element;
  const std::int64_t mlp = streams + max_batched_tokens * mlp_width * element;
  // Logits are gathered over the whole vocabulary on the GPU that samples.
  const std::int64_t sampler =
      streams + std::min(max_batch, max_batched_tokens) * model.vocab * (element + sampler_bytes);
  return Bytes{std::max(mlp, sampler)};
}

Bytes runtime_overhead(int gpus, const EngineSpec* engine) {
  const EngineSpec row = engine == nullptr ? EngineSpec{} : *engine;
  return Bytes{static_cast<std::int64_t>((gpus == 1 ? row.overhead_one_gib : row.overhead_many_gib) * gib)};
}

/// vLLM's second model runner sets nothing aside for graphs (vLLM issue 49224). By its releases it runs 16-bit Qwen3
/// since 0.22, Llama and Mistral since 0.23, quantized ones of these since 0.24, all dense models since 0.25; not
/// windows, experts or states.
bool second_runner(const ModelSpec& m, std::string_view engine) {
  if (m.window > 0 || m.moe() || m.latent() || m.state_bytes_per_sequence().count() > 0) return false;
  const bool qwen3 = m.qk_norm, llama = !m.qk_norm && !m.qkv_bias && m.mlp == Mlp::gated && m.norm == Norm::rms;
  if (engine == "vllm-0.21") return false;
  if (engine == "vllm-0.22") return qwen3 && m.quant == Quant::none;
  if (engine == "vllm-0.23") return (qwen3 || llama) && m.quant == Quant::none;
  if (engine == "vllm-0.24") return qwen3 || llama;
  return true;
}

MemoryBudget memory_budget(const ModelSpec& model, const HardwareSpec& hardware, const MemoryOptions& options) {
  const auto stages = pipeline_layers(model.layers, options.pipeline);
  const EngineSpec* const engine = options.engine;
  const Bytes activations = options.activations.value_or(
      activation_peak(model, options.tensor, options.max_batched_tokens, options.max_batch,
                      engine == nullptr ? EngineSpec{}.sampler_bytes : engine->sampler_bytes));
  const bool deducted = engine != nullptr && !second_runner(model, engine->name);
  const Bytes graphs = options.graphs.value_or(deducted ? engine_graph_memory(*engine, options.max_batch) : Bytes{});
  MemoryBudget worst;
  bool found = false;
  for (int stage = 0; stage < options.pipeline; ++stage) {
    const std::int64_t layers = stages[static_cast<std::size_t>(stage)];
    MemoryBudget b;
    b.stage = stage;
    b.device = options.device.value_or(hardware.driver_memory);
    b.usable = Bytes{static_cast<std::int64_t>(static_cast<double>(b.device.count()) * options.utilization)};
    b.weights =
        options.weights.value_or(model.weights_bytes_per_gpu(options.tensor, options.pipeline, stage, options.expert));
    b.activations = activations;
    // Over PCIe the buffers of collectives are small: 0.2 to 0.25 GiB in all, as on a GPU alone.
    const int gpus = hardware.nvlink_bytes_per_s > 0 ? options.tensor * options.pipeline : 1;
    // The V0 engine's logs: 1.79 GiB and about 2.0 on H100s, 0.35 on an RTX 3090.
    const bool v0 = engine != nullptr && engine->null_blocks == 0 && gpus == 1;
    const double v0_gib = hardware.memory.count() >= 70 * static_cast<std::int64_t>(gib) ? 1.8 : 0.35;
    b.overhead =
        options.overhead.value_or(v0 ? Bytes{static_cast<std::int64_t>(v0_gib * gib)} : runtime_overhead(gpus, engine));
    b.graphs = graphs;
    b.kv_bytes_per_token = model.kv_bytes_per_token_stage(options.tensor, options.pipeline, stage);
    if (b.kv_bytes_per_token.count() == 0) continue;  // a stage of states alone limits no tokens
    if (engine != nullptr) b.null_block = b.kv_bytes_per_token * (engine->null_blocks * engine->block_size);
    b.kv_pool = b.usable - b.weights - b.activations - b.overhead - b.graphs - b.null_block;
    b.pool_tokens = std::max<std::int64_t>(0, floor_div(b.kv_pool, b.kv_bytes_per_token));
    // Other stages keep the same number of tokens, in proportion to their layers.
    b.replica_kv_pool = Bytes{b.kv_pool.count() * options.tensor * model.layers / layers};
    b.replica_kv_bytes_per_token = model.kv_bytes_per_token_replica(options.tensor);
    // Compared by exact cross-multiplication of pool / bytes per token, so that a stage that does not fit decides too.
    const bool tighter = static_cast<__int128>(b.kv_pool.count()) * worst.kv_bytes_per_token.count() <
                         static_cast<__int128>(worst.kv_pool.count()) * b.kv_bytes_per_token.count();
    if (!found || tighter) worst = b;
    found = true;
  }
  return worst;
}

void require_fits(const MemoryBudget& b, const ModelSpec& model, const HardwareSpec& hardware) {
  if (b.pool_tokens > 0) return;
  throw InfeasibleError(fmt::format(
      "{} does not fit {}: of {:.2f} GiB a GPU, {:.2f} GiB may be used; weights {:.2f}, activations {:.2f} and runtime "
      "{:.2f} GiB leave {:.2f} GiB for the KV cache; use a larger tensor, a larger GPU or a smaller model",
      model.name, hardware.name, in_gib(b.device), in_gib(b.usable), in_gib(b.weights), in_gib(b.activations),
      in_gib(b.overhead + b.graphs), in_gib(b.kv_pool)));
}

std::string vllm_line(std::int64_t kv_tokens, std::int64_t max_model_len) {
  return fmt::format("KV cache {} tokens; maximum concurrency for {} tokens per request: {:.2f}x", grouped(kv_tokens),
                     grouped(max_model_len), static_cast<double>(kv_tokens) / static_cast<double>(max_model_len));
}
}  // namespace stowage
