// Routers before replicas that have two steps in flight and cache prefixes, against sums done by hand.
#include "tests/differential/hand.hpp"

namespace stowage {
namespace {
using namespace hand;

// S12.5, S12.9, S16.9, S16.17, S17.2
TEST(FleetAheadByHand, AHitIsWantedNoMore) {
  // Blocks of 4. 0 (9 tokens) goes to replica 0 and holds 3 blocks, 1 (14 tokens) to replica 1 and holds 4: 12 and 16
  // bytes. Both have two steps in flight when 2 comes at 500, with the same 9 tokens as 0: replica 0 wants 12 + 9.
  // At 1000, when 3 (1 token) comes, replica 0 has completed a step and formed none: 21 against 16. Then it forms one,
  // in which 2 finds 8 of its tokens: 12 + 4 at 1500, before any other step ends. Replica 1 has 16 + 4. So 4 goes to
  // replica 0.
  Case c;
  c.config = tiny(64, {"paged",
                       "",
                       {{"block_size", std::int64_t{4}},
                        {"watermark", 0.0},
                        {"prefix_caching", std::int64_t{1}},
                        {"free_order", std::string("nameless_first")}}});
  c.config.scheduler.async_scheduling = true;
  c.config.fleet.router = "least-kv";
  c.config.fleet.groups.push_back({"", 2, 1, c.config.kv, c.config.cost, c.config.vmm});
  c.requests = {{0, 9, 20, 0}, {1, 14, 20, 1}, {500, 9, 20, 2}, {1000, 1, 1, 3}, {1500, 1, 1, 4}};
  for (const Request& q : c.requests) c.shapes.push_back({q.prompt_tokens, q.output_tokens, {}, "", 0});
  c.shapes[0].hashes = c.shapes[2].hashes = {7, 8};
  c.hash_tokens = 4;
  c.bind();
  const auto difference = first_difference(c);
  EXPECT_FALSE(difference) << *difference;
  const auto r = oracle_fleet(c.config, c.requests, c.contents());
  EXPECT_EQ(r[0].completed, 3U);  // 0, 2 and 4
  EXPECT_EQ(r[1].completed, 2U);
}
}  // namespace
}  // namespace stowage
