// Logs of a real engine's steps, replayed: a log made by hand, and those of a vLLM 0.24 on an H200.
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "calibrate/engine_steps/compare.hpp"
#include "calibrate/engine_steps/timeline.hpp"
#include "tests/support/source_dir.hpp"
#include "tests/unit/calibrate/hand_log.hpp"

namespace stowage {
namespace {
using namespace engine_steps;
using hand_log::with;

LoadComparison compared(const std::string& steps, const std::string& run = hand_log::run_json,
                        const std::string& requests = hand_log::requests_csv) {
  const LoggedRun log{"hand", read_setup(run, "run.json"), {read_load(requests, steps, "hand")}};
  return compare_steps(log).loads.at(0);
}

std::map<std::string, std::pair<std::string, std::string>> first(const LoadComparison& l, std::uint64_t step) {
  std::map<std::string, std::pair<std::string, std::string>> out;
  if (!l.first_difference) return out;
  EXPECT_EQ(l.first_difference->step, step);
  for (const Difference& d : l.first_difference->differences) out[d.what] = {d.log, d.simulated};
  return out;
}
using Fields = std::map<std::string, std::pair<std::string, std::string>>;

// Every step of the hand-made log, and what it adds up to: hits 32 of request 11, and 48 of 14 when it is resumed.
// TTFT: 10 2000 + 1000, 11 3000 + 600, 12 6000 - 1500, 13 22000 - 19000, 14 26000 - 19200: 20,900 / 5 us.
// TPOT: (6000 - 2000) / 3, (6000 - 3000) / 2, 7000 - 6000, (24000 - 22000) / 2, 27000 - 26000: 5833.3 / 5 us.
// E2E: 7000, 6600, 5500, 5000, 7800: 31,900 / 5 us.
TEST(StepsOfLog, HandMadeLogIsReproduced) {
  const LoadComparison l = compared(hand_log::steps_csv);
  EXPECT_EQ(l.compared, 10u);
  EXPECT_EQ(l.equal, 10u);
  EXPECT_FALSE(l.first_difference);
  EXPECT_EQ(l.requests, 5u);
  EXPECT_EQ(l.unfinished + l.rejected, 0u);
  for (const Totals& t : {l.log, l.joined, l.delayed}) {
    EXPECT_EQ(t.steps, 10u);
    EXPECT_EQ(t.preemptions, 1u);
    EXPECT_EQ(t.hit_tokens, 32);
    EXPECT_EQ(t.resumed_hit_tokens, 48);
    EXPECT_NEAR(*t.ttft_s, 4180e-6, 1e-12);
    EXPECT_NEAR(*t.tpot_s, (4000.0 / 3 + 1500 + 1000 + 1000 + 1000) / 5 * 1e-6, 1e-12);
    EXPECT_NEAR(*t.e2e_s, 6380e-6, 1e-12);
  }
}

// Each field that a step is judged by is judged: one that says something else is told, and nothing else is.
TEST(StepsOfLog, FirstDifferenceNamesItsFields) {
  const std::string& log = hand_log::steps_csv;
  EXPECT_EQ(first(compared(with(log, "60,3,0,0,,\n", "60,3,0,1,,\n")), 4), (Fields{{"free blocks", {"1", "0"}}}));
  EXPECT_EQ(first(compared(with(log, "2,2,77,", "2,2,78,")), 2), (Fields{{"decode context", {"78", "77"}}}));
  // 11 found one block only, in the log.
  EXPECT_EQ(first(compared(with(log, "5,1,40,2,0,4,,11:32+4/36", "21,1,40,2,0,4,,11:16+20/36")), 1),
            (Fields{{"hit tokens", {"16", "32"}},
                    {"scheduled tokens", {"21", "5"}},
                    {"prefills", {"11:16+20/36", "11:32+4/36"}}}));
  EXPECT_EQ(first(compared(with(log, "1,1,64,1,1,3,14,", "1,1,64,1,1,3,,")), 7),
            (Fields{{"preempted", {"none", "14"}}}));
  EXPECT_EQ(first(compared(with(log, "1,1,64,1,1,3,14,", "1,1,64,2,0,3,14,")), 7),
            (Fields{{"running", {"2", "1"}}, {"waiting", {"0", "1"}}}));
  // Nobody went, and one block more is free.
  EXPECT_EQ(first(compared(with(log, "1,1,64,1,1,3,14,", "1,1,64,2,0,4,,")), 7),
            (Fields{{"preempted", {"none", "14"}}, {"running", {"2", "1"}}, {"waiting", {"0", "1"}},
                    {"free blocks", {"4", "3"}}}));
}

// The engine that was logged is the one that is simulated: a smaller pool or budget, no prefix cache.
TEST(StepsOfLog, SetupDecides) {
  const auto run = [](const std::string& from, const std::string& to) { return with(hand_log::run_json, from, to); };
  const auto& log = hand_log::steps_csv;
  EXPECT_EQ(first(compared(log, run("blocks 9", "blocks 10")), 0), (Fields{{"free blocks", {"5", "6"}}}));
  EXPECT_EQ(first(compared(log, run("max_tokens 64", "max_tokens 62")), 5).at("scheduled tokens"),
            std::pair(std::string("63"), std::string("62")));
  EXPECT_EQ(first(compared(log, run("max_seqs 4", "max_seqs 1")), 1).at("admitted"),
            std::pair(std::string("11"), std::string("none")));
  EXPECT_EQ(first(compared(log, run("\"max_num_seqs\": 4", "\"enable_prefix_caching\": false")), 1).at("hit tokens"),
            std::pair(std::string("32"), std::string("0")));
  // 11 shares its first block only: 16 tokens.
  EXPECT_EQ(first(compared(log, hand_log::run_json, with(hand_log::requests_csv, "7 8", "7 9")), 1).at("hit tokens"),
            std::pair(std::string("32"), std::string("16")));
  // Without its prefix 11 computes all of its prompt.
  EXPECT_EQ(first(compared(log, hand_log::run_json, with(hand_log::requests_csv, "7 8", "")), 1).at("hit tokens"),
            std::pair(std::string("32"), std::string("0")));
}

// What a release does by default, and what its options say.
TEST(StepsOfLog, ReleaseAndOptions) {
  const auto setup = [](const std::string& release, const std::string& args,
                        const std::string& most = "max_len 128") {
    const std::string run = with(hand_log::run_json, "max_len 128", most);
    return read_setup(with(with(run, "0.24.0", release), "\"max_num_seqs\": 4", args), "run.json");
  };
  const auto now = setup("0.24.1rc2", ""), old = setup("0.18.0", "");
  EXPECT_EQ(now.blocks, 8);  // 9, of which one is vLLM's null block
  EXPECT_EQ(now.scheduler.max_model_len, 128);
  EXPECT_TRUE(now.nameless_first && now.scheduler.admit_full && now.prefix_caching && now.scheduler.chunked_prefill);
  EXPECT_FALSE(old.nameless_first || old.scheduler.admit_full);
  EXPECT_TRUE(old.prefix_caching);
  const auto told = setup("0.24.0",
                          "\"enable_prefix_caching\": false, \"long_prefill_token_threshold\": 32, "
                          "\"scheduler_reserve_full_isl\": false, \"enable_chunked_prefill\": false",
                          "max_len 64");
  EXPECT_FALSE(told.prefix_caching || told.scheduler.admit_full || told.scheduler.chunked_prefill);
  EXPECT_EQ(told.scheduler.long_prefill_threshold, 32);
}

// Requests too long for max_len are refused, and counted.
TEST(StepsOfLog, RefusedRequestsAreCounted) {
  const LoadComparison l = compared(hand_log::steps_csv, with(hand_log::run_json, "max_len 128", "max_len 65"));
  EXPECT_EQ(l.rejected, 2u);  // 63 + 3 and 64 + 2
  EXPECT_TRUE(l.first_difference);
}

// A log that was cut off: 14 has its first token, and not its second. Nothing after the last step is compared.
TEST(StepsOfLog, CutOffLogIsComparedAsFarAsItGoes) {
  const LoadComparison l = compared(hand_log::steps_csv.substr(0, hand_log::steps_csv.find("9,24600")));
  EXPECT_EQ(l.compared, 9u);
  EXPECT_EQ(l.equal, 9u);
  EXPECT_EQ(l.unfinished, 1u);
  EXPECT_EQ(l.delayed.steps, 9u);
  EXPECT_NEAR(*l.delayed.ttft_s, (20900.0 - 6800) / 4 * 1e-6, 1e-12);  // without 14
}

// Handling 100 where a step has ended. Steps 0, 5 and 8 are formed with nothing in flight: their launch lasts until the
// next is formed. 5 finds the engine idle; 8 does not, 14 waits.
TEST(StepsOfLog, TimesOfSteps) {
  const Timeline t = timeline_of(read_load(hand_log::requests_csv, hand_log::steps_csv, "hand"), true);
  const std::vector<std::array<std::int64_t, 4>> wanted = {
      {1000, 0, 700, 1300}, {0, 0, 0, 1000}, {0, 100, 0, 1000}, {0, 100, 0, 2000}, {0, 100, 0, 1000},
      {1000, 0, 500, 1500}, {0, 0, 0, 1000}, {0, 100, 0, 1000}, {0, 100, 500, 1400}, {0, 0, 0, 1000}};
  ASSERT_EQ(t.times.size(), wanted.size());
  for (std::size_t k = 0; k < wanted.size(); ++k) {
    const StepTime& s = t.times[k];
    const std::array<std::int64_t, 4> us = {s.waking_ns / 1000, s.handling_ns / 1000, s.launch_ns / 1000,
                                            s.took_ns / 1000};
    EXPECT_EQ(us, wanted[k]) << k;
  }
  // The log begins with the first call, 1000 before step 0.
  std::vector<std::int64_t> joined;
  for (const auto& j : t.joined) joined.push_back(j.at_ns / 1000 - 1000);
  EXPECT_EQ(joined, (std::vector<std::int64_t>{0, 700, 3100, 20000, 20500}));
}

// One step in flight: 2 tokens of one request. Each step is launched when schedule() returns.
TEST(StepsOfLog, SynchronousLog) {
  const std::string run = with(hand_log::run_json, "async True", "async False");
  const std::string requests = "id,arrival_s,prompt_tokens,output_tokens,prefix_blocks\n3,0,40,2,\n";
  const std::string steps = hand_log::steps_head + "7,1000,1010,2000,2050,40,0,0,1,0,5,,3:0+40/40\n"
                                                   "8,2100,2110,2500,2550,1,1,40,1,0,5,,\n";
  const LoadComparison l = compared(steps, run, requests);
  EXPECT_EQ(l.equal, 2u);
  EXPECT_NEAR(*l.delayed.ttft_s, 2000e-6, 1e-12);
  EXPECT_NEAR(*l.delayed.tpot_s, 500e-6, 1e-12);
  const std::string early = with(steps, "8,2100,2110", "8,1900,1910");
  try {
    (void)compared(early, run, requests);
    FAIL();
  } catch (const InputError& e) {
    EXPECT_EQ(std::string(e.what()), "hand/steps.csv: error: step 8: is formed while one or more steps are in flight: "
                                     "more than the engine has");
  }
}

TEST(StepsOfLog, TextIsNarrowAndJsonNamesItsNumbers) {
  const LoggedRun log{"hand",
                      read_setup(hand_log::run_json, "run.json"),
                      {read_load(hand_log::requests_csv,
                                 with(hand_log::steps_csv, "1,1,64,1,1,3,14,", "1,1,64,2,0,4,,"), "hand")}};
  RunComparison c = compare_steps(log);
  c.loads[0].name = "mine";
  const std::string text = comparison_text(c);
  for (std::size_t at = 0, end = 0; at < text.size(); at = end + 1) {
    end = text.find('\n', at);
    EXPECT_LE(end - at, 80u) << text.substr(at, end - at);
  }
  EXPECT_NE(text.find("step 7 is the first that differs"), std::string::npos) << text;
  EXPECT_NE(text.find("NOT EQUAL: 9 of 10 steps of 1 load"), std::string::npos) << text;
  const auto json = nlohmann::json::parse(comparison_json(c));
  EXPECT_EQ(json.at("schema"), "stowage.steps/1");
  EXPECT_EQ(json.at("pool_blocks"), 8);
  EXPECT_EQ(json.at("counters_equal"), false);
  const auto& load = json.at("loads").at(0);
  EXPECT_EQ(load.at("name"), "mine");
  EXPECT_EQ(load.at("steps").at("compared"), 10);
  EXPECT_EQ(load.at("first_difference").at("step"), 7);
  EXPECT_EQ(load.at("first_difference").at("fields").at("preempted").at("log"), "none");
  EXPECT_EQ(load.at("first_difference").at("fields").at("preempted").at("simulated"), "14");
  EXPECT_EQ(load.at("delayed").at("hit_tokens"), 32);
  EXPECT_NEAR(json.at("median").at("ttft_error").get<double>(), std::abs(load.at("ttft_error").get<double>()), 1e-15);
}

std::string measured() { return source_dir() + "/../shared/measured/vllm_h200/"; }

// Every step that vLLM 0.24 took, of every load whose model has full attention.
TEST(StepsOfLog, RealEngineStepByStep) {
  if (!std::filesystem::exists(measured())) GTEST_SKIP() << "the measured runs are not at hand";
  std::map<std::string, std::uint64_t> steps;
  for (const char* run : {"llama-3.1-8b/8192", "llama-3.1-8b/tight-4000-blocks", "llama-3.1-8b/default",
                          "llama-3.1-8b/gaps", "qwen3-30b-a3b"}) {
    for (const LoadComparison& l : compare_steps(read_logged_run(measured() + run)).loads) {
      EXPECT_EQ(l.equal, l.compared) << run << " " << l.name;
      EXPECT_EQ(l.compared, l.log.steps) << run << " " << l.name;
      EXPECT_EQ(l.unfinished + l.rejected, 0u) << run << " " << l.name;
      steps[l.name] = l.equal;
    }
  }
  EXPECT_EQ(steps["azure-poisson-10"], 3607u);
  EXPECT_EQ(steps["cycle-100-rate25"], 3907u);
  EXPECT_EQ(steps["azure-400"], 756u);
  EXPECT_EQ(steps["tight-pool"], 2286u);
}

// Requests join 1 ms after their calls: steps may shift, totals stay.
TEST(StepsOfLog, RealEngineByTheCallersDelay) {
  if (!std::filesystem::exists(measured())) GTEST_SKIP() << "the measured runs are not at hand";
  for (const char* name : {"8192/azure-poisson-10", "8192/cycle-100-rate25", "8192/azure-400",
                           "tight-4000-blocks/tight-pool"}) {
    const LoadComparison l = compare_steps(read_logged_run(measured() + "llama-3.1-8b/" + name)).loads.at(0);
    EXPECT_LT(std::abs(error_of(l.log.ttft_s, l.delayed.ttft_s).value()), 0.03) << name;
    EXPECT_LT(std::abs(error_of(l.log.tpot_s, l.delayed.tpot_s).value()), 0.01) << name;
    EXPECT_NEAR(static_cast<double>(l.delayed.preemptions), static_cast<double>(l.log.preemptions), 3) << name;
    EXPECT_NEAR(static_cast<double>(l.delayed.hit_tokens), static_cast<double>(l.log.hit_tokens),
                0.005 * static_cast<double>(l.log.hit_tokens)) << name;
    if (l.name == "cycle-100-rate25") {
      EXPECT_NEAR(static_cast<double>(l.delayed.hit_tokens), 301'840, 1'509);
    } else if (l.name == "tight-pool") {
      EXPECT_EQ(l.log.preemptions, 45u);
    }
  }
}
}  // namespace
}  // namespace stowage
