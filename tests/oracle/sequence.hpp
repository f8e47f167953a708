#pragma once
// A request from its arrival at the engine to its end, and the two lists it stands in.
#include <cstdint>
#include <deque>
#include <vector>

#include "sim/result.hpp"
#include "tests/oracle/content.hpp"

namespace stowage::oracle {

struct Sequence {
  std::int64_t prompt = 0, outputs = 0;  // P, O
  std::int64_t stops_at = 0;             // S17.11: the output it ends with, O or less; learnt when that is delivered
  const Content* content = nullptr;      // null: nobody else's
  std::int64_t delivered = 0;            // outputs so far
  std::int64_t ordered = 0;              // S1.17: outputs that rows in flight will deliver
  std::int64_t scheduled = 0;            // S1.9: tokens given to steps since the last admission, and its hit
  std::int64_t completed = 0;            // S1.10: those of them that are stored
  std::int64_t residency = 0;            // how often it was preempted: rows of an earlier residency store nothing
  bool decoding = false;                 // S3.19
  bool running = false, finished = false;
  RequestRecord record;
  std::int64_t last_output_ns = 0;

  struct Stay {
    std::size_t segment;
    std::int64_t held, live, shared;
  };
  std::vector<Stay> stays;  // one a stretch of still memory of this residency, in bytes, for S10.5 and S10.6

  [[nodiscard]] std::int64_t known() const { return prompt + delivered; }
  [[nodiscard]] std::int64_t target() const { return known() + ordered; }  // S1.16
};

/// S3.1.
struct Queues {
  std::vector<Sequence*> running;  // by admission
  std::deque<Sequence*> waiting;   // first come, first served
};

/// S1.6: n tokens of one request, after `before` of them.
struct Row {
  Sequence* sequence;
  std::int64_t before, tokens, residency;
  bool decode;  // S3.20
  bool gives;   // S1.17: an output, when its step completes
};
}  // namespace stowage::oracle
