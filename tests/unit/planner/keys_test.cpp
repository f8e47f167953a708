// Every row of a study's table, in study files; and the page of keys is the table of keys.
#include "planner/study_keys.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "scenario/keys/reader.hpp"
#include "scenario/keys/schema.hpp"
#include "tests/support/key_samples.hpp"
#include "tests/support/schema_check.hpp"
#include "tests/support/source_dir.hpp"

namespace stowage {
namespace {
std::string file() { return own_file(".yaml"); }

ConfigDocument base() {
  return ConfigDocument::parse(
      "scenario:\n  {model: llama-3-8b, hardware: h200, workload: {requests: [{prompt: 9, output: 9}]},\n"
      "   managers: [{kind: paged}]}\n"
      "slo: {ttft_p99: 1s, goodput: {share: 0.95, ttft: 1s}}\nprices: {h200: {usd_per_node_hour: 30}}\n",
      file());
}

std::vector<Place> places() {
  std::vector<Place> all, out;
  add_places(all, keys::study_keys(), "");
  for (const Place& p : all)
    if (is_leaf(p) && !p.path.starts_with("scenario") && p.name != "space") out.push_back(p);
  return out;
}

std::optional<Study> study_of(const ConfigDocument& document, std::string& why) {
  std::ofstream(file()) << flow_text(document.root());
  try {
    return load_study(file(), {}, {}, {});
  } catch (const InputError& e) { why = e.problems().front().message; }
  return std::nullopt;
}

/// What the study holds of this row.
std::optional<keys::Value> held(const Study& study, const Place& place) {
  const void* object = &study.plan;
  if (place.table == &keys::price_keys()) object = &study.plan.prices.find("h200")->second;
  if (place.table == &keys::goodput_keys()) object = &*study.plan.slo.at(0).goodput;
  if (place.key->get) return place.key->get(object);
  for (const PlanTarget& target : study.plan.slo.at(0).targets)
    if (target.key == place.name) return keys::Value{target.limit_ns};
  if (place.path == "name") return keys::Value{study.name};
  if (place.path == "spare") return keys::Value{study.plan.spare};
  if (place.path == "schema") return keys::Value{std::int64_t{1}};
  return std::nullopt;
}

TEST(StudyKeys, WhatIsWrittenIsHeldOrRefusedAndTheSchemaAgrees) {
  const nlohmann::json schema = nlohmann::json::parse(keys::schema_document("Stowage study", keys::study_keys()));
  ASSERT_GT(places().size(), 50U);
  for (const Place& place : places()) {
    const keys::Type type = place.key->form.type;
    const bool unit = type == keys::Type::duration || type == keys::Type::rate;
    int accepted = 0;
    for (const Written& sample : samples(place, file())) {
      ConfigDocument document = base();
      document.set(place.path + "=" + sample.text, 1);
      SCOPED_TRACE(place.path + "=" + sample.text);
      std::string why;
      const auto study = study_of(document, why);
      const bool fine = sample.formed && sample.in_range;
      ASSERT_TRUE(fine || !study);
      const bool taken = conforms(json_of(document.root()), schema);
      EXPECT_TRUE(taken || !study);
      EXPECT_FALSE(taken && (!sample.formed || (!sample.in_range && !unit)));
      if (!study) {
        EXPECT_TRUE(!fine || why.find("contradicts") != std::string::npos) << why;
        continue;
      }
      ++accepted;
      Problems problems;
      const auto typed = keys::read_value(at_path(document.root(), place.path), place.key->form, problems);
      const auto is = held(*study, place);
      ASSERT_TRUE(typed && is);
      EXPECT_TRUE(*typed == *is);
    }
    EXPECT_GT(accepted, 0) << place.path;
  }
}

TEST(StudyKeys, AnAbsentKeyIsItsDefault) {
  ConfigDocument document = base();
  for (const char* given : {"slo", "prices"}) document.set(std::string(given) + "=", 1);
  std::string why;
  const auto study = study_of(document, why);
  ASSERT_TRUE(study) << why;
  const PlanSpec plain;
  int compared = 0;
  for (const Place& place : places()) {
    const bool of_plan = place.table != &keys::price_keys() && place.table != &keys::goodput_keys();
    if (!place.key->get || !of_plan) continue;
    EXPECT_TRUE(place.key->get(&study->plan) == place.key->get(&plain)) << place.path;
    ++compared;
  }
  EXPECT_GE(compared, 11);
}

TEST(StudyKeys, WhatIsMisspeltIsRefusedWithTheRightOne) {
  for (const Place& place : places()) {
    const std::string wrong = place.name + place.name.back();
    if (keys::find(*place.table, wrong) != nullptr) continue;
    ConfigDocument document = base();
    document.set((place.parent.empty() ? wrong : place.parent + "." + wrong) + "=1", 1);
    std::string why;
    EXPECT_FALSE(study_of(document, why)) << place.path;
    EXPECT_NE(why.find(fmt::format("did you mean '{}'?", place.name)), std::string::npos) << place.path << ": " << why;
  }
}

TEST(StudyKeys, AxesAndTargetsGoByAnyName) {
  ConfigDocument document = base();
  document.set("space={gpu: [h200, a100-80gb], cluster.dp: [1, 2]}", 1);
  document.set("slo={itl_p99.5: 50ms, e2el-mean: 3s}", 1);
  std::string why;
  auto study = study_of(document, why);
  ASSERT_TRUE(study) << why;
  EXPECT_EQ(study->axes.at(0).path, "hardware");
  EXPECT_EQ(study->axes.at(1).path, "cluster.replicas");
  EXPECT_EQ(study->plan.slo.at(0).targets.at(0).key, "tbt_p99.5");
  EXPECT_DOUBLE_EQ(study->plan.slo.at(0).targets.at(0).q, 0.995);
  EXPECT_EQ(study->plan.slo.at(0).targets.at(1).key, "e2e_mean");
  document.set("slo={itl_p99: 50ms, tbt_p99: 40ms}", 1);
  EXPECT_FALSE(study_of(document, why));
  EXPECT_NE(why.find("says the same as"), std::string::npos) << why;
}

TEST(StudyKeys, ASetThatAnAxisUndoesIsRefusedUnderAnyName) {
  ConfigDocument document = base();
  document.set("space={hardware: [h200, a100-80gb]}", 1);
  std::ofstream(file()) << flow_text(document.root());
  for (const std::string set : {"hardware=h200", "gpu=h200", "hardware=", "gpu="}) {
    const std::vector<std::string> sets = {set};
    EXPECT_THROW((void)load_study(file(), sets, {}, {}), InputError) << set;
  }
}

TEST(StudyKeys, SpareReplicasAsPeopleSayIt) {
  const std::pair<const char*, std::optional<std::int64_t>> said[] = {
      {"N", 0}, {"N+2", 2}, {"3", 3}, {"N+", {}}, {"N+-1", {}}, {"N+1001", {}}, {"M+1", {}}, {"1.5", {}}};
  const nlohmann::json schema = nlohmann::json::parse(keys::schema_document("Stowage study", keys::study_keys()));
  for (const auto& [text, spare] : said) {
    ConfigDocument document = base();
    document.set(std::string("spare=") + text, 1);
    std::string why;
    const auto study = study_of(document, why);
    EXPECT_EQ(study.has_value(), spare.has_value()) << text;
    if (study && spare) {
      EXPECT_EQ(study->plan.spare, *spare);
    }
    EXPECT_TRUE(!study || conforms(json_of(document.root()), schema)) << text;
  }
}

TEST(StudyKeys, ThePageOfKeysIsTheTable) {
  std::ostringstream page;
  page << std::ifstream(source_dir() + "/docs/keys.md").rdbuf();
  EXPECT_EQ(page.str(), keys::reference_page()) << "stowage schema reference >docs/keys.md";
}
}  // namespace
}  // namespace stowage
