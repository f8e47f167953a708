// Every row of the table of keys, in files: what is written is read and shown again, what is wrong is refused, other
// names mean the same, an absent key is its default, and the JSON schema agrees. Nothing here names a key: a new row is
// tested as soon as one of the scenarios below takes it.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "scenario/cache.hpp"
#include "scenario/keys/reader.hpp"
#include "scenario/keys/schema.hpp"
#include "scenario/keys/tables.hpp"
#include "sim/kv/registry.hpp"
#include "tests/support/key_samples.hpp"
#include "tests/support/schema_check.hpp"
#include "tests/support/source_dir.hpp"
#include "tests/unit/scenario/same.hpp"

namespace stowage {
namespace {
using keys::Key;
using keys::Table;
using keys::Type;
using Json = nlohmann::json;

std::string trace_file() { return own_file("_trace.csv"); }

/// Scenarios that are quick to read; between them every key may be set.
std::vector<ConfigDocument> bases() {
  std::ofstream(trace_file()) << "arrival_ns,prompt_tokens,output_tokens\n0,10,5\n1000000000,20,5\n";
  const std::string head = "model: llama-3-8b\nhardware: h100-sxm-80gb\n";
  const std::string linear = head + "cost: {source: linear, base: 5ms}\n";
  const std::string one = "workload: {requests: [{prompt: 100, output: 10}]}\n";
  const std::string paged = "managers: [{kind: paged}]\n";
  const auto drawn = [&](const std::string& how, const std::string& length) {
    return linear + paged + "workload:\n  synthetic: {" + how + ", rate: 5/s, count: 10, prompt: " + length +
           ", output: " + length + "}\n";
  };
  std::vector<std::string> texts;
  for (const ManagerRow& row : managers())
    texts.push_back(linear + one + "managers: [{kind: " + std::string(row.kind) + "}]\n");
  texts.push_back(linear + paged + "workload: {trace: " + trace_file() + "}\n");
  for (const std::string length : {"100", "{fixed: 100}", "{uniform: {min: 1, max: 4096}}",
                                   "{quantiles: [[0, 1], [1, 1000]]}", "{lognormal: {mean: 300, sigma: 1}}",
                                   "{lognormal: {p50: 300, sigma: 1}}", "{lognormal: {p50: 300, mean: 301}}"})
    texts.push_back(drawn("arrivals: gamma", length));
  texts.push_back(linear + paged + "workload: {requests: [{prompt: 40, output: 4, session: a}]}\n");
  texts.push_back(linear + paged +
                  "workload: {synthetic: {rate: 5/s, count: 10, prompt: 9, output: 9, prefix: {tokens: 40}}}\n");
  texts.push_back(linear + paged + "workload: {synthetic: {preset: azure-conv-2023, count: 20}}\n");
  texts.push_back(linear + paged +
                  "workload: {synthetic: {arrivals: closed, concurrency: 2, count: 20, prompt: 9, output: 9}}\n");
  texts.push_back(head + one + paged);                                       // priced by the profile
  texts.push_back(head + one + paged + "cost: {source: roofline}\n");
  texts.push_back(linear + one + paged + "cluster: {groups: [{replicas: 1}, {replicas: 2}]}\n");
  texts.push_back(linear + one + paged + "engine: vllm-0.19\n");
  for (const std::string spread : {"{tensor: 2, expert: 2}", "{data: 2, expert: 2}"})
    texts.push_back("model: mixtral-8x7b\nhardware: h100-sxm-80gb\ncost: {source: linear, base: 5ms}\n" + one + paged +
                    "cluster: " + spread + "\n");
  std::vector<ConfigDocument> out;
  for (const auto& text : texts) out.push_back(ConfigDocument::parse(text, "base.yaml"));
  return out;
}

std::vector<Place> places() {
  std::vector<Place> out;
  add_places(out, keys::scenario_keys(), "");
  return out;
}
std::vector<Written> samples(const Place& place) { return samples(place, trace_file()); }

/// Rows that resolved.yaml leaves out, because it writes what they stand for.
bool expanded(const Place& p, const std::string& text) {
  return p.name == "preset" || (p.name == "pipeline" && p.table == &keys::group_keys()) || text == "auto";
}

struct Outcome {
  std::optional<Scenario> scenario;
  bool infeasible = false;
  std::vector<Problem> problems;
};
Outcome outcome(const ConfigDocument& document) {
  static ScenarioCache cache;
  Outcome out;
  try {
    out.scenario = resolve_scenario(document, {}, cache);
  } catch (const InputError& e) { out.problems = e.problems(); } catch (const InfeasibleError&) {
    out.infeasible = true;
  }
  return out;
}

/// Does the scenario have a place for this row? Lists and alternatives are not made up.
bool takes(const ConfigDocument& base, const Place& place) {
  if (place.parent.find("[0]") == std::string::npos && place.parent.find("synthetic") == std::string::npos) return true;
  if (place.parent.starts_with("managers"))
    if (const Key& kind = place.table->keys.front(); kind.name == "kind")
      return at_path(base.root(), "managers[0].kind").text() == kind.form.words.front();
  return at_path(base.root(), place.parent).kind() == ConfigNode::Kind::map;
}

std::optional<ConfigDocument> with(const ConfigDocument& base, const Place& place, const std::string& text) {
  ConfigDocument out = base;
  if (!takes(base, place)) return std::nullopt;
  try {
    out.set(place.path + "=" + text, 1);
  } catch (const InputError&) { return std::nullopt; }
  return out;
}

bool about_form(const Problem& p) {
  for (const char* words : {"is not a", "is out of range", "unknown key", "must be", "no '", "known:"})
    if (p.message.find(words) != std::string::npos) return true;
  return false;
}

class Keys : public testing::Test {
 protected:
  const std::vector<ConfigDocument> bases_ = bases();
  const Json schema_ = Json::parse(keys::schema_document("Stowage scenario", keys::scenario_keys()));
};

TEST_F(Keys, TheScenariosOfThisTestAreGood) {
  for (const auto& base : bases_) {
    const Outcome good = outcome(base);
    EXPECT_TRUE(good.scenario) << flow_text(base.root()) << (good.problems.empty() ? "" : good.problems[0].str());
    EXPECT_TRUE(conforms(json_of(base.root()), schema_)) << flow_text(base.root());
  }
}

/// `read`: the reader took it. The schema sees forms, and the range of numbers without a unit.
void expect_schema_agrees(const Json& schema, const ConfigDocument& document, const Place& place, const Written& sample,
                          bool read) {
  const Type type = place.key->form.type;
  const bool unit = type == Type::size || type == Type::duration || type == Type::rate;
  const bool taken = conforms(json_of(document.root()), schema);
  EXPECT_TRUE(taken || !read);
  const bool wrong = !sample.formed || (!sample.in_range && !unit);
  EXPECT_FALSE(wrong && taken);
}

TEST_F(Keys, WhatIsWrittenIsShownAndReadAgainOrRefusedAndTheSchemaAgrees) {
  for (const Place& place : places()) {
    if (!is_leaf(place)) continue;
    int accepted = 0;
    for (const Written& sample : samples(place)) {
      int settled = 0;  // two scenarios tell enough of one value
      for (const auto& base : bases_) {
        const auto document = settled < 2 ? with(base, place, sample.text) : std::nullopt;
        if (!document) continue;
        SCOPED_TRACE(place.path + "=" + sample.text + " in " + flow_text(document->root()));
        const Outcome is = outcome(*document);
        const bool fine = sample.formed && sample.in_range;
        ASSERT_TRUE(fine || !is.scenario);
        expect_schema_agrees(schema_, *document, place, sample, is.scenario.has_value());
        if (is.scenario || !fine) ++settled;
        if (!is.scenario) {
          for (const Problem& p : is.problems)
            EXPECT_TRUE(!fine || !about_form(p) || p.message.find("goes with") != std::string::npos ||
                        place.key->form.type == Type::reference || place.key->form.type == Type::path)
                << p.message;
          continue;
        }
        ++accepted;
        const std::string yaml = resolved_yaml(*is.scenario);
        const ConfigDocument again = ConfigDocument::parse(yaml, "base.yaml");
        Problems problems;
        const auto typed = keys::read_value(at_path(document->root(), place.path), place.key->form, problems);
        const ConfigNode found = at_path(again.root(), place.path);
        // A default may go unsaid; what is not the default may not.
        const bool unsaid = !found && place.key->get && place.table->initial &&
                            *typed == place.key->get(place.table->initial.get());
        if (!expanded(place, sample.text) && !unsaid) {
          const auto shown = keys::read_value(found, place.key->form, problems);
          ASSERT_TRUE(typed && shown) << yaml;
          const bool eight_bits = sample.text.starts_with("fp8");
          EXPECT_TRUE(*typed == *shown || (eight_bits && std::get<std::string>(*shown) == "float8")) << yaml;
        }
        const Outcome same = outcome(again);
        ASSERT_TRUE(same.scenario) << yaml;
        EXPECT_EQ(resolved_yaml(*same.scenario), yaml);
      }
    }
    EXPECT_GT(accepted, 0) << place.path << ": no scenario of this test takes any value of it";
  }
}

TEST_F(Keys, OtherNamesMeanTheSameAndBothAreAnError) {
  int tried = 0;
  for (const Place& place : places()) {
    if (!is_leaf(place)) continue;
    std::vector<std::string> others = keys::aliases_of(*place.key);
    if (others.size() > 1 && !place.key->endings.empty())
      std::erase_if(others,
                    [&](const std::string& o) { return !o.ends_with(place.name.substr(place.key->name.size())); });
    others.push_back(place.name);
    for (std::size_t i = 0, n = others.size(); i < n; ++i) {
      std::string dashed = others[i];
      std::replace(dashed.begin(), dashed.end(), '_', '-');
      if (dashed != others[i]) others.push_back(dashed);
    }
    std::erase(others, place.name);
    for (const auto& other : others) {
      bool done = false;
      for (const Written& sample : samples(place)) {
        for (const auto& base : bases_) {
          const auto usual = with(base, place, sample.text);
          if (done || !usual || !sample.formed) continue;
          const Outcome first = outcome(*usual);
          if (!first.scenario) continue;
          Place renamed = place;
          renamed.path = place.parent.empty() ? other : place.parent + "." + other;
          auto both = with(*usual, renamed, sample.text);
          ASSERT_TRUE(both) << renamed.path;
          const Outcome twice = outcome(*both);
          ASSERT_FALSE(twice.scenario) << renamed.path;
          EXPECT_NE(twice.problems[0].message.find("says the same as"), std::string::npos) << twice.problems[0].message;
          both->set(place.path + "=", 1);
          const Outcome second = outcome(*both);
          ASSERT_TRUE(second.scenario) << flow_text(both->root()) << second.problems[0].message;
          EXPECT_EQ(resolved_yaml(*second.scenario), resolved_yaml(*first.scenario)) << renamed.path;
          EXPECT_TRUE(conforms(json_of(both->root()), schema_)) << flow_text(both->root());
          done = true;
          ++tried;
        }
      }
      EXPECT_TRUE(done) << place.path << " as " << other;
    }
  }
  EXPECT_GE(tried, 40);
}

TEST_F(Keys, NamesThatUsersTypeAreKnown) {
  const std::pair<const char*, const char*> known[] = {
      {"cluster.tp=2", "cluster.tensor"},
      {"cluster.pp=2", "cluster.pipeline"},
      {"cluster.dp=2", "cluster.replicas"},
      {"cluster.tensor-parallel-size=2", "cluster.tensor"},
      {"gpu=h200", "hardware"},
      {"slo.itl_p99=50ms", "slo.tbt_p99"},
      {"scheduler.max-num-seqs=7", "scheduler.max_batch"},
      {"memory.gpu-memory-utilization=0.8", "memory.utilization"}};
  for (const auto& [set, path] : known) {
    ConfigDocument document = bases_.front();
    if (std::string_view(set).starts_with("gpu")) document.set("hardware=", 1);
    document.set(set, 1);
    const Outcome is = outcome(document);
    ASSERT_TRUE(is.scenario) << set << is.problems[0].message;
    const ConfigDocument shown = ConfigDocument::parse(resolved_yaml(*is.scenario), "r.yaml");
    const std::string value = std::string_view(set).substr(std::string_view(set).find('=') + 1).data();
    EXPECT_EQ(at_path(shown.root(), path).text(), value) << set;
  }
}

TEST_F(Keys, ASetKeyGoesByTheNameThatTheFileHas) {
  const auto sets = [&](std::string_view cluster, std::vector<std::string> set) {
    ConfigDocument base = bases_.front();
    base.set(fmt::format("cluster={}", cluster), 1);
    std::ofstream(own_file("_set.yaml")) << flow_text(base.root());
    return load_scenario(own_file("_set.yaml"), set).cluster;
  };
  for (const std::string_view written : {"{tensor: 1}", "{tp: 1}", "{tensor-parallel-size: 1}", "{}"})
    for (const char* set : {"cluster.tensor=2", "cluster.tp=2", "cluster.tensor_parallel_size=2"})
      EXPECT_EQ(sets(written, {set}).tensor, 2) << written << " " << set;
  EXPECT_EQ(sets("{tp: 2}", {"cluster.tensor="}).tensor, 1);
  const auto& table = keys::scenario_keys();
  const ConfigNode none;
  EXPECT_EQ(keys::spelled(none, table, "cluster.groups[0].gpu"), "cluster.groups[0].hardware");
  EXPECT_EQ(keys::spelled(none, table, "managers[1].block-size"), "managers[1].block_size");
  EXPECT_EQ(keys::spelled(none, table, "slo.itl_p99"), "slo.tbt_p99");
  for (const char* odd : {"", ".", "a..b", "cluster.", "cluster.tenser", "managers[", "managers[x].page", "[0]", "a]b"})
    EXPECT_EQ(keys::spelled(none, table, odd), odd);  // whoever reads it says what is wrong
}

TEST_F(Keys, AnAbsentKeyIsItsDefault) {
  for (const Place& place : places()) {
    if (!is_leaf(place) || !place.key->get || !place.table->initial || place.key->required) continue;
    if (!place.key->absent.empty()) continue;  // said in words
    const std::string fallback = keys::written_value(place.key->form, place.key->get(place.table->initial.get()));
    int shown = 0;
    for (auto base : bases_) {
      if (!takes(base, place)) continue;
      base.set(place.path + "=", 1);
      const Outcome is = outcome(base);
      if (!is.scenario) continue;
      const ConfigDocument again = ConfigDocument::parse(resolved_yaml(*is.scenario), "r.yaml");
      const ConfigNode value = at_path(again.root(), place.path);
      if (value.kind() != ConfigNode::Kind::scalar) continue;
      ++shown;
      EXPECT_EQ(value.text(), fallback) << place.path;
    }
    EXPECT_TRUE(shown > 0 || place.key->written) << place.path;
  }
}

TEST_F(Keys, AMisspeltKeyIsRefusedWithTheRightOne) {
  for (const Place& place : places()) {
    Place wrong = place;
    wrong.name = place.name + place.name.back();  // "tensorr"
    if (keys::find(*place.table, wrong.name) != nullptr) continue;
    wrong.path = place.parent.empty() ? wrong.name : place.parent + "." + wrong.name;
    int tried = 0;
    for (const auto& base : bases_) {
      const auto document = with(base, wrong, "1");
      if (!document || tried > 0) continue;
      ++tried;
      const Outcome is = outcome(*document);
      ASSERT_FALSE(is.scenario) << wrong.path;
      const std::string wanted = fmt::format("unknown key '{}'{}; did you mean '{}'?", wrong.name,
                                             place.parent.empty() ? "" : fmt::format(" in '{}'", place.parent),
                                             place.name);
      const bool said = std::any_of(is.problems.begin(), is.problems.end(),
                                    [&](const Problem& p) { return p.message == wanted; });
      EXPECT_TRUE(said) << wanted << "\n" << is.problems[0].message;
    }
    EXPECT_GT(tried, 0) << wrong.path;
  }
}

TEST_F(Keys, EveryRowSaysWhatItMeans) {
  for (const Place& place : places()) {
    EXPECT_FALSE(place.key->about.empty()) << place.path;
    EXPECT_EQ(place.key->about.find('\n'), std::string_view::npos) << place.path;
    EXPECT_FALSE(place.table->about.empty()) << place.path;
  }
}

TEST_F(Keys, AnInProcessCallerHasNoFrontEnd) {
  for (auto base : bases_) {
    if (!base.root().get("engine")) continue;
    EXPECT_TRUE(outcome(base).scenario->frontend.any());
    base.set("frontend=none", 1);
    const Outcome is = outcome(base);
    ASSERT_TRUE(is.scenario);
    EXPECT_FALSE(is.scenario->frontend.any());
    EXPECT_TRUE(conforms(json_of(base.root()), schema_));
    const ConfigDocument again = ConfigDocument::parse(resolved_yaml(*is.scenario), "base.yaml");
    EXPECT_FALSE(outcome(again).scenario->frontend.any());
  }
}
}  // namespace
}  // namespace stowage
