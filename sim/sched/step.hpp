#pragma once
// One iteration as it is formed and run, or a stretch of iterations that are alike but for growth: what it computes,
// for whom, and when. Its memory work stands in the manager's work() until the step takes it.
#include <cstdint>
#include <vector>

#include "models/cost/step_cost.hpp"
#include "sim/kernel/sequence.hpp"

namespace stowage {

/// Tokens of a prompt (or of what is recomputed) in a step.
struct Chunk {
  Sid sid;
  bool first;      // of its residency: admitted at this boundary
  bool completes;  // the prompt is done with it, and an output token comes of it
};

struct Step {
  StepShape shape;
  std::vector<Chunk> chunks;   // in running order
  Sid partial = no_sid;        // the one running request whose prompt is not done when the step is
  std::vector<Sid> preempted;  // at the boundary where it was formed
  bool refused = false;        // the manager had no room for the head of waiting there, or it preempted
  std::int64_t growth = 0;     // tokens by which each decoder is longer when the step completes
  std::int64_t formed_ns = 0, starts_ns = 0, ends_ns = 0;  // between the first two it waits for memory

  void clear() {
    shape = {};
    chunks.clear();
    partial = no_sid;
    preempted.clear();
    refused = false;
    growth = 0;
  }
};
}  // namespace stowage
