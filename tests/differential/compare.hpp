#pragma once
// Runs a case under the engine and under the oracle and says where they first part.
#include <functional>
#include <optional>
#include <string>

#include "tests/differential/random_scenario.hpp"

namespace stowage {

/// What differs, for people; nullopt when everything agrees. Runs the engine with hooks and without.
[[nodiscard]] std::optional<std::string> first_difference(const Case& c);

/// Removes requests and simplifies settings for as long as `fails` still holds.
[[nodiscard]] Case shrink(Case failing, const std::function<bool(const Case&)>& fails);
}  // namespace stowage
