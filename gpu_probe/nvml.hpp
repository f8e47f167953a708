#pragma once
// What the driver's management library says, loaded at run time (libnvidia-ml.so.1 comes with the driver). Everything
// here is optional: without the library the answers are empty.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace stowage::probe {

struct GpuProcess {
  unsigned pid = 0;
  std::uint64_t used_bytes = 0;  // 0 = the driver would not say
};

/// What the chip is doing; 0 where the driver would not say.
struct GpuState {
  unsigned sm_clock_mhz = 0, memory_clock_mhz = 0, temperature_c = 0, memory_temperature_c = 0;
  double power_w = 0;
  unsigned long long clock_reasons = 0;  // nvmlClocksEventReason* bits: why the clock is not higher
};

class Nvml {
 public:
  /// pci_bus_id as cudaDeviceGetPCIBusId writes it.
  explicit Nvml(const std::string& pci_bus_id);
  Nvml(const Nvml&) = delete;
  Nvml& operator=(const Nvml&) = delete;
  ~Nvml();

  [[nodiscard]] bool available() const { return device_ != nullptr; }
  [[nodiscard]] std::string driver_version() const;
  /// Processes computing on the GPU, this one left out. In a container others may be invisible.
  [[nodiscard]] std::vector<GpuProcess> other_processes() const;
  /// Percent of the last second in which a kernel ran.
  [[nodiscard]] std::optional<unsigned> utilization_percent() const;
  /// Slowed by heat, a hardware brake or its own protection. A power cap or an idle clock is the normal state: false.
  [[nodiscard]] bool slowed() const;
  [[nodiscard]] std::optional<double> power_limit_w() const;
  [[nodiscard]] std::optional<unsigned> temperature_c() const;
  [[nodiscard]] GpuState state() const;

 private:
  template <class F>
  [[nodiscard]] F symbol(const char* name) const;
  void* library_ = nullptr;
  void* device_ = nullptr;
};

/// The one of the device in use; set by open_device.
[[nodiscard]] Nvml* current_nvml();

}  // namespace stowage::probe
