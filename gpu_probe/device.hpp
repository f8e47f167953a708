#pragma once
// Opening the GPU: the checks that end in a clear line, and the facts about it.
#include <cstddef>

#include "gpu_probe/probe.hpp"

namespace stowage::probe {

struct OpenedDevice {
  DeviceInfo info;
  bool in_use_by_others = false;
};

/// Makes options.device current. Throws EnvironmentError with one clear line when there is no GPU, the driver is too
/// old, the chip is not the one this build has kernels for, too little memory is free, or others use the GPU
/// (unless options.shared).
[[nodiscard]] OpenedDevice open_device(const Options& options);

/// Free device memory now.
[[nodiscard]] std::size_t free_device_bytes();
/// What a part may take: what is free less 2 GiB, so that never more than is free is asked for.
[[nodiscard]] std::size_t usable_device_bytes();

}  // namespace stowage::probe
