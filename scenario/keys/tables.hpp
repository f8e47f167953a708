#pragma once
// The tables of a scenario: one a map that may stand in it.
#include <span>
#include <string_view>
#include <vector>

#include "scenario/keys/key.hpp"
#include "scenario/scenario.hpp"

namespace stowage::keys {

[[nodiscard]] const TableOf<Scenario>& scenario_keys();

// serving.cpp
[[nodiscard]] const TableOf<ClusterSpec>& cluster_keys();
[[nodiscard]] const TableOf<GroupSpec>& group_keys();
[[nodiscard]] const TableOf<MemorySpec>& memory_keys();
[[nodiscard]] const TableOf<SchedulerConfig>& scheduler_keys();
[[nodiscard]] const TableOf<HostCost>& host_keys();
[[nodiscard]] const TableOf<FrontendCost>& frontend_keys();
[[nodiscard]] const TableOf<HostLoop>& host_loop_keys();
[[nodiscard]] const TableOf<CostSpec>& cost_keys();
[[nodiscard]] const TableOf<CostSpec>& vmm_keys();

// workload.cpp
[[nodiscard]] const TableOf<WorkloadSpec>& workload_keys();
[[nodiscard]] const TableOf<InlineRequests>& request_keys();
[[nodiscard]] const TableOf<SyntheticSpec>& synthetic_keys();
[[nodiscard]] const TableOf<SyntheticSpec>& prefix_keys();
[[nodiscard]] const TableOf<LengthSpec>& length_keys();
[[nodiscard]] const TableOf<LengthSpec>& uniform_keys();
[[nodiscard]] const TableOf<LengthSpec>& lognormal_keys();

/// Of one row of sim/kv/registry.hpp: kind, name, and its parameters. `initial` holds their defaults.
[[nodiscard]] const TableOf<ManagerSpec>& manager_keys(std::string_view kind);
[[nodiscard]] std::vector<const Table*> all_manager_keys();

/// `slo`: a family of keys a latency, with these endings.
[[nodiscard]] Table latency_keys(std::string_view about, const std::vector<std::string_view>& endings);
[[nodiscard]] const Table& slo_keys();

inline constexpr Bytes pool_max{std::int64_t{1} << 50};  // 1 PiB a replica: sums of bytes stay far from overflow
inline constexpr std::int64_t hash_tokens_default = 16;
inline constexpr std::int64_t inline_requests_max = 10'000'000;  // they are held in memory
}  // namespace stowage::keys
