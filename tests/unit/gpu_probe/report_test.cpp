#include "gpu_probe/report.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "tests/support/source_dir.hpp"

namespace stowage::probe {
namespace {

std::optional<std::string> never(const Context&) { return std::nullopt; }
void nothing(Context&) {}
const Part first = {"first", "the first part", never, nothing};
const Part second = {"second", "the second part", never, nothing};
const std::array table = {&first, &second};

Options parse(std::vector<const char*> arguments, std::string* text = nullptr) {
  arguments.insert(arguments.begin(), "gpu_probe");
  std::string ignored;
  return parse_options(static_cast<int>(arguments.size()), arguments.data(), table, text != nullptr ? *text : ignored);
}

std::string why(const std::vector<const char*>& arguments) {
  try {
    static_cast<void>(parse(arguments));
  } catch (const InputError& e) { return e.what(); }
  return "no error";
}

TEST(Options, AllWritesProbeJsonUnlessToldOtherwise) {
  EXPECT_EQ(parse({"all"}).output, "probe.json");
  EXPECT_EQ(parse({"all", "-o", "x.json"}).output, "x.json");
  EXPECT_EQ(parse({"first"}).output, "");
}

TEST(Options, AreRead) {
  const Options o =
      parse({"second", "--quick", "--model", "llama-3-70b", "--device", "1", "--layers=4", "--seed", "9", "--shared"});
  EXPECT_EQ(o.command, "second");
  EXPECT_TRUE(o.quick);
  EXPECT_TRUE(o.shared);
  EXPECT_EQ(o.model, "llama-3-70b");
  EXPECT_EQ(o.device, 1);
  EXPECT_EQ(o.layers, 4);
  EXPECT_EQ(o.seed, 9U);
}

TEST(Options, BadUsageNamesWhatIsWrongAndWhatThereIs) {
  EXPECT_NE(why({"vmn"}).find("no part 'vmn'; there are all, selftest, first, second"), std::string::npos)
      << why({"vmn"});
  EXPECT_NE(why({"all", "--model", "gpt-9"}).find("'gpt-9'; there are llama-2-13b"), std::string::npos);
  EXPECT_NE(why({"all", "--device", "-1"}).find("--device"), std::string::npos);
  EXPECT_NE(why({"all", "--layers", "0"}).find("--layers 0"), std::string::npos);
  EXPECT_NE(why({"first", "second"}).find("one part at a time"), std::string::npos);
  EXPECT_NE(why({}).find("which part?"), std::string::npos);
  EXPECT_NE(why({"all", "--qiuck"}).find("qiuck"), std::string::npos);
}

TEST(Options, HelpVersionAndListNeedNoPart) {
  std::string text;
  static_cast<void>(parse({"--help"}, &text));
  EXPECT_NE(text.find("the second part"), std::string::npos);
  EXPECT_NE(text.find("--quick"), std::string::npos);
  text.clear();
  static_cast<void>(parse({"--list"}, &text));
  EXPECT_NE(text.find("llama-3-70b"), std::string::npos);
  text.clear();
  static_cast<void>(parse({"--version"}, &text));
  EXPECT_NE(text.find("stowage.probe/1"), std::string::npos);
}

ProbeRun example() {
  ProbeRun run;
  run.version = "0.1.0";
  run.date = "2026-11-23T10:00:00Z";
  run.device.name = "NVIDIA H100 80GB HBM3";
  run.device.sms = 132;
  run.device.compute_major = 9;
  Series series;
  for (const double us : {30.123456789, 28.0, 29.0}) series.add({us, 1755, false});
  series.stop = StopReason::noise;
  PartResult measured{"vmm", Status::measured, "", 1.5, {}, {"a note with \"quotes\""}};
  measured.figures.push_back(figure("map", {{"handle_bytes", std::int64_t{2097152}}, {"load", std::string("idle")}},
                                    "us", series, {{"gbps", 3.25}}));
  measured.figures.push_back(fact("granularity", {}, "bytes", 2097152));
  run.parts.push_back(measured);
  run.parts.push_back({"collective", Status::waived, "needs 2 GPUs, there is 1", 0, {}, {}});
  run.canary.push_back({"start", 0.5, figure("read", {}, "us", series)});
  return run;
}

TEST(ProbeFile, HoldsEveryFigureWithItsNUnitAndStopReason) {
  const auto json = nlohmann::json::parse(to_json(example()));
  EXPECT_EQ(json["schema"], "stowage.probe/1");
  EXPECT_EQ(json["interrupted"], false);
  EXPECT_EQ(json["device"]["compute_capability"], "9.0");
  const auto& map = json["parts"]["vmm"]["figures"][0];
  EXPECT_EQ(map["name"], "map");
  EXPECT_EQ(map["keys"]["handle_bytes"], 2097152);
  EXPECT_EQ(map["keys"]["load"], "idle");
  EXPECT_EQ(map["unit"], "us");
  EXPECT_EQ(map["n"], 3);
  EXPECT_EQ(map["median"], 29.0);
  EXPECT_EQ(map["p5"], 28.0);
  EXPECT_EQ(map["p95"], 30.1235);  // six digits
  EXPECT_EQ(map["stop"], "noise");
  EXPECT_EQ(map["sm_clock_mhz"], 1755);
  EXPECT_EQ(map["extra"]["gbps"], 3.25);
  const auto& granularity = json["parts"]["vmm"]["figures"][1];
  EXPECT_EQ(granularity["median"], 2097152);
  EXPECT_EQ(granularity["n"], 1);
  EXPECT_FALSE(granularity.contains("p99"));
  EXPECT_EQ(json["parts"]["collective"]["status"], "waived");
  EXPECT_EQ(json["parts"]["collective"]["reason"], "needs 2 GPUs, there is 1");
  EXPECT_TRUE(json["parts"]["collective"]["figures"].empty());
  EXPECT_EQ(json["canary"][0]["after"], "start");
}

TEST(ProbeFile, SaysThatItWasInterrupted) {
  ProbeRun run = example();
  run.stop_signal = 2;
  run.parts[0].status = Status::partial;
  run.parts[0].reason = "interrupted";
  const auto json = nlohmann::json::parse(to_json(run));
  EXPECT_EQ(json["interrupted"], true);
  EXPECT_EQ(json["parts"]["vmm"]["status"], "partial");
  EXPECT_EQ(json["parts"]["vmm"]["figures"].size(), 2U);
}

TEST(ProbeFile, IsValidWithNoPartYet) { EXPECT_TRUE(nlohmann::json::accept(to_json(ProbeRun{}))); }

TEST(WriteFile, ReplacesTheFileAndLeavesNothingBeside) {
  const auto folder = std::filesystem::temp_directory_path() / ("stowage_probe_" + std::to_string(getpid()));
  std::filesystem::create_directory(folder);
  const std::string path = (folder / "p.json").string();
  write_file(path, "one");
  write_file(path, "two");
  std::ifstream in(path);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), "two");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 1);
  std::filesystem::remove_all(folder);
  EXPECT_THROW(write_file((folder / "gone" / "p.json").string(), "x"), EnvironmentError);
}

TEST(Shapes, KvBytesOfLlama3) {
  // K and V x 8 heads x 128 x 2 bytes
  EXPECT_EQ(find_model_shape("llama-3-8b")->kv_bytes_per_token_layer(), 4096U);
  EXPECT_EQ(find_model_shape("nothing"), nullptr);
}

/// The number after "key: " at the start of a line; -1 when there is none.
int number_of(const std::string& yaml, const std::string& key) {
  const std::size_t at = ("\n" + yaml).find("\n" + key + ": ");
  return at == std::string::npos ? -1 : std::stoi(yaml.substr(at + key.size() + 2));
}

TEST(Shapes, AreThoseOfTheZoo) {
  for (const ModelShape& m : model_shapes()) {
    std::ifstream in(std::filesystem::path(source_dir()) / "models/llm/zoo" / (std::string(m.name) + ".yaml"));
    const std::string yaml(std::istreambuf_iterator<char>(in), {});
    EXPECT_EQ(number_of(yaml, "layers"), m.layers) << m.name;
    EXPECT_EQ(number_of(yaml, "hidden"), m.hidden) << m.name;
    EXPECT_EQ(number_of(yaml, "heads"), m.heads) << m.name;
    EXPECT_EQ(number_of(yaml, "kv_heads"), m.kv_heads) << m.name;
    EXPECT_EQ(number_of(yaml, "head_dim"), m.head_dim) << m.name;
    EXPECT_EQ(number_of(yaml, "intermediate"), m.intermediate) << m.name;
    EXPECT_EQ(number_of(yaml, "vocab"), m.vocab) << m.name;
  }
}

TEST(Rule, QuickIsLooserAndShorter) {
  const DeviceInfo device;
  Options options;
  const Context full(device, options, model_shapes()[0]);
  EXPECT_DOUBLE_EQ(full.rule(1).rel_noise, 0.005);
  EXPECT_DOUBLE_EQ(full.rule(1).timeout_s, 1);
  options.quick = true;
  const Context quick(device, options, model_shapes()[0]);
  EXPECT_DOUBLE_EQ(quick.rule(1).rel_noise, 0.02);
  EXPECT_DOUBLE_EQ(quick.rule(1).timeout_s, 0.2);
}

}  // namespace
}  // namespace stowage::probe
