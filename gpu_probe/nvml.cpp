#include "gpu_probe/nvml.hpp"

#include <dlfcn.h>
#include <unistd.h>

namespace stowage::probe {
namespace {
// The toolkit here carries no nvml.h; these few calls have kept their binary interface since driver 450.
constexpr int success = 0;
struct ProcessInfo {  // nvmlProcessInfo_v2_t
  unsigned pid;
  unsigned long long used_bytes;
  unsigned gpu_instance, compute_instance;
};
struct Utilization {
  unsigned gpu, memory;
};
// nvmlClocksEventReason*: hardware slow-down, software thermal, hardware thermal, power brake.
constexpr unsigned long long slow_reasons = 0x08 | 0x20 | 0x40 | 0x80;
}  // namespace

template <class F>
F Nvml::symbol(const char* name) const {
  return library_ == nullptr ? nullptr : reinterpret_cast<F>(dlsym(library_, name));
}

Nvml::Nvml(const std::string& pci_bus_id) {
  library_ = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
  const auto init = symbol<int (*)()>("nvmlInit_v2");
  const auto by_bus_id = symbol<int (*)(const char*, void**)>("nvmlDeviceGetHandleByPciBusId_v2");
  if (init == nullptr || by_bus_id == nullptr || init() != success) return;
  if (by_bus_id(pci_bus_id.c_str(), &device_) != success) device_ = nullptr;
}

Nvml::~Nvml() {
  if (const auto shutdown = symbol<int (*)()>("nvmlShutdown")) shutdown();
  if (library_ != nullptr) dlclose(library_);
}

std::string Nvml::driver_version() const {
  char text[96] = "";
  const auto get = symbol<int (*)(char*, unsigned)>("nvmlSystemGetDriverVersion");
  return get != nullptr && get(text, sizeof text) == success ? text : "";
}

std::vector<GpuProcess> Nvml::other_processes() const {
  const auto get = symbol<int (*)(void*, unsigned*, ProcessInfo*)>("nvmlDeviceGetComputeRunningProcesses_v2");
  ProcessInfo found[64] = {};
  unsigned count = 64;
  std::vector<GpuProcess> others;
  if (get == nullptr || device_ == nullptr || get(device_, &count, found) != success) return others;
  for (unsigned i = 0; i < count; ++i) {
    if (found[i].pid == static_cast<unsigned>(getpid())) continue;
    others.push_back({found[i].pid, found[i].used_bytes == ~0ULL ? 0 : found[i].used_bytes});
  }
  return others;
}

std::optional<unsigned> Nvml::utilization_percent() const {
  const auto get = symbol<int (*)(void*, Utilization*)>("nvmlDeviceGetUtilizationRates");
  Utilization rates = {};
  if (get == nullptr || device_ == nullptr || get(device_, &rates) != success) return std::nullopt;
  return rates.gpu;
}

bool Nvml::slowed() const {
  const auto get = symbol<int (*)(void*, unsigned long long*)>("nvmlDeviceGetCurrentClocksThrottleReasons");
  unsigned long long reasons = 0;
  return get != nullptr && device_ != nullptr && get(device_, &reasons) == success && (reasons & slow_reasons) != 0;
}

std::optional<double> Nvml::power_limit_w() const {
  const auto get = symbol<int (*)(void*, unsigned*)>("nvmlDeviceGetEnforcedPowerLimit");
  unsigned milliwatts = 0;
  if (get == nullptr || device_ == nullptr || get(device_, &milliwatts) != success) return std::nullopt;
  return milliwatts / 1e3;
}

std::optional<unsigned> Nvml::temperature_c() const {
  const auto get = symbol<int (*)(void*, int, unsigned*)>("nvmlDeviceGetTemperature");
  unsigned celsius = 0;
  if (get == nullptr || device_ == nullptr || get(device_, 0, &celsius) != success) return std::nullopt;
  return celsius;
}

}  // namespace stowage::probe
