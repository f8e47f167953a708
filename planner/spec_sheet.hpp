#pragma once
// Where a plan ranks steps priced from spec sheets against steps that somebody timed, the former look better than they
// are: decode steps of an A100 came out 16 to 33 % shorter by its spec sheet than by its published kernel times
// (docs/accuracy.md, "Profiles from published tables"; Llama-3-8B and Llama-2-70B, 1 and 64 requests).
#include <span>
#include <string>

#include "planner/candidates.hpp"

namespace stowage {

/// Of the whole plan; empty when no possible candidate is priced from a spec sheet.
[[nodiscard]] std::string spec_sheet_note(std::span<const Candidate> candidates);
/// One sentence for the decision: when the best of the ranking is priced from its spec sheet and another candidate is
/// not, or the other way round within the ten best. Else empty.
[[nodiscard]] std::string spec_sheet_caveat(std::span<const Candidate> candidates,
                                            std::span<const std::size_t> ranking);
}  // namespace stowage
