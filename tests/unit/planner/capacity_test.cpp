// The sustained rate against queueing theory: one server, constant service, Poisson arrivals.
#include "planner/capacity.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "planner/batch_means.hpp"
#include "planner/bound.hpp"
#include "sim/kv/registry.hpp"
#include "sim/serve/simulate.hpp"
#include "tests/unit/planner/helpers.hpp"

namespace stowage {
namespace {
using testing::TempFolder;

/// Requests of one token in one step of 10 ms, one at a time: M/D/1 with D = 10 ms.
Workbench md1(const TempFolder& folder, const std::string& slo, const std::string& output = "1") {
  return set_up(testing::study_of(folder, R"(
scenario:
  model: llama-3-8b
  hardware: h100-sxm-80gb
  memory: {kv_pool: 8GiB}
  workload: {synthetic: {rate: 50/s, count: 200000, prompt: 1, output: )" +
                                              output + R"(}}
  scheduler: {max_batch: 1}
  cost: {source: linear, base: 10ms}
  managers: [{kind: paged}]
slo: {)" + slo + R"(}
probe: {requests: 200000, precision: 0.5%}
)"),
                1);
}

double sustained(const Workbench& bench) {
  return find_capacity(bench.candidates[0].config(), bench.requests, bench.brief, bench.study.plan.slo,
                       bench.study.plan.precision, {})
      .rate_per_s;
}

/// P(wait <= t) of M/D/1 (Erlang 1909): (1 - rho) sum over k <= t/D of (-rho (t/D - k))^k / k! e^(rho (t/D - k)).
double md1_wait_cdf(double rho, double t_over_d) {
  double sum = 0;
  for (int k = 0; k <= static_cast<int>(t_over_d); ++k) {
    const double x = rho * (t_over_d - k);
    sum += std::exp(k * std::log(std::max(x, 1e-300)) - std::lgamma(k + 1) + x) * (k % 2 == 0 ? 1 : -1);
  }
  return (1 - rho) * sum;
}

TEST(Capacity, MeanWaitOfMD1) {
  const TempFolder folder;
  // Mean wait = rho D / (2 (1 - rho)) = 20 ms = 2 D  =>  rho = 4 / 5  =>  80 requests/s.
  EXPECT_NEAR(sustained(md1(folder, "queue_mean: 20ms")), 80.0, 1.0);
}

TEST(Capacity, PercentileOfMD1) {
  const TempFolder folder;
  // First token = wait + D, so a p95 of 60 ms is a p95 wait of 5 D. The rho where Erlang's formula gives 0.95:
  double low = 0.1, high = 0.99;
  while (high - low > 1e-6) (md1_wait_cdf((low + high) / 2, 5) > 0.95 ? low : high) = (low + high) / 2;
  EXPECT_GT(low, 0.6);
  EXPECT_NEAR(sustained(md1(folder, "ttft_p95: 60ms")), low * 100, 1.5);
}

TEST(Capacity, SaturationIsNotAveragedOver) {
  const TempFolder folder;
  // Any wait is allowed: only the queue that grows for ever limits the rate, just under 1 / D = 100 requests/s.
  const double rate = sustained(md1(folder, "queue_mean: 10min"));
  EXPECT_GT(rate, 97.0);
  EXPECT_LE(rate, 101.0);
}

/// 1,000 requests a second apart, each served alone in 10 ms; request 700 comes `close_s` after the one before. Nobody
/// may wait more than 0.5 ms: a gap of 9.5 ms at least, so that the highest rate is close_s / 9.5 ms. The bound is
/// 100/s. An estimate goes by the first 500 requests, of which none waits below 100/s.
Workbench one_close_pair(const TempFolder& folder, double close_s) {
  std::string requests;
  for (int i = 0; i < 1000; ++i)
    requests += fmt::format("{}{{at: {:.7f}s, prompt: 1, output: 1}}", i == 0 ? "" : ", ",
                            i == 700 ? 699 + close_s : static_cast<double>(i));
  return set_up(testing::study_of(folder, R"(
scenario:
  model: llama-3-8b
  hardware: h100-sxm-80gb
  memory: {kv_pool: 8GiB}
  workload: {requests: [)" + requests + R"(]}
  scheduler: {max_batch: 1}
  cost: {source: linear, base: 10ms}
  managers: [{kind: paged}]
slo: {ttft_max: 10.5ms}
probe: {requests: 1000, precision: 1%}
)"),
                1);
}

TEST(Capacity, IsFoundAnywhereOnTheGrid) {
  const TempFolder folder;
  for (const double close_s : {0.9, 0.1, 1e-3, 1e-4, 4e-5, 2e-5, 1.1e-5}) {
    const Workbench bench = one_close_pair(folder, close_s);
    const Capacity c = find_capacity(bench.candidates[0].config(), bench.requests, bench.brief, bench.study.plan.slo,
                                     bench.study.plan.precision, {});
    const double highest = close_s / 0.0095;
    EXPECT_LE(c.rate_per_s, highest * 1.0001);
    EXPECT_GT(c.rate_per_s, highest / 1.01 * 0.9999);
    // The next rate of the grid is the one that fails.
    ASSERT_TRUE(c.at && c.beyond);
    EXPECT_NEAR(c.beyond->rate_per_s / c.rate_per_s, 1.01, 1e-9);
  }
}

TEST(Capacity, SlowerThanAHundredThousandthOfTheBoundIsNothing) {
  const TempFolder folder;
  const Workbench bench = one_close_pair(folder, 9e-6);
  EXPECT_EQ(sustained(bench), 0);
}

TEST(Capacity, BoundCountsWhatIsStoredBeforeEachToken) {
  const TempFolder folder;
  // A prompt of 6 and 4 outputs: the second to the fourth are decoded with 6, 7 and 8 tokens stored before them. At
  // 1 us a stored token that is 21 us a request; a prompt token costs nothing here.
  const Workbench bench = set_up(testing::study_of(folder, R"(
scenario:
  model: llama-3-8b
  hardware: h100-sxm-80gb
  memory: {kv_pool: 8GiB}
  workload: {synthetic: {rate: 50/s, count: 100, prompt: 6, output: 4}}
  cost: {source: linear, per_kv_token: 1us}
  managers: [{kind: paged}]
slo: {queue_mean: 1min}
)"),
                                 1);
  EXPECT_NEAR(rate_bound(bench.candidates[0].config(), bench.requests), 1e6 / 21, 1e-6);
}

/// What a bound forgets to allow for shows where a replica runs one request after the other without a pause: it then
/// serves as many a second as there is work, and no bound may be below that.
TEST(Capacity, NoBoundIsBelowWhatAReplicaServes) {
  const TempFolder folder;
  for (const char* cost : {"linear, base: 3ms", "linear, per_prefill_token: 50us, per_decode_seq: 2ms",
                           "linear, per_kv_token: 9us", "profile", "roofline"})
    for (const char* batch : {"1", "16"}) {
      const Workbench bench =
          set_up(testing::study_of(folder, fmt::format(R"(
scenario:
  model: llama-3-8b
  hardware: h100-sxm-80gb
  memory: {{kv_tokens: 40000}}
  workload: {{synthetic: {{rate: 50/s, count: 300, prompt: {{uniform: {{min: 1, max: 3000}}}}, output: 9}}}}
  scheduler: {{max_batch: {}, max_batched_tokens: 4096, max_model_len: 4096}}
  cost: {{source: {}}}
  managers: [{{kind: paged}}, {{kind: reserve, length: oracle}}]
slo: {{queue_mean: 1min}}
)",
                                                       batch, cost)),
                 1);
      for (const Candidate& c : bench.candidates) {
        RunConfig run = c.config();
        std::vector<Request> burst = *bench.requests.rows;  // all there at once
        for (Request& r : burst) r.arrival_ns = 0;
        const RequestSet set = request_set(burst);
        run.workload = at_rate(set, 1);
        const RunResult served = simulate(run, {});
        ASSERT_EQ(served.completed, burst.size());
        EXPECT_LE(served.requests_per_s(), rate_bound(c.config(), set) * (1 + 1e-9))
            << cost << ", batches of " << batch << ", " << c.kind;
      }
    }
}

TEST(Capacity, BoundIsTheWorkOfTheRequests) {
  const TempFolder folder;
  // One at a time, 10 ms a step: an output of 4 is one prefill and 3 decode steps, 40 ms: at most 25 requests/s.
  const Workbench bench = md1(folder, "queue_mean: 20ms", "4");
  EXPECT_NEAR(rate_bound(bench.candidates[0].config(), bench.requests), 25.0, 1e-9);
}

TEST(Capacity, BoundKnowsThePool) {
  const TempFolder folder;
  // 10 ms a step, an output of 4 after a prompt of 6: 4 turns, with 6, 7, 8 and 9 tokens stored, in a pool of 90.
  const auto bound = [&](const std::string& manager) {
    const Workbench bench = set_up(testing::study_of(folder, R"(
scenario:
  model: llama-3-8b
  hardware: h100-sxm-80gb
  memory: {kv_tokens: 90}
  workload: {synthetic: {rate: 50/s, count: 1000, prompt: 6, output: 4}}
  scheduler: {max_batch: 64, max_model_len: 30}
  cost: {source: linear, base: 10ms}
  managers: [)" + manager + R"(]
slo: {queue_mean: 1min}
)"),
                                   1);
    return rate_bound(bench.candidates[0].config(), bench.requests);
  };
  // Regions of 30, three at once: 4 x 30 / 90 steps a request. Blocks of 8: 8, 8, 8 and 16 tokens, 40 / 90 steps.
  EXPECT_NEAR(bound("{kind: reserve}"), 100 / (120.0 / 90), 1e-9);
  EXPECT_NEAR(bound("{kind: paged, block_size: 8}"), 100 / (40.0 / 90), 1e-9);
  // What is stored at the end, whatever the space takes to hold it: 4 x 9.
  EXPECT_NEAR(bound("{kind: reserve, length: oracle}"), 100 / (36.0 / 90), 1e-9);
}

TEST(Capacity, AnImpossibleTargetSustainsNothing) {
  const TempFolder folder;
  const Workbench bench = md1(folder, "ttft_p50: 9ms");  // a step alone takes 10
  const Capacity c =
      find_capacity(bench.candidates[0].config(), bench.requests, bench.brief, bench.study.plan.slo, 0.01, {});
  EXPECT_EQ(c.rate_per_s, 0);
  ASSERT_TRUE(c.beyond);
  EXPECT_EQ(c.beyond->binding(), "ttft_p50");
}

TEST(Capacity, StoppingWhenAMissIsCertainNeverChangesTheVerdict) {
  const TempFolder folder;
  const Workbench bench = md1(folder, "ttft_p99: 80ms, goodput: {share: 95%, ttft: 70ms, e2e: 90ms}");
  for (const double rate : {40.0, 60.0, 66.0, 68.0, 70.0, 72.0, 75.0, 80.0, 99.0, 150.0}) {
    const auto& config = bench.candidates[0].config();
    const auto& slo = bench.study.plan.slo;
    EXPECT_EQ(run_probe(config, bench.requests, rate, slo, {true}).met,
              run_probe(config, bench.requests, rate, slo, {false}).met)
        << rate;
  }
}

TEST(Capacity, AFleetIsSimulatedBehindItsRouter) {
  const TempFolder folder;
  const Workbench bench = md1(folder, "ttft_p99: 100ms");
  const auto& config = bench.candidates[0].config();
  const auto at = [&](RunConfig run, double rate) {
    return run_probe(run, bench.requests, rate, bench.study.plan.slo, {false});
  };
  const Probe one = at(config, 60), two = at(fleet_of(config, 2), 120);
  EXPECT_EQ(two.requests, one.requests);
  // Every second arrival of a Poisson stream comes more regularly than a Poisson stream: waits are shorter.
  EXPECT_LT(two.targets[0].achieved, one.targets[0].achieved);
  EXPECT_NEAR(two.requests_per_s, 120, 1);
  // A coin for each request makes two Poisson streams of it: waits as of one replica with half the requests. (To look
  // at the queues would not help: with services all alike nothing beats taking turns.)
  RunConfig by_chance = fleet_of(config, 2);
  by_chance.fleet.router = "random";
  EXPECT_NEAR(at(by_chance, 120).targets[0].achieved, one.targets[0].achieved, 0.15 * one.targets[0].achieved);
}

TEST(BatchMeans, OfKnownNumbers) {
  // Two batches with means 1 and 3: mean 2, s = sqrt(2), half width = 12.706 x sqrt(2) / sqrt(2) = 12.706.
  const std::vector<double> values = {1, 1, 3, 3};
  EXPECT_DOUBLE_EQ(batch_means(values, 2).mean, 2);
  EXPECT_NEAR(batch_means(values, 2).half_width, 12.706, 1e-9);
  EXPECT_TRUE(std::isinf(batch_means(std::vector<double>{1, 2}, 20).half_width));
}

TEST(BatchMeans, WarmUpIsCutWhenItIsTooGoodAndKeptWhenItIsLoad) {
  std::vector<double> values(1000, 10.0);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] += static_cast<double>(i % 7);
  auto slow_start = values, burst = values;
  for (std::size_t i = 0; i < 100; ++i) {
    slow_start[i] = 1;
    burst[i] = 100;
  }
  EXPECT_GE(warm_up(slow_start), 100U);
  EXPECT_LE(warm_up(slow_start), 125U);
  EXPECT_EQ(warm_up(burst), 0U);
  EXPECT_LE(warm_up(values), 200U);
}

TEST(BatchMeans, AQueueThatGrowsIsSaturatedAndASteadyOneIsNot) {
  std::vector<Sample> steady, growing;
  for (int i = 0; i < 2000; ++i) {
    Sample s;
    s.arrival_ns = i * 1'000'000LL;
    s.e2e_ns = 50'000'000 + (i % 13) * 1'000'000LL;
    steady.push_back(s);
    s.e2e_ns = 50'000'000 + i * 50'000LL;  // served 5 % more slowly than they come
    growing.push_back(s);
  }
  EXPECT_FALSE(is_saturated(steady));
  EXPECT_TRUE(is_saturated(growing));
}
}  // namespace
}  // namespace stowage
