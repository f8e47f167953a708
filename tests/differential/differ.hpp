#pragma once
// What the comparison of replicas and that of fleets share.
#include <fmt/format.h>

#include <cmath>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/oracle/oracle.hpp"
#include "tests/differential/random_scenario.hpp"

namespace stowage {

/// Collects the first difference under a path of names: "iteration 12: held_bytes: engine 4, oracle 8".
class Differ {
 public:
  void where(std::string text) { where_ = std::move(text); }
  template <class A, class B>
  void same(std::string_view field, const A& engine, const B& oracle) {
    if (!found_ && !(engine == oracle)) report(field, fmt::format("{}", engine), fmt::format("{}", oracle));
  }
  /// |engine - oracle| <= relative x |oracle| + absolute. What neither has is the same.
  void near(std::string_view field, double engine, double oracle, double relative, double absolute = 0.0) {
    if (found_ || (std::isnan(engine) && std::isnan(oracle))) return;
    if (std::abs(engine - oracle) <= relative * std::abs(oracle) + absolute) return;
    report(field, fmt::format("{:.17g}", engine), fmt::format("{:.17g}", oracle));
  }
  [[nodiscard]] bool found() const { return found_.has_value(); }
  [[nodiscard]] std::optional<std::string> take() { return std::move(found_); }

 private:
  void report(std::string_view field, const std::string& engine, const std::string& oracle) {
    found_ = fmt::format("{}: {}: engine {}, oracle {}", where_, field, engine, oracle);
  }
  std::string where_;
  std::optional<std::string> found_;
};

void compare_iterations(Differ& d, const std::vector<IterationRecord>& e, const std::vector<IterationRecord>& o);
void compare_requests(Differ& d, const std::vector<RequestRecord>& e, const std::vector<RequestRecord>& o);
/// `unit_ns` = nanoseconds in one of the histogram's units.
void compare_metric(Differ& d, std::string_view name, const LogHistogram& e, double unit_ns,
                    const OracleDistribution& o);
/// Two runs of the engine: the same to the bit.
void compare_histogram(Differ& d, std::string_view name, const LogHistogram& bare, const LogHistogram& hooked);

/// For cases with a fleet or a front end.
[[nodiscard]] std::optional<std::string> fleet_difference(const Case& c);
}  // namespace stowage
