#pragma once
// S12.12 to S12.20, S12.26 to S12.29: which replica a request goes to.
#include <cstdint>
#include <string>
#include <vector>

#include "base/rng.hpp"

namespace stowage::oracle {

/// What a router may look at of one replica.
struct Load {
  std::int64_t weight = 1, pool_bytes = 0;
  std::int64_t outstanding = 0, wanted_bytes = 0;
  std::int64_t hit = 0;  // S12.26: of the request that arrives
};

class Router {
 public:
  Router(std::string name, std::uint64_t seed, std::size_t replicas)
      : name_(std::move(name)), rng_(seed, "router"), credits_(replicas), last_(replicas - 1) {}  // S12.13
  std::size_t pick(const std::vector<Load>& loads, std::int64_t prompt_tokens);

 private:
  std::size_t in_turn(const std::vector<Load>& loads);
  std::size_t by_lot(const std::vector<Load>& loads);
  std::size_t better_of_two(const std::vector<Load>& loads);
  std::size_t by_prefix(const std::vector<Load>& loads, std::int64_t prompt_tokens);
  std::size_t least(const std::vector<Load>& loads, bool (*busier)(const Load&, const Load&));

  std::string name_;
  Rng rng_;
  std::vector<std::int64_t> credits_;
  std::size_t last_;
};
}  // namespace stowage::oracle
