#pragma once
// What the prompts of a workload are made of, as text.
#include <string>
#include <vector>

#include "base/request.hpp"

namespace stowage::test {

/// "1/16: 7 8 + 3<44 | " = salt 1, hashes 7 and 8 of 16 tokens, then request 3's up to token 44; no salt when it is 0.
inline std::string text_of(const PromptContent& content) {
  std::string out = content.salt > 0 ? std::to_string(content.salt) + "/" : "";
  out += std::to_string(content.hash_tokens) + ":";
  for (const std::uint64_t hash : content.hashes) out += " " + std::to_string(hash);
  for (const auto& turn : content.turns) out += " + " + std::to_string(turn.request) + "<" + std::to_string(turn.end);
  return out + " | ";
}

/// Of all requests that a stream brings by itself; "- | " of one without content.
inline std::string contents_of(const Workload& workload) {
  const auto stream = workload.open();
  std::string out;
  std::vector<Request> batch(3);
  while (const std::size_t n = stream->read(batch))
    for (std::size_t i = 0; i < n; ++i) {
      out += batch[i].content < 0 ? "- | " : text_of(stream->content(batch[i]));
      stream->drop(batch[i]);
    }
  return out;
}
}  // namespace stowage::test
