// What prices each run: the profile of the GPU under the manager's memory layout, its spec sheet, or given lines.
#include <fmt/format.h>

#include "models/cost/roofline.hpp"
#include "models/cost/vmm.hpp"
#include "scenario/reader.hpp"

namespace stowage::detail {
namespace {
constexpr Bytes stock_page{2 << 20};

/// The kernels a manager's memory asks for: block tables, or contiguous addresses, plain or mapped on demand.
KvLayout layout_of(const ManagerSpec& manager) {
  KvLayout layout;
  if (const auto block = manager.params.find("block_size"); block != manager.params.end())
    layout.block_tokens = std::get<std::int64_t>(block->second);
  layout.mapped = manager.params.contains("page");
  return layout;
}

VmmCost profiled(const Profile& p, VmmCost cost) {
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
}  // namespace

void read_profile(const ConfigNode& node, Scenario& s, Problems& problems) {
  if (s.cost.source != CostSource::profile) return;
  if (s.cost.profile.empty()) {
    s.profile = shipped_profile(s.hardware.name);
    return;
  }
  const SourcePos at = node.get("profile").at();
  const std::size_t before = problems.list().size();
  Profile own = collect(problems, at, "'cost.profile': ", [&] { return load_profile(s.cost.profile, at); });
  if (problems.list().size() == before) s.profile = std::move(own);
}

Prices::Prices(Scenario& s) : s_(s) {
  if (s.cost.source == CostSource::linear) {
    s.cost_used = CostSource::linear;
    return;
  }
  if (s.profile) {
    s.cost_used = CostSource::profile;
    s.profile_gaps = profile_gaps(s.model, *s.profile, static_cast<int>(s.cluster.tensor));
    if (s.profile->name != s.hardware.name)
      s.notes.push_back(
          fmt::format("steps are priced by the profile of {}, not of {}", s.profile->name, s.hardware.name));
    for (const auto& gap : s.profile_gaps) s.notes.push_back(fmt::format("profile {}: {}", s.profile->name, gap));
    return;
  }
  s.cost_used = CostSource::roofline;
  if (s.cost.source == CostSource::profile)
    s.notes.push_back(
        fmt::format("{} has no calibrated profile: steps are priced by its spec sheet (roofline, "
                    "uncalibrated)",
                    s.hardware.name));
  else
    s.notes.push_back(
        fmt::format("steps are priced by the spec sheet of {} (roofline, uncalibrated)", s.hardware.name));
}

StepCost Prices::steps(const ManagerSpec& manager) {
  if (s_.cost_used == CostSource::linear) return StepCost(s_.cost.linear);
  const KvLayout layout = s_.cost_used == CostSource::profile ? layout_of(manager) : KvLayout{};
  for (const auto& [known, cost] : compiled_)
    if (known == layout) return cost;
  const int tensor = static_cast<int>(s_.cluster.tensor);
  StepCost cost;
  if (s_.cost_used == CostSource::profile) {
    const ProfileTarget target{tensor, s_.scheduler.max_batched_tokens, s_.scheduler.max_batch, layout};
    cost = compile_profile(s_.model, s_.hardware, *s_.profile, target);
  } else {
    cost = compile_roofline(s_.model, s_.hardware, tensor, s_.scheduler.max_batched_tokens);
  }
  compiled_.emplace_back(layout, cost);
  return cost;
}

VmmCost Prices::vmm(const ManagerSpec& manager) const {
  const auto page = manager.params.find("page");
  if (page == manager.params.end()) return {};
  const Bytes bytes{std::get<std::int64_t>(page->second)};
  VmmCost cost = vmm_cost(s_.hardware, bytes);
  if (s_.cost_used == CostSource::profile && bytes >= stock_page) cost = profiled(*s_.profile, std::move(cost));
  std::string given;
  const auto override_with = [&](const std::optional<double>& value, double& price, std::string_view name) {
    if (!value) return;
    price = *value;
    given += fmt::format("{}{}", given.empty() ? "" : ", ", name);
  };
  override_with(s_.cost.vmm_create_ns, cost.create_ns, "create");
  override_with(s_.cost.vmm_map_ns, cost.map_ns, "map");
  override_with(s_.cost.vmm_set_access_ns, cost.set_access_ns, "set_access");
  override_with(s_.cost.vmm_unmap_ns, cost.unmap_ns, "unmap");
  if (!given.empty()) cost.source = fmt::format("cost.vmm of the scenario ({}); {}", given, cost.source);
  return cost;
}
}  // namespace stowage::detail
