#pragma once
// The way of tokens from the engine to the client: one server takes the tokens of each step together, in order, and a
// client has its token when those of the whole step have left (FrontendCost says why). One number of state: when what
// was delivered so far will have left.
#include <algorithm>
#include <cstdint>

#include "sim/run_config.hpp"

namespace stowage {

class TokenServer {
 public:
  explicit TokenServer(const FrontendCost& cost) : cost_(cost) {}
  [[nodiscard]] bool takes_time() const { return cost_.per_output_token_ns > 0; }
  [[nodiscard]] std::int64_t work_ns(std::int64_t tokens) const { return cost_.output_ns(tokens); }
  /// A step's tokens, `work_ns` of them, come at `now_ns`, which never goes back.
  void take(std::int64_t now_ns, std::int64_t work_ns) { free_at_ = std::max(free_at_, now_ns) + work_ns; }
  /// When the client has what was taken at `now_ns`.
  [[nodiscard]] std::int64_t client_ns(std::int64_t now_ns) const { return std::max(free_at_, now_ns); }

 private:
  FrontendCost cost_;
  std::int64_t free_at_ = 0;
};
}  // namespace stowage
