#include <array>
#include <csignal>
#include <ctime>

#include "gpu_probe/probe.hpp"
#include "gpu_probe/report.hpp"

namespace stowage::probe {
namespace {
volatile std::sig_atomic_t g_stop_signal = 0;
volatile std::sig_atomic_t g_stop_second = 0;  // of the monotonic clock

// The first signal asks for an orderly end. A second one ends the process at once, unless it comes within two seconds:
// `timeout` and terminals deliver one interrupt twice, to the process and to its group.
extern "C" void on_stop_signal(int number) {
  struct timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  if (g_stop_signal == 0) {
    g_stop_signal = number;
    g_stop_second = static_cast<std::sig_atomic_t>(now.tv_sec);
  } else if (now.tv_sec - g_stop_second > 2) {
    signal(number, SIG_DFL);
    raise(number);
  }
}

// The zoo's models with a gated feed-forward; tests/unit/gpu_probe compares them with models/llm/zoo. The probe has its
// own copy so that its binary needs neither YAML nor the files.
constexpr std::array<ModelShape, 13> shapes = {{
    // layers, hidden, heads, kv_heads, head_dim, intermediate, vocab
    {"llama-2-13b", 40, 5120, 40, 40, 128, 13824, 32000},
    {"llama-2-70b", 80, 8192, 64, 8, 128, 28672, 32000},
    {"llama-2-7b", 32, 4096, 32, 32, 128, 11008, 32000},
    {"llama-3-70b", 80, 8192, 64, 8, 128, 28672, 128256},
    {"llama-3-8b", 32, 4096, 32, 8, 128, 14336, 128256},
    {"llama-3.1-70b", 80, 8192, 64, 8, 128, 28672, 128256},
    {"llama-3.1-8b", 32, 4096, 32, 8, 128, 14336, 128256},
    {"mistral-7b", 32, 4096, 32, 8, 128, 14336, 32000},
    {"qwen2.5-7b", 28, 3584, 28, 4, 128, 18944, 152064},
    {"qwen3-32b", 64, 5120, 64, 8, 128, 25600, 151936},
    {"qwen3-8b", 36, 4096, 32, 8, 128, 12288, 151936},
    {"yi-34b", 60, 7168, 56, 8, 128, 20480, 64000},
    {"yi-6b", 32, 4096, 32, 4, 128, 11008, 64000},
}};
}  // namespace

int stop_signal() { return g_stop_signal; }

void catch_stop_signals() {
  struct sigaction action = {};
  action.sa_handler = on_stop_signal;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

std::span<const ModelShape> model_shapes() { return shapes; }

const ModelShape* find_model_shape(std::string_view name) {
  for (const ModelShape& shape : shapes)
    if (shape.name == name) return &shape;
  return nullptr;
}

Context::Context(const DeviceInfo& device, const Options& options, const ModelShape& model)
    : device_(device), options_(options), model_(model), rng_(options.seed) {}

StopRule Context::rule(double timeout_s) const {
  StopRule r;
  r.rel_noise = quick() ? 0.02 : 0.005;
  r.samples_min = quick() ? 5 : 20;
  r.timeout_s = quick() ? timeout_s / 5 : timeout_s;
  return r;
}

}  // namespace stowage::probe
