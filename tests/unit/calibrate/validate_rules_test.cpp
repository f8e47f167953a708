// What a validation says of measured runs that are made up here, one rule a test.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "calibrate/validate.hpp"

namespace stowage {
namespace {
namespace fs = std::filesystem;
constexpr const char* two_managers =
    "schema: 1\nname: two\nmodel: llama-3-8b\nhardware: h100-sxm-80gb\nmemory: {kv_tokens: 1024}\n"
    "workload: {requests: [{prompt: 100, output: 3, count: 2}]}\ncost: {source: linear, base: 10ms}\n"
    "scheduler: {max_batch: 4, max_batched_tokens: 256, max_model_len: 512}\n"
    "managers: [{kind: paged, name: a}, {kind: paged, block_size: 32, name: b}]\n";

/// A prompt step of two requests, then two of decodes: 10 ms each, as predicted, but for what is given.
MeasuredPass pass(const std::vector<std::int64_t>& step_ns) {
  MeasuredPass out;
  out.state = "warm";
  out.status = "complete";
  std::int64_t now = 0;
  for (std::size_t i = 0; i < step_ns.size(); ++i) {
    MeasuredIteration& m = out.iterations.emplace_back();
    m.record.index = i;
    m.record.start_ns = now;
    m.record.step_ns = step_ns[i];
    m.record.running = 2;
    if (i == 0) {
      m.record.prefill_tokens = 200;
      m.chunks = {{100, 0}, {100, 0}};
    } else {
      m.record.decode_seqs = 2;
      m.record.decode_kv_tokens = 2 * (99 + static_cast<std::int64_t>(i));
    }
    now += step_ns[i];
  }
  out.numbers["makespan_s"] = static_cast<double>(now) / 1e9;
  return out;
}

MeasuredFile measured(std::vector<MeasuredPass> a, std::vector<MeasuredPass> b = {}) {
  MeasuredFile file;
  file.status = "complete";
  file.scenario = two_managers;
  file.layers = file.model_layers = 32;
  file.managers.push_back({"a", std::move(a)});
  if (!b.empty()) file.managers.push_back({"b", std::move(b)});
  return file;
}
constexpr std::int64_t ms = 1'000'000;

TEST(ValidateRules, ARepeatIsComparedWithWhatItRepeats) {
  // 10 ms three times, then 11 ms: the second pass took a tenth longer.
  const auto v = validate(measured({pass({10 * ms, 10 * ms, 10 * ms}), pass({11 * ms, 11 * ms, 11 * ms})}), {});
  const auto& floor = v.managers.at(0).floor;
  ASSERT_TRUE(floor);
  EXPECT_NEAR(floor->mape, 0.1, 1e-12);
  EXPECT_NEAR(floor->bias, 0.1, 1e-12);
  EXPECT_NEAR(floor->makespan, 0.1, 1e-12);
  EXPECT_FALSE(validate(measured({pass({10 * ms, 10 * ms, 10 * ms})}), {}).managers.at(0).floor);
}

TEST(ValidateRules, TheHeadlineIsTheWorstManagersErrorWithItsSign) {
  // 30 ms predicted. Measured 40 (a quarter too low) and 29 (3.4 % too high), in either order.
  const auto slow = pass({20 * ms, 10 * ms, 10 * ms}), quick = pass({9 * ms, 10 * ms, 10 * ms});
  EXPECT_NEAR(validate(measured({slow}, {quick}), {}).makespan_error, -0.25, 1e-12);
  EXPECT_NEAR(validate(measured({quick}, {slow}), {}).makespan_error, -0.25, 1e-12);
  EXPECT_NEAR(validate(measured({quick}), {}).makespan_error, 30.0 / 29 - 1, 1e-12);
}

TEST(ValidateRules, AnIntervalHoldsWhatLiesBetweenItsEnds) {
  const ValidateOptions by_profile{"", {"cost={source: profile}"}};
  const auto coverage = [&](const std::vector<std::int64_t>& step_ns) {
    return validate(measured({pass(step_ns)}), by_profile).all.coverage_90;
  };
  EXPECT_EQ(coverage({1000, 1000, 1000}), 0);                 // nothing is so quick
  EXPECT_EQ(coverage({1000 * ms, 1000 * ms, 1000 * ms}), 0);  // nor so slow
  std::vector<std::int64_t> predicted;
  for (const auto& p : validate(measured({pass({ms, ms, ms})}), by_profile).managers.at(0).points)
    predicted.push_back(std::llround(p.predicted_ns));
  EXPECT_EQ(coverage(predicted), 1);
  predicted[1] = 1000;
  EXPECT_NEAR(*coverage(predicted), 2.0 / 3, 1e-12);
}

TEST(Measured, EachColumnIsReadAsItself) {
  const fs::path folder = fs::temp_directory_path() / fmt::format("stowage-columns-{}", ::getpid());
  fs::create_directories(folder);
  std::ofstream(folder / "i.csv")
      << "manager,pass,index,start_ns,stall_ns,step_ns,prefill_tokens,decode_seqs,decode_kv_tokens,running,waiting,"
         "live_bytes,held_bytes,cached_bytes,external_bytes,free_bytes,chunks,host_ns,gpu_ns\n"
         "m,0,0,101,102,2497,7,3,106,107,108,109,110,111,112,113,7@5,114,115\n";
  std::ofstream(folder / "r.csv")
      << "manager,pass,id,arrival_ns,prompt_tokens,output_tokens,preemptions,queue_ns,ttft_ns,tpot_ns,e2e_ns\n"
         "m,0,4,1000,11,12,13,14,150,16,1700\n";
  std::ofstream(folder / "measured.json")
      << R"({"schema": "stowage.measured/1", "date": "d", "status": "complete", "model": "m", "layers": 1,
 "device": {"name": "g", "driver": "1"}, "model_layers": 1, "notes": [], "scenario": "s",
 "files": {"iterations": "i.csv", "requests": "r.csv"}, "runs": [{"name": "m", "passes": [{"state": "warm",
 "status": "complete", "result": {"makespan_s": 1.7e-6}, "driver": {"map_calls": 21, "unmap_calls": 22}}]}]})";
  const MeasuredFile file = load_measured(folder.string());
  fs::remove_all(folder);
  const MeasuredPass& p = file.managers.at(0).passes.at(0);
  EXPECT_EQ(p.driver_maps, 21U);
  EXPECT_EQ(p.driver_unmaps, 22U);
  const MeasuredIteration& i = p.iterations.at(0);
  const IterationRecord& r = i.record;
  EXPECT_EQ((std::vector<std::int64_t>{r.start_ns, r.stall_ns, r.step_ns, r.prefill_tokens, r.decode_seqs,
                                       r.decode_kv_tokens, r.running, r.waiting, r.live_bytes, r.held_bytes,
                                       r.cached_bytes, r.external_bytes, r.free_bytes, i.host_ns, i.gpu_ns}),
            (std::vector<std::int64_t>{101, 102, 2497, 7, 3, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115}));
  EXPECT_EQ(i.chunks.at(0).count, 7);
  EXPECT_EQ(i.chunks.at(0).stored, 5);
  const RequestRecord& q = p.requests.at(0);
  EXPECT_EQ((std::vector<std::int64_t>{static_cast<std::int64_t>(q.id), q.arrival_ns, q.prompt_tokens, q.output_tokens,
                                       q.preemptions, q.first_scheduled_ns, q.first_token_ns, q.finished_ns}),
            (std::vector<std::int64_t>{4, 1000, 11, 12, 13, 1014, 1150, 2700}));
}
}  // namespace
}  // namespace stowage
