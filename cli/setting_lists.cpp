#include "cli/setting_lists.hpp"

namespace stowage::cli {
namespace {
constexpr Setting of_fit[] = {
    {"model", "NAME", "Zoo name, YAML file or config.json"},
    {"hardware", "NAME", "GPU of the list, or YAML file"},
    {"scenario", "FILE", "Take model, hardware, layout, memory and workload of a scenario"},
    {"trace", "FILE", "Requests whose lengths count (default: 1,024, 4,096, --max-model-len)"},
    {"engine", "NAME", "Memory as this release takes it: vllm-0.15 ... vllm-0.24"},
    {"from-vllm-log", "FILE", "The pool as vLLM's own start-up log tells it"},
    {"max-model-len", "N", "Longest request (default: 8192)"},
    {"max-batch", "N", "Requests at once (default: 256, or the engine's)"},
    {"max-batched-tokens", "N", "Tokens of a step (default: 8192, or the engine's)"},
    {"utilization", "X", "Share of the GPU's memory (default: 0.9, or the engine's)"},
    {"kv-dtype", "TYPE", "bfloat16, float16 or float8 (default: the model's)"},
    {"device", "SIZE", "GPU memory as the driver reports it"},
    {"weights", "SIZE", "Of one GPU; the engine's own figure instead of ours"},
    {"activations", "SIZE", "The same: peak of a forward pass"},
    {"overhead", "SIZE", "The same: non-torch memory"},
    {"graphs", "SIZE", "The same: set aside for CUDA graphs"},
};
constexpr Setting of_layouts[] = {
    {"tensor", "N", "GPUs that share every layer (default: 1)"},
    {"pipeline", "N", "Stages of layers (default: 1)"},
    {"expert", "N", "GPUs that whole experts are spread over: tensor x data"},
    {"data", "N", "Replicas that share the experts (default: 1)"},
};
constexpr Setting of_graphs[] = {
    {"hardware", "NAME", "GPU that prices the graph (default: h100-sxm-80gb)"},
    {"decode", "N", "Decoding requests of the step (default: 64)"},
    {"prefill", "N", "Prompt tokens of the step (default: 0)"},
    {"context", "N", "Tokens stored of each request (default: 1024)"},
};
}  // namespace

std::span<const Setting> fit_settings() { return of_fit; }
std::span<const Setting> layout_settings() { return of_layouts; }
std::span<const Setting> graph_settings() { return of_graphs; }
}  // namespace stowage::cli
