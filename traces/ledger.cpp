#include <fmt/format.h>

#include "base/error.hpp"
#include "traces/workload.hpp"

namespace stowage {
namespace {
/// 19366 -> "19,366".
std::string grouped(std::uint64_t n) {
  std::string out = std::to_string(n);
  for (std::size_t i = out.size(); i > 3; i -= 3) out.insert(i - 3, 1, ',');
  return out;
}
}  // namespace

std::string TraceLedger::line() const {
  std::string out = fmt::format("{} ({}): {} rows = {} kept", visible(file), format, grouped(rows), grouped(kept));
  for (const auto& [reason, n] : dropped) out += fmt::format(" + {} {}", grouped(n), reason);
  if (dropped.empty()) out += " + 0 dropped";
  if (stopped_at_limit) out += ", stopped at the limit";
  if (out_of_order > 0) out += fmt::format("; out of order: {}, sorted", grouped(out_of_order));
  return out;
}
}  // namespace stowage
