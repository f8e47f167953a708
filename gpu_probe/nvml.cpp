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
struct FieldValue {  // nvmlFieldValue_t
  unsigned field, scope;
  long long timestamp, latency_us;
  int type, status;
  union {
    double as_double;
    unsigned as_unsigned;
    unsigned long long as_long;
  } value;
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

GpuState Nvml::state() const {
  GpuState s;
  if (device_ == nullptr) return s;
  if (const auto clock = symbol<int (*)(void*, int, unsigned*)>("nvmlDeviceGetClockInfo")) {
    constexpr int sm = 1, memory = 2;
    if (clock(device_, sm, &s.sm_clock_mhz) != success) s.sm_clock_mhz = 0;
    if (clock(device_, memory, &s.memory_clock_mhz) != success) s.memory_clock_mhz = 0;
  }
  s.temperature_c = temperature_c().value_or(0);
  unsigned milliwatts = 0;
  const auto power = symbol<int (*)(void*, unsigned*)>("nvmlDeviceGetPowerUsage");
  if (power != nullptr && power(device_, &milliwatts) == success) s.power_w = milliwatts / 1e3;
  const auto reasons = symbol<int (*)(void*, unsigned long long*)>("nvmlDeviceGetCurrentClocksThrottleReasons");
  if (reasons == nullptr || reasons(device_, &s.clock_reasons) != success) s.clock_reasons = 0;
  FieldValue memory_temperature = {};
  memory_temperature.field = 82;  // NVML_FI_DEV_MEMORY_TEMP
  const auto fields = symbol<int (*)(void*, int, FieldValue*)>("nvmlDeviceGetFieldValues");
  if (fields != nullptr && fields(device_, 1, &memory_temperature) == success && memory_temperature.status == success)
    s.memory_temperature_c = memory_temperature.value.as_unsigned;
  return s;
}

}  // namespace stowage::probe
