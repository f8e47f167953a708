#include "sim/manager_spec.hpp"

#include "base/error.hpp"

namespace stowage {
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
bool ManagerSpec::flag(std::string_view key) const {
  return params.contains(key) && param<std::int64_t>(*this, key) != 0;
}
double ManagerSpec::fraction(std::string_view key) const { return param<double>(*this, key); }
const std::string& ManagerSpec::choice(std::string_view key) const {
  static const std::string none;
  // A choice without a fallback may be left out: the manager decides.
  return params.contains(key) ? param<std::string>(*this, key) : none;
}
}  // namespace stowage
