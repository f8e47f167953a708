#pragma once
// What one iteration computes, as StepRunner takes it. No CUDA in here.
#include <cstdint>
#include <vector>

namespace stowage::probe {

struct StepRequest {
  int slot = 0;        // where its KV is: row of the block table, or of start[]
  int stored = 0;      // tokens whose KV is stored before this step
  int count = 1;       // new tokens
  bool sample = true;  // false for a chunk that does not end the prompt
};

/// Requests with one new token first, then the longer ones. tokens: the ids of all new tokens in the order of the
/// requests; -1 stands for the token last sampled for the slot.
struct StepBatch {
  std::vector<StepRequest> requests;
  std::vector<std::int32_t> tokens;
};

}  // namespace stowage::probe
