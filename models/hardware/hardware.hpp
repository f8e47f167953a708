#pragma once
// What a GPU and its node are: the numbers that memory budgets and the roofline need, each with its source.
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/units.hpp"

namespace stowage {

/// The stock driver's calls on one 2 MiB page (or larger: they cost per call), in ns.
struct VmmCalls {
  double create_ns = 0, map_ns = 0, set_access_ns = 0, unmap_ns = 0, release_ns = 0;
};

struct HardwareSpec {
  std::string name;     // "h100-sxm-80gb"
  std::string title;    // "NVIDIA H100 SXM 80GB"
  Bytes memory;         // as sold
  Bytes driver_memory;  // as cuMemGetInfo reports it: what budgets start from
  double memory_bytes_per_s = 0;
  double bf16_flop_per_s = 0;  // dense tensor cores
  double fp8_flop_per_s = 0;   // the same; 0 = none: 8-bit weights are computed with in 16 bits
  Bytes l2;
  std::int64_t sms = 0;
  double nvlink_bytes_per_s = 0;  // one GPU, both directions together, as sold; 0 = none
  double pcie_bytes_per_s = 0;    // one direction
  double network_bytes_per_s = 0; // between hosts: one GPU's share, one direction; 0 = none
  std::int64_t node_gpus = 1;     // GPUs of one host in the usual server
  VmmCalls vmm;
  /// (key of the YAML file, where its number comes from), in the order of the keys; every number has one.
  std::vector<std::pair<std::string, std::string>> sources;

  /// One GPU to its peers, one direction: half of NVLink, or PCIe where there is none.
  [[nodiscard]] double link_bytes_per_s() const {
    return nvlink_bytes_per_s > 0 ? nvlink_bytes_per_s / 2 : pcie_bytes_per_s;
  }
  /// The source of one key ("vmm", "memory"), or "".
  [[nodiscard]] std::string source_of(std::string_view key) const;
};

/// A zoo name, or a path to a YAML file (has a '/' or ends in .yaml or .yml). `at` is where the user wrote it.
/// Throws InputError.
[[nodiscard]] HardwareSpec load_hardware(const std::string& name_or_path, const SourcePos& at = {});
[[nodiscard]] HardwareSpec parse_hardware(std::string_view text, const std::string& file);
/// The zoo, sorted.
[[nodiscard]] std::vector<std::string> hardware_names();
}  // namespace stowage
