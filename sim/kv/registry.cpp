#include "sim/kv/registry.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "base/config.hpp"
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

const ManagerRow& row_of(const ManagerSpec& spec) {
  const ManagerRow* row = find_manager(spec.kind);
  STOWAGE_ASSERT(row != nullptr);
  return *row;
}

namespace {
template <class T>
T must(std::optional<T> value) {
  STOWAGE_ASSERT(value.has_value());
  return *value;
}

ParamValue value_of(const ParamSpec& p, std::string_view text) {
  switch (p.type) {
    case ParamType::tokens:
    case ParamType::count: return must(parse_integer(text));
    case ParamType::bytes: return must(parse_bytes(text)).count();
    case ParamType::fraction: return must(parse_number(text));
    case ParamType::flag: return std::int64_t{text == "true"};
    case ParamType::choice: break;
  }
  return std::string(text);
}
}  // namespace

ManagerSpec manager_spec(const ManagerRow& row, std::string_view settings) {
  ManagerSpec spec;
  spec.kind = row.kind;
  for (const ParamSpec& p : row.params)
    if (!p.fallback.empty()) spec.params.emplace(p.name, value_of(p, p.fallback));
  while (!settings.empty()) {
    const std::string_view one = settings.substr(0, settings.find(' '));
    settings.remove_prefix(std::min(settings.size(), one.size() + 1));
    const std::size_t equals = one.find('=');
    const auto p = std::ranges::find(row.params, one.substr(0, equals), &ParamSpec::name);
    STOWAGE_ASSERT(equals != std::string_view::npos && p != row.params.end());
    spec.params.insert_or_assign(std::string(p->name), value_of(*p, one.substr(equals + 1)));
  }
  spec.name = row.default_name(spec);
  return spec;
}
}  // namespace stowage
