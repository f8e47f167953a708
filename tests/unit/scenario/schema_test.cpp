#include "scenario/keys/schema.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "base/config.hpp"
#include "scenario/keys/tables.hpp"
#include "scenario/scenario.hpp"
#include "tests/support/schema_check.hpp"
#include "tests/support/source_dir.hpp"

namespace stowage {
namespace {
namespace fs = std::filesystem;
using Json = nlohmann::json;

std::vector<std::string> shipped_scenarios() {
  std::vector<std::string> out;
  for (const auto& entry : fs::directory_iterator(fs::path(source_dir()) / "scenarios"))
    if (entry.path().extension() == ".yaml") out.push_back(entry.path().string());
  std::sort(out.begin(), out.end());
  return out;
}

Json schema() { return Json::parse(keys::schema_document("Stowage scenario", keys::scenario_keys())); }

TEST(Schema, HoldsEveryShippedScenarioAsWrittenAndAsResolved) {
  const auto files = shipped_scenarios();
  ASSERT_FALSE(files.empty());
  for (const std::string& file : files) {
    EXPECT_TRUE(conforms(json_of(ConfigDocument::load(file).root()), schema())) << file;
    const std::string resolved = resolved_yaml(load_scenario(file));
    EXPECT_TRUE(conforms(json_of(ConfigDocument::parse(resolved, "resolved.yaml").root()), schema())) << resolved;
  }
}

TEST(Schema, WordsThatYamlReadsAsYesAndNoMayBeBoth) {
  keys::Table table;
  keys::Key key;
  key.name = "caching";
  key.form = keys::one_of({"true", "false", "auto"});
  table.keys = {key};
  const Json made = Json::parse(keys::schema_document("a table", table));
  for (const char* value : {"true", "false", "auto", "\"true\""})
    EXPECT_TRUE(conforms(json_of(ConfigDocument::parse(std::string("caching: ") + value, "s.yaml").root()), made));
  for (const char* value : {"yes", "1", "[true]"})
    EXPECT_FALSE(conforms(json_of(ConfigDocument::parse(std::string("caching: ") + value, "s.yaml").root()), made));
}

TEST(Schema, FindsWhatIsWrong) {
  const auto good = [](const std::string& more) {
    const std::string base = "model: llama-3-8b\nhardware: h100-sxm-80gb\n";
    return conforms(json_of(ConfigDocument::parse(base + more, "s.yaml").root()), schema());
  };
  const std::string work = "workload: {requests: [{prompt: 9, output: 9}]}\n", paged = "managers: [{kind: paged}]\n";
  EXPECT_TRUE(good(work + paged));
  EXPECT_FALSE(good(work));                                                         // no managers
  EXPECT_FALSE(good(work + "managers: []\n"));
  EXPECT_FALSE(good(work + "managers: [{kind: paged, page: 2MiB}]\n"));             // of another manager
  EXPECT_FALSE(good(work + paged + "cluster: {tenser: 2}\n"));
  EXPECT_FALSE(good(work + paged + "memory: {kv_pool: 8GiB, kv_tokens: 900}\n"));   // one of them
  EXPECT_FALSE(good(paged + "workload: {requests: [{prompt: 9}]}\n"));              // no output
  EXPECT_FALSE(good(paged + "workload: {rate_scale: 2}\n"));                        // no requests
  EXPECT_FALSE(good(paged + "workload: {limit: 9, synthetic: {preset: azure-conv-2023}}\n"));  // of a trace
  EXPECT_TRUE(good(work + paged + "slo: {ttft_p99: 1s, itl_p50: 9ms}\n"));
  EXPECT_FALSE(good(work + paged + "slo: {ttft_p98: 1s}\n"));
}
}  // namespace
}  // namespace stowage
