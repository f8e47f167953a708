#pragma once
// Which replica a request goes to: one row a router. The rules, ties and draws included, are S12.12 to S12.20 and
// S12.26 to S12.29 of docs/semantics.md; the oracle in tests/oracle has its own copy of them.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace stowage {

/// How busy a replica is, as a fraction: `amount` of `capacity`, both >= 0, capacity > 0.
struct Load {
  std::int64_t amount = 0, capacity = 1;
};

/// What a router reads of the replicas, as they are when the request arrives.
class FleetView {
 public:
  virtual ~FleetView() = default;
  [[nodiscard]] virtual Load load(std::size_t replica) = 0;
  /// Never more than load(replica), and cheap: what spares a router from asking for the loads of the busy.
  [[nodiscard]] virtual Load at_least(std::size_t replica) = 0;
  /// Tokens of the request's prompt that the replica has in its prefix cache. Brings the replica up to the arrival.
  [[nodiscard]] virtual std::int64_t hit(std::size_t replica) = 0;
  /// Of the request that arrives.
  [[nodiscard]] virtual std::int64_t prompt_tokens() const = 0;
};

class Router {
 public:
  virtual ~Router() = default;
  [[nodiscard]] virtual std::size_t pick(FleetView& fleet) = 0;
};

enum class Reads : std::uint8_t {
  nothing,
  outstanding,  // requests sent and not finished / weight
  prefixes,     // the same, and what of the prompt is in the cache
  kv,           // KV bytes held by running requests or needed by the prompts of waiting ones / (pool x weight)
};

struct RouterRow {
  std::string_view name, summary;
  Reads reads = Reads::nothing;
  bool draws = false;  // depends on the seed
  /// `weights`: one a replica, 1 ... 1,000.
  std::unique_ptr<Router> (*make)(std::span<const std::int64_t> weights, std::uint64_t seed) = nullptr;
};
[[nodiscard]] std::span<const RouterRow> routers();
/// nullptr when unknown.
[[nodiscard]] const RouterRow* find_router(std::string_view name);
}  // namespace stowage
