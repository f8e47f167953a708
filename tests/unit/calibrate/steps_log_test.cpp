// Logs of steps that are damaged, or of engines that are not simulated: one line with the file, the row and the field.
#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/error.hpp"
#include "calibrate/engine_steps/compare.hpp"
#include "tests/unit/calibrate/hand_log.hpp"

namespace stowage {
namespace {
using namespace engine_steps;
using hand_log::with;
using std::string;

template <class Read>
string complaint(const Read& read) {
  try {
    read();
  } catch (const InputError& e) {
    return e.what();
  }
  return "no complaint";
}
/// Of the text made of steps.csv or requests.csv.
string of_steps(const string& steps) {
  return complaint([&] {
    const LoggedLoad load = read_load(hand_log::requests_csv, steps, "d");
    (void)compare_steps({"d", read_setup(hand_log::run_json, "run.json"), {load}});
  });
}
string of_requests(const string& requests) {
  return complaint([&] { (void)read_load(requests, hand_log::steps_csv, "d"); });
}
string of_run(const string& run) {
  return complaint([&] { (void)read_setup(run, "run.json"); });
}
/// One line, which begins so and holds that.
void expect(const string& found, const string& begin, const string& part) {
  EXPECT_EQ(found.rfind(begin, 0), 0u) << found;
  EXPECT_NE(found.find(part), string::npos) << found;
  EXPECT_EQ(found.find('\n'), string::npos) << found;
}

TEST(StepsLog, DamagedSteps) {
  const string& log = hand_log::steps_csv;
  const auto changed = [&](const string& from, const string& to) { return of_steps(with(log, from, to)); };
  EXPECT_EQ(of_steps(log), "no complaint");
  expect(of_steps(""), "d/steps.csv: error: ", "empty");
  expect(of_steps(hand_log::steps_head), "d/steps.csv:1: error: ", "no step");
  for (const char* column : {"step,", "schedule_us,", "scheduled_us,", "update_us,", "tokens,", "decodes,",
                             "decode_context,", "running,", "waiting,", "free_blocks,", "preempted,"}) {
    string name = column;
    name.pop_back();
    const string head = hand_log::steps_head;
    const auto at = ("," + head).find("," + name + ",");
    const string other = head.substr(0, at) + "x" + head.substr(at) + log.substr(head.size());
    expect(of_steps(other), "d/steps.csv:1: error: ", "no column '" + name + "'");
  }
  expect(changed("prefills\n", "prefill\n"), "d/steps.csv:1: error: ", "no column 'prefills'");
  expect(changed("\n2,2100", "\n3,2100"), "d/steps.csv:4: error: step: ", "3 does not follow 1");
  expect(changed("2100,2110,4000", "2100,2110,nan"), "d/steps.csv:4: error: update_us: ", "'nan'");
  expect(changed("2100,2110,4000", "2100,2110,1e300"), "d/steps.csv:4: error: update_us: ", "is not a number from");
  expect(changed("2100,2110,4000", "2100,2090,4000"), "d/steps.csv:4: error: scheduled_us: ", "before schedule_us");
  expect(changed("2100,2110,4000", "2100,2110,2105"), "d/steps.csv:4: error: update_us: ", "before scheduled_us");
  expect(changed("2100,2110,4000", "600,2110,4000"), "d/steps.csv:4: error: schedule_us: ", "the step above");
  expect(changed("2100,2110,4000", "2100,2110,2900"), "d/steps.csv:4: error: update_us: ", "the step above");
  expect(changed("2,2,77,", "0,2,77,"), "d/steps.csv:4: error: tokens: ", "'0'");
  expect(changed("2,2,77,", "3,2,77,"), "d/steps.csv:4: error: tokens: ", "3, and its decodes and prefills have 2");
  expect(changed("2,2,77,", "2,2,-77,"), "d/steps.csv:4: error: decode_context: ", "'-77'");
  expect(changed("2,2,77,2,0,", "2,2,77,2.5,0,"), "d/steps.csv:4: error: running: ", "'2.5'");
  expect(changed("2,2,77,2,0,4,,\n", "2,2,77,2,0,4,\n"), "d/steps.csv:4: error: ", "torn row");
  expect(changed("3,14,\n", "3,15,\n"), "d/steps.csv:9: error: preempted: ", "no request 15");
  expect(changed("3,14,\n", "3,14 x,\n"), "d/steps.csv:9: error: preempted: ", "'14 x'");
  expect(changed("11:32+4/36", "21:32+4/36"), "d/steps.csv:3: error: prefills: ", "no request 21");
  expect(changed("11:32+4/36", "11:32+4"), "d/steps.csv:3: error: prefills: ", "'11:32+4'");
  expect(changed("11:32+4/36", "11:32+5/36"), "d/steps.csv:3: error: prefills: ", "11:32+5/36 does not go with");
  expect(changed("11:32+4/36", "11:31+4/35"), "d/steps.csv:3: error: prefills: ", "prompt of 36");
  expect(changed("11:32+4/36", "11:32+4/39"), "d/steps.csv:3: error: prefills: ", "output of 3");
  expect(changed("11:32+4/36", "11:99999999999999999999+4/36"), "d/steps.csv:3: error: prefills: ", "form");
}

// Counts that cannot be, of rows that each look right.
TEST(StepsLog, CountsThatDoNotAddUp) {
  const auto changed = [&](const string& from, const string& to) {
    return of_steps(with(hand_log::steps_csv, from, to));
  };
  expect(changed("2,2,77,2,0,", "2,2,77,2,4,"), "d/steps.csv: error: step 2: ",
         "6 run or wait and 0 have ended, of 5 requests");
  expect(changed("2,2,77,2,0,", "2,2,77,1,0,"), "d/steps.csv: error: step 2: ",
         "1 run or wait and 0 have ended, where 2 have joined before");
  // Step 2 is formed while 0 and 1 are in flight.
  expect(changed("2,2100,2110", "2,1900,1910"), "d/steps.csv: error: step 2: ", "while two steps are in flight");
  expect(changed("24600,24610,27000", "24600,24610,99999999999999"), "d/steps.csv: error: ", "days");
}

TEST(StepsLog, DamagedRequests) {
  const auto changed = [&](const string& from, const string& to) {
    return of_requests(with(hand_log::requests_csv, from, to));
  };
  EXPECT_EQ(of_requests(hand_log::requests_csv), "no complaint");
  expect(of_requests("id,arrival_s,prompt_tokens,output_tokens,prefix_blocks\n"), "d/requests.csv:1: error: ",
         "no request");
  expect(changed("arrival_s", "arrival"), "d/requests.csv:1: error: ", "no column 'arrival_s'");
  expect(changed("prefix_blocks", "prefixes"), "d/requests.csv:1: error: ", "no column 'prefix_blocks'");
  expect(changed("\n11,", "\n10,"), "d/requests.csv:3: error: id: ", "an earlier row");
  expect(changed("\n11,", "\n-1,"), "d/requests.csv:3: error: id: ", "'-1'");
  expect(changed("-0.000600", "nan"), "d/requests.csv:3: error: arrival_s: ", "'nan'");
  expect(changed(",36,3,", ",0,3,"), "d/requests.csv:3: error: prompt_tokens: ", "'0'");
  expect(changed(",36,3,", ",36,0,"), "d/requests.csv:3: error: output_tokens: ", "'0'");
  expect(changed("7 8", "7 8 9"), "d/requests.csv:3: error: prefix_blocks: ",
         "more blocks of 16 tokens than its prompt of 36");
  expect(changed("7-8", "1-9000000000000000000"), "d/requests.csv:2: error: prefix_blocks: ", "more blocks");
  expect(changed("7-8", "8-7"), "d/requests.csv:2: error: prefix_blocks: ", "'8-7'");
  expect(changed("7 8", "7;8"), "d/requests.csv:3: error: prefix_blocks: ", "'7;8'");
}

TEST(StepsLog, RunsThatCannotBeReplayed) {
  const auto changed = [&](const string& from, const string& to) { return of_run(with(hand_log::run_json, from, to)); };
  EXPECT_EQ(of_run(hand_log::run_json), "no complaint");
  expect(changed("\"vllm\"", "\"vlm\""), "run.json: error: no 'vllm'", "");
  expect(changed("\"scheduler\"", "\"schedule\""), "run.json: error: no 'scheduler'", "");
  expect(changed("\"scheduler\": [", "\"scheduler\": [\"\", "), "run.json: error: /scheduler: ", "one scheduler");
  expect(changed("0.24.0", "0.99.0"), "run.json: error: /vllm: ", "no rules for vLLM 0.99.0");
  expect(changed("blocks 9", "blocks x"), "run.json: error: /scheduler/0: ", "'blocks N'");
  expect(changed("blocks 9", "blocks 99999999999"), "run.json: error: /scheduler/0: ", "'blocks N'");
  expect(changed("max_len 128", "max_len -1"), "run.json: error: /scheduler/0: ", "'max_len N'");
  expect(changed("async True", "async"), "run.json: error: /scheduler/0: ", "'async True'");
  expect(changed("'FullAttentionSpec', 32, 16", "'SlidingWindowSpec', 8, 16"), "run.json: error: /scheduler/0: ",
         "SlidingWindowSpec: only full attention");
  expect(changed("('FullAttentionSpec', 32, 16)", "('FullAttentionSpec', 8, 16), ('FullAttentionSpec', 8, 16)"),
         "run.json: error: /scheduler/0: ", "2 groups");
  expect(changed("groups [", "group ["), "run.json: error: /scheduler/0: ", "groups");
  expect(changed("block_size 16", "block_size 24"), "run.json: error: /scheduler/0: ", "24 tokens");
  // A prompt of more than 64 tokens could never run, and the simulator would wait for it for ever.
  expect(changed("\"max_num_seqs\": 4", "\"enable_chunked_prefill\": false"), "run.json: error: /scheduler/0: ",
         "max_batched_tokens 64 is less than max_model_len 128");
  expect(changed("\"max_num_seqs\": 4", "\"speculative_config\": {}"),
         "run.json: error: /engine_args/speculative_config: ", "not simulated");
  expect(changed("\"max_num_seqs\": 4", "\"pipeline_parallel_size\": 2"),
         "run.json: error: /engine_args/pipeline_parallel_size: ", "only 1");
  expect(changed("\"max_num_seqs\": 4", "\"scheduling_policy\": \"priority\""),
         "run.json: error: /engine_args/scheduling_policy: ", "fcfs");
}

/// A folder of its own, gone with the test.
struct Folder {
  Folder() : path(std::filesystem::temp_directory_path() / ("stowage-steps-" + std::to_string(::getpid()))) {
    std::filesystem::remove_all(path);
    std::filesystem::create_directories(path / "run" / "b");
    std::filesystem::create_directories(path / "run" / "a");
    std::filesystem::create_directories(path / "run" / "no load");
  }
  ~Folder() { std::filesystem::remove_all(path); }
  void write(const string& name, const string& text) const { std::ofstream(path / name) << text; }
  std::filesystem::path path;
};

TEST(StepsLog, FoldersOfLoadsOrOneLoad) {
  const Folder f;
  const string run = (f.path / "run").string();
  expect(complaint([&] { (void)read_logged_run(run); }), run + ": error: ", "no run.json");
  expect(complaint([&] { (void)read_logged_run(run + "/none"); }), run + "/none: error: ", "not a folder");
  f.write("run/run.json", hand_log::run_json);
  expect(complaint([&] { (void)read_logged_run(run); }), run + ": error: ", "no load");
  for (const string load : {"a", "b"}) {
    f.write("run/" + load + "/requests.csv", hand_log::requests_csv);
    f.write("run/" + load + "/steps.csv", hand_log::steps_csv);
  }
  const auto names = [](const LoggedRun& r) {
    std::vector<string> out;
    for (const LoggedLoad& l : r.loads) out.push_back(l.name);
    return out;
  };
  EXPECT_EQ(names(read_logged_run(run)), (std::vector<string>{"a", "b"}));
  EXPECT_EQ(names(read_logged_run(run + "/")), (std::vector<string>{"a", "b"}));
  EXPECT_EQ(names(read_logged_run(run + "/b")), (std::vector<string>{"b"}));
  EXPECT_EQ(names(read_logged_run(run + "/b/")), (std::vector<string>{"b"}));
  std::filesystem::remove(f.path / "run/b/requests.csv");
  expect(complaint([&] { (void)read_logged_run(run); }), run + "/b/requests.csv: error: ", "");
}
}  // namespace
}  // namespace stowage
