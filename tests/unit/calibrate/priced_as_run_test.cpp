// Validation prices a measured iteration as the engine would have: run, written down, and priced again.
#include <gtest/gtest.h>

#include <cmath>

#include "calibrate/measured.hpp"
#include "calibrate/validate_parts.hpp"
#include "models/cost/power_credit.hpp"
#include "scenario/scenario.hpp"
#include "sim/serve/simulate.hpp"

namespace stowage {
namespace {
TEST(PricedAsRun, IterationsTakeWhatTheEngineGaveThem) {
  // Prompts of one to four pages, some after a rest and most back to back with only the driver's stalls between: for
  // each the clock's credit differs, and few have all of it.
  std::string requests;
  std::int64_t at_ms = 0;
  for (int i = 0; i < 60; ++i) {
    if (i % 6 == 0) at_ms += 300 + 7 * (i * i % 23);
    const int prompt = 400 + 331 * (7 * i % 11);
    requests += (i == 0 ? "{at: " : ", {at: ") + std::to_string(at_ms) + "ms, prompt: " + std::to_string(prompt) +
                ", output: " + std::to_string(1 + i % 3) + "}";
  }
  const Scenario s = parse_scenario(
      "model: llama-3-8b\nhardware: h100-sxm-80gb\nscheduler: {max_batch: 1, max_batched_tokens: 8192}\n"
      "managers: [{kind: vattention, mapping: sync, reclaim: eager}]\nworkload: {requests: [" + requests + "]}\n",
      "s.yaml");
  ASSERT_TRUE(s.runs[0].cost.has_boost());
  std::vector<IterationRecord> run;
  RunHooks hooks;
  hooks.on_iteration = [&](const IterationRecord& r) { run.push_back(r); };
  (void)simulate(s.runs[0], hooks);
  PowerCredit power;
  std::int64_t stalled = 0;
  double rested = 0;
  for (const IterationRecord& r : run) {
    MeasuredIteration m;
    m.record = r;
    if (r.prefill_tokens > 0) m.chunks = {{r.prefill_tokens, 0}};
    const double priced = validation::price_with(s.runs[0].cost, m, power);
    ASSERT_NEAR(priced, static_cast<double>(r.step_ns), 1) << "iteration " << r.index;
    stalled += r.stall_ns;
    if (r.prefill_tokens > 0) {
      StepShape shape;
      shape.prefill_tokens = r.prefill_tokens;
      s.runs[0].cost.add_chunk(shape, r.prefill_tokens, 0);
      rested += s.runs[0].cost.ns(shape) - priced;
    }
  }
  EXPECT_GT(stalled, 1'000'000) << "no stalls: the test shows nothing";
  EXPECT_GT(rested, 1e6) << "no rest was worth anything: the test shows nothing";
}
}  // namespace
}  // namespace stowage
