// stowage hardware show|list
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/table.hpp"
#include "models/cost/profile.hpp"
#include "models/cost/vmm.hpp"
#include "models/hardware/hardware.hpp"
#include "reports/text.hpp"

namespace stowage::cli {
namespace {
nlohmann::ordered_json parts_json(const std::optional<Profile>& profile) {
  auto parts = nlohmann::ordered_json::object();
  if (!profile) return parts;
  for (const auto& e : profile->errors)
    parts[e.part] = {{"mape", e.mape}, {"bias", e.bias}, {"p95", e.p95}, {"points", e.points}, {"how", e.how}};
  return parts;
}

/// The driver's calls on one page as runs price them: by the profile where it timed them.
VmmCost calls_of(const HardwareSpec& gpu, const std::optional<Profile>& profile) {
  const VmmCost own = vmm_cost(gpu, Bytes{2 << 20});
  return profile ? vmm_cost(*profile, own) : own;
}

nlohmann::ordered_json as_json(const HardwareSpec& gpu) {
  const auto profile = shipped_profile(gpu.name);
  const VmmCost calls = calls_of(gpu, profile);
  nlohmann::ordered_json sources = nlohmann::ordered_json::object();
  for (const auto& [key, source] : gpu.sources) sources[key] = key == "vmm" ? calls.source : source;
  return {{"name", gpu.name},
          {"title", gpu.title},
          {"calibrated", profile.has_value()},
          {"evidence", profile ? nlohmann::ordered_json(profile_evidence_name(profile->evidence)) : nullptr},
          {"date", profile ? nlohmann::ordered_json(profile->date) : nullptr},
          {"source", profile ? nlohmann::ordered_json(profile->source) : nullptr},
          {"parts", parts_json(profile)},
          {"gaps", profile ? profile->gaps : std::vector<std::string>{}},
          {"memory_bytes", gpu.memory.count()},
          {"driver_memory_bytes", gpu.driver_memory.count()},
          {"memory_bytes_per_s", gpu.memory_bytes_per_s},
          {"bf16_flop_per_s", gpu.bf16_flop_per_s},
          {"fp8_flop_per_s", gpu.fp8_flop_per_s},
          {"l2_bytes", gpu.l2.count()},
          {"sms", gpu.sms},
          {"nvlink_bytes_per_s", gpu.nvlink_bytes_per_s},
          {"pcie_bytes_per_s", gpu.pcie_bytes_per_s},
          {"network_bytes_per_s", gpu.network_bytes_per_s},
          {"node_gpus", gpu.node_gpus},
          {"vmm_s", {{"create", calls.create_ns / 1e9}, {"map", calls.map_ns / 1e9},
                     {"set_access", calls.set_access_ns / 1e9}, {"unmap", calls.unmap_ns / 1e9},
                     {"release", gpu.vmm.release_ns / 1e9}}},
          {"sources", sources}};
}

std::string tera(double per_s, std::string_view unit) { return fmt::format("{:.4g} T{}/s", per_s / 1e12, unit); }
std::string giga(double per_s) {
  return per_s > 0 ? fmt::format("{:.4g} GB/s", per_s / 1e9) : std::string("none");
}

std::string source_line(const Profile& profile) {
  const std::string who = profile.evidence == ProfileEvidence::published ? "by others: " : "yes: ";
  return who + profile.summary() + (profile.source.empty() ? "" : "   [" + profile.source + "]");
}

/// What the profile knows, and how well.
std::string profile_table(const Profile& profile) {
  std::vector<std::vector<std::string>> rows = {{"part", "points", "MAPE", "bias", "p95", "how it was judged"}};
  const auto percent = [](double share) { return fmt::format("{:.2f} %", 100 * share); };
  for (const auto& e : profile.errors)
    rows.push_back({e.part, fmt::format("{}", e.points), percent(e.mape), fmt::format("{:+.2f} %", 100 * e.bias),
                    percent(e.p95), e.how});
  std::string out = "\n" + table(rows);
  for (const auto& gap : profile.gaps) out += "note: " + gap + "\n";
  return out;
}

std::string vmm_line(const HardwareSpec& gpu, const VmmCost& calls) {
  std::string source = calls.source;
  const std::string own = gpu.source_of("vmm");
  if (own != source && !own.empty()) source += "; release: " + own;
  return fmt::format("create {}, map {}, set-access {}, unmap {}, release {}   [{}]", text::duration(calls.create_ns),
                     text::duration(calls.map_ns), text::duration(calls.set_access_ns), text::duration(calls.unmap_ns),
                     text::duration(gpu.vmm.release_ns), source);
}

std::string as_text(const HardwareSpec& gpu) {
  const auto profile = shipped_profile(gpu.name);
  const auto source = [&](std::string value, const std::string& key) {
    const std::string from = gpu.source_of(key);
    return from.empty() ? value : value + "   [" + from + "]";
  };
  return facts({
      {"name", gpu.name},
      {"GPU", gpu.title},
      {"calibrated", profile ? source_line(*profile)
                             : "no: numbers of the spec sheet, step times by roofline"},
      {"memory", source(text::bytes(static_cast<double>(gpu.memory.count())), "memory")},
      {"seen by the driver", source(text::bytes(static_cast<double>(gpu.driver_memory.count())), "driver_memory")},
      {"memory bandwidth", source(tera(gpu.memory_bytes_per_s, "B"), "memory_bandwidth")},
      {"BF16, dense", source(tera(gpu.bf16_flop_per_s, "FLOP"), "bf16")},
      {"FP8, dense", source(gpu.fp8_flop_per_s > 0 ? tera(gpu.fp8_flop_per_s, "FLOP") : "none", "fp8")},
      {"SMs", fmt::format("{}, {} L2", gpu.sms, text::bytes(static_cast<double>(gpu.l2.count())))},
      {"NVLink", source(giga(gpu.nvlink_bytes_per_s), "nvlink")},
      {"PCIe", source(giga(gpu.pcie_bytes_per_s), "pcie")},
      {"network, a GPU", source(giga(gpu.network_bytes_per_s), "network")},
      {"GPUs in a server", fmt::format("{}", gpu.node_gpus)},
      {"VMM calls, a 2 MiB page", vmm_line(gpu, calls_of(gpu, profile))},
  }) + (profile ? profile_table(*profile) : "");
}
}  // namespace

Outcome hardware_show(const Options& options) {
  const HardwareSpec gpu = load_hardware(options.inputs.front());
  return {options.json ? as_json(gpu).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n"
                       : as_text(gpu)};
}

Outcome hardware_list(const Options& options) {
  auto all = nlohmann::ordered_json::array();
  std::vector<std::vector<std::string>> rows = {{"hardware", "memory", "bandwidth", "BF16", "NVLink"}};
  for (const auto& name : hardware_names()) {
    const HardwareSpec gpu = load_hardware(name);
    all.push_back(as_json(gpu));
    rows.push_back({name, text::bytes(static_cast<double>(gpu.memory.count())), tera(gpu.memory_bytes_per_s, "B"),
                    tera(gpu.bf16_flop_per_s, "FLOP"), giga(gpu.nvlink_bytes_per_s)});
  }
  return {options.json ? all.dump(2) + "\n" : table(rows)};
}
}  // namespace stowage::cli
