#include "reports/folder.hpp"

#include <gtest/gtest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/error.hpp"
#include "reports/csv.hpp"
#include "reports/folder_moves.hpp"
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

void replace(const fs::path& folder, const std::string& text) {
  ResultFolder opened(folder, Into::forced);
  opened.write("summary.json", text);
  opened.commit();
}

/// Whoever stands in the old folder sees the old result; whoever opens it anew, the new one: nobody a mix.
TEST_F(Folder, IsSwappedInOneStep) {
  replace(root_ / "out", "old");
  fs::permissions(root_ / "out", fs::perms::owner_all);
  const int old = ::open((root_ / "out").c_str(), O_RDONLY | O_DIRECTORY);
  struct stat before {}, after {};
  ASSERT_EQ(::fstat(old, &before), 0);
  replace(root_ / "out", "new");
  ASSERT_EQ(::stat((root_ / "out").c_str(), &after), 0);
  ::close(old);
  EXPECT_NE(before.st_ino, after.st_ino);
  EXPECT_EQ(before.st_mode, after.st_mode) << "with the old one's permissions";
  EXPECT_EQ(read(root_ / "out/summary.json"), "new");
  EXPECT_EQ(names(root_), (Names{"out"})) << "nothing is left beside it";
}

TEST_F(Folder, ALinkStaysALink) {
  replace(root_ / "real", "old");
  fs::create_directory_symlink("real", root_ / "link");
  replace(root_ / "link", "new");
  EXPECT_TRUE(fs::is_symlink(root_ / "link"));
  EXPECT_EQ(read(root_ / "real/summary.json"), "new");
  fs::create_directory_symlink("nowhere", root_ / "broken");
  EXPECT_NE(refusal(root_ / "broken", true).find("leads nowhere"), std::string::npos);
}

TEST_F(Folder, WhereSomebodyStandsStays) {
  replace(root_ / "out", "old");
  const fs::path here = fs::current_path();
  fs::current_path(root_ / "out");
  replace(".", "new");
  EXPECT_EQ(read("summary.json"), "new") << "seen from within";
  fs::current_path(here);
  EXPECT_EQ(names(root_ / "out"), (Names{"summary.json"}));
}

TEST_F(Folder, OneCommandAtATime) {
  {
    ResultFolder first(root_ / "out", false);
    EXPECT_NE(refusal(root_ / "out", false).find("another stowage command"), std::string::npos);
    EXPECT_NE(refusal(root_ / "out", true).find("another stowage command"), std::string::npos);
    EXPECT_EQ(refusal(root_ / "other", false), "");
  }
  EXPECT_EQ(names(root_), Names{});
  EXPECT_EQ(refusal(root_ / "out", false), "") << "the lock ended with its command";
}

/// What stands in the way of one file keeps all others from moving.
TEST_F(Folder, AFailedMoveIsTakenBack) {
  replace(root_ / "out", "old");
  std::ofstream(root_ / "out/notes") << "mine";
  fs::create_directories(root_ / "out/.stowage/new");
  std::ofstream(root_ / "out/.stowage/new/summary.json") << "new";  // report.html is missing: its move fails
  EXPECT_THROW(move_in(root_ / "out", root_ / "out/.stowage/new", {{"summary.json", "report.html"}, {}}),
               EnvironmentError);
  EXPECT_EQ(names(root_ / "out"), (Names{"notes", "summary.json"}));
  EXPECT_EQ(read(root_ / "out/summary.json"), "old");
}

/// Killed anywhere between two moves: the marker decides what is read, and the next command ends the move.
TEST_F(Folder, ReadersHonourTheMarker) {
  const fs::path out = root_ / "out";
  for (int moved = 0; moved <= 3; ++moved) {
    fs::remove_all(out);
    fs::create_directories(out / ".stowage/new");
    for (const char* name : {"a", "b", "gone", "notes"}) std::ofstream(out / name) << "old";
    for (const char* name : {"a", "b", "c"}) std::ofstream(out / ".stowage/new" / name) << "new";
    EXPECT_EQ(read(result_path(out, "a")), "old") << "no marker yet";
    std::ofstream(out / ".stowage/files") << "new a\nnew b\nnew c\ngone gone\n";
    for (int i = 0; i < moved; ++i) {
      const std::string name(1, static_cast<char>('a' + i));
      fs::rename(out / ".stowage/new" / name, out / name);
    }
    for (const char* name : {"a", "b", "c"}) EXPECT_EQ(read(result_path(out, name)), "new") << name << moved;
    EXPECT_FALSE(fs::exists(result_path(out, "gone"))) << moved;
    EXPECT_EQ(read(result_path(out, "notes")), "old");
    finish_moves(out);
    EXPECT_EQ(names(out), (Names{"a", "b", "c", "notes"})) << moved;
    for (const char* name : {"a", "b", "c"}) EXPECT_EQ(read(out / name), "new") << name << moved;
  }
}

TEST_F(Folder, ReadAgainWhenItChanges) {
  replace(root_ / "out", "1");
  int reads = 0;
  const std::string text = read_unchanged(root_ / "out", [&] {
    const std::string first = read(root_ / "out/summary.json");
    if (++reads < 3) replace(root_ / "out", std::to_string(reads + 1));
    return first + read(root_ / "out/summary.json");
  });
  EXPECT_EQ(text, "33") << "never the halves of two results";
  EXPECT_EQ(reads, 3);
}

TEST_F(Folder, AFileIsWholeOrTheOldOne) {
  const std::string name = (root_ / "profile.yaml").string();
  {
    WholeFile file(name, false);
    file.file().write("first");
    file.commit();
  }
  EXPECT_THROW(WholeFile(name, false), InputError) << "there already";
  fs::permissions(name, fs::perms::owner_read | fs::perms::owner_write);
  {
    WholeFile file(name, true);
    file.file().write("half");
    EXPECT_THROW(WholeFile(name, true), InputError) << "another is writing it";
  }
  EXPECT_EQ(read(name), "first");
  fs::create_symlink("profile.yaml", root_ / "link");
  {
    WholeFile file((root_ / "link").string(), true);
    file.file().write("second");
    file.commit();
  }
  EXPECT_EQ(read(name), "second");
  EXPECT_EQ(fs::status(name).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_EQ(names(root_), (Names{"link", "profile.yaml"}));
  EXPECT_THROW(WholeFile(root_.string(), true), InputError) << "a folder";
  WholeFile nothing("/dev/null", false);
  nothing.file().write("x");
  nothing.commit();
  EXPECT_FALSE(fs::is_regular_file("/dev/null"));
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
