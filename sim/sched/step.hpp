#pragma once
// One iteration as it is formed and run: what it computes, for whom, and when. Its memory work stands in the manager's
// work() until the step takes it.
#include <cstdint>
#include <utility>
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
  std::vector<Sid> preempted;  // at the boundary where it was formed
  bool refused = false;        // the manager had no room for the head of waiting there, or it preempted
  std::int64_t growth = 0;     // tokens that each decoder gets: 1, or 0 where they pause
  std::int64_t stores = 0;     // tokens that are in memory when it completes, and count for someone who still runs
  std::int64_t zombies = 0;    // its rows of requests that have stopped by themselves meanwhile
  std::vector<std::pair<std::int64_t, Sid>> finishing;  // those it brings the last token: order of admission, sid
  bool handed_out = false;     // its outputs, at its end
  std::int64_t formed_ns = 0, begins_ns = 0;
  std::int64_t ends_ns = 0;      // its outputs are out: the boundary that completes it
  std::int64_t stall_ns = 0;     // from its begin on it waits for memory
  std::int64_t took_ns = 0;      // and then computes
  std::int64_t updating_ns = 0;  // and the host then takes its outputs, which is in ends_ns

  [[nodiscard]] bool empty() const { return chunks.empty() && (shape.decode_seqs == 0 || growth == 0); }
  /// It brings every one of `decoders` a token, and does nothing else.
  [[nodiscard]] bool plain(std::int64_t decoders) const {
    return chunks.empty() && finishing.empty() && shape.decode_seqs == decoders && stores == decoders;
  }
  void clear() {
    shape = {};
    chunks.clear();
    preempted.clear();
    refused = handed_out = false;
    growth = stores = zombies = 0;
    finishing.clear();
    stall_ns = 0;
  }
};
}  // namespace stowage
