#pragma once
// The frame every part of the probe stands in: what a part is, and what it is given. No CUDA headers in here.
//
// A new part: write `extern const Part my_part;` below and the definition in my_part.cpp, and add it to the table in
// parts.cpp. Parts run one after another on options().device, with the CUDA device already set.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gpu_probe/measure.hpp"

namespace stowage::probe {

struct DeviceInfo {
  std::string name;
  int index = 0;
  int count = 0;  // GPUs this process sees
  int sms = 0;
  int compute_major = 0, compute_minor = 0;
  std::size_t memory_bytes = 0;  // as the driver reports it
  std::size_t free_bytes = 0;    // when the probe started
  std::size_t l2_bytes = 0;
  std::size_t shared_per_block_bytes = 0;  // opt-in limit
  int sm_clock_max_mhz = 0;
  int memory_clock_mhz = 0;
  int memory_bus_bits = 0;
  int driver_cuda = 0;         // 13000: the CUDA version the driver supports
  int runtime_cuda = 0;        // the one this binary was built with
  std::string driver_version;  // 580.159.04; empty when NVML is not there
  std::string pci_bus_id;
  std::string card;  // the first eight digits of its UUID: tells one card from another, and no more
};

/// A dense transformer's shape, as far as kernels see it. Sizes in elements; weights and KV are bf16.
struct ModelShape {
  std::string_view name;
  int layers = 0, hidden = 0, heads = 0, kv_heads = 0, head_dim = 0, intermediate = 0, vocab = 0;
  [[nodiscard]] std::size_t kv_bytes_per_token_layer() const {  // K and V
    return std::size_t{2} * 2 * static_cast<std::size_t>(kv_heads) * static_cast<std::size_t>(head_dim);
  }
};
[[nodiscard]] std::span<const ModelShape> model_shapes();
[[nodiscard]] const ModelShape* find_model_shape(std::string_view name);  // nullptr when unknown

struct Options {
  std::string command = "all";  // all, selftest, or one part
  std::string output;           // JSON; empty = none
  std::string model = "llama-3-8b";
  int device = 0;
  int layers = 0;  // 0 = as many as the model has
  bool quick = false;
  bool shared = false;  // measure although others use the GPU
  std::uint64_t seed = 1;
};

/// Set by SIGINT or SIGTERM (the signal's number); 0 while all is well.
[[nodiscard]] int stop_signal();

/// What a part is given, and where its figures go. Figures are kept as they come: an interrupted part keeps those it
/// has.
class Context {
 public:
  Context(const DeviceInfo& device, const Options& options, const ModelShape& model);

  [[nodiscard]] const DeviceInfo& device() const { return device_; }
  [[nodiscard]] const Options& options() const { return options_; }
  [[nodiscard]] const ModelShape& model() const { return model_; }
  [[nodiscard]] bool quick() const { return options_.quick; }
  [[nodiscard]] int layers() const { return options_.layers > 0 ? options_.layers : model_.layers; }
  [[nodiscard]] Rng& rng() { return rng_; }

  void add(Figure figure) { figures_.push_back(std::move(figure)); }
  void note(std::string text) { notes_.push_back(std::move(text)); }  // goes to the file and the screen
  [[nodiscard]] std::span<const Figure> figures() const { return figures_; }
  [[nodiscard]] std::span<const std::string> notes() const { return notes_; }

  /// True once the user interrupted: leave loops, return, and let destructors free everything.
  [[nodiscard]] bool interrupted() const { return stop_signal() != 0; }
  /// 0.5 % noise within timeout_s; with --quick 2 % within a fifth of it.
  [[nodiscard]] StopRule rule(double timeout_s = 0.5) const;

 private:
  const DeviceInfo& device_;
  const Options& options_;
  const ModelShape& model_;
  Rng rng_;
  std::vector<Figure> figures_;
  std::vector<std::string> notes_;
};

/// One part of the probe.
struct Part {
  std::string_view name;
  std::string_view summary;
  /// Why this part cannot run here ("needs 2 GPUs, there is 1"), or nothing. Such a part is waived, not failed.
  std::optional<std::string> (*unsupported)(const Context&);
  /// Measures, adding figures to the context. Throws EnvironmentError; figures added before stay.
  void (*run)(Context&);
};

extern const Part vmm_part, attention_part, gemm_part, elementwise_part, copy_part, launch_part, collective_part,
    iteration_part, clock_part;
/// In the order `gpu_probe all` runs them.
[[nodiscard]] std::span<const Part* const> parts();

}  // namespace stowage::probe
