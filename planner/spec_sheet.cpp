#include "planner/spec_sheet.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "planner/search.hpp"

namespace stowage {
namespace {
constexpr std::string_view measured_flattery = "A100 decode steps by 16 to 33 % (docs/accuracy.md)";

bool from_spec_sheet(const Candidate& c) { return c.scenario && c.grounds == Grounds::roofline; }
/// Coefficients of the user's own are nobody's timing.
bool timed(const Candidate& c) { return c.scenario && !from_spec_sheet(c) && c.grounds != Grounds::linear; }

std::string names(const std::set<std::string>& gpus) { return fmt::format("{}", fmt::join(gpus, ", ")); }
std::string are(const std::set<std::string>& gpus) { return names(gpus) + (gpus.size() == 1 ? " is" : " are"); }
}  // namespace

std::string spec_sheet_note(std::span<const Candidate> candidates) {
  std::set<std::string> sheet, others;
  for (const Candidate& c : candidates) {
    if (from_spec_sheet(c)) sheet.insert(c.hardware);
    if (timed(c)) others.insert(c.hardware);
  }
  if (sheet.empty()) return "";
  if (others.empty())
    return "some steps are priced from spec sheets (roofline), never measured: good for comparing, not for promising "
           "latencies";
  return fmt::format("{} priced by spec sheet (roofline), {} by kernel times: spec sheets flatter, {}", are(sheet),
                     names(others), measured_flattery);
}

std::string spec_sheet_caveat(std::span<const Candidate> candidates, std::span<const std::size_t> ranking) {
  if (ranking.empty()) return "";
  const Candidate& best = candidates[ranking.front()];
  if (from_spec_sheet(best)) {
    if (std::ranges::none_of(candidates, timed)) return "";
    return fmt::format("{} is priced by its spec sheet, others by kernel times, which flatters it: {}.", best.hardware,
                       measured_flattery);
  }
  if (!timed(best)) return "";
  std::set<std::string> sheet;
  for (const std::size_t i : ranking.first(std::min(ranking.size(), ranked_max)))
    if (from_spec_sheet(candidates[i])) sheet.insert(candidates[i].hardware);
  if (sheet.empty()) return "";
  return fmt::format("Among the ten best {} priced by spec sheet, which flatters: {}.", are(sheet), measured_flattery);
}
}  // namespace stowage
