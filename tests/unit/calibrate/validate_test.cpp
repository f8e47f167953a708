#include "calibrate/validate.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/error.hpp"
#include "calibrate/validate_engine.hpp"
#include "tests/support/source_dir.hpp"

namespace stowage {
namespace {
namespace fs = std::filesystem;

constexpr const char* scenario =
    "schema: 1\nname: two\nmodel: llama-3-8b\nhardware: h100-sxm-80gb\nmemory: {kv_tokens: 1024}\n"
    "workload: {requests: [{prompt: 100, output: 3, count: 2}]}\ncost: {source: linear, base: 10ms}\n"
    "scheduler: {max_batch: 4, max_batched_tokens: 256, max_model_len: 512}\n"
    "managers: [{kind: paged, block_size: 16}]\n";

/// The folder of a measured run of `scenario`: 3 iterations, the prompts together, then two decode steps. Predicted at
/// 10 ms each; measured as given.
class MeasuredFolder {
 public:
  MeasuredFolder() : path_(fs::temp_directory_path() / fmt::format("stowage-validate-{}", ::getpid())) {
    fs::create_directories(path_);
  }
  ~MeasuredFolder() { fs::remove_all(path_); }

  void write(std::array<std::int64_t, 3> step_ns, std::int64_t held_of_second = 14 * 16 * 131072) const {
    // A token is 128 KiB, a block of 16 is 2 MiB. 100 tokens are 7 blocks each; 101 and 102 too.
    constexpr std::int64_t token = 131072, block = 16 * token, pool = 1024 * token;
    std::ofstream rows(path_ / "i.csv");
    rows << "manager,pass,index,start_ns,stall_ns,step_ns,prefill_tokens,decode_seqs,decode_kv_tokens,running,waiting,"
            "live_bytes,held_bytes,cached_bytes,external_bytes,free_bytes,chunks,host_ns,gpu_ns\n";
    std::int64_t start = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      const auto n = static_cast<std::int64_t>(i);
      const std::int64_t live = i == 0 ? 0 : 2 * (99 + n) * token, held = i == 1 ? held_of_second : 14 * block;
      rows << fmt::format("paged-16,0,{},{},0,{},{},{},{},2,0,{},{},0,0,{},{},0,0\n", i, start, step_ns[i],
                          i == 0 ? 200 : 0, i == 0 ? 0 : 2, i == 0 ? 0 : 2 * (99 + n), live, held, pool - held,
                          i == 0 ? "100@0 100@0" : "");
      start += step_ns[i];
    }
    std::ofstream requests(path_ / "r.csv");
    requests << "manager,pass,id,arrival_ns,prompt_tokens,output_tokens,preemptions,queue_ns,ttft_ns,tpot_ns,e2e_ns\n";
    for (int id = 0; id < 2; ++id)
      requests << fmt::format("paged-16,0,{},0,100,3,0,0,{},0,{}\n", id, step_ns[0], start);
    std::ofstream(path_ / "measured.json") << fmt::format(
        R"({{"schema": "stowage.measured/1", "date": "2026-11-25", "status": "complete", "model": "llama-3-8b",
 "device": {{"name": "test", "driver": "1"}}, "layers": 32, "model_layers": 32, "notes": [], "scenario": "{}",
 "files": {{"iterations": "i.csv", "requests": "r.csv"}}, "runs": [{{"name": "paged-16", "passes": [{{"state": "warm",
 "status": "complete", "driver": {{"map_calls": 0, "unmap_calls": 0}}, "result": {{"makespan_s": {}, "iterations": 3,
 "requests": {{"completed": 2, "preemptions": 0}}, "kv": {{"peak_committed_bytes": {}}}}}}}]}}]}})",
        escaped(scenario), static_cast<double>(start) / 1e9, 14 * block);
  }
  [[nodiscard]] std::string str() const { return path_.string(); }
  [[nodiscard]] fs::path path() const { return path_; }

 private:
  static std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) out += c == '\n' ? std::string("\\n") : std::string(1, c);
    return out;
  }
  fs::path path_;
};

TEST(Validate, ErrorsAreThoseOfTheStepsPricedOneByOne) {
  const MeasuredFolder folder;
  folder.write({8'000'000, 10'000'000, 12'500'000});
  const Validation v = validate(load_measured(folder.str()), {});
  // 10 / 8 - 1 = 0.25, 10 / 10 - 1 = 0, 10 / 12.5 - 1 = -0.2
  EXPECT_EQ(v.all.count, 3U);
  EXPECT_NEAR(v.all.mape, 0.15, 1e-12);
  EXPECT_NEAR(v.all.bias, 0.05 / 3, 1e-12);
  EXPECT_NEAR(v.all.p95, 0.25, 1e-12);
  EXPECT_FALSE(v.all.coverage_90.has_value());  // lines of the user's own have no interval
  ASSERT_EQ(v.managers.size(), 1U);
  const ManagerValidation& m = v.managers.front();
  ASSERT_EQ(m.regimes.size(), 2U);
  EXPECT_EQ(m.regimes[0].name, "decode");
  EXPECT_NEAR(m.regimes[0].bias, -0.1, 1e-12);
  EXPECT_NEAR(m.regimes[1].mape, 0.25, 1e-12);
  // 30 ms predicted, 30.5 measured.
  EXPECT_NEAR(v.makespan_error, 30.0 / 30.5 - 1, 1e-12);
  EXPECT_TRUE(v.offline);
  EXPECT_TRUE(v.counters_equal);
  ASSERT_EQ(m.latencies.front().name, "ttft");
  EXPECT_NEAR(m.latencies.front().paired_mape, 0.25, 1e-12);
  for (const auto& text : {validation_text(v), validation_json(v), validation_html(v)}) EXPECT_FALSE(text.empty());
}

TEST(Validate, OneBlockMoreInOneIterationIsSeen) {
  const MeasuredFolder folder;
  folder.write({10'000'000, 10'000'000, 10'000'000}, 15 * 16 * 131072);
  const Validation v = validate(load_measured(folder.str()), {});
  EXPECT_FALSE(v.counters_equal);
  ASSERT_TRUE(v.managers.front().first_difference.has_value());
  EXPECT_EQ(*v.managers.front().first_difference, 1U);
}

TEST(Validate, DamagedFilesAreNamedWithTheirLine) {
  const MeasuredFolder folder;
  folder.write({1, 1, 1});
  std::ofstream(folder.path() / "i.csv", std::ios::app) << "paged-16,0,3,torn\n";
  try {
    static_cast<void>(load_measured(folder.str()));
    FAIL() << "read a torn row";
  } catch (const InputError& e) { EXPECT_NE(std::string(e.what()).find("i.csv:5"), std::string::npos) << e.what(); }
  EXPECT_THROW(static_cast<void>(load_measured("/nowhere")), InputError);
}

// A table of prices ends at the scenario's limits: what is beyond them is the file's fault, and said with its line.
TEST(Validate, IterationsBeyondTheScenariosLimitsAreRefused) {
  const MeasuredFolder folder;
  folder.write({10'000'000, 10'000'000, 10'000'000});
  const auto said = [&](const std::vector<std::string>& sets) -> std::string {
    try {
      (void)validate(load_measured(folder.str()), {"", sets});
    } catch (const InputError& e) {
      EXPECT_EQ(e.problems().size(), 1U);
      return e.problems().front().str();
    }
    return "accepted";
  };
  EXPECT_EQ(said({"cost={source: profile}"}), "accepted");
  // 200 prompt tokens in the first iteration, line 2; two decoding requests in the second, line 3.
  const std::string tokens = said({"scheduler.max_batched_tokens=128"});
  EXPECT_NE(tokens.find("i.csv:2: error: an iteration of 200 tokens, but its scenario has "
                        "scheduler.max_batched_tokens: 128"),
            std::string::npos)
      << tokens;
  for (const char* cost : {"cost={source: profile}", "cost={source: linear, base: 10ms}"}) {
    const std::string requests = said({cost, "scheduler.max_batch=1"});
    EXPECT_NE(requests.find("i.csv:3: error: an iteration of 2 decoding requests, but its scenario has "
                            "scheduler.max_batch: 1"),
              std::string::npos)
        << requests;
  }
}

/// What an H100 really did is what the simulator says it does, decision by decision, byte by byte.
TEST(Validate, SchedulesAndMemoryOfTheMeasuredRunsAreTheSimulatedOnes) {
  std::size_t runs = 0;
  // Priced by lines: what a step costs does not matter here, and compiling profiles takes seconds.
  const ValidateOptions quick{"", {"cost={source: linear, base: 10ms}"}};
  for (const auto& entry : fs::recursive_directory_iterator(source_dir() + "/calibrate/validation/measured")) {
    if (!fs::exists(entry.path() / "measured.json")) continue;
    const Validation v = validate(load_measured(entry.path().string()), quick);
    if (!v.offline) continue;
    SCOPED_TRACE(entry.path().string());
    ++runs;
    EXPECT_TRUE(v.counters_equal);
    for (const ManagerValidation& m : v.managers) {
      EXPECT_GT(m.all.count, 0U);
      EXPECT_FALSE(m.first_difference.has_value()) << m.name;
    }
  }
  EXPECT_GT(runs, 0U);
}

TEST(EngineLog, ReadsWhatVllmBenchServeWritesAndLeavesOutWhatFailed) {
  const fs::path path = fs::temp_directory_path() / fmt::format("stowage-bench-{}.json", ::getpid());
  std::ofstream(path) << R"({"duration": 3, "completed": 2, "failed": 1, "model_id": "m", "input_lens": [500, 100, 0],
 "output_lens": [2, 3, 0], "ttfts": [0.08, 0.04, 0], "itls": [[0.01], [0.01, 0.02], []],
 "start_times": [1000.5, 1000.0, 1001], "errors": ["", "", "timeout"]})";
  const EngineLog log = read_engine_log({path.string()});
  ASSERT_EQ(log.requests.size(), 2U);
  EXPECT_EQ(log.failed, 1U);
  EXPECT_EQ(log.requests[0].prompt_tokens, 100);  // by start, from the first
  EXPECT_EQ(log.requests[0].arrival_ns, 0);
  EXPECT_EQ(log.requests[1].arrival_ns, 500'000'000);
  EXPECT_EQ(log.requests[0].finished_ns, 70'000'000);  // 40 + 10 + 20 ms
  const fs::path server = fs::temp_directory_path() / fmt::format("stowage-server-{}.log", ::getpid());
  std::ofstream(server) << "INFO kv_cache_utils.py:829] GPU KV cache size: 227,840 tokens\n";
  EXPECT_EQ(read_engine_log({path.string(), server.string()}).kv_tokens, 227'840);
  EXPECT_THROW(static_cast<void>(read_engine_log({server.string()})), InputError);
  // Three requests, the last of which ends 1 + 0.04 + 0.01 s after the first began.
  const auto refused = [&](std::string_view changes) {
    std::ofstream(path) << "{" << changes << R"(, "input_lens": [9, 9, 9], "output_lens": [2, 2, 2],
 "ttfts": [0.04, 0.04, 0.04], "itls": [[0.01], [0.01], [0.01]], "start_times": [7, 7.5, 8]})";
    try {
      (void)read_engine_log({path.string()});
      return std::string("taken");
    } catch (const InputError& e) {
      return e.problems().front().str();
    }
  };
  EXPECT_EQ(refused(R"("duration": 1.05, "completed": 3)"), "taken");
  EXPECT_EQ(refused(R"("completed": 2)"), "taken");  // no duration: nothing to hold against
  EXPECT_NE(refused(R"("duration": 1.05, "completed": 4)").find("/completed"), std::string::npos);
  EXPECT_NE(refused(R"("duration": 0.01)").find("/ttfts/2"), std::string::npos);
  std::ofstream(path) << R"({"duration": 3, "mean_ttft_ms": 1})";
  EXPECT_THROW(static_cast<void>(read_engine_log({path.string()})), InputError);
  fs::remove(path);
  fs::remove(server);
}
}  // namespace
}  // namespace stowage
