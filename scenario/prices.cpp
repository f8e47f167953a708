// What prices each run: the profile of the GPU under the manager's memory layout, its spec sheet, or given lines.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>

#include "models/cost/host.hpp"
#include "models/cost/profile_prices.hpp"
#include "models/cost/roofline.hpp"
#include "models/cost/vmm.hpp"
#include "scenario/reader.hpp"
#include "sim/kv/registry.hpp"

namespace stowage {
namespace detail {
namespace {
constexpr Bytes stock_page{2 << 20};

/// How far a price table goes. An entry depends on its own tokens and requests alone, so that a longer table holds
/// the shorter ones.
struct Reach {
  std::int64_t tokens, batch;
};
Reach reach_of(const SchedulerConfig& limits, bool many_points) {
  if (!many_points) return {limits.max_batched_tokens, limits.max_batch};
  const auto power_from = [](std::int64_t least, std::int64_t wanted) {
    return static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(std::max(least, wanted))));
  };
  return {power_from(4096, limits.max_batched_tokens), power_from(512, limits.max_batch)};
}

ProfileTarget target_of(const Scenario& s, const KvLayout& kv, Reach reach) {
  return {static_cast<int>(s.cluster.tensor), reach.tokens, reach.batch, kv, !s.host};
}

/// All that a price table depends on.
std::string cost_key(const Scenario& s, const KvLayout& kv, Reach reach) {
  const Layout layout = s.cluster.layout();
  const HostCost host = s.host.value_or(HostCost{});
  return fmt::format("{} {}\n{}\n{}\n{} {} {} {}\n{} {} {}\n{} {}\n{} {} {} {}", s.model_ref,
                     dtype_name(s.model.kv_dtype), s.hardware_ref,
                     s.cost_used == CostSource::profile ? "profile " + s.cost.profile : "", layout.tensor,
                     layout.pipeline, layout.expert, layout.data, reach.tokens, reach.batch, s.scheduler.max_model_len,
                     kv.block_tokens, kv.mapped, s.host.has_value(), host.per_step_ns,
                     host.per_layer_ns, host.per_seq_ns);
}

StepCost profile_steps(const Scenario& s, const KvLayout& kv, const Profile& profile, Reach reach,
                       const RooflineEfficiency& sheet = {}) {
  return with_host(compile_partly(s.model, s.hardware, profile, s.cluster.layout(), target_of(s, kv, reach),
                                  s.scheduler.max_model_len, sheet),
                   s.host.value_or(HostCost{}), s.model.layers);
}
/// Is this a file that bears the name of a GPU of the zoo and says other speeds?
bool other_gpu_of_that_name(const Scenario& s) {
  const std::vector<std::string> zoo = hardware_names();
  if (!keys::is_path(s.hardware_ref) || std::ranges::find(zoo, s.hardware.name) == zoo.end()) return false;
  const auto speeds = [](const HardwareSpec& h) {
    return std::array{h.memory_bytes_per_s, h.bf16_flop_per_s,  h.fp8_flop_per_s,
                      h.nvlink_bytes_per_s, h.pcie_bytes_per_s, h.network_bytes_per_s};
  };
  return speeds(s.hardware) != speeds(load_hardware(s.hardware.name));
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
    if (!beyond.empty()) {
      const Reach reach = reach_of(s.scheduler, false);
      s.profile_gaps.push_back(*cache.measured.get(cost_key(s, {}, reach), [&] {
        const ProfileTarget target = target_of(s, {}, reach);
        const std::int64_t context = s.scheduler.max_model_len;
        // Shares are of what the chip does: without the time of a host that is given.
        const StepCost cost =
            s.host ? compile_partly(s.model, s.hardware, *s.profile, layout, target, context) : *compiled({});
        return partly_measured(s.model, s.hardware, *s.profile, layout, target, context, cost);
      }));
    }
    if (s.profile->name != s.hardware.name)
      s.notes.push_back(
          fmt::format("steps are priced by the profile of {}, not of {}", s.profile->name, s.hardware.name));
    else if (s.cost.profile.empty() && other_gpu_of_that_name(s))
      s.notes.push_back(
          fmt::format("'{}' has other speeds than {} of the zoo, and steps are priced by the profile measured on that "
                      "one; give it another 'name' for prices of its own speeds",
                      s.hardware_ref, s.hardware.name));
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

std::shared_ptr<const StepCost> Prices::compiled(const KvLayout& kv) {
  const Reach reach = reach_of(s_.scheduler, cache_.many_points);
  // A host that is given stands in for the one measured with the steps, or assumed.
  return cache_.costs.get(cost_key(s_, kv, reach), [&] {
    if (s_.cost_used == CostSource::profile) return profile_steps(s_, kv, *s_.profile, reach);
    RooflineEfficiency efficiency;
    if (s_.host) efficiency.step_ns = 0;
    return with_host(compile_roofline(s_.model, s_.hardware, s_.cluster.layout(), reach.tokens,
                                      s_.scheduler.max_model_len, efficiency),
                     s_.host.value_or(HostCost{}), s_.model.layers);
  });
}

StepCost Prices::steps(const ManagerSpec& manager) {
  if (s_.cost_used == CostSource::linear)
    return with_host(StepCost(s_.cost.linear), s_.host.value_or(HostCost{}), s_.model.layers);
  return *compiled(s_.cost_used == CostSource::profile ? row_of(manager).layout(manager) : KvLayout{});
}

VmmCost Prices::vmm(const ManagerSpec& manager) const {
  const Bytes bytes = row_of(manager).page(manager);
  if (bytes == Bytes{0}) return {};
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
  return detail::profile_steps(s, row_of(manager).layout(manager), s.profile->drawn(i),
                               detail::reach_of(s.scheduler, false), sheet);
}
}  // namespace stowage
