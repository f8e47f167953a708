// What a scenario becomes: defaults, the pool, prices, names, paths; and that writing it out loses nothing.
#include "scenario/scenario.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>

#include "sim/kv/registry.hpp"
#include "tests/support/source_dir.hpp"
#include "tests/unit/scenario/minimal.hpp"
#include "tests/unit/scenario/same.hpp"

namespace stowage {
namespace {
using namespace literals;
namespace fs = std::filesystem;

std::string refusal(const std::string& text, const std::vector<std::string>& sets = {}) {
  try {
    (void)load(text, sets);
  } catch (const InputError& e) { return e.what(); }
  return "";
}

std::vector<Request> all_requests(const Workload& workload) {
  std::vector<Request> out;
  std::array<Request, 64> batch;
  const auto stream = workload.open();
  while (const std::size_t n = stream->read(batch)) out.insert(out.end(), batch.begin(), batch.begin() + n);
  return out;
}

TEST(Scenario, defaults) {
  const auto s = load(minimal);
  EXPECT_EQ(s.name, "some-name");
  EXPECT_EQ(s.seed, 0U);
  EXPECT_EQ(s.cluster, ClusterSpec{});
  EXPECT_EQ(s.scheduler.max_batch, 256);
  EXPECT_EQ(s.scheduler.max_batched_tokens, 8192);
  EXPECT_EQ(s.scheduler.max_model_len, 8192);
  EXPECT_TRUE(s.scheduler.chunked_prefill);
  EXPECT_TRUE(s.scheduler.admit_full);
  EXPECT_EQ(s.workload.rate_scale, 1);
  ASSERT_EQ(s.runs.size(), 1U);
  EXPECT_EQ(s.runs[0].manager.name, "paged-16");
  EXPECT_EQ(s.runs[0].manager.integer("block_size"), 16);
}

TEST(Scenario, max_model_len_stays_within_the_model) {
  const auto s = load(minimal, {"model=opt-13b"});
  EXPECT_EQ(s.scheduler.max_model_len, 2048);  // OPT has 2,048 positions
  const auto longer = load(minimal, {"model=opt-13b", "scheduler.max_model_len=4096"});
  EXPECT_EQ(longer.scheduler.max_model_len, 4096);
  EXPECT_NE(longer.notes.back().find("beyond the 2048 positions"), std::string::npos);
}

TEST(Scenario, pipelines_are_pooled_and_priced) {
  // One source of prices for both: of a pipeline a profile prices only a part.
  const std::string roofline = "cost={source: roofline}";
  const auto one = load(minimal, {"model=llama-3-70b", "cluster.tensor=4", "memory={utilization: 0.9}", roofline});
  const auto two =
      load(minimal, {"model=llama-3-70b", "cluster={tensor: 4, pipeline: 2}", "memory={utilization: 0.9}", roofline});
  // 40 layers a GPU: 40 x 2 x 2 x 128 x 2 = 40,960 B a token there, and as much in all as without stages.
  EXPECT_EQ(two.kv.gpus, 8);
  EXPECT_EQ(two.kv.layers, 40);
  EXPECT_EQ(two.kv.bytes_per_token, one.kv.bytes_per_token);
  EXPECT_EQ(two.budget.kv_bytes_per_token.count(), 40'960);
  EXPECT_GT(two.pool_tokens, 2 * one.pool_tokens);
  // A long prompt, cut into micro-batches, takes little more than half as long. Decoding does not: each micro-batch
  // reads all weights of its stage, so that 128 requests read half the layers twice; a lone one gains nothing.
  const auto prompt_ns = [](const Scenario& s) {
    const StepCost& cost = s.runs.front().cost;
    StepShape shape{8192, 0, 0};
    cost.add_chunk(shape, 8192, 0);
    return cost.ns(shape);
  };
  EXPECT_LT(prompt_ns(two), 0.75 * prompt_ns(one));
  EXPECT_GT(prompt_ns(two), 0.5 * prompt_ns(one));
  const auto ns = [](const Scenario& s, std::int64_t b) { return s.runs.front().cost.ns({0, b, b * 1000, 0}); };
  EXPECT_LT(ns(two, 128), 1.25 * ns(one, 128));
  EXPECT_GT(ns(two, 1), ns(one, 1));
  // Uneven: 80 layers over 3 stages, 26 + 27 + 27; what is counted is one stage, thrice.
  const auto three =
      load(minimal, {"model=llama-3-70b", "cluster={tensor: 4, pipeline: 3}", "memory={utilization: 0.9}"});
  EXPECT_EQ(three.kv.bytes_per_token.count(), three.kv.layers * 1024 * 4 * 3);
  EXPECT_EQ(three.pool_tokens, three.budget.pool_tokens);
  EXPECT_NE(three.notes.back().find("80 layers do not divide into 3 stages"), std::string::npos);
}

TEST(Scenario, every_term_of_the_budget_can_be_given) {
  const auto s = load(minimal, {"memory={utilization: 0.5, device: 64GiB, weights: 8GiB, activations: 1GiB, overhead: "
                                "1GiB, graphs: 2GiB}"});
  EXPECT_EQ(s.kv.pool, 20_GiB);  // 32 - 8 - 1 - 1 - 2
  EXPECT_NE(refusal(minimal, {"memory={kv_pool: 8GiB, graphs: 1GiB}"}).find("'memory.graphs' goes with 'utilization'"),
            std::string::npos);
}

TEST(Scenario, pool_in_bytes_tokens_or_from_utilization) {
  // Llama-3-8B: 2 x 32 layers x 8 heads x 128 x 2 B = 131,072 B a token.
  const auto given = load(minimal);
  EXPECT_EQ(given.kv.bytes_per_token, 128_KiB);
  EXPECT_EQ(given.kv.pool, 8_GiB);
  EXPECT_EQ(given.pool_tokens, 65536);
  const auto tokens = load(minimal, {"memory={kv_tokens: 41408}"});
  EXPECT_EQ(tokens.kv.pool, Bytes{41408LL * 131072});
  EXPECT_EQ(tokens.pool_tokens, 41408);
  const auto derived = load(minimal, {"memory="});
  EXPECT_EQ(derived.memory.utilization, 0.9);
  EXPECT_EQ(derived.kv.pool,
            derived.budget.usable - derived.budget.weights - derived.budget.activations - derived.budget.overhead);
  // Measured parts replace the estimates byte for byte: 80 GB card, weights 8,030,261,248 x 2 B.
  const auto measured = load(minimal, {"memory={utilization: 90%, activations: 2GiB, overhead: 1GiB}"});
  EXPECT_EQ(measured.kv.pool, measured.budget.usable - Bytes{16'060'522'496} - 3_GiB);
}

TEST(Scenario, tensor_parallel_counts_all_gpus) {
  const auto s = load(minimal, {"model=yi-34b", "cluster.tensor=2", "memory={utilization: 0.9}"});
  EXPECT_EQ(s.kv.gpus, 2);
  EXPECT_EQ(s.kv.bytes_per_token, 240_KiB);  // 2 x 60 layers x 8 heads x 128 x 2 B over both
  EXPECT_EQ(s.kv.pool, s.budget.kv_pool * 2);
  // 16 GPUs share 8 KV heads: each keeps one, so a token is stored twice.
  EXPECT_EQ(load(minimal, {"cluster.tensor=16"}).kv.bytes_per_token, 256_KiB);
}

TEST(Scenario, weights_that_do_not_fit_are_infeasible) {
  EXPECT_THROW((void)load(minimal, {"model=llama-3-70b"}), InfeasibleError);  // 141 GB on 80 GB
  EXPECT_THROW((void)load(minimal, {"model=llama-3-70b", "memory="}), InfeasibleError);
  EXPECT_NO_THROW((void)load(minimal, {"model=llama-3-70b", "cluster.tensor=4", "memory="}));
  try {
    (void)load(minimal, {"model=llama-3-70b", "memory="});
  } catch (const InfeasibleError& e) {
    EXPECT_NE(std::string(e.what()).find("weights 131.4"), std::string::npos) << e.what();  // 141,107,412,992 / 2^30
  }
  // Bad input wins over what is infeasible: there is more to say about it.
  EXPECT_THROW((void)load(minimal, {"model=llama-3-70b", "seed=x"}), InputError);
}

TEST(Scenario, an_outright_pool_beyond_the_gpu_is_noted) {
  const auto s = load(minimal, {"memory.kv_pool=100GiB"});
  ASSERT_FALSE(s.notes.empty());
  EXPECT_NE(s.notes[0].find("100.00 GiB a GPU"), std::string::npos);
}

TEST(Scenario, names_are_unique) {
  const auto s =
      load(minimal, {"managers=[{kind: paged}, {kind: paged}, {kind: paged, name: paged-16-2}, {kind: paged, "
                     "block_size: 32}, {kind: paged}]"});
  std::vector<std::string> names;
  for (const auto& run : s.runs) names.push_back(run.manager.name);
  EXPECT_EQ(names, (std::vector<std::string>{"paged-16", "paged-16-3", "paged-16-2", "paged-32", "paged-16-4"}));
}

TEST(Scenario, slo_in_the_order_of_the_file) {
  const auto s = load(minimal + "slo: {tbt_p99: 100ms, ttft_mean: 1s, e2e_max: 2min}\n");
  ASSERT_EQ(s.slo.size(), 3U);
  EXPECT_EQ(s.slo[0].name(), "tbt_p99");
  EXPECT_EQ(s.slo[1].name(), "ttft_mean");
  EXPECT_EQ(s.slo[2].name(), "e2e_max");
  EXPECT_EQ(s.slo[2].limit_ns, 120e9);
}

TEST(Scenario, inline_requests) {
  const auto s =
      load(minimal,
           {"workload={rate_scale: 2, requests: [{at: 3s, prompt: 7, output: 8}, {prompt: 5, output: 6, count: 2}]}"});
  const auto r = all_requests(*s.runs[0].workload);
  ASSERT_EQ(r.size(), 3U);
  EXPECT_EQ(r[0].prompt_tokens, 5);
  EXPECT_EQ(r[1].arrival_ns, 0);
  EXPECT_EQ(r[2].arrival_ns, 1'500'000'000);  // 3 s at twice the rate
  EXPECT_EQ(r[2].output_tokens, 8);
}

TEST(Scenario, synthetic_preset_with_parts_replaced) {
  const auto s = load(minimal, {"workload={synthetic: {preset: azure-conv-2023, count: 10, output: 3, rate: 20/s}}"});
  const auto r = all_requests(*s.runs[0].workload);
  ASSERT_EQ(r.size(), 10U);
  for (const auto& request : r) EXPECT_EQ(request.output_tokens, 3);
  const auto& spec = std::get<SyntheticSpec>(s.workload.source);
  EXPECT_EQ(spec.rate_per_s, 20);
  EXPECT_EQ(spec.cv, 1.094);
}

TEST(Scenario, seed_from_file_set_or_argument) {
  const std::string text = minimal + "seed: 5\n";
  EXPECT_EQ(load(text).seed, 5U);
  EXPECT_EQ(load(text, {"seed=6"}).seed, 6U);
  EXPECT_EQ(parse_scenario(text, "f.yaml", {}, 7).seed, 7U);
  const std::vector<std::string> synthetic = {"workload={synthetic: {preset: azure-conv-2023, count: 50}}"};
  const auto draw = [&](std::uint64_t seed) {
    return all_requests(*parse_scenario(minimal, "f.yaml", synthetic, seed).runs[0].workload)[40].arrival_ns;
  };
  EXPECT_EQ(draw(1), draw(1));
  EXPECT_NE(draw(1), draw(2));
}

class ScenarioFiles : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) / ("scenario_files_" + std::to_string(::getpid()));
    fs::create_directories(folder_ / "traces");
    std::ofstream(folder_ / "traces/t.csv") << "arrival_ns,prompt_tokens,output_tokens\n0,10,2\n1000,20,3\n";
    std::ofstream(folder_ / "s.yaml") << minimal;
  }
  void TearDown() override { fs::remove_all(folder_); }
  fs::path folder_;
};

TEST_F(ScenarioFiles, paths_start_at_the_scenario_and_in_set_at_the_working_directory) {
  std::ofstream(folder_ / "t.yaml")
      << "model: llama-3-8b\nhardware: h100-sxm-80gb\nworkload: {trace: traces/t.csv, limit: 1}\n"
         "managers: [{kind: paged}]\n";
  const auto s = load_scenario((folder_ / "t.yaml").string());
  ASSERT_TRUE(s.ledger);
  EXPECT_EQ(s.ledger->kept, 1U);
  const std::vector<std::string> absolute = {"workload={trace: " + (folder_ / "traces/t.csv").string() + "}"};
  EXPECT_EQ(load_scenario((folder_ / "s.yaml").string(), absolute).ledger->kept, 2U);
  const std::vector<std::string> relative = {"workload={trace: traces/t.csv}"};
  EXPECT_THROW((void)load_scenario((folder_ / "s.yaml").string(), relative), InputError);
  const auto before = fs::current_path();
  fs::current_path(folder_ / "traces");
  const std::vector<std::string> here = {"workload={trace: t.csv}"};
  EXPECT_EQ(load_scenario("../s.yaml", here).ledger->kept, 2U);
  fs::current_path(before);
}

TEST_F(ScenarioFiles, resolved_text_runs_from_where_it_is_kept) {
  fs::create_directories(folder_ / "out/deep");
  fs::create_directories(folder_ / "in");
  fs::rename(folder_ / "s.yaml", folder_ / "in/s.yaml");
  const auto before = fs::current_path();
  fs::current_path(folder_);
  const std::vector<std::string> sets = {"workload={trace: traces/t.csv, repeat: 3}"};
  const auto s = load_scenario("in/s.yaml", sets);
  std::ofstream("out/deep/resolved.yaml") << resolved_yaml(s, "out/deep");
  const auto again = load_scenario("out/deep/resolved.yaml");
  expect_same(s, again);
  EXPECT_NE(resolved_yaml(s).find("trace: ../traces/t.csv"), std::string::npos);
  EXPECT_EQ(resolved_yaml(again, "in"), resolved_yaml(s));
  fs::current_path(before);
}

TEST(Scenario, all_problems_of_a_file_in_one_go) {
  std::string known;
  for (const ManagerRow& row : managers()) known += (known.empty() ? "" : ", ") + std::string(row.kind);
  EXPECT_EQ(
      refusal(
          "modle: llama-3-8b\nhardware: h100-sxm-80gb\nmemory: {kv_pool: 8}\n"
          "workload: {requests: [{prompt: 0, output: 25}]}\nmanagers: [{kind: pagde}, {kind: paged, blok_size: 8}]\n"),
      "dir/some-name.yaml:1:1: error: 'model' is missing\n"
      "dir/some-name.yaml:1:1: error: unknown key 'modle'; did you mean 'model'?\n"
      "dir/some-name.yaml:3:19: error: 'memory.kv_pool': '8' is not a size; write a number and a unit, as 80GiB or "
      "80GB\n"
      "dir/some-name.yaml:4:32: error: 'workload.requests[0].prompt': 0 is out of range; write a whole number from 1 "
      "to 10000000\n"
      "dir/some-name.yaml:5:19: error: 'managers[0].kind': no 'pagde'; did you mean 'paged'? (known: " + known + ")\n"
      "dir/some-name.yaml:5:41: error: unknown key 'blok_size' in 'managers[1]'; did you mean 'block_size'?");
}

TEST(Scenario, set_is_checked_like_the_file) {
  EXPECT_EQ(refusal(minimal, {"memory.kv_pool=8"}),
            "--set #1: error: 'memory.kv_pool': '8' is not a size; write a number and a unit, as 80GiB or 80GB");
  EXPECT_EQ(refusal(minimal, {"seed=1", "memroy.kv_pool=8GiB"}),
            "--set #2: error: unknown key 'memroy'; did you mean 'memory'?");
  EXPECT_EQ(refusal(minimal, {"nonsense", "managers[4].kind=paged"}),
            "--set #1: error: 'nonsense' has no '='; write it as key=value\n"
            "--set #2: error: there is no [4]: 'managers' has 1 entry, [0]; [1] would append one");
}

TEST(Scenario, shipped_scenarios_load_and_resolve) {
  int seen = 0;
  for (const auto& entry : fs::directory_iterator(source_dir() + "/scenarios")) {
    if (entry.path().extension() != ".yaml") continue;
    SCOPED_TRACE(entry.path().string());
    const auto s = load_scenario(entry.path().string());
    expect_round_trip(s);
    EXPECT_GE(s.runs.size(), 3U);
    ++seen;
  }
  EXPECT_GE(seen, 4);
}

TEST(Scenario, prompts_first_are_whole_prompts) {
  const auto s = load(minimal, {"scheduler={policy: prefill-first, max_batched_tokens: 8192}"});
  EXPECT_EQ(s.runs.front().scheduler.policy, "prefill-first");
  EXPECT_FALSE(s.runs.front().scheduler.chunked_prefill);
  const auto old = load(minimal, {"engine=vllm-0.19", "scheduler={policy: prefill-first, max_batched_tokens: 8192}"});
  EXPECT_FALSE(old.scheduler.chunked_prefill);
  EXPECT_TRUE(std::any_of(old.notes.begin(), old.notes.end(), [](const std::string& note) {
    return note.starts_with("vllm-0.19 has no scheduler that runs prompts first");
  }));
}

TEST(Scenario, every_key_survives_the_round_trip) {
  const std::vector<std::vector<std::string>> variations = {
      {"name=\"a: b # \\\"c\\\" \\\\ \\t {x} \\x01 é\"", "seed=9223372036854775807"},
      {"name='null'"},
      {"name='5'"},
      {"memory={kv_tokens: 12345}", "cluster={tensor: 4, router: least-kv}"},
      {"memory={utilization: 73.5%, activations: 1.5GiB, overhead: 300MB}"},
      {"cost={source: linear, base: 1.2345678ms, per_prefill_token: 0.1us, per_decode_seq: 3ns, per_kv_token: 0.3ns}"},
      {"cost={vmm: {create: 0ns, map: 2us, set_access: 1.7us, unmap: 3ms}}",
       "managers=[{kind: vattention, page: 64KiB}]"},
      {"scheduler={max_batch: 3, max_batched_tokens: 20k, max_model_len: 8Ki, chunked_prefill: false, admit_full: "
       "false}"},
      {"scheduler={policy: prefill-first, max_batch: 3, max_batched_tokens: 20k, max_model_len: 8Ki}"},
      {"workload={rate_scale: 0.3, requests: [{at: 1.5us, prompt: 3, output: 4, count: 5}, {prompt: 6, output: 7}]}"},
      {"workload={synthetic: {preset: azure-conv-2023, rate: 20/h}}"},
      {"workload={synthetic: {arrivals: burst, count: 9, prompt: 5, output: {fixed: 6}}}"},
      {"workload={synthetic: {arrivals: constant, rate: 7/min, count: 9, prompt: {uniform: {min: 2, max: 9}}, "
       "output: {lognormal: {mean: 10.5, p50: 9.25, max: 99}}}}"},
      {"managers=[{kind: reserve, length: oracle, space: first-fit}, {kind: paged, watermark: 1%}, {kind: vattention, "
       "layout: sliced, mapping: sync, lookahead: 0, lookahead_blocks: 7, reclaim: eager, name: x.y}, {kind: paged, "
       "watermark: 0.01}]"},
      {"cluster={replicas: 3, router: power-of-two}", "memory.kv_dtype=fp8", "host={per_seq: 1.5us}"},
      {"cluster={router: least-kv, groups: [{replicas: 2}, {hardware: a100-80gb, tensor: 2, weight: 7}]}"},
      {"engine=vllm-0.21", "memory=", "frontend={per_output_token: 0us, per_prompt_token: 12ns}"},
      {"slo={queue_p50: 1ms, tpot_p95: 0.123456789s, ttft_max: 1h}"},
  };
  for (const auto& sets : variations) {
    SCOPED_TRACE(sets[0]);
    expect_round_trip(load(minimal, sets));
  }
}
}  // namespace
}  // namespace stowage
