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
    std::vector<ListedRequest> list;
    for (std::size_t i = 0; i < requests.size(); ++i)
      list.push_back({requests[i], sessions.empty() ? -1 : sessions[i]});
    run.workload = listed_workload(std::move(list), hashes);
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

SmallCase sharing_case() {
  SmallCase out;
  out.name = "sharing";
  out.shape = {"qwen3-tiny-shared", 3, 256, 8, 4, 64, 384, 1000};
  out.pool_tokens = 36 * 16;
  out.scheduler.max_batch = 6;
  out.scheduler.max_batched_tokens = 192;
  out.scheduler.max_model_len = 640;
  out.managers =
      "[{kind: paged, block_size: 16, prefix_caching: true}, "
      "{kind: paged, block_size: 16, prefix_caching: true, free_order: as_freed, name: as-freed}, "
      "{kind: paged, block_size: 16, prefix_caching: false, name: alone}]";
  out.preempts = true;
  out.hashes.hash_tokens = 32;
  out.hashes.lists = {{1, 2, 3, 4}, {1, 2, 5, 6, 7}, {8, 9}, {1, 2, 3, 4, 10, 11}};
  // {arrival, prompt, output, id, limit, content}. The last three are turns of a session: 40 + 20 tokens are the
  // beginning of the second, 120 + 30 of the third.
  out.requests = {{0, 128, 60, 0, 0, 0}, {0, 128, 25, 1, 0, 0},  {0, 190, 40, 2, 0, 1}, {0, 64, 70, 3, 0, 2},
                  {0, 65, 30, 4, 0, 2},  {0, 200, 35, 5, 0, 3},  {0, 100, 50, 6},       {0, 197, 20, 7, 0, 3},
                  {0, 170, 33, 8, 0, 1}, {0, 129, 45, 9, 0, 0},  {0, 300, 10, 10},      {0, 160, 15, 11, 0, 1},
                  {0, 70, 55, 12, 0, 2}, {0, 220, 12, 13, 0, 3}, {0, 40, 20, 14},       {0, 120, 30, 15},
                  {0, 200, 25, 16}};
  out.sessions.assign(out.requests.size(), -1);
  out.sessions[14] = out.sessions[15] = out.sessions[16] = 0;
  return out;
}

}  // namespace stowage::replay
