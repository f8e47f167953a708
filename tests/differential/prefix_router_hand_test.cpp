// What `prefix-affinity` sees of a turn that is still being written (S12.26), by hand. Two replicas, blocks of 4
// tokens, steps of 1,000 ns; the first turn, 4 tokens and 9 outputs, runs in replica 0.
#include "tests/differential/hand.hpp"

namespace stowage {
namespace {
using namespace hand;

/// Where the second turn goes, of 14 tokens, that arrives then: with a hit of 4 to the idle replica, since 4 is less
/// than 3/10 of 14, with one of 8 to its first turn.
std::int64_t second_turn_at(std::int64_t at_ns, bool async) {
  Case c{tiny(1024, paged()), {{0, 4, 9, 0}, {at_ns, 14, 1, 1}}};
  c.config.manager.params["prefix_caching"] = std::int64_t{1};
  c.config.scheduler.async_scheduling = async;
  c.config.fleet = {"prefix-affinity", 0, {{"", 2, 1, c.config.kv, c.config.cost, c.config.vmm}}};
  c.shapes.resize(2);
  c.shapes[0].session = c.shapes[1].session = "a";
  c.hash_tokens = 4;
  c.bind();
  const auto difference = first_difference(c);
  EXPECT_FALSE(difference) << *difference;
  const auto r = oracle_fleet(c.config, c.requests, c.contents());
  return r[0].requests.size() == 2 ? 0 : 1;
}

// S12.4, S12.26, S12.28: steps are formed at 0 (4 tokens), 1000 (5) ... 4000 (8 tokens: two blocks).
TEST(PrefixRouterByHand, ABlockIsFoundOnceItIsFormed) {
  EXPECT_EQ(second_turn_at(3'999, false), 1);
  EXPECT_EQ(second_turn_at(4'000, false), 1);  // the step that ends has ended, the next is not formed
  EXPECT_EQ(second_turn_at(4'001, false), 0);
}

// S17.9: formed at 0, 0, 1000 ... With the eighth token, at 3000, the seventh is known; with the ninth, at 4000, it is.
TEST(PrefixRouterByHand, ABlockIsFoundOnceItsTokensAreKnown) {
  EXPECT_EQ(second_turn_at(4'000, true), 1);
  EXPECT_EQ(second_turn_at(4'001, true), 0);
}
}  // namespace
}  // namespace stowage
