#pragma once
// A request from its arrival at the engine to its end, and the two lists it stands in.
#include <cstdint>
#include <deque>
#include <vector>

#include "sim/result.hpp"

namespace stowage::oracle {

struct Sequence {
  std::int64_t prompt = 0, outputs = 0;  // P, O
  std::int64_t delivered = 0;            // outputs so far
  std::int64_t scheduled = 0;            // S1.9: tokens given to steps since the last admission
  std::int64_t completed = 0;            // S1.10: those of them that are stored
  bool decoding = false;                 // S3.19
  RequestRecord record;
  std::int64_t last_output_ns = 0;

  struct Stay {
    std::size_t segment;
    std::int64_t held, live;
  };
  std::vector<Stay> stays;  // one an iteration of this residency, in bytes, for S10.5 and S10.6

  [[nodiscard]] std::int64_t target() const { return prompt + delivered; }  // S1.16
};

/// S3.1.
struct Queues {
  std::vector<Sequence*> running;  // by admission
  std::deque<Sequence*> waiting;   // first come, first served
};

/// S1.6: n tokens of one request, after `before` of them.
struct Row {
  Sequence* sequence;
  std::int64_t before, tokens;
};
}  // namespace stowage::oracle
