#pragma once
// `gpu_probe selftest`: every kernel against a float64 reference on small shapes, quickly enough for compute-sanitizer.
#include <functional>
#include <string>

namespace stowage::probe {

/// Runs all checks on the current device; `report` gets one line a check. Returns the number that failed.
int run_selftest(const std::function<void(const std::string&)>& report);

}  // namespace stowage::probe
