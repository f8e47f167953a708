#include "scenario/schema.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "base/config.hpp"
#include "scenario/scenario.hpp"
#include "tests/support/source_dir.hpp"

namespace stowage {
namespace {
namespace fs = std::filesystem;
using Json = nlohmann::json;

/// Every key that stands in a document stands in the schema; what the values may be is for the readers.
std::string strange_key(const ConfigNode& node, const Json& schema) {
  if (schema.contains("anyOf")) {
    std::string first;
    for (const Json& form : schema["anyOf"]) {
      if (node.kind() == ConfigNode::Kind::map && form.contains("properties") &&
          form["properties"].contains("kind") &&
          form["properties"]["kind"].value("const", "") != node.get("kind").text())
        continue;
      const std::string found = strange_key(node, form);
      if (found.empty()) return "";
      if (first.empty()) first = found;
    }
    return first.empty() ? node.path() + ": no form" : first;
  }
  if (schema.empty()) return "";  // anything goes
  if (node.kind() == ConfigNode::Kind::list) {
    const Json type = schema.value("type", Json());
    if (type != "array" && !type.is_array()) return node.path() + " is a list";
    for (std::size_t i = 0; i < node.size(); ++i)
      if (auto found = strange_key(node[i], schema.value("items", Json::object())); !found.empty()) return found;
    return "";
  }
  if (node.kind() != ConfigNode::Kind::map) return schema.contains("properties") ? node.path() + " is no map" : "";
  if (!schema.contains("properties")) return "";
  for (const auto& [key, value] : node.entries()) {
    if (!schema["properties"].contains(key)) return value.path();
    if (auto found = strange_key(value, schema["properties"][key]); !found.empty()) return found;
  }
  for (const Json& key : schema.value("required", Json::array()))
    if (!node.get(key.get<std::string>())) return "without " + key.get<std::string>();
  return "";
}

std::vector<std::string> shipped_scenarios() {
  std::vector<std::string> out;
  for (const auto& entry : fs::directory_iterator(fs::path(source_dir()) / "scenarios"))
    if (entry.path().extension() == ".yaml") out.push_back(entry.path().string());
  std::sort(out.begin(), out.end());
  return out;
}

TEST(Schema, HoldsEveryShippedScenarioAsWrittenAndAsResolved) {
  const Json schema = Json::parse(scenario_schema());
  const auto files = shipped_scenarios();
  ASSERT_FALSE(files.empty());
  for (const std::string& file : files) {
    EXPECT_EQ(strange_key(ConfigDocument::load(file).root(), schema), "") << file;
    const std::string resolved = resolved_yaml(load_scenario(file));
    EXPECT_EQ(strange_key(ConfigDocument::parse(resolved, "resolved.yaml").root(), schema), "") << file << resolved;
  }
}

// A key that the schema has and no reader knows would be refused: each section with all its keys of one form.
TEST(Schema, FindsWhatIsWrong) {
  const Json schema = Json::parse(scenario_schema());
  const auto check = [&](const char* text) {
    return strange_key(ConfigDocument::parse(text, "s.yaml").root(), schema);
  };
  const std::string base =
      "model: llama-3-8b\nhardware: h100-sxm-80gb\nworkload: {requests: [{prompt: 9, output: 9}]}\n";
  EXPECT_EQ(check((base + "managers: [{kind: paged, block_size: 16}]\n").c_str()), "");
  EXPECT_EQ(check((base + "managers: [{kind: paged, page: 2MiB}]\n").c_str()), "managers[0].page");
  EXPECT_EQ(check((base + "managers: [{kind: paged}]\ncluster: {tenser: 2}\n").c_str()), "cluster.tenser");
  EXPECT_EQ(check(base.c_str()), "without managers");
}

TEST(Schema, OfAStudyIsJson) {
  const Json schema = Json::parse(study_schema());
  EXPECT_TRUE(schema["properties"].contains("space"));
  EXPECT_EQ(schema["required"], Json::array({"scenario"}));
}
}  // namespace
}  // namespace stowage
