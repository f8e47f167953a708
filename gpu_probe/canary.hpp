#pragma once
// The same three pieces of work on every GPU and every day: what differs is the chip's. `gpu_probe all` repeats the
// first between its parts, where a change is drift; probe and replay both record all three, so that the profile of one
// machine can be carried to another by how its canary runs there (docs/accuracy.md).
#include "gpu_probe/cuda_timer.hpp"
#include "gpu_probe/report.hpp"

namespace stowage::probe {

class Canary {
 public:
  explicit Canary(const DeviceInfo& device);
  /// "read": 1 GiB of device memory, once.
  Figure read(Rng& rng);
  /// "product": 2,048 rows by 4,096 x 28,672, bf16. state "rested": the first 20 ms after an idle chip, which runs them
  /// at full clock; "loaded": back to back for half a second, at the clock that the power limit leaves. None without
  /// cuBLASLt.
  std::vector<Figure> products();
  /// All of them, as points of a file.
  std::vector<CanaryPoint> points(const std::string& after, double at_s, Rng& rng);

 private:
  static constexpr std::size_t bytes = std::size_t{1} << 30;
  int sms_;
  CudaTimer timer_;
  DeviceBuffer data_, sink_;
};

}  // namespace stowage::probe
