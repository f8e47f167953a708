#include "gpu_probe/selftest.hpp"

#include <fmt/format.h>

#include <cstring>

#include "gpu_probe/selftest_cases.hpp"

namespace stowage::probe {

int run_selftest(const std::function<void(const std::string&)>& report) {
  Checks checks(report);
  check_decode(checks);
  check_planted_faults(checks);
  check_prefill(checks);
  check_step(checks);
  check_replay(checks);
  return checks.failed();
}

void Checks::add(const std::string& name, double error, double limit) {
  const bool ok = error <= limit;  // false for NaN
  if (!ok) ++failed_;
  report_(fmt::format("{} {}: {:.2e} (limit {:.1e})", ok ? "ok    " : "FAILED", name, error, limit));
}

void Checks::add(const std::string& name, bool ok) {
  if (!ok) ++failed_;
  report_(fmt::format("{} {}", ok ? "ok    " : "FAILED", name));
}

}  // namespace stowage::probe
