// The replay's books without a GPU: what the real managers would do, done by fakes that check every step.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <set>

#include "gpu_probe/replay/block_pool.hpp"
#include "gpu_probe/replay/measured.hpp"
#include "gpu_probe/replay/page_book.hpp"
#include "gpu_probe/replay/setup.hpp"
#include "gpu_probe/replay/small_case.hpp"
#include "gpu_probe/replay/token_book.hpp"
#include "sim/kv/vattention_shape.hpp"
#include "sim/serve/simulate.hpp"
#include "tests/support/source_dir.hpp"

namespace stowage::replay {
namespace {

/// The driver as it is: a page is mapped where nothing is, and never taken away from a running iteration's tokens.
class FakePages final : public PageCalls {
 public:
  void map(std::int64_t slot, std::int64_t block, std::int64_t physical) override {
    EXPECT_TRUE(mapped.emplace(std::pair{slot, block}, physical).second);
    EXPECT_TRUE(in_use.insert(physical).second) << "one page at two places";
    ++maps;
  }
  void unmap(std::int64_t slot, std::int64_t block) override {
    const auto it = mapped.find({slot, block});
    ASSERT_NE(it, mapped.end());
    EXPECT_FALSE(touched.contains({slot, block})) << "unmapped under a running iteration";
    in_use.erase(it->second);
    mapped.erase(it);
    ++unmaps;
  }
  std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t> mapped;
  std::set<std::int64_t> in_use;
  std::set<std::pair<std::int64_t, std::int64_t>> touched;
  std::uint64_t maps = 0, unmaps = 0;
};

/// Serves with fakes: tokens are a function of the request and the position, so preempted ones recompute the same.
class FakeSession final : public StepExecutor {
 public:
  explicit FakeSession(const RunConfig& config) : config_(config), tokens_(config.scheduler.max_batch, 1000, 5) {
    const auto& s = config.scheduler;
    const std::int64_t pool = config.kv.pool.count();
    if (config.manager.kind == "paged") {
      const std::int64_t block = config.manager.integer("block_size");
      table_.resize(static_cast<std::size_t>(s.max_batch * BlockPool::row_length(block, s.max_model_len)));
      pool_.emplace(pool / (block * config.kv.bytes_per_token.count()), block, s.max_batch, s.max_model_len, table_);
    }
    if (config.manager.kind == "vattention") {
      const std::int64_t page = vattention_page_tokens(config);
      book_.emplace(pool / vattention_block_bytes(config), s.max_batch, (s.max_model_len + page - 1) / page, pages);
    }
  }
  void start(std::int64_t) override {}
  void idle_until(std::int64_t) override {}
  void finish(std::span<const MemoryOp> now, std::span<const MemoryOp> beside) override {
    if (!book_) return;
    pages.touched.clear();
    book_->apply_now(now, beside);
    book_->run_beside();
  }
  StepTiming run(const IterationPlan& plan) override {
    if (pool_) check_blocks(plan);
    if (book_) check_pages(plan);
    const probe::StepBatch& batch = tokens_.batch(plan);
    std::size_t rows = 0;
    bool longer = false;
    for (const probe::StepRequest& r : batch.requests) {
      EXPECT_FALSE(longer && r.count == 1) << "requests with one new token come first";
      longer = longer || r.count > 1;
      rows += static_cast<std::size_t>(r.count);
    }
    EXPECT_EQ(batch.requests.size(), plan.requests.size());
    EXPECT_EQ(batch.tokens.size(), rows);
    std::vector<std::int32_t> sampled(static_cast<std::size_t>(config_.scheduler.max_batch), -7);
    for (const PlannedRequest& r : plan.requests)
      sampled[static_cast<std::size_t>(r.sid)] = prompt_token(99, r.id, r.stored + r.count, 1000);
    tokens_.sampled(plan, sampled);
    // Anything but the cost model's time: offline schedules must not depend on it.
    return {0, static_cast<std::int64_t>(1000 + plan.index * 7919 % 5000)};
  }
  [[nodiscard]] const TokenBook& tokens() const { return tokens_; }
  FakePages pages;

 private:
  void check_blocks(const IterationPlan& plan) {
    pool_->apply(plan);
    EXPECT_EQ(pool_->used() * config_.manager.integer("block_size") * config_.kv.bytes_per_token.count(),
              plan.occupancy.held);
    std::set<std::int32_t> seen;
    for (const PlannedRequest& r : plan.requests)
      for (std::int64_t b = 0; b < pool_->blocks_of(r.sid); ++b)
        EXPECT_TRUE(seen.insert(pool_->table()[static_cast<std::size_t>(r.sid * pool_->row_blocks() + b)]).second)
            << "one block for two";
  }
  void check_pages(const IterationPlan& plan) {
    pages.touched.clear();  // the iteration before is over
    book_->apply_now(plan.now, plan.beside);
    const std::int64_t page = vattention_page_tokens(config_);
    for (const PlannedRequest& r : plan.requests)
      for (std::int64_t b = 0; b * page < r.stored + r.count; ++b) {
        const std::pair at{book_->slot_of(r.sid), b};
        EXPECT_TRUE(pages.mapped.contains(at)) << "request " << r.id << " has no memory for its tokens";
        EXPECT_TRUE(pages.touched.insert(at).second) << "two requests in one slot";
      }
    book_->run_beside();
    EXPECT_EQ(book_->mapped() * vattention_block_bytes(config_), plan.occupancy.held + plan.occupancy.cached);
  }

  const RunConfig& config_;
  TokenBook tokens_;
  std::vector<std::int32_t> table_;
  std::optional<BlockPool> pool_;
  std::optional<PageBook> book_;
};

TEST(Replay, SmallCasesHaveOneScheduleWhateverTheManagerAndTheClock) {
  for (const SmallCase& small : small_cases()) {
    std::optional<std::pair<std::uint64_t, std::map<std::uint64_t, std::vector<std::int32_t>>>> first;
    for (const RunConfig& config : small.runs()) {
      SCOPED_TRACE(small.name + ", " + config.manager.name);
      FakeSession session(config);
      RunHooks hooks;
      hooks.executor = &session;
      const RunResult result = simulate(config, hooks);
      const RunResult simulated = simulate(config, {});
      EXPECT_EQ(result.completed, small.requests.size());
      EXPECT_EQ(result.preemptions > 0, small.preempts);
      EXPECT_EQ(result.iterations, simulated.iterations);
      EXPECT_EQ(result.peak_committed_bytes, simulated.peak_committed_bytes);
      EXPECT_EQ(result.vmm.map_calls, simulated.vmm.map_calls);
      const auto tensors = config.manager.kind == "vattention" ? vattention_tensors(config) : 0;
      EXPECT_EQ(session.pages.maps * static_cast<std::uint64_t>(tensors), simulated.vmm.map_calls);
      EXPECT_EQ(session.pages.unmaps * static_cast<std::uint64_t>(tensors), simulated.vmm.unmap_calls);
      const auto sequences = session.tokens().sequences();
      ASSERT_EQ(sequences.size(), small.requests.size());
      for (const Request& r : small.requests)
        EXPECT_EQ(sequences.at(r.id).size(), static_cast<std::size_t>(r.prompt_tokens + r.output_tokens));
      if (!first) first.emplace(session.tokens().fingerprint(), sequences);
      EXPECT_EQ(session.tokens().fingerprint(), first->first) << "another order of tokens: another schedule";
      EXPECT_EQ(sequences, first->second);
    }
  }
}

TEST(Setup, AShrunkModelLiesBesideTheResultAndIsFoundThere) {
  const auto folder = std::filesystem::temp_directory_path() / ("stowage-replay-test-" + std::to_string(::getpid()));
  ReplayOptions options;
  options.scenario = source_dir() + "/calibrate/validation/smoke.yaml";
  options.layers = 4;
  options.managers = {"paged"};
  const Prepared p = prepare(options, folder.string());
  EXPECT_EQ(p.shape.layers, 4);
  EXPECT_EQ(p.scenario.model.layers, 4);
  EXPECT_EQ(p.scenario.runs.size(), 2U);  // of the kind asked for
  EXPECT_EQ(p.requests, 12U);
  const std::string yaml = resolved_yaml(p.scenario, folder.string());
  EXPECT_NE(yaml.find("model: model-4-layers.yaml\n"), std::string::npos) << yaml;
  EXPECT_EQ(parse_scenario(yaml, (folder / "measured.json").string()).model.layers, 4);
  std::filesystem::remove_all(folder);
}

TEST(Setup, WhatCannotBeRunForRealIsSaid) {
  const auto why = [](const std::vector<std::string>& sets) {
    ReplayOptions options;
    options.scenario = source_dir() + "/calibrate/validation/smoke.yaml";
    options.sets = sets;
    try {
      static_cast<void>(prepare(options, "unused"));
    } catch (const std::exception& e) { return std::string(e.what()); }
    return std::string("no error");
  };
  EXPECT_EQ(why({}), "no error");
  EXPECT_NE(why({"model=opt-13b"}).find("has no real counterpart"), std::string::npos) << why({"model=opt-13b"});
  EXPECT_NE(why({"cluster.tensor=2"}).find("one replica on one GPU"), std::string::npos);
  EXPECT_NE(why({"managers=[{kind: vattention, page: 64KiB}]"}).find("granularity"), std::string::npos);
  EXPECT_NE(why({"managers=[{kind: paged, block_size: 8}]"}).find("no attention kernel"), std::string::npos);
}

TEST(Setup, APoolThatWasGivenIsNeverCut) {
  ReplayOptions options;
  options.scenario = source_dir() + "/calibrate/validation/smoke.yaml";
  Prepared p = prepare(options, "unused");
  std::vector<std::string> notes;
  EXPECT_THROW(fit_pool(p, Bytes{512 << 20}, notes), InfeasibleError);
  p.pool_given = false;
  fit_pool(p, Bytes{512 << 20}, notes);  // 4,096 tokens of 128 KiB
  EXPECT_EQ(p.scenario.runs.front().kv.pool, Bytes{512 << 20});
  EXPECT_EQ(notes.size(), 1U);
}

TEST(BlockPool, FreedBlocksGoToTheEndOfTheQueueTailFirst) {
  std::vector<std::int32_t> table(8);
  BlockPool pool(4, 16, 2, 64, table);
  const PlannedRequest a{0, 0, 33, 0, 33, false, true};
  const std::vector<PlannedRequest> first = {a};
  pool.apply({0, 0, first, {}, {}, {}});  // ceil(33 / 16) = 3 blocks: 0, 1, 2
  EXPECT_EQ(pool.used(), 3);
  EXPECT_EQ(pool.table()[2], 2);
  const std::vector<MemoryOp> left = {{MemoryOp::Kind::release, 0, -1, 0, 0}};
  const PlannedRequest b{1, 1, 40, 0, 40, false, true};
  const std::vector<PlannedRequest> second = {b};
  pool.apply({1, 0, second, left, {}, {}});  // free: 3, then 2, 1, 0
  EXPECT_EQ(pool.used(), 3);
  EXPECT_EQ(pool.table()[4], 3);
  EXPECT_EQ(pool.table()[5], 2);
  EXPECT_EQ(pool.table()[6], 1);
  EXPECT_EQ(pool.first_row(), 1);  // what is sent: row 1, three columns
  EXPECT_EQ(pool.rows(), 1);
  EXPECT_EQ(pool.columns(), 3);
}

TEST(BlockPool, ANeedBeyondThePoolIsABugNotAWrongBlock) {
  std::vector<std::int32_t> table(4);
  BlockPool pool(2, 16, 1, 64, table);
  const std::vector<PlannedRequest> rows = {{0, 0, 33, 0, 33, false, true}};
  EXPECT_THROW(pool.apply({0, 0, rows, {}, {}, {}}), std::logic_error);
}

TEST(PageBook, WhatABatchTakesAtOnceOfMemoryJustReleasedIsUnmappedBeforeTheStep) {
  FakePages pages;
  PageBook book(2, 2, 2, pages);
  using Kind = MemoryOp::Kind;
  const std::vector<MemoryOp> fill = {{Kind::place, 0, 0, 0, 0}, {Kind::map, no_sid, 0, 0, 2}};
  book.apply_now(fill, {});
  // Released eagerly, both blocks queued; the next request takes the same slot and needs one of them now.
  const std::vector<MemoryOp> now = {
      {Kind::release, 0, -1, 0, 0}, {Kind::place, 1, 0, 0, 0}, {Kind::map, no_sid, 0, 0, 1}};
  const std::vector<MemoryOp> beside = {{Kind::unmap, no_sid, 0, 0, 2}};
  book.apply_now(now, beside);
  EXPECT_EQ(book.hurried(), 1U);
  EXPECT_EQ(book.mapped(), 2);  // block 0 mapped anew, block 1 still waits
  book.run_beside();
  EXPECT_EQ(book.mapped(), 1);
  EXPECT_EQ(pages.maps, 3U);
  EXPECT_EQ(pages.unmaps, 2U);
  book.reset();
  EXPECT_EQ(pages.mapped.size(), 0U);
}

TEST(PageBook, MappingWhatIsMappedIsABug) {
  FakePages pages;
  PageBook book(4, 1, 4, pages);
  const std::vector<MemoryOp> events = {{MemoryOp::Kind::map, no_sid, 0, 0, 1}};
  book.apply_now(events, {});
  EXPECT_THROW(book.apply_now(events, {}), std::logic_error);
}
}  // namespace
}  // namespace stowage::replay
