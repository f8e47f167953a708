#include "tests/fuzz/cases.hpp"

#include <fmt/format.h>

#include <fstream>
#include <map>
#include <span>
#include <sstream>
#include <utility>

#include "scenario/scenario.hpp"
#include "tests/fuzz/nonsense.hpp"
#include "tests/support/source_dir.hpp"

namespace stowage::fuzz {
namespace {
// Together they give every key of a scenario once.
constexpr std::string_view raw_seeds[] = {
    R"(name: a trace
seed: 7
model: llama-3-8b
hardware: h100-sxm-80gb
cluster: {replicas: 2, tensor: 2, pipeline: 1, router: random}
engine: vllm-0.19
host: {per_step: 100us, per_layer: 1us, per_seq: 4us}
frontend: {per_request: 1ms, per_prompt_token: 1us, per_output_token: 2us}
memory: {utilization: 0.8, activations: 1GiB, overhead: 2GiB, device: 79GiB, weights: 8GiB, graphs: 1GiB, kv_dtype: fp8}
workload: {trace: trace.csv, rate_scale: 2, limit: 50, repeat: 3}
scheduler: {policy: vllm, max_batch: 64, max_batched_tokens: 4096, max_model_len: 4096, chunked_prefill: true,
  admit_full: true}
cost: {source: linear, base: 10ms, per_prefill_token: 1us, per_decode_seq: 2us, per_kv_token: 1ns,
  vmm: {create: 11us, map: 1us, set_access: 28us, unmap: 18us}}
managers:
  - {kind: reserve, name: r, length: pow2, space: buddy, min_block: 32}
  - {kind: paged, name: p, block_size: 32, watermark: 0.01}
  - {kind: vattention, name: v, page: 64KiB, layout: sliced, mapping: sync, lookahead: 3, lookahead_blocks: 1,
     reclaim: eager}
slo: {ttft_p99: 1s, tbt_mean: 50ms, e2e_max: 30s}
)",
    R"(model: model.yaml
hardware: gpu.yaml
memory: {kv_pool: 20GiB}
workload:
  rate_scale: 1.5
  synthetic: {arrivals: gamma, rate: 5/s, cv: 2, count: 100,
    prompt: {lognormal: {p50: 300, sigma: 1, min: 2, max: 3000}},
    output: {quantiles: [[0, 10], [0.5, 80], [1, 400]]}}
scheduler: {policy: prefill-first, max_batch: 32, max_batched_tokens: 8192, max_model_len: 4096}
cost: {source: linear, base: 8ms}
managers: [{kind: paged}]
)",
    R"(model: llama-3-8b
hardware: h100-sxm-80gb
cluster:
  router: least-kv
  groups: [{replicas: 2, hardware: a100-80gb, tensor: 2, weight: 3},
    {replicas: 1, hardware: gpu.yaml, tensor: 1, weight: 1}]
memory: {kv_tokens: 50000}
workload: {hash_block_size: 32, requests: [{at: 0s, prompt: 100, output: 20, count: 3, hashes: [7, 8]},
  {at: 1500ms, prompt: 10, output: 2, count: 1, stop_at: 1, session: a},
  {prompt: 20, output: 2, session: a, think: 1s}]}
cost: {source: linear, base: 5ms}
managers: [{kind: paged}]
)",
    R"(model: mixtral-8x7b
hardware: h100-sxm-80gb
cluster: {tensor: 2, expert: 4, data: 2}
workload: {synthetic: {arrivals: constant, rate: 60/min, count: 20, prompt: {uniform: {min: 5, max: 50}},
  output: {fixed: 5}, prefix: {tokens: 100, groups: 3}}}
cost: {source: linear, base: 5ms}
managers: [{kind: reserve, length: max}]
)",
};

constexpr std::string_view short_forms[] = {
    R"(model: llama-3-8b
hardware: h100-sxm-80gb
cluster: {data_parallel_size: 1, tensor_parallel_size: 2, pipeline_parallel_size: 1}
memory: {gpu_memory_utilization: 90%, kv_cache_dtype: fp8}
workload: {synthetic: {preset: azure-conv-2023, count: 1k, prompt: 100, output: {fixed: 8}}}
scheduler: {max_num_seqs: 64, max_num_batched_tokens: 4Ki, max_model_len: 4096, enable_chunked_prefill: true}
cost: {source: linear, base: 10ms}
managers: [{kind: paged, block_size: 16}]
)",
};

constexpr std::string_view study = R"(schema: 1
name: a study
scenario: base.yaml
space:
  hardware: [h100-sxm-80gb, a100-80gb]
  scheduler.max_batch: [8, 16]
  memory: [{kv_pool: 8GiB}, {kv_pool: 12GiB}]
slo: {ttft_p99: 2s, tpot_p90: 100ms, goodput: {share: 90%, ttft: 1s, tpot: 90ms, e2e: 30s}}
prices:
  h100-sxm-80gb: {usd_per_node_hour: 32, gpus_per_node: 8, watts: 10200}
  a100-80gb: {usd_per_node_hour: 16, gpus_per_node: 8, watts: 6500}
objective: cost
demand: 5/s
growth: 1.5
knee: 0.7
spare: 1
limits: {gpus: 4000, usd_per_hour: 100000}
probe: {requests: 200, precision: 5%}
search: {exhaustive: false, draws: 0}
)";
constexpr std::string_view base = R"(model: llama-3-8b
hardware: h100-sxm-80gb
workload: {synthetic: {rate: 5/s, count: 200, prompt: 100, output: 20}}
cost: {source: linear, base: 10ms}
managers: [{kind: paged}]
)";

std::string from_file(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(source_dir() + path).rdbuf();
  return text.str();
}

void nodes_below(const ConfigNode& node, std::vector<ConfigNode>& leaves, std::vector<ConfigNode>& inner) {
  if (node.kind() == ConfigNode::Kind::scalar) {
    leaves.push_back(node);
    return;
  }
  if (!node.path().empty()) inner.push_back(node);
  for (std::size_t i = 0; node.kind() == ConfigNode::Kind::list && i < node.size(); ++i)
    nodes_below(node[i], leaves, inner);
  for (const auto& [key, value] : node.entries()) nodes_below(value, leaves, inner);
}

bool leads_to(const std::string& outer, const std::string& path) {
  return path.size() > outer.size() && path.starts_with(outer) &&
         (path[outer.size()] == '.' || path[outer.size()] == '[');
}

void write(const ConfigNode& node, const Edit& edit, std::size_t indent, std::string& out) {
  const std::string lead(indent, ' ');
  const auto value = [&](const ConfigNode& child) {
    if (child.path() == edit.path && edit.what == Edit::What::value)
      out += " " + edit.text + "\n";
    else if (leads_to(child.path(), edit.path))
      out += "\n", write(child, edit, indent + 2, out);
    else
      out += " " + flow_text(child) + "\n";
  };
  for (std::size_t i = 0; node.kind() == ConfigNode::Kind::list && i < node.size(); ++i) {
    out += lead + "-";
    value(node[i]);
  }
  for (const auto& [key, child] : node.entries()) {
    const bool here = child.path() == edit.path;
    out += lead + (here && edit.what == Edit::What::key ? edit.text : key) + ":";
    value(child);
    if (here && edit.what == Edit::What::twice) out += lead + key + ": " + flow_text(child) + "\n";
    if (here && edit.what == Edit::What::extra) out += lead + edit.text + ": 5\n";
  }
}

std::vector<Seed> named(std::string_view name, std::span<const std::string_view> texts) {
  std::vector<Seed> out;
  for (const auto text : texts) out.push_back({fmt::format("{} {}", name, out.size()), std::string(text)});
  return out;
}
}  // namespace

std::vector<Seed> scenario_seeds(const std::string& folder) {
  std::vector<Seed> out = named("scenario", raw_seeds);
  for (Seed& seed : out) seed.text = resolved_yaml(parse_scenario(seed.text, folder + "/seed.yaml"), folder);
  return out;
}
std::vector<Seed> short_seeds() { return named("short scenario", short_forms); }
std::vector<Seed> huggingface_seeds() { return {{"config.json", from_file("/tests/golden/inputs/config.json")}}; }

std::string resolved_path(const std::string& path) {
  static const std::map<std::string, std::string> names = {
      {"cluster.data_parallel_size", "cluster.replicas"},
      {"cluster.tensor_parallel_size", "cluster.tensor"},
      {"cluster.pipeline_parallel_size", "cluster.pipeline"},
      {"memory.gpu_memory_utilization", "memory.utilization"},
      {"memory.kv_cache_dtype", "memory.kv_dtype"},
      {"scheduler.max_num_seqs", "scheduler.max_batch"},
      {"scheduler.max_num_batched_tokens", "scheduler.max_batched_tokens"},
      {"scheduler.enable_chunked_prefill", "scheduler.chunked_prefill"},
      {"hidden_size", "hidden"},
      {"intermediate_size", "intermediate"},
      {"num_attention_heads", "heads"},
      {"num_hidden_layers", "layers"},
      {"num_key_value_heads", "kv_heads"},
      {"vocab_size", "vocab"},
      {"max_position_embeddings", "max_positions"},
      {"tie_word_embeddings", "tied_embeddings"},
      {"torch_dtype", "dtype"}};
  const auto found = names.find(path);
  return found == names.end() ? path : found->second;
}

std::vector<Seed> study_seeds() { return {{"study", std::string(study)}}; }
std::vector<Seed> hardware_seeds() { return {{"GPU", from_file("/models/hardware/zoo/h100-sxm-80gb.yaml")}}; }
std::vector<Seed> model_seeds() {
  return {{"dense model", from_file("/models/llm/zoo/llama-3-8b.yaml")},
          {"model of experts", from_file("/models/llm/zoo/deepseek-v3.yaml")},
          {"model with windows", from_file("/models/llm/zoo/gpt-oss-20b.yaml")}};
}

void write_side_files(const std::string& folder) {
  std::string rows = "arrival_ns,prompt_tokens,output_tokens\n";
  for (int i = 0; i < 100; ++i) rows += fmt::format("{},{},{}\n", i * 100'000'000LL, 10 + i, 1 + i % 7);
  std::ofstream(folder + "/trace.csv") << rows;
  std::ofstream(folder + "/gpu.yaml") << hardware_seeds().front().text;
  std::ofstream(folder + "/model.yaml") << model_seeds().front().text;
  std::ofstream(folder + "/base.yaml") << base;
}

std::vector<Edit> places_in(const ConfigNode& root) {
  std::vector<ConfigNode> leaves, inner;
  nodes_below(root, leaves, inner);
  std::vector<Edit> out;
  for (const ConfigNode& node : leaves) out.push_back({Edit::What::value, node.path(), "", true});
  for (const ConfigNode& node : inner) out.push_back({Edit::What::value, node.path(), "", false});
  return out;
}

Edit random_edit(const ConfigNode& root, Rng& rng) {
  std::vector<ConfigNode> leaves, inner;
  nodes_below(root, leaves, inner);
  Edit edit;
  edit.leaf = inner.empty() || rng.below(10) > 0;
  const ConfigNode& node = edit.leaf ? leaves[rng.below(leaves.size())] : inner[rng.below(inner.size())];
  edit.path = node.path();
  const bool in_list = edit.path.ends_with(']');
  const auto dice = rng.below(10);
  if (!in_list && dice < 2) {
    const auto parent = edit.path.rfind('.');
    const std::string key = edit.path.substr(parent == std::string::npos ? 0 : parent + 1);
    edit.what = rng.below(8) == 0 ? Edit::What::twice : rng.below(4) == 0 ? Edit::What::extra : Edit::What::key;
    edit.text = mistyped(key, rng);
    if (edit.text == key) edit.text += "x";
    return edit;
  }
  const bool near = edit.leaf && dice < 5;
  edit.text = near ? near_miss(flow_text(node), rng) : std::string(nonsense()[rng.below(nonsense().size())]);
  return edit;
}

std::string edited(const ConfigNode& root, const Edit& edit) {
  std::string out;
  write(root, edit, 0, out);
  return out;
}
}  // namespace stowage::fuzz
