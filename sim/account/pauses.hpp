#pragma once
// When decoders got their last tokens while iterations of prompts alone pause them (scheduler `prefill-first`): a group
// for those that decode, and one for each such iteration, of those whose prompt it was. Groups come and go at the end
// of running, as finishers, preempted and newcomers do. No group = everyone got a token at the present boundary.
#include <cstdint>
#include <vector>

#include "base/histogram.hpp"

namespace stowage {

class Pauses {
 public:
  [[nodiscard]] bool none() const { return groups_.empty(); }
  /// An iteration of prompts alone starts, beside `decoders`.
  void begin(std::int64_t now_ns, std::int64_t decoders) {
    if (groups_.empty() && decoders > 0) groups_.push_back({now_ns, decoders});
  }
  /// It ends, and so many got a token.
  void join(std::int64_t now_ns, std::int64_t decoders) {
    if (!groups_.empty()) groups_.push_back({now_ns, decoders});
  }
  /// One of those that came last leaves at this boundary; when it got its last token.
  std::int64_t leave(std::int64_t now_ns) {
    if (groups_.empty()) return now_ns;
    const std::int64_t last_ns = groups_.back().last_token_ns;
    if (--groups_.back().decoders == 0) groups_.pop_back();
    return last_ns;
  }
  /// Everyone gets a token.
  void end(std::int64_t now_ns, LogHistogram& gaps_ns) {
    for (const Group& g : groups_) gaps_ns.add(now_ns - g.last_token_ns, static_cast<std::uint64_t>(g.decoders));
    groups_.clear();
  }

 private:
  struct Group {
    std::int64_t last_token_ns, decoders;
  };
  std::vector<Group> groups_;
};
}  // namespace stowage
