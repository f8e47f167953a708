// What the driver's virtual-memory calls cost: the price list of a vAttention-like memory manager.
// Rules kept throughout: never unmap what a kernel may still touch, never take more than is free, no managed memory.
#include <fmt/format.h>

#include "gpu_probe/device.hpp"
#include "gpu_probe/vmm_steps.hpp"

namespace stowage::probe {
namespace {
std::optional<std::string> unsupported(const Context& context) {
  std::size_t granularity = 0;
  const CUmemAllocationProp prop = device_memory(context.device().index);
  if (driver().granularity(&granularity, &prop, CU_MEM_ALLOC_GRANULARITY_MINIMUM) != CUDA_SUCCESS)
    return "the GPU or its driver has no virtual memory management";
  if (page_2mib % granularity != 0)
    return fmt::format("the smallest page is {} bytes, and the steps use 2 MiB", granularity);
  const std::size_t usable = usable_device_bytes();
  if (usable < 12 * 1024 * mib)
    return fmt::format("needs 14 GiB of free device memory, there are {:.1f}",
                       static_cast<double>(free_device_bytes()) / (1 << 30));
  return std::nullopt;
}

void run(Context& context) {
  constexpr void (*steps[])(Context&) = {
      vmm_granularities, vmm_by_handle_size,  vmm_adjacent,        vmm_scattered,
      vmm_after_pause,   vmm_by_live_handles, vmm_aliases,         vmm_waits_for_kernels,
      vmm_threads,       vmm_beside_decode,   vmm_read_by_backing, vmm_two_processes,
  };
  for (const auto step : steps) {
    if (context.interrupted()) return;
    step(context);
  }
}
}  // namespace

std::vector<VmmHandle> create_handles(const Context& context, std::size_t count, std::size_t bytes) {
  std::vector<VmmHandle> handles;
  handles.reserve(count);
  for (std::size_t i = 0; i < count; ++i) handles.emplace_back(context.device().index, bytes);
  return handles;
}

const Part vmm_part = {"vmm",
                       "virtual-memory calls: latency by size and number, beside kernels, from threads, waits, aliases",
                       unsupported, run};

}  // namespace stowage::probe
