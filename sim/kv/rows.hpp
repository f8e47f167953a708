#pragma once
// One function per manager, each defined in the manager's own file; registry.cpp lists them.
#include "sim/kv/region_space.hpp"
#include "sim/kv/registry.hpp"

namespace stowage {
[[nodiscard]] ManagerRow reserve_row();
[[nodiscard]] ManagerRow paged_row();
[[nodiscard]] ManagerRow vattention_row();
}  // namespace stowage
