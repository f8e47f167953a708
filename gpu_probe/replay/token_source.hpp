#pragma once
// Which text each token of a request is from (docs/semantics.md, S15). Tokens of one place of one text are equal, and
// no others: the token book makes prompts of it, the block pool tells by it which blocks hold the same. No CUDA in
// here.
#include <cstdint>
#include <vector>

#include "base/request.hpp"

namespace stowage::replay {

struct TokenSource {
  bool shared = false;     // of a text that a hash stands for; else of a request's own
  std::uint64_t text = 0;  // the hash, made one with its salt; or the request's id
  std::int64_t at = 0;     // place in that text; of a request: of its prompt and outputs in a row
};

class TokenSources {
 public:
  TokenSources() = default;
  TokenSources(std::uint64_t id, const PromptContent& content);
  [[nodiscard]] TokenSource of(std::int64_t position) const;
  /// One number for the tokens [0, last] from that for [0, last): equal for equal texts.
  [[nodiscard]] std::uint64_t chained(std::uint64_t before, std::int64_t last) const;

 private:
  std::uint64_t id_ = 0;
  std::vector<std::uint64_t> texts_;  // of each `hash_tokens_` tokens of the head
  std::int64_t hash_tokens_ = 1;
  std::vector<PromptContent::Turn> turns_;
};

/// Equal hashes under different salts are different texts: one number for both.
[[nodiscard]] std::uint64_t salted(std::uint64_t hash, std::uint64_t salt);

}  // namespace stowage::replay
