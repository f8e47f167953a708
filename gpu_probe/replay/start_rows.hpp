#pragma once
// Where each resident's contiguous K and V begin, on the host and on the device.
#include <algorithm>
#include <vector>

#include "gpu_probe/cuda.hpp"

namespace stowage::replay {

class StartRows {
 public:
  explicit StartRows(std::int64_t residents)
      : host_(static_cast<std::size_t>(residents) * sizeof(std::int64_t)),
        device_(static_cast<std::size_t>(residents) * sizeof(std::int64_t)) {
    std::fill_n(host_.as<std::int64_t>(), residents, 0);
    CUDA_CHECK(cudaMemset(device_.as<>(), 0, device_.bytes()));
  }
  /// The GPU has read what was uploaded before (each iteration is waited for).
  void set(std::int64_t resident, std::int64_t element) {
    host_.as<std::int64_t>()[resident] = element;
    changed_ = true;
  }
  void upload(cudaStream_t stream) {
    if (!changed_) return;
    CUDA_CHECK(cudaMemcpyAsync(device_.as<>(), host_.as<>(), device_.bytes(), cudaMemcpyHostToDevice, stream));
    changed_ = false;
  }
  [[nodiscard]] const std::int64_t* device() const { return device_.as<std::int64_t>(); }

 private:
  probe::PinnedBuffer host_;
  probe::DeviceBuffer device_;
  bool changed_ = false;
};

}  // namespace stowage::replay
