#include "gpu_probe/device.hpp"

#include <fmt/format.h>

#include <memory>

#include "gpu_probe/cuda.hpp"
#include "gpu_probe/nvml.hpp"

namespace stowage::probe {
namespace {
constexpr std::size_t gib = std::size_t{1} << 30;
constexpr std::size_t needed_free_bytes =
    16 * gib;  // the smallest part that means anything: 8 GiB of pages and a read of 4
std::unique_ptr<Nvml> g_nvml;

int attribute(cudaDeviceAttr which, int device) {
  int value = 0;
  CUDA_CHECK(cudaDeviceGetAttribute(&value, which, device));
  return value;
}

std::string version_text(int cuda) { return fmt::format("{}.{}", cuda / 1000, cuda % 1000 / 10); }

int count_devices(int runtime_cuda) {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status == cudaErrorInsufficientDriver) {
    int driver = 0;
    cudaDriverGetVersion(&driver);
    if (driver == 0)
      throw EnvironmentError(
          "no NVIDIA driver found (libcuda.so.1 is missing); gpu_probe measures a real GPU and needs one");
    throw EnvironmentError(
        fmt::format("the NVIDIA driver is too old: it supports CUDA {}, this build needs {}; update the driver",
                    version_text(driver), version_text(runtime_cuda)));
  }
  if (status == cudaErrorNoDevice || (status == cudaSuccess && count == 0))
    throw EnvironmentError("no CUDA GPU found; gpu_probe measures a real GPU (is one hidden by CUDA_VISIBLE_DEVICES?)");
  if (status != cudaSuccess)
    throw EnvironmentError(fmt::format("the NVIDIA driver does not start: {}", cudaGetErrorString(status)));
  return count;
}

DeviceInfo read_info(int device, int count) {
  cudaDeviceProp prop = {};
  CUDA_CHECK(cudaGetDeviceProperties(&prop, device));
  DeviceInfo info;
  info.name = prop.name;
  info.index = device;
  info.count = count;
  info.sms = prop.multiProcessorCount;
  info.compute_major = prop.major;
  info.compute_minor = prop.minor;
  info.memory_bytes = prop.totalGlobalMem;
  info.l2_bytes = static_cast<std::size_t>(prop.l2CacheSize);
  info.shared_per_block_bytes = prop.sharedMemPerBlockOptin;
  info.sm_clock_max_mhz = attribute(cudaDevAttrClockRate, device) / 1000;
  info.memory_clock_mhz = attribute(cudaDevAttrMemoryClockRate, device) / 1000;
  info.memory_bus_bits = prop.memoryBusWidth;
  CUDA_CHECK(cudaDriverGetVersion(&info.driver_cuda));
  CUDA_CHECK(cudaRuntimeGetVersion(&info.runtime_cuda));
  char bus_id[32] = "";
  CUDA_CHECK(cudaDeviceGetPCIBusId(bus_id, sizeof bus_id, device));
  info.pci_bus_id = bus_id;
  for (int i = 0; i < 4; ++i) info.card += fmt::format("{:02x}", static_cast<unsigned char>(prop.uuid.bytes[i]));
  return info;
}

/// Why the GPU is not ours alone; empty when it seems to be.
std::string others_at_work(const Nvml& nvml, const DeviceInfo& info) {
  const auto others = nvml.other_processes();
  if (!others.empty())
    return fmt::format("process {} ({:.1f} GiB)", others.front().pid,
                       static_cast<double>(others.front().used_bytes) / static_cast<double>(gib));
  // Others' processes may be hidden from a container; their memory is not. Our own context takes about half a GiB.
  const std::size_t taken = info.memory_bytes - info.free_bytes;
  if (taken > 3 * gib)
    return fmt::format("something that holds {:.1f} GiB of it", static_cast<double>(taken) / static_cast<double>(gib));
  return "";
}
}  // namespace

Nvml* current_nvml() { return g_nvml.get(); }

OpenedDevice open_device(const Options& options) {
  int runtime = 0;
  cudaRuntimeGetVersion(&runtime);
  const int count = count_devices(runtime);
  if (options.device >= count)
    throw EnvironmentError(fmt::format("--device {}: there {} {} GPU{}, counted from 0", options.device,
                                       count == 1 ? "is" : "are", count, count == 1 ? "" : "s"));
  OpenedDevice opened;
  DeviceInfo& info = opened.info;
  info = read_info(options.device, count);
  if (info.compute_major != 9 || info.compute_minor != 0)
    throw EnvironmentError(
        fmt::format("{} has compute capability {}.{}; this build has kernels for 9.0 (H100, H200, GH200) only",
                    info.name, info.compute_major, info.compute_minor));
  CUDA_CHECK(cudaSetDevice(options.device));
  CUDA_CHECK(cudaFree(nullptr));  // makes the context now
  info.free_bytes = free_device_bytes();
  g_nvml = std::make_unique<Nvml>(info.pci_bus_id);
  info.driver_version = g_nvml->driver_version();
  const std::string others = others_at_work(*g_nvml, info);
  if (!others.empty() && !options.shared)
    throw EnvironmentError(
        fmt::format("GPU {} is in use by {}: timings would not be its own; stop it, take another --device, "
                    "or measure regardless with --shared",
                    options.device, others));
  opened.in_use_by_others = !others.empty();
  if (info.free_bytes < needed_free_bytes)
    throw EnvironmentError(fmt::format("GPU {} has {:.1f} GiB free of {:.1f}; the probe needs {} GiB", options.device,
                                       static_cast<double>(info.free_bytes) / static_cast<double>(gib),
                                       static_cast<double>(info.memory_bytes) / static_cast<double>(gib),
                                       needed_free_bytes / gib));
  return opened;
}

std::size_t free_device_bytes() {
  std::size_t free = 0, total = 0;
  CUDA_CHECK(cudaMemGetInfo(&free, &total));
  return free;
}

std::size_t usable_device_bytes() {
  const std::size_t free = free_device_bytes();
  return free > 2 * gib ? free - 2 * gib : 0;
}

}  // namespace stowage::probe
