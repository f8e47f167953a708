#pragma once
// One function per manager, each defined in the manager's own file; registry.cpp lists them.
#include <memory>

#include "sim/kv/manager.hpp"
#include "sim/kv/registry.hpp"

namespace stowage {
[[nodiscard]] ManagerRow reserve_row();
[[nodiscard]] ManagerRow paged_row();
[[nodiscard]] ManagerRow vattention_row();

/// ManagerRow::make of a class.
template <class Manager>
std::unique_ptr<KvManager> make_manager(const RunConfig& config, const SequenceTable& table) {
  return std::make_unique<Manager>(config, table);
}
}  // namespace stowage
