// Measured files that lie: every field of every one has a kind and a range, and what is outside is refused by name.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/read_file.hpp"
#include "calibrate/calibrate.hpp"
#include "calibrate/engine_log.hpp"
#include "calibrate/validate.hpp"
#include "calibrate/validate_engine.hpp"
#include "tests/support/mutations.hpp"
#include "tests/support/source_dir.hpp"

namespace stowage {
namespace {
namespace fs = std::filesystem;
using test::Json;
using test::Lies;
using Set = std::set<std::string>;

class Folder {
 public:
  Folder() { fs::create_directories(path_); }
  ~Folder() { fs::remove_all(path_); }
  [[nodiscard]] std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name, std::ios::binary) << text;
    return (path_ / name).string();
  }
  [[nodiscard]] std::string str() const { return path_.string(); }

 private:
  fs::path path_ = fs::temp_directory_path() / fmt::format("stowage-lies-{}", ::getpid());
};

std::string said(const std::function<void()>& read) {
  try {
    read();
  } catch (const InputError& e) { return e.what(); }
  return "accepted";
}

/// A shipped probe file with two figures of each kind.
Json small_probe(std::size_t figures) {
  const std::string path = source_dir() + "/calibrate/measurements/h100-80gb-h-all.json";
  Json probe = Json::parse(read_file(path, whole_bytes_max));
  for (auto& [name, part] : probe["parts"].items()) {
    if (!part.contains("figures")) continue;
    std::map<std::string, std::size_t> seen;
    Json kept = Json::array();
    for (const Json& figure : part["figures"])
      if (++seen[figure["name"].get<std::string>()] <= figures) kept.push_back(figure);
    part["figures"] = std::move(kept);
  }
  while (probe["canary"].size() > 3) probe["canary"].erase(probe["canary"].size() - 1);
  return probe;
}

TEST(ProbeLies, EveryValueThatIsReadIsChecked) {
  Json probe = small_probe(1);
  // One part in full; the others are read the same way.
  const Json parts = probe["parts"];
  for (const auto& [name, part] : parts.items())
    if (name != "gemm" && name != "vmm") probe["parts"].erase(name);
  const Lies lies =
      test::Liar(probe, "p.json", [](const std::string& text) { (void)parse_probe(text, "p.json"); }).lies();
  // What a figure varied with may be anything that its fit takes; the rest is not read.
  for (const auto& pointer : lies.ignored)
    for (const char* read :
         {"/schema", "/version", "/date", "/device", "/device/name", "/device/sms", "/device/memory_bytes",
          "/device/driver", "/device/sm_clock_max_mhz", "/parts", "/canary", "/canary/*", "/canary/*/name",
          "/canary/*/median", "/quick", "/interrupted", "/in_use_by_others", "/model"})
      EXPECT_NE(pointer, read);
  for (const char* field : {"name", "unit", "n", "median", "p5", "p95", "mean", "rel_noise", "sm_clock_mhz", "keys"})
    for (const auto& pointer : lies.ignored)
      EXPECT_FALSE(pointer.starts_with("/parts/") && pointer.ends_with(std::string("/figures/*/") + field)) << pointer;
  for (const auto& pointer : lies.unbounded) EXPECT_NE(pointer.find("/keys/"), std::string::npos) << pointer;
  EXPECT_GT(lies.tried, 500U);
}

TEST(ProbeLies, TheExamplesAreRefusedWithTheirPlace) {
  const auto with = [](const char* pointer, const Json& value) {
    Json probe = small_probe(1);
    probe[Json::json_pointer(pointer)] = value;
    return said([&] { (void)parse_probe(probe.dump(), "p.json"); });
  };
  EXPECT_EQ(with("/canary/0/name", 7), "p.json: error: /canary/0/name: must be a text, not 7");
  EXPECT_EQ(with("/canary/0", 7), "p.json: error: /canary/0: must be an object {…}, not 7");
  EXPECT_EQ(with("/canary", "x"), "p.json: error: /canary: must be a list […], not \"x\"");
  EXPECT_NE(with("/device/memory_bytes", -1).find("p.json: error: /device/memory_bytes: must be a whole number from 0"),
            std::string::npos);
  EXPECT_NE(with("/parts/gemm/figures/0/median", 1e300).find("p.json: error: /parts/gemm/figures/0/median: must be"),
            std::string::npos);
  EXPECT_NE(
      said([] { (void)parse_probe("{\"schema\": \"stowage.probe/1\", \"a\": 1e309}", "p.json"); }).find("p.json:1:"),
      std::string::npos);
  EXPECT_NE(said([] { (void)load_probe("/"); }).find("/: error: is a folder"), std::string::npos);
  EXPECT_NE(said([] { (void)load_engine_log("/"); }).find("/: error: is a folder"), std::string::npos);
}

TEST(ProbeLies, DamagedTextIsRefusedOrRead) {
  test::damage(small_probe(1).dump(1), "p.json", 300,
               [](const std::string& text) { (void)parse_probe(text, "p.json"); });
}

// Figures as gpu_probe writes them, with values it cannot have measured: a fit must refuse or go on, not fall over.
TEST(ProbeLies, FitsOfOddFiguresRefuseOrGoOn) {
  const std::string path = source_dir() + "/calibrate/measurements/h100-80gb-h-all.json";
  const Json whole = Json::parse(read_file(path, whole_bytes_max));
  std::mt19937 random(5);  // NOLINT(cert-msc51-cpp): a failure can be run again
  std::vector<std::string> names;
  for (const auto& [name, part] : whole["parts"].items())
    if (part.contains("figures") && !part["figures"].empty()) names.push_back(name);
  for (int i = 0; i < 12; ++i) {
    Json probe = whole;
    std::string what;
    Json& figures = probe["parts"][names[static_cast<std::size_t>(i) % names.size()]]["figures"];
    for (int k = 0; k < 3; ++k) {
      Json& figure = figures[random() % figures.size()];
      Json& keys = figure["keys"];
      static const std::vector<Json> odd = {0, -1, 1, 9'007'199'254'740'992, "x", 2.5, true};
      if (k == 0) {
        figure["median"] = figure["p5"] = figure["p95"] = (random() % 2 == 0 ? Json(0) : Json(1e18));
      } else if (!keys.empty()) {
        auto key = keys.begin();
        std::advance(key, static_cast<std::ptrdiff_t>(random() % keys.size()));
        *key = odd[random() % odd.size()];
      }
      what += figure.dump() + "\n";
    }
    try {
      const Calibration made = calibrate(std::vector<ProbeFile>{parse_probe(probe.dump(), path)}, {});
      (void)usable_profile_yaml(made.profile, path);
    } catch (const InputError& error) {
      EXPECT_NE(std::string(error.what()).find(path), std::string::npos) << error.what();
    } catch (const std::exception& error) { ADD_FAILURE() << error.what() << "\n" << what; }
  }
}

constexpr const char* bench =
    R"({"duration": 3, "completed": 2, "failed": 1, "model_id": "m", "input_lens": [500, 100, 0],
 "output_lens": [2, 3, 0], "ttfts": [0.08, 0.04, 0], "itls": [[0.01], [0.01, 0.02], []],
 "start_times": [1000.5, 1000.0, 1001], "errors": ["", "", "timeout"], "mean_ttft_ms": 1})";

TEST(BenchLies, EveryValueThatIsReadIsChecked) {
  const Folder folder;
  const auto read = [&](const std::string& text) { (void)read_engine_log({folder.write("bench.json", text)}); };
  const Lies lies = test::Liar(Json::parse(bench), "bench.json", read).lies();
  EXPECT_EQ(lies.ignored, (Set{"/failed", "/mean_ttft_ms", "/errors/*"}));
  EXPECT_EQ(lies.unbounded, Set{});
  test::damage(bench, "bench.json", 500, read);
}

TEST(BenchLies, TheExamplesAreRefusedWithTheirPlace) {
  const Folder folder;
  const auto with = [&](const char* pointer, const Json& value) {
    Json run = Json::parse(bench);
    run[Json::json_pointer(pointer)] = value;
    const std::string out = said([&] { (void)read_engine_log({folder.write("bench.json", run.dump())}); });
    return out.substr(out.find("bench.json") == std::string::npos ? 0 : out.find("bench.json"));
  };
  EXPECT_EQ(with("/ttfts/1", -1), "bench.json: error: /ttfts/1: must be a number from 0 to 1000000000, not -1");
  EXPECT_EQ(with("/input_lens/0", 1e18),
            "bench.json: error: /input_lens/0: must be a whole number from 0 to 10000000, not 1e+18");
  EXPECT_EQ(with("/itls/0/0", "x"), "bench.json: error: /itls/0/0: must be a number from 0 to 1000000000, not \"x\"");
  EXPECT_EQ(with("/ttfts", Json::array({1})),
            "bench.json: error: /ttfts: has 1 values and /input_lens 3; was the file cut off?");
  EXPECT_EQ(with("/start_times/0", 5e10),
            "bench.json: error: /start_times/0: is more than 31 years after the first; are the times in seconds?");
  EXPECT_EQ(said([&] {
              (void)read_engine_log({folder.write("two.json", "{\"a\": 1}\n{\"a\": 2}\n")});
            }).find("two.json:2: error: a second result") != std::string::npos,
            true);
}

TEST(EngineLogLies, EveryValueThatIsReadIsChecked) {
  std::string rest;
  for (int i = 1; i < 30; ++i)
    rest += fmt::format(
        "{{\"request_id\": {}, \"input_toks\": {}, \"output_toks\": 10, \"scheduled_ts\": {}, "
        "\"first_token_ts\": {}, \"last_token_ts\": {}}}\n",
        i, 50 + i % 5, i, i + 0.1, i + 0.5);
  const Json row = Json::parse(R"({"request_id": 0, "input_toks": 50, "output_toks": 10, "scheduled_ts": 0,
                                   "first_token_ts": 0.1, "last_token_ts": 0.5, "queued_ts": 0})");
  const auto read = [&](const std::string& text) { (void)fit_engine_log(text + "\n" + rest, "log.jsonl"); };
  const Lies lies = test::Liar(row, "log.jsonl", read).lies();
  EXPECT_EQ(lies.ignored, (Set{"/request_id", "/queued_ts"}));
  EXPECT_EQ(lies.unbounded, Set{});
  test::damage(row.dump(), "log.jsonl", 300, read);
  Json twice = row;
  twice["request_id"] = 7;
  EXPECT_EQ(said([&] { read(twice.dump()); }),
            "log.jsonl:8: error: /request_id: an earlier line has this request too; keep one");
}

// --- A measured run, as gpu_probe replay writes it: two requests, three iterations.
constexpr const char* iterations_csv =
    "manager,pass,index,start_ns,stall_ns,step_ns,prefill_tokens,decode_seqs,decode_kv_tokens,running,waiting,"
    "live_bytes,held_bytes,cached_bytes,external_bytes,free_bytes,chunks,host_ns,gpu_ns\n"
    "paged-16,0,0,0,0,8000000,200,0,0,2,0,0,29360128,0,0,104857600,100@0 100@0,0,0\n"
    "paged-16,0,1,8000000,0,10000000,0,2,200,2,0,26214400,29360128,0,0,104857600,,0,0\n"
    "paged-16,0,2,18000000,0,12500000,0,2,202,2,0,26476544,29360128,0,0,104857600,,0,0\n";
constexpr const char* requests_csv =
    "manager,pass,id,arrival_ns,prompt_tokens,output_tokens,preemptions,queue_ns,ttft_ns,tpot_ns,e2e_ns\n"
    "paged-16,0,0,0,100,3,0,0,8000000,11250000,30500000\n"
    "paged-16,0,1,0,100,3,0,0,8000000,11250000,30500000\n";
Json measured_json() {
  Json out =
      Json::parse(R"({"schema": "stowage.measured/1", "date": "2026-11-25", "status": "complete", "model": "llama-3-8b",
   "device": {"name": "test", "driver": "1"}, "layers": 32, "model_layers": 32, "notes": ["one"], "scenario": "",
   "files": {"iterations": "i.csv", "requests": "r.csv"},
   "canary": [{"name": "read", "median": 200, "keys": {"bytes": 1}}, {"name": "product", "median": 5,
    "keys": {"state": "rested"}}],
   "runs": [{"name": "paged-16", "passes": [{"state": "warm", "status": "complete",
     "driver": {"map_calls": 0, "unmap_calls": 0}, "result": {"makespan_s": 0.0305, "iterations": 3,
     "requests": {"completed": 2, "preemptions": 0}, "kv": {"peak_committed_bytes": 29360128}}}]}]})");
  out["scenario"] =
      "schema: 1\nname: two\nmodel: llama-3-8b\nhardware: h100-sxm-80gb\nmemory: {kv_tokens: 1024}\n"
      "workload: {requests: [{prompt: 100, output: 3, count: 2}]}\ncost: {source: linear, base: 10ms}\n"
      "scheduler: {max_batch: 4, max_batched_tokens: 256, max_model_len: 512}\nmanagers: [{kind: paged, block_size: "
      "16}]\n";
  return out;
}

void read_measured(const Folder& folder, const std::string& json) {
  (void)folder.write("measured.json", json);
  const Validation v = validate(load_measured(folder.str()), {});
  for (const auto& text : {validation_text(v), validation_json(v), validation_html(v)})
    if (text.empty()) throw std::logic_error("nothing was said");
}

TEST(MeasuredLies, EveryValueThatIsReadIsChecked) {
  const Folder folder;
  (void)folder.write("i.csv", iterations_csv);
  (void)folder.write("r.csv", requests_csv);
  const auto read = [&](const std::string& text) { read_measured(folder, text); };
  const Lies lies = test::Liar(measured_json(), "", read).lies();
  EXPECT_EQ(lies.ignored, Set{"/canary/*/keys"});  // of a read: what it read is not asked
  EXPECT_EQ(lies.unbounded, Set{});
  test::damage(measured_json().dump(), "", 300, read);
}

/// Pointers of all maps of a document but those whose keys are free.
void maps_of(const Json& value, const std::string& pointer, std::vector<std::string>& out) {
  if (value.is_object() && !pointer.ends_with("/keys") && !pointer.ends_with("/manager")) out.push_back(pointer);
  for (const auto& [key, below] : value.items())
    if (below.is_structured()) maps_of(below, pointer + "/" + key, out);
}

TEST(MeasuredLies, AKeyThatNobodyKnowsIsRefused) {
  const Folder folder;
  (void)folder.write("i.csv", iterations_csv);
  (void)folder.write("r.csv", requests_csv);
  const std::string path = source_dir() + "/calibrate/validation/measured/h100/tight-pool/measured.json";
  const Json shipped = Json::parse(read_file(path, whole_bytes_max)), &run = shipped["runs"][0];
  Json good = measured_json();
  for (const char* key : {"host", "device", "version", "load_s"}) good[key] = shipped[key];
  good["runs"][0]["repeat"] = run["repeat"];
  Json& pass = good["runs"][0]["passes"][0];
  for (const char* key : {"driver", "step_us", "host_us", "gpu_at_end"}) pass[key] = run["passes"][0][key];
  for (const char* key : {"manager", "kv", "vmm", "ttft_s", "batch", "throughput"})
    pass["result"][key] = run["passes"][0]["result"][key];
  ASSERT_EQ(said([&] { read_measured(folder, good.dump()); }), "accepted");
  std::vector<std::string> maps;
  maps_of(good, "", maps);
  EXPECT_GT(maps.size(), 18U);
  for (const auto& pointer : maps) {
    Json bad = good;
    bad[Json::json_pointer(pointer)]["zzz"] = 5;
    const std::string what = said([&] { read_measured(folder, bad.dump()); });
    EXPECT_NE(what.find("measured.json: error: " + pointer + "/zzz: unknown key"), std::string::npos) << what;
  }
  pass["result"]["kv"]["peak_live_byte"] = 5;
  EXPECT_NE(said([&] {
              read_measured(folder, good.dump());
            }).find("/result/kv/peak_live_byte: unknown key; did you mean 'peak_live_bytes'?"),
            std::string::npos);
}

/// Line 8 and column 47 of the scenario are of no line of measured.json: the place says which text they are of.
TEST(MeasuredLies, AnErrorOfTheScenarioNamesItsPlaceInTheFile) {
  const Folder folder;
  (void)folder.write("i.csv", iterations_csv);
  (void)folder.write("r.csv", requests_csv);
  Json json = measured_json();
  std::string text = json["scenario"];
  json["scenario"] = text.replace(text.find("max_batched_tokens: 256"), 23, "max_batched_tokens: 0");
  EXPECT_NE(said([&] {
              read_measured(folder, json.dump());
            }).find("/measured.json: error: /scenario, line 8, column 47: 'scheduler.max_batched_tokens': 0 is out"),
            std::string::npos)
      << said([&] { read_measured(folder, json.dump()); });
  json["scenario"] = "a: [";
  const std::string syntax = said([&] { read_measured(folder, json.dump()); });
  EXPECT_NE(syntax.find("/measured.json: error: /scenario, line "), std::string::npos) << syntax;
}

TEST(MeasuredLies, EveryFieldOfTheTablesIsChecked) {
  const Folder folder;
  const auto outcome = [&](const std::string& iterations, const std::string& requests) {
    (void)folder.write("i.csv", iterations);
    (void)folder.write("r.csv", requests);
    return said([&] { read_measured(folder, measured_json().dump()); });
  };
  ASSERT_EQ(outcome(iterations_csv, requests_csv), "accepted");
  const auto field = [](std::string table, int line, int column, const std::string& value) {
    std::size_t at = 0;
    for (; line > 1; --line) at = table.find('\n', at) + 1;
    for (; column > 0; --column) at = table.find(',', at) + 1;
    return table.replace(at, table.find_first_of(",\n", at) - at, value);
  };
  const std::string requests_header = requests_csv;
  for (const bool of_requests : {false, true}) {
    const std::string table = of_requests ? requests_csv : iterations_csv;
    const std::string names = table.substr(0, table.find('\n')) + ",";
    int column = 0;
    for (std::size_t at = 0; at < names.size(); at = names.find(',', at) + 1, ++column) {
      const std::string name = names.substr(at, names.find(',', at) - at);
      if (name == "tpot_ns") continue;  // not read: the others give it
      for (const char* value :
           {"-1", "1e18", "nan", "inf", "", "x", "9223372036854775807", "99999999999999999999", "1.5"}) {
        const std::string bad = field(table, 3, column, value);
        if (name == "chunks" && std::string(value).empty()) continue;
        const std::string what = outcome(of_requests ? iterations_csv : bad, of_requests ? bad : requests_csv);
        EXPECT_NE(what.find(of_requests ? "r.csv:3: error: " : "i.csv:3: error: "), std::string::npos)
            << name << " = " << value << ": " << what;
      }
    }
  }
  // The same request twice; times out of order; a row twice.
  EXPECT_NE(outcome(iterations_csv, field(requests_csv, 3, 2, "0"))
                .find("r.csv:3: error: id: request 0 of this pass is there twice"),
            std::string::npos);
  EXPECT_NE(outcome(iterations_csv, field(requests_csv, 3, 8, "40000000")).find("r.csv:3: error: e2e_ns"),
            std::string::npos);
  EXPECT_NE(outcome(iterations_csv, field(requests_csv, 3, 7, "9000000")).find("r.csv:3: error: ttft_ns"),
            std::string::npos);
  EXPECT_NE(outcome(field(iterations_csv, 4, 2, "1"), requests_csv).find("i.csv:4: error: index"), std::string::npos);
  // What each row says on its own may be, and cannot beside the others.
  const auto refuses = [&](int line, int column, const char* value, const char* at) {
    const std::string what = outcome(field(iterations_csv, line, column, value), requests_csv);
    EXPECT_NE(what.find(at), std::string::npos) << what;
  };
  refuses(3, 3, "7999999", "i.csv:3: error: start_ns");    // it begins before the one before ended
  refuses(3, 9, "1", "i.csv:3: error: running");           // two decode
  refuses(3, 8, "1", "i.csv:3: error: decode_kv_tokens");  // of two requests
  refuses(3, 8, "1025", "i.csv:3: error: an iteration of 513 tokens of one request");  // 1025 / 2, of at most 512
  refuses(2, 16, "100@500 100@0", "i.csv:2: error: an iteration of 600 tokens of one request");
  refuses(3, 11, "29360129", "i.csv:3: error: live_bytes");
  refuses(3, 15, "104857601", "i.csv:3: error: free_bytes");
  refuses(3, 17, "10000001", "i.csv:3: error: host_ns");
  refuses(3, 18, "10000001", "i.csv:3: error: gpu_ns");
  refuses(4, 5, "12500001", "i.csv:4: error: step_ns: the last iteration ends at 30500001 ns");
  EXPECT_NE(
      outcome(iterations_csv, requests_header.substr(0, requests_header.rfind("paged"))).find("r.csv: error: 1 rows"),
      std::string::npos);
  EXPECT_NE(outcome("", requests_csv).find("i.csv: error: the file is empty"), std::string::npos);
  for (const char* csv : {iterations_csv, requests_csv})
    test::damage(csv, "", 300, [&](const std::string& text) {
      (void)folder.write("i.csv", csv == iterations_csv ? text : iterations_csv);
      (void)folder.write("r.csv", csv == iterations_csv ? requests_csv : text);
      read_measured(folder, measured_json().dump());
    });
}
}  // namespace
}  // namespace stowage
