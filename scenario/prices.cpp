// What prices each run: the profile of the GPU under the manager's memory layout, its spec sheet, or given lines.
#include <fmt/format.h>

#include "models/cost/host.hpp"
#include "models/cost/profile_prices.hpp"
#include "models/cost/roofline.hpp"
#include "models/cost/vmm.hpp"
#include "scenario/reader.hpp"

namespace stowage {
namespace detail {
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

ProfileTarget target_of(const Scenario& s, const KvLayout& kv) {
  return {static_cast<int>(s.cluster.tensor), s.scheduler.max_batched_tokens, s.scheduler.max_batch, kv, !s.host};
}

/// All that a price table depends on.
std::string cost_key(const Scenario& s, const KvLayout& kv) {
  const Layout layout = s.cluster.layout();
  const SchedulerConfig& limits = s.scheduler;
  const HostCost host = s.host.value_or(HostCost{});
  return fmt::format("{} {}\n{}\n{}\n{} {} {} {}\n{} {} {}\n{} {}\n{} {} {} {}", s.model_ref,
                     dtype_name(s.model.kv_dtype), s.hardware_ref,
                     s.cost_used == CostSource::profile ? "profile " + s.cost.profile : "", layout.tensor,
                     layout.pipeline, layout.expert, layout.data, limits.max_batched_tokens, limits.max_batch,
                     limits.max_model_len, kv.block_tokens, kv.mapped, s.host.has_value(), host.per_step_ns,
                     host.per_layer_ns, host.per_seq_ns);
}

StepCost profile_steps(const Scenario& s, const KvLayout& kv, const Profile& profile,
                       const RooflineEfficiency& sheet = {}) {
  const ProfileTarget target = target_of(s, kv);
  return with_host(
      compile_partly(s.model, s.hardware, profile, s.cluster.layout(), target, s.scheduler.max_model_len, sheet),
      s.host.value_or(HostCost{}), s.model.layers);
}
}  // namespace

void read_profile(const ConfigNode& node, Scenario& s, Context& context) {
  if (s.cost.source != CostSource::profile) return;
  std::shared_ptr<const std::optional<Profile>> found;
  if (s.cost.profile.empty()) {
    found = context.cache.profiles.get(s.hardware.name, [&] { return shipped_profile(s.hardware.name); });
  } else {
    const SourcePos at = node.get("profile").at();
    found = collect(context.problems, at, "'cost.profile': ", [&] {
      return context.cache.profiles.get(s.cost.profile,
                                        [&] { return std::optional(load_profile(s.cost.profile, at)); });
    });
  }
  if (found && *found) s.profile = std::shared_ptr<const Profile>(found, &**found);
}

Prices::Prices(Scenario& s, ScenarioCache& cache) : s_(s), cache_(cache) {
  if (s.cost.source == CostSource::linear) {
    s.cost_used = CostSource::linear;
    return;
  }
  if (s.profile) {
    s.cost_used = CostSource::profile;
    const Layout layout = s.cluster.layout();
    const std::string beyond = beyond_profile(s.model, layout);
    // Fewer than four products of a layer are dense when there are experts: the sentence would be about other shapes.
    if (!s.model.moe() && !s.model.latent())
      s.profile_gaps = profile_gaps(s.model, *s.profile, static_cast<int>(s.cluster.tensor));
    if (!beyond.empty())
      s.profile_gaps.push_back(*cache.measured.get(cost_key(s, {}), [&] {
        return partly_measured(s.model, s.hardware, *s.profile, layout, target_of(s, {}), s.scheduler.max_model_len);
      }));
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
  const HostCost host = s_.host.value_or(HostCost{});
  if (s_.cost_used == CostSource::linear) return with_host(StepCost(s_.cost.linear), host, s_.model.layers);
  const bool profile = s_.cost_used == CostSource::profile;
  const KvLayout kv = profile ? layout_of(manager) : KvLayout{};
  // A host that is given stands in for the one measured with the steps, or assumed.
  return *cache_.costs.get(cost_key(s_, kv), [&] {
    if (profile) return profile_steps(s_, kv, *s_.profile);
    RooflineEfficiency efficiency;
    if (s_.host) efficiency.step_ns = 0;
    return with_host(
        compile_roofline(s_.model, s_.hardware, s_.cluster.layout(), s_.scheduler.max_batched_tokens,
                         s_.scheduler.max_model_len, efficiency),
        host, s_.model.layers);
  });
}

VmmCost Prices::vmm(const ManagerSpec& manager) const {
  const auto page = manager.params.find("page");
  if (page == manager.params.end()) return {};
  const Bytes bytes{std::get<std::int64_t>(page->second)};
  VmmCost cost = vmm_cost(s_.hardware, bytes);
  if (s_.cost_used == CostSource::profile && bytes >= stock_page) cost = vmm_cost(*s_.profile, std::move(cost));
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
}  // namespace detail

StepCost draw_steps(const Scenario& s, const ManagerSpec& manager, std::size_t i, const RooflineEfficiency& sheet) {
  STOWAGE_ASSERT(s.cost_used == CostSource::profile && s.profile);
  return detail::profile_steps(s, detail::layout_of(manager), s.profile->drawn(i), sheet);
}
}  // namespace stowage
