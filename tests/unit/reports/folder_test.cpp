#include "reports/folder.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/error.hpp"
#include "reports/csv.hpp"
#include "sample.hpp"

namespace stowage {
namespace fs = std::filesystem;
namespace {

std::string read(const fs::path& path) {
  std::stringstream out;
  out << std::ifstream(path, std::ios::binary).rdbuf();
  return out.str();
}

class Folder : public testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::temp_directory_path() / ("stowage-folder-" + std::to_string(::getpid()));
    fs::remove_all(root_);
    fs::create_directories(root_);
  }
  void TearDown() override { fs::remove_all(root_); }
  [[nodiscard]] std::vector<std::string> names(const fs::path& folder) const {
    std::vector<std::string> out;
    for (const auto& entry : fs::directory_iterator(folder)) out.push_back(entry.path().filename());
    std::ranges::sort(out);
    return out;
  }
  static std::string refusal(const fs::path& folder, bool force) {
    try {
      ResultFolder opened(folder, force);
    } catch (const InputError& e) { return e.what(); }
    return "";
  }
  fs::path root_;
};
using Names = std::vector<std::string>;

TEST_F(Folder, WritesEverythingOrNothing) {
  {
    ResultFolder folder(root_ / "a/b", false);
    write_report(folder, sample_input());
    EXPECT_FALSE(fs::exists(root_ / "a/b/report.html")) << "not before commit";
    folder.commit();
  }
  EXPECT_EQ(names(root_ / "a/b"), (Names{"memory.csv", "report.html", "report.json", "resolved.yaml", "summary.json",
                                          "trace.perfetto.json"}));
  EXPECT_EQ(read(root_ / "a/b/resolved.yaml"), "schema: 1\nname: Four requests\n");
  {
    ResultFolder folder(root_ / "c/d/", false);
    folder.write("summary.json", "half");
  }
  EXPECT_FALSE(fs::exists(root_ / "c")) << "a run cut off leaves no folder";
}

TEST_F(Folder, KeepsWhatIsThere) {
  std::ofstream(root_ / "thesis.txt") << "mine";
  EXPECT_NE(refusal(root_, false).find("thesis.txt"), std::string::npos);
  EXPECT_NE(refusal(root_, false).find("--force"), std::string::npos);
  EXPECT_NE(refusal(root_ / "thesis.txt", true).find("a file"), std::string::npos);
  std::ofstream(root_ / "iterations.csv") << "of an earlier run";
  {
    ResultFolder folder(root_, true);
    folder.write("summary.json", "new");
  }
  EXPECT_EQ(names(root_), (Names{"iterations.csv", "thesis.txt"})) << "no commit, no change";
  ResultFolder folder(root_, true);
  folder.write("summary.json", "new");
  folder.commit();
  EXPECT_EQ(names(root_), (Names{"summary.json", "thesis.txt"})) << "other people's files stay, stale results go";
}

TEST_F(Folder, SaysWhyItCannotWrite) {
  if (fs::exists("/dev/full")) {
    OutputFile full("/dev/full");
    full.write("x");
    EXPECT_THROW(full.close(), EnvironmentError);
  }
  try {
    OutputFile nowhere(root_ / "missing/file");
    FAIL();
  } catch (const EnvironmentError& e) {
    EXPECT_NE(std::string(e.what()).find("No such file or directory"), std::string::npos) << e.what();
  }
}

TEST_F(Folder, JoinsThePartsOfAFileInOrder) {
  ResultFolder folder(root_ / "out", false);
  const std::string big(3 << 20, 'x');  // more than the buffer
  folder.open("iterations.csv", 1).write("second\n");
  folder.open("iterations.csv", 0).write(big + "\n");
  folder.write("a", "1");
  folder.commit();
  EXPECT_EQ(read(root_ / "out/iterations.csv"), big + "\nsecond\n");
  EXPECT_EQ(names(root_ / "out"), (Names{"a", "iterations.csv"}));
}

TEST_F(Folder, CsvToTheLetter) {
  ResultFolder folder(root_ / "out", false);
  RequestsCsv first(folder.open("requests.csv", 0), "paged-16");
  RequestsCsv second(folder.open("requests.csv", 1), "say \"hi\", you");
  // Arrived at 5 ns, scheduled at 7, first token at 105, last at 410 after 3 gaps: 305 / 3 ns a token.
  first.write({7, 5, 7, 105, 410, 1000, 4, 2});
  second.write({18446744073709551615U, 0, 0, 10, 10, 1, 1, 0});  // one token: no gap, no TPOT
  IterationsCsv iterations(folder.open("iterations.csv"), "m");
  iterations.write({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13});
  RunResult run = sample_run("paged-16");
  run.series = {{0, 10, {1, 2.5, 0, 0, 0, 1e15}, 0.1, 3}};
  write_memory_csv(folder.open("memory.csv"), run);
  write_memory_csv(folder.open("memory.csv"), run);
  folder.commit();
  EXPECT_EQ(read(root_ / "out/requests.csv"),
            "manager,id,arrival_ns,prompt_tokens,output_tokens,preemptions,queue_ns,ttft_ns,tpot_ns,e2e_ns\n"
            "paged-16,7,5,1000,4,2,2,100,101.66666666666667,405\n"
            "\"say \"\"hi\"\", you\",18446744073709551615,0,1,1,0,0,10,,10\n");
  EXPECT_EQ(read(root_ / "out/iterations.csv"),
            "manager,index,start_ns,stall_ns,step_ns,prefill_tokens,decode_seqs,decode_kv_tokens,running,waiting,"
            "live_bytes,held_bytes,cached_bytes,external_bytes,free_bytes\n"
            "m,0,1,2,3,4,5,6,7,8,9,10,11,12,13\n");
  const std::string row = "paged-16,0,10,1,2.5,0,0,0,1000000000000000,0.1,3\n";
  EXPECT_EQ(read(root_ / "out/memory.csv"),
            "manager,start_ns,end_ns,live_bytes,reserved_bytes,internal_bytes,cached_bytes,external_bytes,free_bytes,"
            "running,waiting\n" +
                row + row);
}
}  // namespace
}  // namespace stowage
