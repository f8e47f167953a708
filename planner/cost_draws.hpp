#pragma once
// How far off the step prices may be, as draws: each is a whole price table that could just as well be the true one.
#include <cstdint>
#include <string>

#include "planner/candidates.hpp"

namespace stowage {

/// Draw `i` of a candidate's prices. The same `i` gives candidates on the same GPU the same errors, so that what they
/// share does not pass for a difference between them; another GPU draws its own.
///   roofline: every efficiency and fixed cost times e^(0.128 z), a 95 % interval of -22 % to +28 % each; a stated
///   prior,
///             wide because nothing was measured
///   profile:  draw i of the profile (Profile::drawn), over and over when it keeps fewer
///   linear:   the user's coefficients as they are
[[nodiscard]] StepCost draw_cost(const Candidate& candidate, std::uint64_t seed, std::uint64_t i);
/// "spec-sheet efficiencies within 25 % (a stated prior: nothing was measured)"; says when a profile without draws of
/// its credit of full-clock time keeps that as it is.
[[nodiscard]] std::string draws_text(const Candidate& candidate);
}  // namespace stowage
