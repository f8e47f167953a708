#pragma once
// What the reports say of a fleet: its replicas and how evenly they were used.
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "sim/result.hpp"

namespace stowage {

/// {"max_over_mean": …, "cov": …, "jain": …} of requests, tokens and busy time.
[[nodiscard]] nlohmann::ordered_json imbalance_json(const RunResult& run);
/// One object a replica.
[[nodiscard]] nlohmann::ordered_json replicas_json(const RunResult& run);
/// "busy time max/mean 1.31 (replica 3 of 8), requests 1.02, tokens 1.05"
[[nodiscard]] std::string imbalance_words(const RunResult& run);
}  // namespace stowage
