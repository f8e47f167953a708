// The engine under an executor takes the same decisions as alone, and says what they are.
#include "sim/serve/executor.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/rng.hpp"
#include "sim/kv/registry.hpp"
#include "sim/kv/vattention_shape.hpp"
#include "sim/serve/simulate.hpp"
#include "tests/unit/sim/rows.hpp"

namespace stowage {
namespace {

ManagerSpec reserve(const std::string& length) {
  return {"reserve", "reserve", {{"length", length}, {"min_block", std::int64_t{16}}}};
}
ManagerSpec paged(std::int64_t block) { return {"paged", "paged", {{"block_size", block}, {"watermark", 0.0}}}; }
ManagerSpec vattention(const std::string& mapping, const std::string& reclaim, const std::string& layout) {
  return {"vattention",
          "vattention",
          {{"page", std::int64_t{4096}},
           {"layout", layout},
           {"mapping", mapping},
           {"lookahead", std::int64_t{9}},
           {"lookahead_blocks", std::int64_t{2}},
           {"reclaim", reclaim}}};
}

/// A pool tight enough to preempt; a page of 4 KiB holds 16 tokens of a layer.
RunConfig config_of(const ManagerSpec& manager, const std::string& policy, std::uint64_t seed) {
  RunConfig config;
  config.scheduler = {12, 96, 400, true, true, policy};
  if (policy != "vllm") config.scheduler = {12, 400, 400, false, true, policy};
  config.kv = {Bytes{60 * 16 * 1024}, Bytes{1024}, 2, 1};
  config.manager = manager;
  config.cost = StepCost(StepCost::Linear{100'000, 1'000, 500, 2});
  Rng rng(seed, "executor test");
  std::vector<Request> rows;
  std::int64_t at = 0;
  for (std::uint64_t id = 0; id < 60; ++id) {
    at += rng.below(3) == 0 ? static_cast<std::int64_t>(rng.below(4'000'000)) : 0;
    rows.push_back(
        {at, static_cast<std::int32_t>(1 + rng.below(150)), static_cast<std::int32_t>(1 + rng.below(120)), id});
  }
  config.workload = std::make_shared<Rows>(std::move(rows));
  return config;
}

/// Takes the cost model's time, follows every event, and checks that each scheduled token has memory.
class Follower final : public StepExecutor {
 public:
  explicit Follower(const RunConfig& config) : config_(config) {}
  void start(std::int64_t first_arrival_ns) override { idle_until_ns = first_arrival_ns; }
  void idle_until(std::int64_t arrival_ns) override { idle_until_ns = arrival_ns; }
  void finish(std::span<const MemoryOp> now, std::span<const MemoryOp> beside) override {
    follow(now);
    follow(beside);
    finished = true;
  }

  StepTiming run(const IterationPlan& plan) override {
    EXPECT_EQ(plan.index, iterations++);
    EXPECT_GE(plan.start_ns, idle_until_ns);  // the first arrival, or the one last slept for
    follow(plan.now);
    StepShape shape;
    bool chunk_seen = false;
    for (const PlannedRequest& r : plan.requests) {
      const auto known = stored_.find(r.sid);
      // A residency starts with nothing and goes on where the last iteration left it.
      EXPECT_EQ(r.stored, known == stored_.end() ? 0 : known->second);
      if (known != stored_.end()) { EXPECT_EQ(id_.at(r.sid), r.id); }
      id_[r.sid] = r.id;
      stored_[r.sid] = r.stored + r.count;
      EXPECT_FALSE(r.decoding && chunk_seen) << "decoders run before those still at their prompt";
      if (r.decoding) {
        EXPECT_EQ(r.count, 1);
        EXPECT_TRUE(r.completes);
        ++shape.decode_seqs;
        shape.decode_kv_tokens += r.stored;
      } else {
        chunk_seen = true;
        shape.prefill_tokens += r.count;
      }
      check_memory(r);
    }
    EXPECT_TRUE(config_.scheduler.policy == "vllm" || shape.prefill_tokens == 0 ||
                shape.decode_seqs == 0);
    const std::int64_t block = config_.manager.kind == "paged" ? config_.manager.integer("block_size") : 1;
    std::int64_t held_blocks = 0;  // of those that pause, too
    for (const auto& [sid, stored] : stored_) held_blocks += (stored + block - 1) / block;
    if (config_.manager.kind == "paged") { EXPECT_EQ(held_blocks * block * 1024, plan.occupancy.held); }
    follow(plan.beside);
    if (config_.manager.kind == "vattention") {
      const auto mapped = static_cast<std::int64_t>(maps - unmaps);
      EXPECT_EQ(mapped * vattention_block_bytes(config_), plan.occupancy.held + plan.occupancy.cached);
    }
    return {0, round_ns(config_.cost.ns(shape))};
  }

  std::uint64_t iterations = 0, maps = 0, unmaps = 0;
  std::int64_t idle_until_ns = 0;
  bool finished = false;

 private:
  void follow(std::span<const MemoryOp> events) {
    for (const MemoryOp& e : events) {
      if (e.kind == MemoryOp::Kind::release) {
        EXPECT_EQ(stored_.erase(e.sid), 1U);
        place_.erase(e.sid);
      } else if (e.kind == MemoryOp::Kind::place) {
        place_[e.sid] = e;
      } else {
        for (std::int64_t b = e.first; b < e.first + e.count; ++b)
          if (e.kind == MemoryOp::Kind::map)
            mapped_[e.slot].insert(b);
          else
            mapped_[e.slot].erase(b);
        (e.kind == MemoryOp::Kind::map ? maps : unmaps) += static_cast<std::uint64_t>(e.count);
      }
    }
  }
  void check_memory(const PlannedRequest& r) {
    if (config_.manager.kind == "paged") return;
    ASSERT_TRUE(place_.contains(r.sid));
    const MemoryOp& at = place_.at(r.sid);
    if (config_.manager.kind == "reserve") {
      EXPECT_GE(at.count, r.stored + r.count);
      return;
    }
    const std::int64_t per_page = vattention_page_tokens(config_);
    // Taking a slot over from a release is unmapped late (`beside`) but counted at once: look at the count alone.
    if (config_.manager.choice("reclaim") == "eager") return;
    for (std::int64_t t = 0; t < r.stored + r.count; t += per_page)
      EXPECT_TRUE(mapped_[at.slot].contains(t / per_page)) << "token " << t << " of request " << r.id;
  }

  const RunConfig& config_;
  std::map<Sid, std::int64_t> stored_;
  std::map<Sid, std::uint64_t> id_;
  std::map<Sid, MemoryOp> place_;
  std::map<std::int64_t, std::set<std::int64_t>> mapped_;
};

class UnderAnExecutor : public testing::TestWithParam<ManagerSpec> {};

TEST_P(UnderAnExecutor, DecisionsAreThoseOfTheSimulation) {
  std::uint64_t preemptions = 0;
  for (std::uint64_t seed = 1; seed <= 16; ++seed) {
    const std::string policy = seed <= 8 ? "vllm" : "prefill-first";
    const RunConfig config = config_of(GetParam(), policy, seed);
    const RunResult alone = simulate(config, {});
    Follower follower(config);
    RunHooks hooks;
    hooks.executor = &follower;
    const RunResult with = simulate(config, hooks);
    EXPECT_TRUE(follower.finished);
    EXPECT_EQ(follower.iterations, alone.iterations);
    EXPECT_EQ(with.makespan_ns, alone.makespan_ns);
    EXPECT_EQ(with.preemptions, alone.preemptions);
    EXPECT_EQ(with.peak_committed_bytes, alone.peak_committed_bytes);
    EXPECT_EQ(with.peak_live_bytes, alone.peak_live_bytes);
    EXPECT_EQ(with.mean_fraction, alone.mean_fraction);
    EXPECT_EQ(with.vmm.map_calls, alone.vmm.map_calls);
    EXPECT_EQ(with.vmm.unmap_calls, alone.vmm.unmap_calls);
    EXPECT_EQ(with.ttft_ns.mean(), alone.ttft_ns.mean());
    EXPECT_EQ(with.tbt_ns.max(), alone.tbt_ns.max());
    if (config.manager.kind == "vattention") {
      const auto tensors = static_cast<std::uint64_t>(vattention_tensors(config));
      EXPECT_EQ(follower.maps * tensors, alone.vmm.map_calls);
      EXPECT_EQ(follower.unmaps * tensors, alone.vmm.unmap_calls);
    }
    preemptions += alone.preemptions;
  }
  if (GetParam().kind != "reserve") { EXPECT_GT(preemptions, 0U); }
}

INSTANTIATE_TEST_SUITE_P(Managers, UnderAnExecutor,
                         testing::Values(reserve("max"), reserve("pow2"), reserve("oracle"), paged(16), paged(1),
                                         vattention("background", "deferred", "per-layer"),
                                         vattention("background", "eager", "per-layer"),
                                         vattention("sync", "deferred", "sliced"),
                                         vattention("sync", "eager", "per-layer")));

/// Writes down what is decided about memory.
class Listener final : public StepExecutor {
 public:
  void start(std::int64_t) override {}
  void idle_until(std::int64_t) override {}
  void finish(std::span<const MemoryOp> now, std::span<const MemoryOp>) override { add(now); }
  StepTiming run(const IterationPlan& plan) override {
    add(plan.now);
    for (const PlannedRequest& r : plan.requests)
      if (!r.decoding) heard.back() += " [" + std::to_string(r.content.hashes.size()) + "]";
    return {0, 1000};
  }
  std::vector<std::string> heard;  // of each iteration

 private:
  void add(std::span<const MemoryOp> ops) {
    heard.emplace_back();
    for (const MemoryOp& op : ops) {
      const auto n = [](auto x) { return " " + std::to_string(x); };
      switch (op.kind) {
        case MemoryOp::Kind::share: heard.back() += " share" + n(op.sid) + n(op.count); break;
        case MemoryOp::Kind::take: heard.back() += " take" + n(op.count); break;
        case MemoryOp::Kind::name: heard.back() += " name" + n(op.sid) + n(op.first) + n(op.count); break;
        case MemoryOp::Kind::release: heard.back() += " release" + n(op.sid); break;
        default: heard.back() += " ?";
      }
    }
  }
};

TEST(PrefixesUnderAnExecutor, BlocksAreFoundTakenAndNamedInTheOrderOfTheDecisions) {
  RunConfig config = config_of(paged(4), "vllm", 1);
  config.manager.params["prefix_caching"] = std::int64_t{1};
  config.manager.params["free_order"] = std::string("nameless_first");
  // Prompts of 6 tokens, the first 4 of text 7: two blocks each, of which the second request finds one.
  config.workload = std::make_shared<Rows>(std::vector<Request>{{0, 6, 4, 0, 0, 0}, {0, 6, 1, 1, 0, 0}});
  Listener listener;
  RunHooks hooks;
  hooks.executor = &listener;
  const RunResult result = simulate(config, hooks);
  EXPECT_EQ(result.prefix.hit_tokens, 4);
  const std::vector<std::string> expected = {
      " share 0 0 take 2 name 0 2 1 share 1 1 take 1 name 1 2 1 [1] [1]",
      " name 1 2 1 release 1",  // it had one output
      "",                       // 8 tokens of the first: its second block is full
      " take 1",                // the 9th, which a decoder takes without being asked
      " name 0 3 2 release 0"}; // 9 stored tokens, and an output that is not stored: two whole blocks
  EXPECT_EQ(listener.heard, expected);
}
}  // namespace
}  // namespace stowage
