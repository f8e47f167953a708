// What the engine costs: iterations of a steady decode by batch size and manager, a production-like trace at a load the
// replica sustains and at four times it, a pool so tight that it preempts, and the set-up of one run. CPU time.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "models/cost/roofline.hpp"
#include "models/hardware/hardware.hpp"
#include "models/llm/model.hpp"
#include "sim/kv/registry.hpp"
#include "sim/result.hpp"
#include "sim/run_config.hpp"
#include "sim/serve/simulate.hpp"
#include "traces/workload.hpp"

namespace {
using namespace stowage;

/// Rows of the registry; those that take all of a request's memory at its admission may be left out.
std::vector<std::int64_t> every_manager(bool growing = false) {
  std::vector<std::int64_t> rows;
  for (std::size_t i = 0; i < managers().size(); ++i) {
    RunConfig config;
    config.kv = {Bytes{std::int64_t{1} << 34}, Bytes{131072}, 32, 1};
    config.manager = manager_spec(managers()[i]);
    if (!growing || !managers()[i].least_held(config).whole_life) rows.push_back(static_cast<std::int64_t>(i));
  }
  return rows;
}

/// Llama-3.1-8B on one H100 at roofline prices.
RunConfig replica(int which, Bytes pool) {
  static const StepCost cost = compile_roofline(load_model("llama-3.1-8b"), load_hardware("h100-sxm-80gb"), 1, 8192);
  RunConfig config;
  config.scheduler.max_model_len = 16384;
  config.kv = {pool, Bytes{131072}, 32, 1};
  config.manager = manager_spec(managers()[static_cast<std::size_t>(which)]);
  config.cost = cost;
  config.vmm = {11'000, 1'000, 28'000, 18'000, "design figures"};
  return config;
}

std::shared_ptr<const Workload> conversation(double rate_per_s, std::uint64_t count) {
  SyntheticSpec spec = find_synthetic_preset("azure-conv-2023")->make();
  spec.arrivals = ArrivalKind::poisson;
  spec.rate_per_s = rate_per_s;
  spec.count = count;
  return synthetic_workload(spec, 1);
}

void run(benchmark::State& state, const RunConfig& config) {
  double requests = 0, iterations = 0, preemptions = 0;
  for (auto _ : state) {
    const RunResult r = simulate(config, RunHooks{});
    requests += static_cast<double>(r.completed);
    iterations += static_cast<double>(r.iterations);
    preemptions += static_cast<double>(r.preemptions);
  }
  state.SetLabel(config.manager.name);
  using benchmark::Counter;
  state.counters["requests/s"] = Counter(requests, Counter::kIsRate);
  state.counters["iterations/s"] = Counter(iterations, Counter::kIsRate);
  state.counters["s/iteration"] = Counter(iterations, Counter::kIsRate | Counter::kInvert);
  state.counters["preemptions"] = Counter(preemptions, Counter::kAvgIterations);
}

/// `batch` requests of a million outputs from the start, nothing arriving.
void steady_decode(benchmark::State& state) {
  RunConfig config = replica(static_cast<int>(state.range(0)), Bytes{std::int64_t{1} << 46});
  config.scheduler.max_model_len = 1 << 20;
  const Request r{0, 100, 1'000'000, 0};
  config.workload = inline_workload(std::vector<Request>(static_cast<std::size_t>(state.range(1)), r));
  run(state, config);
}
BENCHMARK(steady_decode)->ArgsProduct({every_manager(), {1, 32, 256}})->Unit(benchmark::kMillisecond);

/// Conversations at 5.5 requests/s (a quarter of the machine), and at 22.
void conversations(benchmark::State& state) {
  RunConfig config = replica(static_cast<int>(state.range(0)), Bytes{std::int64_t{54} << 30});
  config.workload = conversation(static_cast<double>(state.range(1)), 200'000);
  run(state, config);
}
BENCHMARK(conversations)->ArgsProduct({every_manager(), {5, 22}})->Unit(benchmark::kMillisecond);

/// 2,000 requests at once, growing over several units, or over the edge of a large one, in a pool of
/// `range(1)` tokens; the last is ample.
void tight_pool(benchmark::State& state) {
  RunConfig config = replica(static_cast<int>(state.range(0)), Bytes{state.range(1) * 131072});
  config.scheduler.max_model_len = 2048;
  config.scheduler.admit_full = false;
  const bool fine = row_of(config.manager).least_held(config).granule < 100;
  const Request r = fine ? Request{0, 100, 800, 0} : Request{0, 1'000, 300, 0};
  config.workload = inline_workload(std::vector<Request>(2'000, r));
  run(state, config);
}
BENCHMARK(tight_pool)
    ->ArgsProduct({every_manager(true), {20'480, 40'960, 1'048'576}})
    ->Unit(benchmark::kMillisecond);

/// Ten requests: what a run costs before and after its loop.
void setup(benchmark::State& state) {
  RunConfig config = replica(static_cast<int>(state.range(0)), Bytes{std::int64_t{54} << 30});
  config.workload = conversation(5.0, 10);
  run(state, config);
}
BENCHMARK(setup)->ArgsProduct({every_manager()})->Unit(benchmark::kMicrosecond);
}  // namespace
