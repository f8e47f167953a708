#include <array>

#include "gpu_probe/probe.hpp"

namespace stowage::probe {

std::span<const Part* const> parts() {
  static const std::array table = {
      &vmm_part,  &attention_part, &gemm_part,       &elementwise_part,
      &copy_part, &launch_part,    &collective_part, &iteration_part, &clock_part,
  };
  return table;
}

}  // namespace stowage::probe
