// Prefix caching in a replay, without a GPU: a memory that remembers what was written where is read as the kernels read
// it, so that a block that is not the right one, or no longer, shows.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "base/rng.hpp"
#include "gpu_probe/replay/block_pool.hpp"
#include "gpu_probe/replay/setup.hpp"
#include "gpu_probe/replay/small_case.hpp"
#include "gpu_probe/replay/token_book.hpp"
#include "sim/serve/simulate.hpp"
#include "tests/support/source_dir.hpp"

namespace stowage::replay {
namespace {

/// K and V of a token depend on all tokens before it: one number for them stands for both.
std::uint64_t context(std::uint64_t before, std::int32_t token) {
  std::uint64_t x = (before + 0x9e3779b97f4a7c15U) ^ (static_cast<std::uint64_t>(token) * 0xbf58476d1ce4e5b9U);
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  return x ^ (x >> 31);
}

class Memory final : public StepExecutor {
 public:
  Memory(const RunConfig& config, Fault fault)
      : config_(config),
        block_(config.manager.integer("block_size")),
        block_bytes_(block_ * config.kv.bytes_per_token.count()),
        written_(static_cast<std::size_t>(config.kv.pool.count() / block_bytes_ * block_), 0),
        table_(static_cast<std::size_t>(config.scheduler.max_batch *
                                        BlockPool::row_length(block_, config.scheduler.max_model_len))),
        pool_(config.kv.pool.count() / block_bytes_, block_, config.scheduler.max_batch, config.scheduler.max_model_len,
              table_, BlockPool::sharing_of(config.manager), fault),
        tokens_(config.scheduler.max_batch, 1000, 5) {}
  void start(std::int64_t) override {}
  void idle_until(std::int64_t) override {}
  void finish(std::span<const MemoryOp>, std::span<const MemoryOp>) override {}

  StepTiming run(const IterationPlan& plan) override {
    pool_.apply(plan);
    EXPECT_EQ(pool_.used() * block_bytes_, plan.occupancy.held) << "iteration " << plan.index;
    EXPECT_EQ(pool_.cached() * block_bytes_, plan.occupancy.cached) << "iteration " << plan.index;
    static_cast<void>(tokens_.batch(plan));
    const auto known = tokens_.sequences();
    // As the kernels do: everybody's new tokens are written before anybody attends.
    for (const PlannedRequest& r : plan.requests) {
      const auto contexts = contexts_of(known.at(r.id), r.stored + r.count);
      for (std::int64_t t = r.stored; t < r.stored + r.count; ++t)
        written_[place(r.sid, t)] = contexts[static_cast<std::size_t>(t)];
      computed += r.count;
    }
    for (const PlannedRequest& r : plan.requests) {
      const auto contexts = contexts_of(known.at(r.id), r.stored + r.count);
      for (std::int64_t t = 0; t < r.stored + r.count; ++t)
        wrong += written_[place(r.sid, t)] == contexts[static_cast<std::size_t>(t)] ? 0 : 1;
    }
    std::vector<std::int32_t> sampled(static_cast<std::size_t>(config_.scheduler.max_batch), -7);
    for (const PlannedRequest& r : plan.requests)
      sampled[static_cast<std::size_t>(r.sid)] = prompt_token(99, r.id, r.stored + r.count, 1000);
    tokens_.sampled(plan, sampled);
    return {0, 1000};
  }
  [[nodiscard]] auto sequences() const { return tokens_.sequences(); }

  std::int64_t computed = 0;  // tokens
  std::int64_t wrong = 0;     // tokens read that are not the reader's

 private:
  static std::vector<std::uint64_t> contexts_of(const std::vector<std::int32_t>& tokens, std::int64_t n) {
    std::vector<std::uint64_t> out;
    for (std::int64_t t = 0; t < n; ++t)
      out.push_back(context(out.empty() ? 0 : out.back(), tokens.at(static_cast<std::size_t>(t))));
    return out;
  }
  [[nodiscard]] std::size_t place(Sid sid, std::int64_t t) const {
    const std::int32_t b = table_[static_cast<std::size_t>(sid * pool_.row_blocks() + t / block_)];
    return static_cast<std::size_t>(b * block_ + t % block_);
  }

  const RunConfig& config_;
  std::int64_t block_, block_bytes_;
  std::vector<std::uint64_t> written_;
  std::vector<std::int32_t> table_;
  BlockPool pool_;
  TokenBook tokens_;
};

struct Replayed {
  RunResult result;
  std::int64_t computed = 0, wrong = 0;
  std::map<std::uint64_t, std::vector<std::int32_t>> sequences;
};
Replayed replay(const RunConfig& config, Fault fault = Fault::none) {
  Memory memory(config, fault);
  RunHooks hooks;
  hooks.executor = &memory;
  RunResult result = simulate(config, hooks);
  return {std::move(result), memory.computed, memory.wrong, memory.sequences()};
}

TEST(Sharing, WhoeverFindsAPrefixReadsWhatWasWrittenOfIt) {
  const SmallCase small = sharing_case();
  std::map<std::uint64_t, std::vector<std::int32_t>> first;
  for (const RunConfig& config : small.runs()) {
    SCOPED_TRACE(config.manager.name);
    const Replayed got = replay(config);
    const RunResult simulated = simulate(config, {});
    EXPECT_EQ(got.wrong, 0);
    EXPECT_EQ(got.result.completed, small.requests.size());
    EXPECT_EQ(got.result.iterations, simulated.iterations);
    EXPECT_EQ(got.result.preemptions, simulated.preemptions);
    EXPECT_EQ(got.result.preemptions > 0, small.preempts);
    EXPECT_EQ(got.result.prefix.hit_tokens, simulated.prefix.hit_tokens);
    if (config.manager.flag("prefix_caching")) { EXPECT_GT(got.result.prefix.hit_tokens, 500); }
    if (first.empty()) first = got.sequences;
    EXPECT_EQ(got.sequences, first) << "another prompt with caching than without";
  }
}

TEST(Sharing, EveryPlantedFaultIsRead) {
  const auto runs = sharing_case().runs();
  for (const Fault fault : {Fault::shared_off_by_one, Fault::freed_while_shared, Fault::evicted_while_held})
    for (std::size_t i = 0; i < 2; ++i)
      EXPECT_GT(replay(runs[i], fault).wrong, 0) << static_cast<int>(fault) << " " << runs[i].manager.name;
}

/// Trees of prefixes, copies, sessions, tiny pools: single blocks here, runs of blocks in the engine.
TEST(Sharing, TheEnginesRunsAreTheseBlocksInRandomCases) {
  std::int64_t hits = 0, preemptions = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed, "sharing test");
    const auto below = [&](std::uint64_t n) { return static_cast<std::int64_t>(rng.below(n)); };
    SmallCase small = sharing_case();
    small.hashes.hash_tokens = std::int64_t{8} << below(4);  // a hash of half a block, to one of four
    small.hashes.lists.clear();
    small.requests.clear();
    small.sessions.clear();
    small.pool_tokens = (26 + below(60)) * 16;
    std::map<std::int32_t, std::int32_t> turns;  // tokens of a session so far
    for (std::uint64_t id = 0; id < 24; ++id) {
      Request r{below(40) * 2000, static_cast<std::int32_t>(1 + below(200)), static_cast<std::int32_t>(1 + below(60)),
                id};
      std::int32_t session = -1;
      if (rng.below(4) == 0) {
        session = static_cast<std::int32_t>(below(2));
        r.prompt_tokens = std::min(turns[session] + static_cast<std::int32_t>(below(60)) + 1, 300);
        if (r.prompt_tokens < turns[session]) session = -1;
        else turns[session] = r.prompt_tokens + r.output_tokens;
      } else if (rng.below(4) != 0) {
        r.content = static_cast<std::int32_t>(small.hashes.lists.size());
        small.hashes.lists.emplace_back();
        const std::int64_t most = r.prompt_tokens / small.hashes.hash_tokens;
        for (std::int64_t i = 0; i < most; ++i)
          small.hashes.lists.back().push_back(static_cast<std::uint64_t>(i) * 2 + (rng.below(8) == 0 ? 1 : 0));
      }
      small.requests.push_back(r);
      small.sessions.push_back(session);
    }
    for (const RunConfig& config : small.runs()) {
      SCOPED_TRACE(config.manager.name);
      const Replayed got = replay(config);
      EXPECT_EQ(got.wrong, 0);
      EXPECT_EQ(got.result.completed + got.result.rejected, small.requests.size());
      hits += got.result.prefix.hit_tokens;
      preemptions += static_cast<std::int64_t>(got.result.preemptions);
    }
  }
  EXPECT_GT(hits, 10'000);
  EXPECT_GT(preemptions, 50);
}

TEST(Sharing, AHitThatNoBlockHoldsIsABug) {
  std::vector<std::int32_t> table(8);
  BlockPool pool(4, 16, 2, 64, table, FreeOrder::unnamed_first);
  const std::vector<std::uint64_t> hashes = {7};
  const PlannedRequest a{0, 0, 33, 16, 17, false, true, {hashes, 16, 0, {}}};
  const std::vector<PlannedRequest> rows = {a};
  const std::vector<MemoryOp> now = {{MemoryOp::Kind::share, 0, -1, 0, 1}};
  EXPECT_THROW(pool.apply({0, 0, rows, now, {}, {}}), std::logic_error);
}

TEST(Sharing, TwoHoldOneBlockAndItStaysWhileOthersHaveNoContent) {
  using Kind = MemoryOp::Kind;
  std::vector<std::int32_t> table(12);
  BlockPool pool(4, 16, 3, 64, table, FreeOrder::unnamed_first);
  const std::vector<std::uint64_t> hashes = {7};
  const PromptContent content{hashes, 16, 0, {}};
  // 20 tokens, the first 16 of text 7: two blocks are taken.
  std::vector<PlannedRequest> rows = {{0, 0, 20, 0, 20, false, true, content}};
  std::vector<MemoryOp> now = {{Kind::share, 0, -1, 0, 0}, {Kind::take, no_sid, -1, 0, 2}, {Kind::name, 0, -1, 2, 1}};
  pool.apply({0, 0, rows, now, {}, {}});
  const std::int32_t prefix = table[0];
  // Another 20: one block is found, one taken.
  rows = {{1, 1, 20, 16, 4, false, true, content}};
  now = {{Kind::share, 1, -1, 0, 1}, {Kind::take, no_sid, -1, 0, 1}, {Kind::name, 1, -1, 2, 1}};
  pool.apply({1, 0, rows, now, {}, {}});
  EXPECT_EQ(table[4], prefix);
  EXPECT_EQ(pool.used(), 3);
  // Both leave: the prefix is kept for nobody; three blocks have no content and are taken first.
  rows = {{2, 2, 33, 0, 33, false, true, {}}};
  now = {{Kind::release, 0, -1, 0, 0}, {Kind::release, 1, -1, 0, 0}, {Kind::share, 2, -1, 0, 0},
         {Kind::take, no_sid, -1, 0, 3}};
  pool.apply({2, 0, rows, now, {}, {}});
  EXPECT_EQ(pool.used(), 3);
  EXPECT_EQ(pool.cached(), 1);
  for (int i = 8; i < 11; ++i) EXPECT_NE(table[static_cast<std::size_t>(i)], prefix);
}

TEST(Sharing, AWrittenOutWorkloadFindsWhatTheDrawnOneFinds) {
  ReplayOptions options;
  options.scenario = source_dir() + "/calibrate/validation/smoke.yaml";
  options.sets = {"workload={synthetic: {arrivals: burst, count: 24, prompt: 40, output: 9, "
                  "prefix: {tokens: 64, groups: 3}}}",
                  "managers=[{kind: paged, prefix_caching: true}]"};
  const Prepared p = prepare(options, "unused");
  const Scenario again = parse_scenario(resolved_yaml(p.scenario, "."), "again.yaml");
  const RunResult drawn = simulate(p.scenario.runs.front(), {}), written = simulate(again.runs.front(), {});
  EXPECT_GT(drawn.prefix.hit_tokens, 64 * 10);
  EXPECT_EQ(written.prefix.hit_tokens, drawn.prefix.hit_tokens);
  EXPECT_EQ(written.makespan_ns, drawn.makespan_ns);
}

}  // namespace
}  // namespace stowage::replay
