// Prefix caching and two steps in flight on random scenarios: everybody ends once, and the books hold (the oracle stops
// where the parts of the pool do not sum to it).
#include <algorithm>

#include "base/rng.hpp"
#include "tests/differential/ahead_hand.hpp"

namespace stowage {
namespace {
using namespace hand;

/// Prompts of a few common beginnings, some turns of sessions, some that stop by themselves.
std::vector<oracle::PromptShape> random_shapes(Rng& rng, const std::vector<Request>& requests) {
  std::vector<oracle::PromptShape> shapes(requests.size());
  for (std::size_t i = 0; i < requests.size(); ++i) {
    if (rng.below(4) == 0) {
      shapes[i].session = std::string(1, static_cast<char>('a' + rng.below(3)));
    } else {
      for (auto left = requests[i].prompt_tokens / 4; left > 0 && rng.below(5) > 0; --left)
        shapes[i].hashes.push_back(rng.below(2));
      if (rng.below(3) == 0)
        shapes[i].stop_at =
            1 + static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(requests[i].output_tokens)));
    }
  }
  return shapes;
}

// S1.7, S1.25, S10.1, S16.17, S17.1
TEST(AheadAtRandom, EverybodyEndsOnce) {
  std::uint64_t hits = 0, preemptions = 0, two_in_flight = 0;
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    Case c = random_case(seed);
    Rng rng(seed, "ahead");
    c.config.scheduler.policy = "vllm";
    c.config.manager = {"paged",
                        "",
                        {{"block_size", std::int64_t{1} << rng.below(4)},
                         {"watermark", rng.below(4) == 0 ? 0.1 : 0.0},
                         {"prefix_caching", static_cast<std::int64_t>(rng.below(4) > 0)}}};
    c.config.kv.pool = std::max(c.config.kv.pool, Bytes{8 * c.config.kv.bytes_per_token.count()});
    c.config.host_loop = {};
    c.config.scheduler.async_scheduling = rng.below(2) == 0;
    c.config.scheduler.long_prefill_threshold = rng.below(3) == 0 ? 7 : 0;
    const Ahead r = run_ahead(c.config, c.requests, random_shapes(rng, c.requests));
    EXPECT_EQ(r.result.completed + r.result.rejected, c.requests.size()) << seed;
    std::int64_t end_ns = 0;
    for (const auto& step : r.steps) {
      if (!step.rows.empty()) {
        EXPECT_GE(step.start_ns, end_ns) << seed;  // one after the other
      }
      end_ns = std::max(end_ns, step.end_ns);
      two_in_flight += step.start_ns > step.formed_ns;
      for (const oracle::Row& row : step.rows) hits += !row.decode && row.before > 0;
    }
    preemptions += r.result.preemptions;
  }
  EXPECT_GT(hits, 1000U);
  EXPECT_GT(preemptions, 100U);
  EXPECT_GT(two_in_flight, 1000U);
}

// S1.7, S16.10: with one step in flight and nothing to find, caching changes nothing: the blocks are only named.
TEST(AheadAtRandom, WithNothingInCommonItIsPaged) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    Case c = random_case(seed);
    if (c.config.manager.kind != "paged") continue;
    c.config.manager.params["watermark"] = 0.0;  // S16.12
    const OracleResult plain = oracle_run(c.config, c.requests);
    if (plain.preemptions > 0) continue;  // whoever was preempted finds its own blocks
    c.config.manager.params["prefix_caching"] = std::int64_t{1};
    const Ahead named = run_ahead(c.config, c.requests);
    EXPECT_EQ(column(named.result.requests, &RequestRecord::finished_ns),
              column(plain.requests, &RequestRecord::finished_ns));
    EXPECT_EQ(column(named.result, &IterationRecord::held_bytes), column(plain, &IterationRecord::held_bytes)) << seed;
  }
}
}  // namespace
}  // namespace stowage
