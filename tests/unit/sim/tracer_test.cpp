// What a run records for reports: by hand for a few requests, and against the run's own books for many.
#include <gtest/gtest.h>

#include <map>
#include <numeric>

#include "base/rng.hpp"
#include "sim/result.hpp"
#include "sim/run_config.hpp"
#include "sim/serve/simulate.hpp"

namespace stowage {
namespace {

class Memory final : public Workload {
 public:
  explicit Memory(std::vector<Request> requests) : requests_(std::move(requests)) {}
  [[nodiscard]] std::unique_ptr<RequestStream> open() const override { return std::make_unique<Stream>(requests_); }

 private:
  class Stream final : public RequestStream {
   public:
    explicit Stream(const std::vector<Request>& all) : all_(all) {}
    std::size_t read(std::span<Request> out) override {
      const std::size_t n = std::min(out.size(), all_.size() - at_);
      std::copy_n(all_.begin() + static_cast<std::ptrdiff_t>(at_), n, out.begin());
      at_ += n;
      return n;
    }

   private:
    const std::vector<Request>& all_;
    std::size_t at_ = 0;
  };
  std::vector<Request> requests_;
};

ManagerSpec paged(std::int64_t block) { return {"paged", "paged", {{"block_size", block}, {"watermark", 0.0}}}; }
ManagerSpec vattention() {
  return {"vattention",
          "vattention",
          {{"page", std::int64_t{2} << 20},
           {"layout", "per-layer"},
           {"mapping", "background"},
           {"lookahead", std::int64_t{9}},
           {"lookahead_blocks", std::int64_t{2}},
           {"reclaim", "deferred"}}};
}
ManagerSpec reserve() {
  return {"reserve", "reserve", {{"length", "max"}, {"space", "slots"}, {"min_block", std::int64_t{16}}}};
}

RunConfig config(ManagerSpec manager, std::int64_t pool_bytes, std::vector<Request> requests) {
  RunConfig c;
  c.kv = {.pool = Bytes{pool_bytes}, .bytes_per_token = Bytes{131072}, .layers = 32, .gpus = 1};
  c.cost = StepCost(StepCost::Linear{10e6, 0, 0, 0});  // every step 10 ms
  c.vmm = {.create_ns = 0, .map_ns = 1e3, .set_access_ns = 28e3, .unmap_ns = 18e3, .source = "test"};
  c.scheduler.max_model_len = 4096;
  c.workload = std::make_shared<Memory>(std::move(requests));
  c.manager = std::move(manager);
  return c;
}
RunResult run(const RunConfig& c, bool trace) {
  RunHooks hooks;
  hooks.trace = trace;
  return simulate(c, hooks);
}

std::vector<Request> many() {
  Rng rng(3, "tracer");
  std::vector<Request> out;
  double now = 0;
  for (std::uint64_t i = 0; i < 600; ++i) {
    out.push_back({static_cast<std::int64_t>(now), static_cast<std::int32_t>(20 + rng.exponential(600)),
                   static_cast<std::int32_t>(2 + rng.exponential(150)), i});
    out.back().prompt_tokens = std::min(out.back().prompt_tokens, 3000);
    out.back().output_tokens = std::min(out.back().output_tokens, 900);
    now += rng.exponential(40e6);
  }
  return out;
}

using Spans = std::vector<std::tuple<Phase, std::int64_t, std::int64_t>>;
Spans spans(const RequestTrace& r) {
  Spans out;
  for (const PhaseSpan& s : r.spans) out.emplace_back(s.phase, s.from_ns, s.to_ns);
  return out;
}

TEST(Tracer, PreemptionByHand) {
  // Blocks of 4 tokens, a pool of 5. Two requests of 8 + 9 tokens arrive at 0: each takes 2 blocks at 0, and gets its
  // first token at 10 ms. At 10 ms both want a third block (9 tokens) and one is free: the first takes it; the second,
  // last of running, is preempted. It comes back when the first has stored 16 tokens and ends: 9 tokens at 10, 20, ...,
  // 90 ms. Recomputing its 8 + 1 tokens takes 10 ms, and its tokens 2 to 9 come at 100, ..., 170 ms.
  const std::int64_t pool = 5 * 4 * std::int64_t{131072};
  const RunResult r = run(config(paged(4), pool, {{0, 8, 9, 0}, {0, 8, 9, 1}}), true);
  ASSERT_TRUE(r.trace);
  EXPECT_EQ(r.preemptions, 1U);
  constexpr std::int64_t ms = 1'000'000;
  ASSERT_EQ(r.trace->requests.size(), 2U);
  EXPECT_EQ(spans(r.trace->requests[0]),
            (Spans{{Phase::queue, 0, 0}, {Phase::prefill, 0, 10 * ms}, {Phase::decode, 10 * ms, 90 * ms}}));
  EXPECT_EQ(spans(r.trace->requests[1]), (Spans{{Phase::queue, 0, 0},
                                                {Phase::prefill, 0, 10 * ms},
                                                {Phase::decode, 10 * ms, 10 * ms},
                                                {Phase::preempted, 10 * ms, 90 * ms},
                                                {Phase::recompute, 90 * ms, 100 * ms},
                                                {Phase::decode, 100 * ms, 170 * ms}}));
  EXPECT_EQ(r.trace->iterations.size(), r.iterations);
}

void prompts_first(RunConfig& c) {
  c.scheduler.policy = "prefill-first";
  c.scheduler.chunked_prefill = false;
}

void expect_no_change(const RunConfig& c) {
  const RunResult with = run(c, true), without = run(c, false);
  EXPECT_FALSE(without.trace);
  EXPECT_EQ(with.makespan_ns, without.makespan_ns) << c.manager.name;
  EXPECT_EQ(with.iterations, without.iterations);
  EXPECT_EQ(with.preemptions, without.preemptions);
  EXPECT_EQ(with.mean_fraction, without.mean_fraction);
  EXPECT_EQ(with.vmm.map_calls, without.vmm.map_calls);
  EXPECT_EQ(with.vmm.stall_ns, without.vmm.stall_ns);
  EXPECT_EQ(with.tbt_ns.sum(), without.tbt_ns.sum());
  EXPECT_EQ(with.peak_committed_bytes, without.peak_committed_bytes);
}

TEST(Tracer, ChangesNoResult) {
  for (const ManagerSpec& m : {paged(16), vattention(), reserve()}) {
    RunConfig c = config(m, std::int64_t{3} << 30, many());
    expect_no_change(c);
    prompts_first(c);
    expect_no_change(c);
  }
}

void expect_lives_and_stalls_of_the_books(const RunConfig& c) {
  std::map<std::uint64_t, RequestRecord> records;
  RunHooks hooks;
  hooks.trace = true;
  hooks.on_request = [&](const RequestRecord& r) { records.emplace(r.id, r); };
  const RunResult r = simulate(c, hooks);
  ASSERT_GT(r.preemptions, 0U) << "the case must be hard enough to say something";
  ASSERT_GT(r.vmm.stalled_iterations, 0U);
  EXPECT_EQ(r.trace->stall_ns.count(), r.vmm.stalled_iterations);
  EXPECT_EQ(r.trace->stall_ns.sum(), static_cast<unsigned __int128>(r.vmm.stall_ns));
  EXPECT_EQ(r.trace->requests.size(), RunTrace::max_requests);
  for (const RequestTrace& t : r.trace->requests) {
    const RequestRecord& record = records.at(t.id);
    EXPECT_EQ(t.spans.front().from_ns, record.arrival_ns - r.first_arrival_ns);
    EXPECT_EQ(t.spans[0].to_ns, record.first_scheduled_ns - r.first_arrival_ns);
    EXPECT_EQ(t.spans.back().to_ns, record.finished_ns - r.first_arrival_ns);
    std::int32_t preemptions = 0;
    for (std::size_t i = 0; i < t.spans.size(); ++i) {
      if (i > 0) { EXPECT_EQ(t.spans[i].from_ns, t.spans[i - 1].to_ns) << "no gap"; }
      EXPECT_LE(t.spans[i].stalled_ns, t.spans[i].to_ns - t.spans[i].from_ns);
      preemptions += t.spans[i].phase == Phase::preempted ? 1 : 0;
    }
    EXPECT_EQ(preemptions, record.preemptions);
  }
  // The exemplars stand where the percentiles stand, within two buckets' width.
  const auto first_token = [&](const RequestTrace& t) {
    const RequestRecord& record = records.at(t.id);
    return static_cast<double>(record.first_token_ns - record.arrival_ns);
  };
  EXPECT_NEAR(first_token(r.trace->median), r.ttft_ns.quantile(0.5), 0.008 * r.ttft_ns.quantile(0.5));
  EXPECT_NEAR(first_token(r.trace->worst), r.ttft_ns.quantile(0.99), 0.008 * r.ttft_ns.quantile(0.99));
}

TEST(Tracer, LivesAndStallsAgreeWithTheBooks) {
  RunConfig c = config(vattention(), std::int64_t{3} << 30, many());
  expect_lives_and_stalls_of_the_books(c);
  prompts_first(c);
  expect_lives_and_stalls_of_the_books(c);
}

TEST(Tracer, OccupancyIsBoundedAndAgreesWithTheMeans) {
  std::vector<RunConfig> configs;
  for (const ManagerSpec& m : {paged(16), vattention(), reserve()})
    configs.push_back(config(m, std::int64_t{3} << 30, many()));
  configs.push_back(configs.front());
  prompts_first(configs.back());
  for (const RunConfig& c : configs) {
    const ManagerSpec& m = c.manager;
    const RunResult r = run(c, true);
    const auto& columns = r.trace->occupancy;
    ASSERT_GT(columns.size(), RunTrace::max_columns / 3) << m.name;
    ASSERT_LE(columns.size(), RunTrace::max_columns);
    EXPECT_EQ(r.trace->occupancy_by_address, m.kind == "reserve");
    // Time-weighted over the columns, what holds tokens is about what the exact books say: within 4 % of the pool.
    std::array<double, 3> sum{};
    for (std::size_t i = 0; i < columns.size(); ++i) {
      ASSERT_EQ(columns[i].cells.size(), RunTrace::occupancy_rows);
      if (i > 0) { ASSERT_GT(columns[i].at_ns, columns[i - 1].at_ns); }
      const std::int64_t until = i + 1 < columns.size() ? columns[i + 1].at_ns : r.makespan_ns;
      for (const auto& cell : columns[i].cells) {
        EXPECT_LE(cell[0] + cell[1] + cell[2], 17) << "rounding apart, a piece is full at 15";
        for (std::size_t k = 0; k < 3; ++k) {
          sum[k] += cell[k] / 15.0 / double(RunTrace::occupancy_rows) * double(until - columns[i].at_ns);
        }
      }
    }
    const double span = static_cast<double>(r.makespan_ns);
    const auto& f = r.mean_fraction;
    EXPECT_NEAR(sum[0] / span, f[0], 0.04) << m.name;
    EXPECT_NEAR(sum[1] / span, f[1] + f[2], 0.04) << m.name;
    EXPECT_NEAR(sum[2] / span, f[3], 0.04) << m.name;
  }
}
}  // namespace
}  // namespace stowage
