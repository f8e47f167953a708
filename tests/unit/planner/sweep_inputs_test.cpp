// A sweep that goes on after a file it reads has changed would mix two versions of it in one table.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "planner/journal.hpp"
#include "planner/sweep_run.hpp"
#include "tests/support/source_dir.hpp"
#include "tests/unit/planner/helpers.hpp"

namespace stowage {
namespace {
namespace fs = std::filesystem;
using testing::TempFolder;

std::string read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
void write(const fs::path& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

/// Every kind of file that a point can read, some of them read by one point only.
class SweepInputs : public ::testing::Test {
 protected:
  SweepInputs() {
    const fs::path source = source_dir();
    const auto copy = [&](const std::string& from, const char* to) { write(folder_.path(to), read(source / from)); };
    copy("models/hardware/zoo/h100-sxm-80gb.yaml", "first-gpu.yaml");
    copy("models/hardware/zoo/a100-80gb.yaml", "other-gpu.yaml");
    copy("models/hardware/zoo/l40s.yaml", "group-gpu.yaml");
    copy("calibrate/profiles/h100-sxm-80gb.yaml", "profile.yaml");
    copy("tests/golden/inputs/config.json", "config.json");
    write(folder_.path("model.yaml"), "name: mine\nhuggingface: config.json\n");
    for (const char* trace : {"one.csv", "two.csv"})
      write(folder_.path(trace), "arrival_ns,prompt_tokens,output_tokens\n0,10,2\n5,20,3\n");
    write(folder_.path("scenario.yaml"), R"(
model: model.yaml
hardware: first-gpu.yaml
memory: {kv_pool: 8GiB}
scheduler: {max_model_len: 2048}
workload: {trace: one.csv}
managers: [{kind: paged}]
)");
    write(folder_.path("study.yaml"), R"(
scenario: scenario.yaml
space:
  hardware: [first-gpu.yaml, other-gpu.yaml]
  workload.trace: [one.csv, two.csv]
  cost: [{source: roofline}, {source: profile, profile: profile.yaml}]
  cluster: [{}, {groups: [{replicas: 1, hardware: group-gpu.yaml}]}]
)");
  }
  [[nodiscard]] Sweep sweep() const { return {load_study(folder_.path("study.yaml"), {}, {}, {}), "test"}; }
  void run(Shard shard) const {
    const Sweep made = sweep();
    Journal journal(folder_.path("out"), made, shard);
    const auto keep = [&](std::uint64_t, const std::string& record) { journal.append(record); };
    run_points(made, shard, journal.done(), 1, keep);
  }
  /// What a call says is wrong, and with which file.
  template <class Call>
  static std::string refusal(Call call) {
    try {
      call();
    } catch (const InputError& error) {
      EXPECT_EQ(error.problems().size(), 1U);
      return fs::path(error.problems().front().at.file).filename().string() + ": " + error.problems().front().message;
    }
    return "taken";
  }
  TempFolder folder_;
};

TEST_F(SweepInputs, AnyChangedFileIsRefusedByName) {
  run({1, 3});
  for (const char* file : {"first-gpu.yaml", "other-gpu.yaml", "group-gpu.yaml", "profile.yaml", "model.yaml",
                           "config.json", "one.csv", "two.csv"}) {
    const std::string before = read(folder_.path(file));
    // The content a reader sees stays the same: a line's end more is another file all the same.
    write(folder_.path(file), before + "\n");
    // The same part again, another part, another cut, and putting together.
    for (const Shard shard : {Shard{1, 3}, Shard{2, 3}, Shard{1, 1}}) {
      const std::string said = refusal([&] { run(shard); });
      EXPECT_EQ(said.find(std::string(file) + ": changed since the sweep"), 0U) << said;
      EXPECT_NE(said.find("new folder"), std::string::npos) << said;
    }
    EXPECT_EQ(refusal([&] { (void)merge_journals(folder_.path("out"), sweep()); }).find(file), 0U);
    write(folder_.path(file), before);
    EXPECT_EQ(refusal([&] { run({1, 3}); }), "taken") << file;
  }
  // Of the scenario the values count, not its comments.
  const std::string before = read(folder_.path("scenario.yaml"));
  write(folder_.path("scenario.yaml"), before + "# a remark\n");
  EXPECT_EQ(refusal([&] { run({1, 3}); }), "taken");
  write(folder_.path("scenario.yaml"), before + "seed: 3\n");
  EXPECT_EQ(refusal([&] { run({1, 3}); }).find("scenario.yaml: changed since"), 0U);
  write(folder_.path("scenario.yaml"), before);
  for (const std::uint64_t part : {2U, 3U}) run({part, 3});
  EXPECT_TRUE(merge_journals(folder_.path("out"), sweep()).holes.empty());
}

TEST_F(SweepInputs, AChangeWhileItRunsIsFound) {
  const Sweep made = sweep();
  EXPECT_EQ(made.inputs().size(), 8U);
  EXPECT_EQ(refusal([&] { made.check_inputs(); }), "taken");
  const std::string before = read(folder_.path("two.csv"));
  write(folder_.path("two.csv"), before);  // another time, the same bytes
  EXPECT_EQ(refusal([&] { made.check_inputs(); }), "taken");
  write(folder_.path("two.csv"), before + "9,9,9\n");
  EXPECT_EQ(refusal([&] { made.check_inputs(); }).find("two.csv: changed while"), 0U);
  fs::remove(folder_.path("two.csv"));
  EXPECT_EQ(refusal([&] { made.check_inputs(); }).find("two.csv: changed while"), 0U);
}

// "123456789" has the check value 995dc9bbdf1939fa (the catalogue of parametrised CRC algorithms, CRC-64/XZ).
TEST_F(SweepInputs, DigestsAreCrc64) {
  EXPECT_EQ(input_file(folder_.file("nine", "123456789")).digest, "995dc9bbdf1939fa");
  EXPECT_EQ(input_file(folder_.file("none", "")).digest, "0000000000000000");
}
}  // namespace
}  // namespace stowage
