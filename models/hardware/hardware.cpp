#include "models/hardware/hardware.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/config.hpp"
#include "base/embedded.hpp"

namespace stowage {
std::span<const EmbeddedFile> embedded_hardware();  // models/hardware/zoo/*.yaml, put there by the build

namespace {
constexpr std::array<std::string_view, 12> sourced = {
    "memory", "driver_memory", "memory_bandwidth", "bf16",      "fp8", "l2", "sms",
    "nvlink", "pcie",          "network",          "node_gpus", "vmm"};

/// What a GPU of one's own may leave out is taken from here, and its source says so.
constexpr VmmCalls vmm_usual = {11'000, 1'000, 28'000, 18'000, 9'000};
constexpr std::string_view vmm_usual_source =
    "taken from the nearest measured GPU, an H100 80GB (driver 580, CUDA 13, medians); not measured here";
constexpr double pcie_usual = 32e9;
constexpr std::string_view pcie_usual_source = "not given: taken for PCI Express Gen 4 x16, one direction";

VmmCalls read_vmm(const ConfigNode& map, Problems& problems) {
  MapReader in(map, problems);
  VmmCalls calls;
  calls.create_ns = in.duration_ns("create");
  calls.map_ns = in.duration_ns("map");
  calls.set_access_ns = in.duration_ns("set_access");
  calls.unmap_ns = in.duration_ns("unmap");
  calls.release_ns = in.duration_ns("release");
  in.finish();
  return calls;
}

HardwareSpec read_yaml(const ConfigNode& root, Problems& problems) {
  MapReader in(root, problems);
  HardwareSpec h;
  h.name = in.text("name");
  h.title = in.text("title", h.name);
  h.memory = in.bytes("memory");
  h.driver_memory = in.bytes("driver_memory", h.memory);
  h.memory_bytes_per_s = in.bytes_per_s("memory_bandwidth");
  h.bf16_flop_per_s = in.flop_per_s("bf16");
  h.fp8_flop_per_s = in.has("fp8") ? in.flop_per_s("fp8") : 0.0;
  (void)in.node("fp8");
  h.l2 = in.bytes("l2", Bytes{});
  h.sms = in.integer("sms", 0, 100000, 0);
  h.nvlink_bytes_per_s = in.bytes_per_s("nvlink", 0.0);
  h.pcie_bytes_per_s = in.bytes_per_s("pcie", pcie_usual);
  h.network_bytes_per_s = in.bytes_per_s("network", 0.0);
  h.node_gpus = in.integer("node_gpus", 1, 100000, 1);
  const auto vmm = in.node("vmm");
  h.vmm = vmm ? read_vmm(vmm, problems) : vmm_usual;
  if (const auto node = in.node("sources")) {
    MapReader sources(node, problems);
    for (const auto key : sourced)
      if (sources.has(key)) h.sources.emplace_back(key, sources.text(key));
    sources.finish();
  }
  if (!in.has("pcie")) h.sources.emplace_back("pcie", pcie_usual_source);
  if (!vmm) h.sources.emplace_back("vmm", vmm_usual_source);
  const auto positive = [&](std::string_view key, double value) {
    if (in.has(key) && value <= 0) in.problem(key, fmt::format("'{}' must be greater than zero", key));
  };
  positive("memory", static_cast<double>(h.memory.count()));
  positive("driver_memory", static_cast<double>(h.driver_memory.count()));
  positive("memory_bandwidth", h.memory_bytes_per_s);
  positive("bf16", h.bf16_flop_per_s);
  positive("pcie", h.pcie_bytes_per_s);
  in.finish();
  return h;
}

HardwareSpec from_document(const ConfigDocument& document) {
  Problems problems;
  auto spec = read_yaml(document.root(), problems);
  problems.throw_if_any();
  return spec;
}

bool is_path(std::string_view text) {
  return text.find('/') != std::string_view::npos || text.ends_with(".yaml") || text.ends_with(".yml");
}
}  // namespace

std::string HardwareSpec::source_of(std::string_view key) const {
  for (const auto& [wanted, text] : sources)
    if (wanted == key) return text;
  return "";
}

HardwareSpec parse_hardware(std::string_view text, const std::string& file) {
  return from_document(ConfigDocument::parse(text, file));
}

std::vector<std::string> hardware_names() {
  std::vector<std::string> names;
  for (const auto& file : embedded_hardware()) names.emplace_back(file.name.substr(0, file.name.rfind('.')));
  std::sort(names.begin(), names.end());
  return names;
}

HardwareSpec load_hardware(const std::string& name_or_path, const SourcePos& at) {
  if (is_path(name_or_path)) {
    std::error_code ignored;
    if (!std::filesystem::exists(name_or_path, ignored))
      throw InputError(at, fmt::format("the hardware file '{}' does not exist; check the path, or give a name from "
                                       "`stowage hardware list`",
                                       name_or_path));
    return from_document(ConfigDocument::load(name_or_path));
  }
  if (const auto* file = find_embedded(embedded_hardware(), name_or_path + ".yaml"))
    return parse_hardware(file->bytes, "zoo/" + std::string(file->name));
  const auto names = hardware_names();
  const std::vector<std::string_view> views(names.begin(), names.end());
  std::string several;  // of one name there are several products: none is offered as the one meant
  for (const auto& name : names)
    if (!name_or_path.empty() && name.starts_with(name_or_path + "-")) several += (several.empty() ? "" : ", ") + name;
  std::string hint = several.find(',') == std::string::npos ? did_you_mean(name_or_path, views)
                                                            : fmt::format("; there are {};", several);
  if (hint.empty()) hint = ";";
  throw InputError(at, fmt::format("no GPU '{}' in the zoo{} `stowage hardware list` names them, or give a path to a "
                                   "YAML file",
                                   name_or_path, hint));
}
}  // namespace stowage
