#include "sim/kv/registry.hpp"

#include <array>

#include "base/error.hpp"
#include "sim/kv/rows.hpp"

namespace stowage {

std::span<const ManagerRow> managers() {
  static const std::array rows = {reserve_row(), paged_row(), vattention_row()};
  return rows;
}

const ManagerRow* find_manager(std::string_view kind) {
  for (const ManagerRow& row : managers())
    if (row.kind == kind) return &row;
  return nullptr;
}

namespace {
template <class T>
const T& param(const ManagerSpec& spec, std::string_view name) {
  const auto it = spec.params.find(name);
  STOWAGE_ASSERT(it != spec.params.end());
  const T* value = std::get_if<T>(&it->second);
  STOWAGE_ASSERT(value != nullptr);
  return *value;
}
}  // namespace

std::int64_t ManagerSpec::integer(std::string_view key) const { return param<std::int64_t>(*this, key); }
double ManagerSpec::fraction(std::string_view key) const { return param<double>(*this, key); }
const std::string& ManagerSpec::choice(std::string_view key) const {
  static const std::string none;
  // A choice without a fallback may be left out: the manager decides.
  return params.contains(key) ? param<std::string>(*this, key) : none;
}
}  // namespace stowage
