// Logs that the simulator itself makes, of random loads and times: read back they must give the same steps at the same
// times, however requests were preempted, chunked, found in the cache, or left waiting.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/rng.hpp"
#include "calibrate/engine_steps/compare.hpp"
#include "calibrate/engine_steps/replay.hpp"

namespace stowage {
namespace {
using namespace engine_steps;

struct Made {
  engine_steps::Setup setup;
  LoggedLoad load;
  std::vector<Timeline::Joined> joins;
  std::vector<StepTime> times;
};

/// Loads that come in bursts with pauses between them, pools and budgets that are tight.
Made make(Rng& rng) {
  const auto in = [&](std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(high - low + 1)));
  };
  Made m;
  m.setup.release = "0.24.0";
  m.setup.blocks = in(10, 30);
  m.setup.block_size = 8 << in(0, 2);
  m.setup.prefix_caching = rng.below(4) > 0;
  m.setup.nameless_first = rng.below(2) > 0;
  m.setup.scheduler = {in(1, 9), in(16, 150), 4096, true, rng.below(4) > 0, "vllm", rng.below(4) > 0};
  std::int64_t at = 0;
  for (std::size_t i = 0; i < 40; ++i) {
    LoggedRequest r;
    r.id = 100 + i;
    at += rng.below(3) > 0 ? in(0, 900'000) : rng.below(8) > 0 ? 0 : in(0, 60'000'000);
    r.arrival_ns = at;
    r.prompt_tokens = static_cast<std::int32_t>(in(1, std::min<std::int64_t>(150, m.setup.blocks * 8 / 2)));
    r.output_tokens = static_cast<std::int32_t>(in(1, 25));
    for (std::int64_t b = 0, group = in(1, 3) * 1000; b < std::min<std::int64_t>(r.prompt_tokens / 16, in(0, 9)); ++b)
      r.prefix.push_back(static_cast<std::uint64_t>(group + b));
    m.load.requests.push_back(r);
    m.joins.push_back({i, at});
  }
  for (std::size_t k = 0; k < 3000; ++k)
    m.times.push_back({in(0, 100) * 1000, in(0, 400) * 1000, in(0, 700) * 1000, in(500, 3000) * 1000});
  return m;
}

TEST(StepsProperty, OwnLogsAreReproduced) {
  Rng rng(20261201, "logs of steps");
  std::size_t steps = 0, preempted = 0, resumed = 0, hits = 0, alone = 0, synchronous = 0, cut = 0;
  for (int i = 0; i < 800; ++i) {
    SCOPED_TRACE(i);
    Made m = make(rng);
    const Replay made = replay(m.setup, m.load, m.joins, m.times, m.times.size());
    ASSERT_LT(made.steps.size(), m.times.size());
    m.load.steps = made.steps;
    m.load.steps_file = "made";
    const Timeline log = timeline_of(m.load, m.setup.scheduler.async_scheduling);
    ASSERT_EQ(made.rejected, 0u);
    for (std::size_t r = 0; r < m.load.requests.size(); ++r) {
      ASSERT_EQ(log.served[r].first_ns, made.served[r].first_ns) << r;
      ASSERT_EQ(log.served[r].last_ns, made.served[r].last_ns) << r;
    }
    const LoadComparison c = compare_steps({"made", m.setup, {m.load}}).loads.at(0);
    ASSERT_EQ(c.compared, made.steps.size());
    ASSERT_EQ(c.equal, c.compared) << c.first_difference->step << " " << c.first_difference->differences.at(0).what;
    std::vector<StepTime> times = log.times;
    for (StepTime& t : times) t.waking_ns = 0;
    const Replay again = replay(m.setup, m.load, log.joined, times, times.size());
    for (std::size_t k = 0; k < made.steps.size(); ++k) {
      ASSERT_EQ(again.steps[k].formed_ns, made.steps[k].formed_ns) << k;
      ASSERT_EQ(again.steps[k].ended_ns, made.steps[k].ended_ns) << k;
    }
    LoggedLoad part = m.load;
    part.steps.resize(1 + rng.below(part.steps.size()));
    const LoadComparison p = compare_steps({"made", m.setup, {part}}).loads.at(0);
    ASSERT_EQ(p.compared, part.steps.size());
    ASSERT_EQ(p.equal, p.compared) << "cut off";
    cut += p.unfinished > 0 ? 1 : 0;
    steps += c.compared;
    preempted += c.log.preemptions;
    resumed += c.log.resumed_hit_tokens > 0 ? 1 : 0;
    hits += c.log.hit_tokens > 0 ? 1 : 0;
    for (const StepTime& t : log.times) alone += t.launch_ns > 0 ? 1 : 0;
    synchronous += m.setup.scheduler.async_scheduling ? 0 : 1;
  }
  EXPECT_GT(cut, 300u);  // with somebody unfinished
  // What they are about did happen.
  EXPECT_GT(steps, 50'000u);
  EXPECT_GT(preempted, 500u);
  EXPECT_GT(resumed, 50u);
  EXPECT_GT(hits, 250u);
  EXPECT_GT(alone, 500u);
  EXPECT_GT(synchronous, 100u);
}
}  // namespace
}  // namespace stowage
