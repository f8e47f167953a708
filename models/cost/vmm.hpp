#pragma once
// Prices of the CUDA virtual-memory calls by page size.
#include "base/units.hpp"
#include "models/cost/profile.hpp"
#include "models/cost/step_cost.hpp"
#include "models/hardware/hardware.hpp"

namespace stowage {

/// The calls on one page. From 2 MiB up: the GPU's own table; the stock driver's calls cost per call, not per byte.
/// Below 2 MiB no stock driver can do it: the patched driver of vAttention (ASPLOS '25, Table 3, A100), as published,
/// for every GPU; its map includes access, so set_access is 0. Sizes between the published 64, 128 and 256 KiB take the
/// next smaller row (below 64 KiB: that row). `source` says which.
[[nodiscard]] VmmCost vmm_cost(const HardwareSpec& hardware, Bytes page);
/// `cost` of a page of 2 MiB and more with the calls that the profile timed in place of its own; `source` says so.
[[nodiscard]] VmmCost vmm_cost(const Profile& profile, VmmCost cost);
}  // namespace stowage
