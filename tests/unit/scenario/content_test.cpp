// What the keys of a workload say of its prompts' content.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/error.hpp"
#include "scenario/reader.hpp"
#include "tests/support/source_dir.hpp"
#include "tests/unit/traces/content_text.hpp"

namespace stowage {
namespace {
Scenario load(const std::string& workload) {
  return parse_scenario("model: llama-3-8b\nhardware: h100-sxm-80gb\nmemory: {kv_pool: 8GiB}\nworkload: " + workload +
                            "\nmanagers: [{kind: paged}]\n",
                        "s.yaml");
}
std::string contents(const Scenario& s) { return test::contents_of(*s.runs.front().workload); }
/// The same of what its resolved.yaml is read to.
std::string contents_again(const Scenario& s) { return contents(parse_scenario(resolved_yaml(s), "s.yaml")); }

TEST(Content, HashesOfRequests) {
  // 40 tokens: two whole hashes of 16 and a part; all of a group are alike.
  const auto s = load("{requests: [{prompt: 40, output: 4, count: 2, hashes: [7, 18446744073709551615, 9]}, "
                      "{prompt: 5, output: 1}]}");
  EXPECT_EQ(s.workload.hash_block_size, 16);
  EXPECT_EQ(contents(s), "16: 7 18446744073709551615 | 16: 7 18446744073709551615 | - | ");
  EXPECT_EQ(contents_again(s), contents(s));
  const auto wide = load("{hash_block_size: 20, requests: [{prompt: 40, output: 4, hashes: [7, 8]}]}");
  EXPECT_EQ(contents(wide), "20: 7 8 | ");
  EXPECT_EQ(contents_again(wide), contents(wide));
  EXPECT_EQ(contents(load("{requests: [{prompt: 40, output: 4, hashes: []}]}")), "- | ");
}

TEST(Content, ARequestThatStopsByItself) {
  const auto s = load("{requests: [{prompt: 40, output: 9, stop_at: 3}, {prompt: 40, output: 9}]}");
  const auto stream = s.runs.front().workload->open();
  std::vector<Request> r(3);
  ASSERT_EQ(stream->read(r), 2U);
  EXPECT_EQ(r[0].output_tokens, 3);
  EXPECT_EQ(r[0].max_tokens, 9);
  EXPECT_EQ(r[1].output_tokens, 9);
  EXPECT_EQ(r[1].max_tokens, 0);
  EXPECT_NE(resolved_yaml(s).find("output: 9, count: 1, stop_at: 3}"), std::string::npos) << resolved_yaml(s);
}

TEST(Content, Sessions) {  // S15.3, S15.8, S15.10
  // 40 tokens of the first turn, hashes [7 8] of 16; its answer ends at 43 (it stops by itself with the third token).
  // The second turn is ready 2 s after that, and not before 5 s.
  const auto s = load("{requests: [{prompt: 40, output: 9, stop_at: 3, session: a, hashes: [7, 8, 9]}, "
                      "{prompt: 7, output: 1, session: b}, {prompt: 60, output: 4, session: a, think: 2s, at: 5s}]}");
  for (const Scenario& is : {s, parse_scenario(resolved_yaml(s), "s.yaml")}) {
    const auto stream = is.runs.front().workload->open();
    ASSERT_TRUE(stream->has_followers());
    std::vector<Request> r(3), ready;
    ASSERT_EQ(stream->read(r), 2U);
    stream->ended(r[1], 1'000'000'000, ready);
    EXPECT_TRUE(ready.empty());
    stream->ended(r[0], 1'000'000'000, ready);
    stream->ended(r[0], 4'000'000'000, ready);
    ASSERT_EQ(ready.size(), 2U);
    EXPECT_EQ(ready[0].arrival_ns, 5'000'000'000);
    EXPECT_EQ(ready[1].arrival_ns, 6'000'000'000);
    EXPECT_EQ(test::text_of(stream->content(ready[0])), "16: 7 8 + 0<43 | ");
  }
}

TEST(Content, PrefixesOfDrawnRequests) {
  const auto s = load("{synthetic: {rate: 5/s, count: 3, prompt: 100, output: 2, prefix: {tokens: 40}}}");
  EXPECT_EQ(contents(s), "16: 0 1 | 16: 0 1 | 16: 0 1 | ");
  EXPECT_EQ(contents_again(s), contents(s));
  const auto narrow =
      load("{hash_block_size: 8, synthetic: {rate: 5/s, count: 1, prompt: 100, output: 2, prefix: {tokens: 40}}}");
  EXPECT_EQ(contents(narrow), "8: 0 1 2 3 4 | ");
  EXPECT_EQ(contents_again(narrow), contents(narrow));
}

TEST(Content, HashesOfATrace) {
  const std::string path = testing::TempDir() + "content_test.jsonl";
  std::ofstream(path) << "{\"timestamp\": 0, \"input_length\": 1024, \"output_length\": 1, \"hash_ids\": [4, 5]}\n";
  const auto s = load("{trace: " + path + ", rate_scale: 3}");
  EXPECT_EQ(s.workload.hash_block_size, 512);
  EXPECT_EQ(contents(s), "512: 4 5 | ");
  EXPECT_NE(resolved_yaml(s).find("hash_block_size: 512"), std::string::npos);
  EXPECT_EQ(contents(load("{trace: " + path + ", hash_block_size: 16}")), "16: 4 5 | ");
  std::filesystem::remove(path);
}

TEST(Content, WithoutACacheANoteSaysSo) {
  const std::string note = "prompts begin alike, and no manager caches prefixes: all of every prompt is computed";
  const auto notes = [&](const std::string& workload) {
    const auto s = load(workload);
    return std::count(s.notes.begin(), s.notes.end(), note);
  };
  EXPECT_EQ(notes("{requests: [{prompt: 40, output: 4, hashes: [7]}]}"), 1);
  EXPECT_EQ(notes("{synthetic: {rate: 5/s, count: 3, prompt: 100, output: 2, prefix: {tokens: 40}}}"), 1);
  EXPECT_EQ(notes("{hash_block_size: 8, requests: [{prompt: 40, output: 4}]}"), 0);
}

/// Points of a study share their requests, which keeps what they have in common.
TEST(Content, StudiesKeepIt) {
  for (const std::string workload :
       {"{requests: [{prompt: 5, output: 1}, {prompt: 40, output: 4, hashes: [7, 8]}]}",
        "{synthetic: {rate: 5/s, count: 3, prompt: 100, output: 2, prefix: {tokens: 40, groups: 5}}}"}) {
    const auto once = load(workload);
    ScenarioCache cache;
    cache.many_points = true;
    const auto document = ConfigDocument::parse(
        "model: llama-3-8b\nhardware: h100-sxm-80gb\nmemory: {kv_pool: 8GiB}\nworkload: " + workload +
            "\nmanagers: [{kind: paged}]\n",
        "s.yaml");
    EXPECT_EQ(contents(resolve_scenario(document, {}, cache)), contents(once));
  }
}
}  // namespace
}  // namespace stowage
