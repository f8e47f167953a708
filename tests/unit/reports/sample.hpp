#pragma once
// A result small enough to check by hand: four requests of 1,000 prompt + 25 output tokens at t = 0, every step 10 ms.
#include "reports/report_input.hpp"

namespace stowage {

inline RunResult sample_run(std::string name, std::int64_t step_ns = 10'000'000) {
  RunResult run;
  run.name = std::move(name);
  run.manager = {"paged", run.name, {{"block_size", std::int64_t{16}}, {"watermark", 0.01}, {"preempt", "recompute"}}};
  run.submitted = run.completed = 4;
  run.iterations = 25;
  run.makespan_ns = 25 * step_ns;  // 0.25 s
  run.prompt_tokens = 4000;
  run.output_tokens = 100;
  run.ttft_ns.add(step_ns, 4);
  run.tbt_ns.add(step_ns, 96);  // 24 gaps a request
  run.tpot_ps.add(step_ns * 1000, 4);
  run.e2e_ns.add(25 * step_ns, 4);
  run.queue_ns.add(0, 4);
  run.batch_mean = 4;
  run.batch_max = 4;
  run.pool_bytes = std::int64_t{8} << 30;
  run.pool_tokens = 65536;  // 8 GiB / 131,072 B
  run.bytes_per_token = 131072;
  run.peak_committed_bytes = std::int64_t{512} << 20;
  run.peak_live_bytes = 4 * 1024 * std::int64_t{131072};
  run.mean_fraction = {0.0625, 0.0, 0.0078125, 0.0, 0.0, 0.9296875};
  const double pool = static_cast<double>(run.pool_bytes);
  for (std::int64_t i = 0; i < 25; ++i) {
    run.series.push_back(
        {i * step_ns, (i + 1) * step_ns, {0.0625 * pool, 0, 0.0078125 * pool, 0, 0, 0.9296875 * pool}, 4, 0.5});
  }
  run.wall_ns = 1'500'000;
  return run;
}

inline ReportInput sample_input() {
  ReportInput input;
  input.title = "Four requests";
  input.command = "stowage run four.yaml";
  input.version = "stowage 0.1.0";
  input.workload_name = "4 requests written in the scenario";
  input.resolved_yaml = "schema: 1\nname: Four requests\n";
  input.scenario = {{"schema", 1}, {"name", "Four requests"}};
  input.runs = {sample_run("paged-16"), sample_run("vattention-2MiB", 20'000'000)};
  input.slo = {{"ttft_p99", 15e6}, {"tbt_max", 10e6}};
  input.budget = {{"weights", std::int64_t{15} << 30}, {"KV pool", std::int64_t{8} << 30, true}};
  input.kv_line = "KV cache 65,536 tokens; maximum concurrency for 8,192 tokens per request: 8.00x";
  input.cost_source = "linear, coefficients of the scenario";
  input.notes = {"Step costs are the user's own."};
  return input;
}
}  // namespace stowage
