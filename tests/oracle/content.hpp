#pragma once
// S15: what the tokens of a request are. Symbols stand for tokens: equal symbols are equal tokens.
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace stowage::oracle {

struct Content {
  std::vector<std::uint64_t> prompt, output;
};

/// How a workload names what prompts have in common.
struct PromptShape {
  std::int64_t prompt = 0, output = 0;
  std::vector<std::uint64_t> hashes;  // of its leading blocks of `hash_tokens` tokens
  std::string session;                // empty = none
  std::int64_t stop_at = 0;           // 0 = at its last output
};

/// S15.10: a request that waits for the end of another.
struct Follow {
  std::int64_t after = -1;  // its id; -1: for none
  std::int64_t think_ns = 0;
};

/// In the trace's order, which is that of a session's turns.
[[nodiscard]] std::vector<Content> contents(const std::vector<PromptShape>& shapes, std::int64_t hash_tokens);
}  // namespace stowage::oracle
