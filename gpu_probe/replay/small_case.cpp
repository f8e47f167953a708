#include "gpu_probe/replay/small_case.hpp"

#include <fmt/format.h>

#include "scenario/scenario.hpp"
#include "sim/kv/registry.hpp"

namespace stowage::replay {

std::vector<RunConfig> SmallCase::runs() const {
  // The scenario reader fills in the managers' defaults; geometry and requests are the case's own.
  const Scenario s = parse_scenario(
      fmt::format("schema: 1\nmodel: llama-2-7b\nhardware: h100-sxm-80gb\nmemory: {{kv_pool: 60GiB}}\n"
                  "workload: {{requests: [{{prompt: 1, output: 1}}]}}\ncost: {{source: linear, base: 1ms}}\n"
                  "scheduler: {{max_batch: {}, max_batched_tokens: {}, max_model_len: {}}}\nmanagers: {}\n",
                  scheduler.max_batch, scheduler.max_batched_tokens, scheduler.max_model_len, managers),
      "small.yaml");
  std::vector<RunConfig> out = s.runs;
  const auto per_token = static_cast<std::int64_t>(shape.kv_bytes_per_token_layer()) * shape.layers;
  for (RunConfig& run : out) {
    run.kv = {Bytes{pool_tokens * per_token}, Bytes{per_token}, shape.layers, 1};
    run.workload = inline_workload(requests);
    row_of(run.manager).check(run);
  }
  return out;
}

std::vector<SmallCase> small_cases() {
  // One token of one layer takes 8 KiB of K: a page of 2 MiB holds 256 tokens of a layer, as a block of 256 does.
  const probe::ModelShape wide = {"tiny-wide", 2, 256, 32, 32, 128, 384, 1000};
  const probe::ModelShape grouped = {"qwen3-tiny-grouped", 3, 256, 8, 4, 64, 384, 1000};
  SmallCase roomy;
  roomy.name = "roomy";
  roomy.shape = grouped;
  roomy.pool_tokens = 8 * 16384;  // whole pages even where a slot's are rounded up
  roomy.scheduler.max_batch = 8;
  roomy.scheduler.max_batched_tokens = 192;
  roomy.scheduler.max_model_len = 640;
  roomy.managers =
      "[{kind: reserve, length: max}, {kind: paged, block_size: 16}, {kind: paged, block_size: 64}, "
      "{kind: reserve, length: oracle, space: first-fit}, {kind: vattention}, "
      "{kind: vattention, mapping: sync, reclaim: eager}, {kind: vattention, layout: sliced}]";
  roomy.requests = {{0, 300, 20, 0}, {0, 1, 30, 1}, {0, 65, 12, 2},  {0, 17, 40, 3}, {0, 500, 9, 4},
                    {0, 33, 25, 5},  {0, 2, 3, 6},  {0, 190, 50, 7}, {0, 77, 31, 8}, {0, 128, 1, 9}};
  SmallCase tight;
  tight.name = "tight";
  tight.shape = wide;
  tight.pool_tokens = 9 * 256;
  tight.preempts = true;
  tight.scheduler.max_batch = 8;
  tight.scheduler.max_batched_tokens = 200;
  tight.scheduler.max_model_len = 1024;
  tight.managers =
      "[{kind: paged, block_size: 256}, {kind: vattention}, {kind: vattention, mapping: sync}, "
      "{kind: vattention, reclaim: eager}, {kind: vattention, mapping: sync, reclaim: eager, name: sync-eager}]";
  tight.requests = {{0, 250, 300, 0}, {0, 500, 40, 1}, {0, 200, 330, 2}, {0, 240, 60, 3},
                    {0, 10, 300, 4},  {0, 700, 90, 5}, {0, 255, 200, 6}};
  return {roomy, tight};
}

}  // namespace stowage::replay
