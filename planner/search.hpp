#pragma once
// Which candidates are worth simulating, and how far. A candidate matters when it could be among the ten best that can
// be deployed, or the best of its kind of manager; all others are dropped without being known to the digit.
#include <vector>

#include "planner/candidates.hpp"

namespace stowage {

inline constexpr std::size_t ranked_max = 10;

struct SearchCounts {
  std::uint64_t candidates = 0, impossible = 0, bounded = 0, dropped = 0, searched = 0;
  std::uint64_t probes = 0, requests = 0;  // simulated
};

struct SearchResult {
  std::vector<std::size_t> ranking;       // candidates that can be deployed and sustain a rate, best first
  std::vector<std::size_t> best_of_kind;  // the best of each kind of manager, by registry order; those that sustain
  std::vector<std::size_t> searched;      // every one that was searched, by number
  SearchCounts counts;
};

/// Fills in fate, capacity, sizing and key of the candidates. Works in rounds of a fixed size, whose candidates are
/// judged by what the rounds before found: so that the result, and the counts, are the same for any `jobs`.
/// `exhaustive` searches every possible candidate to the end.
[[nodiscard]] SearchResult search(Workbench& bench, bool exhaustive, int jobs);
}  // namespace stowage
