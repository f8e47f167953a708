#include "planner/journal.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <mutex>

#include "planner/sweep_run.hpp"
#include "tests/support/mutations.hpp"
#include "tests/unit/planner/helpers.hpp"

namespace stowage {
namespace {
using testing::TempFolder;

constexpr const char* scenario = R"(
model: llama-3-8b
hardware: h100-sxm-80gb
memory: {kv_pool: 8GiB}
workload: {requests: [{prompt: 1000, output: 25, count: 4}]}
cost: {source: linear, base: 10ms}
managers: [{kind: paged}, {kind: reserve}]
)";

Sweep sweep_of(const TempFolder& folder, const std::string& vary = "scheduler.max_batch=1..6") {
  const std::vector<std::string> axes = {vary};
  return Sweep(load_study(folder.file("s.yaml", scenario), {}, axes, {}), "test");
}

void run(const Sweep& sweep, const std::string& folder, Shard shard, int jobs = 2, std::uint64_t at_most = 1000) {
  Journal journal(folder, sweep, shard);
  std::uint64_t left = at_most;
  std::mutex mutex;
  run_points(
      sweep, shard, journal.done(), jobs,
      [&](std::uint64_t, std::string record) {
        const std::lock_guard lock(mutex);
        if (left == 0) return;  // as if killed here
        --left;
        journal.append(record);
      });
}

std::string table(const Sweep& sweep, const std::string& folder) {
  const Merged merged = merge_journals(folder, sweep);
  EXPECT_TRUE(merged.holes.empty());
  EXPECT_TRUE(merged.contradictions.empty());
  std::string out;
  for (const auto& record : merged.records) out += sweep.csv_rows(record);
  return out;
}

std::string read(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(Journal, AnyShardingAndAnyJobsGiveTheSameTable) {
  const TempFolder folder;
  const Sweep sweep = sweep_of(folder);
  run(sweep, folder.path("whole"), {1, 1}, 1);
  const std::string expected = table(sweep, folder.path("whole"));
  EXPECT_NE(expected.find("paged-16"), std::string::npos);
  for (const std::uint64_t n : {2U, 3U, 6U, 9U}) {
    const std::string name = folder.path("cut" + std::to_string(n));
    for (std::uint64_t i = 1; i <= n; ++i) run(sweep, name, {i, n});
    EXPECT_EQ(table(sweep, name), expected) << n;
  }
}

// A kill -9 leaves a prefix of what was written: every prefix must be taken up and end in the same table.
TEST(Journal, CutAtAnyByteItGoesOnAndLosesAtMostTheLineInFlight) {
  const TempFolder folder;
  const Sweep sweep = sweep_of(folder);
  run(sweep, folder.path("whole"), {1, 1}, 1);
  const std::string expected = table(sweep, folder.path("whole"));
  const std::string journal = read(folder.path("whole/journal-1-of-1"));
  for (std::size_t bytes = 0; bytes <= journal.size(); bytes += bytes < 200 ? 1 : 37) {
    const std::string name = folder.path("cut");
    std::filesystem::create_directories(name);
    std::ofstream(name + "/journal-1-of-1", std::ios::trunc) << journal.substr(0, bytes);
    const std::size_t whole_lines = static_cast<std::size_t>(
        std::count(journal.begin(), journal.begin() + static_cast<std::ptrdiff_t>(bytes), '\n'));
    {
      const Journal taken_up(name, sweep, {1, 1});
      EXPECT_EQ(taken_up.done().size() + 1, std::max<std::size_t>(1, whole_lines)) << bytes;
    }
    run(sweep, name, {1, 1});
    ASSERT_EQ(table(sweep, name), expected) << "cut at byte " << bytes;
  }
}

TEST(Journal, ADamagedLineIsPassedOverAndItsPointDoneAgain) {
  const TempFolder folder;
  const Sweep sweep = sweep_of(folder);
  run(sweep, folder.path("a"), {1, 1}, 1);
  const std::string expected = table(sweep, folder.path("a"));
  std::string journal = read(folder.path("a/journal-1-of-1"));
  const auto second = journal.find("\"point\":2");
  journal[second + 9] = '7';
  std::ofstream(folder.path("a/journal-1-of-1"), std::ios::trunc) << journal;
  EXPECT_EQ(merge_journals(folder.path("a"), sweep).holes, std::vector<std::uint64_t>{2});
  run(sweep, folder.path("a"), {1, 1});
  EXPECT_EQ(table(sweep, folder.path("a")), expected);
}

TEST(Journal, InOrderItDoesNotDependOnWhichPointEndedFirst) {
  const TempFolder folder;
  const Sweep sweep = sweep_of(folder);
  run(sweep, folder.path("a"), {1, 1}, 1);
  const std::string name = folder.path("b/journal-1-of-1");
  {
    Journal journal(folder.path("b"), sweep, {1, 1});
    for (const std::uint64_t point : {4U, 0U, 5U, 2U, 1U, 3U}) journal.append(sweep.record(point));
  }
  EXPECT_EQ(journal_in_order(name), read(folder.path("a/journal-1-of-1")));
  EXPECT_EQ(journal_in_order(folder.path("a/journal-1-of-1")), std::nullopt) << "nothing to do";
  Journal(folder.path("b"), sweep, {1, 1}).append(sweep.record(4));
  EXPECT_EQ(journal_in_order(name), std::nullopt) << "two records of a point are for the merge to compare";
}

TEST(Journal, HolesAreNamed) {
  const TempFolder folder;
  const Sweep sweep = sweep_of(folder);
  run(sweep, folder.path("a"), {2, 3});
  EXPECT_EQ(merge_journals(folder.path("a"), sweep).holes, (std::vector<std::uint64_t>{0, 2, 3, 5}));
  EXPECT_EQ(ranges_text({0, 2, 3, 5}), "0, 2 to 3, 5");
}

TEST(Journal, RecordsThatContradictEachOtherAreFound) {
  const TempFolder folder;
  const Sweep sweep = sweep_of(folder);
  run(sweep, folder.path("a"), {1, 1});
  std::string other = sweep.record(3);
  other.replace(other.find("\"ok\",4"), 6, "\"ok\",5");
  Journal(folder.path("a"), sweep, {1, 2}).append(other);
  EXPECT_EQ(merge_journals(folder.path("a"), sweep).contradictions.size(), 1U);
}

TEST(Journal, TwoSweepsInOneFolderAreRefused) {
  const TempFolder folder;
  const Sweep one = sweep_of(folder), other = sweep_of(folder, "scheduler.max_batch=1..7");
  run(one, folder.path("a"), {1, 1});
  EXPECT_THROW(Journal(folder.path("a"), other, {1, 1}), InputError);
  EXPECT_THROW(Journal(folder.path("a"), other, {1, 2}), InputError);
  EXPECT_THROW((void)merge_journals(folder.path("a"), other), InputError);
  EXPECT_THROW((void)merge_journals(folder.path("empty"), one), InputError);
}

TEST(Journal, TwoProcessesOnOneShardAreRefused) {
  const TempFolder folder;
  const Sweep sweep = sweep_of(folder);
  const Journal first(folder.path("a"), sweep, {1, 2});
  EXPECT_THROW(Journal(folder.path("a"), sweep, {1, 2}), InputError);
  const Journal second(folder.path("a"), sweep, {2, 2});
}

// A limit on the size of files stands for a full disk: the write is cut in the middle of a line, then refused.
TEST(Journal, AFullDiskIsSaidAndLosesNothing) {
  const TempFolder folder;
  const Sweep sweep = sweep_of(folder);
  run(sweep, folder.path("whole"), {1, 1}, 1);
  const std::string expected = table(sweep, folder.path("whole"));
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{1000, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  std::string said;
  try {
    run(sweep, folder.path("full"), {1, 1}, 1);
  } catch (const EnvironmentError& error) { said = error.what(); }
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_NE(said.find("File too large"), std::string::npos) << said;
  const JournalContent kept = read_journal(folder.path("full/journal-1-of-1"));
  EXPECT_EQ(kept.torn_bytes, 0U);  // what was half-written was taken back
  EXPECT_GE(kept.records.size(), 1U);
  run(sweep, folder.path("full"), {1, 1});
  EXPECT_EQ(table(sweep, folder.path("full")), expected);
}

// Lines whose checksum is right may lie all the same.
TEST(Journal, RecordsThatLieAreRefusedWithTheirLine) {
  const TempFolder folder;
  const Sweep sweep = sweep_of(folder);
  run(sweep, folder.path("a"), {1, 1}, 1);
  const JournalContent good = read_journal(folder.path("a/journal-1-of-1"));
  const std::string path = folder.path("b/journal-1-of-1");
  std::filesystem::create_directories(folder.path("b"));
  const auto read_with = [&](const std::string& record) {
    std::ofstream(path) << journal_line(good.header) << journal_line(record);
    const Merged merged = merge_journals(folder.path("b"), sweep);
    for (const auto& line : merged.records)
      if (!line.empty()) (void)sweep.csv_rows(line);
  };
  const auto record = nlohmann::ordered_json::parse(good.records.front());
  const test::Lies lies = test::Liar(record, "journal-1-of-1", read_with).lies();
  EXPECT_EQ(lies.ignored, std::set<std::string>{});
  test::damage(good.records.front(), "journal-1-of-1", 300, [&](const std::string& text) {
    if (text.find('\n') == std::string::npos) read_with(text);
  });
  try {
    read_with(R"({"point":0,"rows":[["paged-16"]]})");
    ADD_FAILURE();
  } catch (const InputError& e) {
    EXPECT_NE(std::string(e.what()).find("journal-1-of-1:2: error: /rows/0: must be a list of"), std::string::npos);
  }
}

TEST(Journal, WhatIsNoFileIsRefused) {
  const TempFolder folder;
  const Sweep sweep = sweep_of(folder);
  std::filesystem::create_directories(folder.path("a/journal-1-of-1"));
  EXPECT_THROW(Journal(folder.path("a"), sweep, {1, 1}), EnvironmentError);
}

TEST(Sweep, AnotherTraceOrVersionIsAnotherSweep) {
  const TempFolder folder;
  const std::vector<std::string> axes = {"scheduler.max_batch=1..6"};
  const auto digest = [&](std::vector<std::string> sets, const char* version) {
    return Sweep(load_study(folder.file("s.yaml", scenario), sets, axes, {}), version).digest();
  };
  EXPECT_EQ(digest({}, "1"), digest({}, "1"));
  EXPECT_NE(digest({}, "1"), digest({}, "2"));
  EXPECT_NE(digest({}, "1"), digest({"workload.requests[0].output=26"}, "1"));
  EXPECT_NE(digest({}, "1"), digest({"seed=7"}, "1"));
}

TEST(Sweep, APointThatCannotBeIsARowWithItsReason) {
  const TempFolder folder;
  const Sweep sweep = sweep_of(folder, "memory.kv_pool=8GiB,1MiB");
  EXPECT_NE(sweep.csv_rows(sweep.record(1)).find("infeasible"), std::string::npos);
  EXPECT_NE(sweep.csv_rows(sweep.record(0)).find(",ok,"), std::string::npos);
}

TEST(Sweep, ShardsAreParsed) {
  EXPECT_EQ(parse_shard("3/20").index, 3U);
  for (const auto* bad : {"", "3", "0/3", "4/3", "1/0", "a/b", "1/2/3", "-1/3"})
    EXPECT_THROW((void)parse_shard(bad), InputError) << bad;
}
}  // namespace
}  // namespace stowage
