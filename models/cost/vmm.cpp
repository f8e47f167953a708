#include "models/cost/vmm.hpp"

#include <fmt/format.h>

#include <array>
#include <string>
#include <string_view>

namespace stowage {
namespace {
using namespace literals;

struct PatchedRow {
  Bytes page;
  double create_ns, map_ns, release_ns;
  std::string_view source;
};
// vAttention (ASPLOS '25) Table 3: vMemCreate, vMemMap (map and access in one), vMemRelease (unmap and release in one).
constexpr std::array<PatchedRow, 3> patched = {{
    {64_KiB, 1700, 8000, 2000, "vAttention (ASPLOS '25) Table 3, 64 KiB pages: patched driver on an A100"},
    {128_KiB, 2000, 8500, 3000, "vAttention (ASPLOS '25) Table 3, 128 KiB pages: patched driver on an A100"},
    {256_KiB, 2100, 9000, 4000, "vAttention (ASPLOS '25) Table 3, 256 KiB pages: patched driver on an A100"},
}};
constexpr Bytes stock_page = 2_MiB;
}  // namespace

VmmCost vmm_cost(const HardwareSpec& hardware, Bytes page) {
  if (page >= stock_page) {
    const auto& calls = hardware.vmm;
    const std::string source = hardware.source_of("vmm");
    return {calls.create_ns, calls.map_ns, calls.set_access_ns, calls.unmap_ns,
            source.empty() ? "given for " + hardware.name : source};
  }
  const PatchedRow* row = &patched.front();
  for (const auto& candidate : patched)
    if (candidate.page <= page) row = &candidate;
  std::string source(row->source);
  if (page != row->page) source += "; no measurement at this page size";
  return {row->create_ns, row->map_ns, 0.0, row->release_ns, source};
}

VmmCost vmm_cost(const Profile& p, VmmCost cost) {
  const auto take = [](const std::optional<VmmPrice>& price, double& ns) {
    if (price) ns = price->call_ns;
  };
  if (!p.vmm_map || !p.vmm_set_access) return cost;
  take(p.vmm_create, cost.create_ns);
  take(p.vmm_map, cost.map_ns);
  take(p.vmm_set_access, cost.set_access_ns);
  take(p.vmm_unmap, cost.unmap_ns);
  cost.source = p.summary();
  if (p.vmm_set_access->spread > 0)
    cost.source += fmt::format("; machines and runs differ by {:.0f} %", 100 * p.vmm_set_access->spread);
  return cost;
}
}  // namespace stowage
