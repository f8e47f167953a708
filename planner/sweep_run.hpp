#pragma once
#include <functional>
#include <span>
#include <string>

#include "planner/sweep.hpp"

namespace stowage {

/// Simulates the points of a shard that are not in `done` (ascending), on `jobs` threads (0 = one a core), and hands
/// each record to `sink` as its point ends, from any thread and in any order.
void run_points(const Sweep& sweep, Shard shard, std::span<const std::uint64_t> done, int jobs,
                const std::function<void(std::uint64_t point, std::string record)>& sink);
/// How many of a shard's points are not in `done`.
[[nodiscard]] std::uint64_t points_left(const Sweep& sweep, Shard shard, std::span<const std::uint64_t> done);
}  // namespace stowage
