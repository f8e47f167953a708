// The oracle against vLLM's own scheduler in virtual time: prefix caching and asynchronous scheduling, step by step.
// ../shared/cases/vllm_scheduler has the scenarios and what vLLM 0.24 did; its README says what each field means.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>

#include "tests/oracle/content.hpp"
#include "tests/oracle/replica.hpp"
#include "tests/support/source_dir.hpp"

namespace stowage {
namespace {
namespace fs = std::filesystem;
using Json = nlohmann::json;
using namespace oracle;

/// What the fixture expects, in its own form, as this oracle has it.
struct Found {
  Json steps = Json::array();
  std::vector<std::int64_t> first, finish, preemptions;
  std::vector<std::vector<std::int64_t>> hits;
};

RunConfig config_of(const Json& fixture) {
  const Json& e = fixture["engine"];
  const Json& p = fixture["price"];
  const std::int64_t block_size = e["block_size"];
  RunConfig c;
  c.scheduler = {.max_batch = e["max_num_seqs"],
                 .max_batched_tokens = e["max_num_batched_tokens"],
                 .max_model_len = e["max_model_len"],
                 .admit_full = e["reserve_full_isl"]};
  c.kv = {Bytes{block_size * e["pool_blocks"].get<std::int64_t>()}, Bytes{1}, 1};
  c.manager = {"paged",
               "",
               {{"block_size", block_size},
                {"watermark", e["watermark"].get<double>()},
                {"prefix_caching", std::int64_t{e["prefix_caching"].get<bool>()}}}};
  c.cost = StepCost(StepCost::Linear{p["base"], p["per_prefill_token"], p["per_decode_seq"], p["per_kv_token"]});
  return c;
}

Found run(const Json& fixture) {
  const RunConfig config = config_of(fixture);
  std::vector<PromptShape> shapes;
  std::vector<std::int64_t> stops_at;
  std::vector<Request> requests;
  for (const Json& r : fixture["requests"]) {
    PromptShape s{r["prompt"], r["output"], r.value("hashes", std::vector<std::uint64_t>{}), "", r.value("stop_at", 0)};
    if (r.contains("session")) s.session = r["session"].dump();
    stops_at.push_back(s.stop_at > 0 ? s.stop_at : s.output);
    requests.push_back({r["at"], r["prompt"], r["output"], requests.size()});
    shapes.push_back(std::move(s));
  }
  const auto tokens = contents(shapes, fixture["hash_block_size"]);

  Found out;
  out.hits.resize(requests.size());
  std::map<std::uint64_t, std::int64_t> residency;  // the last one seen of each request
  Options options;
  options.async = fixture["engine"]["async"];
  options.long_prefill_threshold = fixture["engine"]["long_prefill_token_threshold"];
  options.contents = &tokens;
  options.stops_at = &stops_at;
  options.on_step = [&](const StepLog& step) {
    Json rows = Json::array();
    for (const Row& row : step.rows) {
      const std::uint64_t id = row.sequence->record.id;
      rows.push_back({id, row.before, row.tokens});
      if (const auto [seen, fresh] = residency.try_emplace(id, row.residency); fresh || seen->second != row.residency) {
        seen->second = row.residency;
        out.hits[id].push_back(row.before);
      }
    }
    out.steps.push_back({step.formed_ns, step.start_ns, step.end_ns, rows, step.preempted, step.free_blocks,
                         step.running, step.waiting});
  };
  const auto replica = make_replica(config, options);
  replica->start(requests.front().arrival_ns);
  for (const Request& q : requests) replica->deliver(q);
  replica->run_until(std::numeric_limits<std::int64_t>::max());
  OracleResult result = replica->finish(replica->ended_ns());
  std::sort(result.requests.begin(), result.requests.end(),
            [](const RequestRecord& a, const RequestRecord& b) { return a.id < b.id; });
  EXPECT_EQ(result.requests.size(), requests.size());
  for (const RequestRecord& r : result.requests) {
    out.first.push_back(r.first_token_ns);
    out.finish.push_back(r.finished_ns);
    out.preemptions.push_back(r.preemptions);
  }
  return out;
}

std::uint64_t fnv1a(const std::string& text) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return hash;
}

void compare(const std::string& name, const Json& fixture) {
  const Json& expect = fixture["expect"];
  const Found found = run(fixture);
  ASSERT_EQ(found.first.size(), fixture["requests"].size()) << name;
  if (expect.contains("steps")) {
    const Json& steps = expect["steps"];
    for (std::size_t i = 0; i < std::min(steps.size(), found.steps.size()); ++i)
      ASSERT_EQ(found.steps[i].dump(), steps[i].dump()) << name << ", step " << i;
    ASSERT_EQ(found.steps.size(), steps.size()) << name;
    for (std::size_t i = 0; i < found.first.size(); ++i)
      EXPECT_EQ(Json({found.first[i], found.finish[i], found.preemptions[i], found.hits[i]}).dump(),
                expect["requests"][i].dump())
          << name << ", request " << i;
    return;
  }
  std::string lines;
  for (std::size_t i = 0; i < found.first.size(); ++i) {
    std::int64_t hits = 0;
    for (const std::int64_t h : found.hits[i]) hits += h;
    lines += fmt::format("{} {} {} {}\n", found.first[i], found.finish[i], found.preemptions[i], hits);
  }
  EXPECT_EQ(fmt::format("{:016x}", fnv1a(lines)), expect["summary"]["fnv1a64"].get<std::string>()) << name;
}

// S15.1 to S17.9 of docs/semantics.md.
TEST(VllmCases, FullAttentionStepByStep) {
  const std::string folder = source_dir() + "/../shared/cases/vllm_scheduler";
  if (!fs::exists(folder)) GTEST_SKIP() << "vLLM's cases are not at hand";
  int cases = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.path().extension() != ".json") continue;
    const Json fixture = Json::parse(std::ifstream(entry.path()));
    if (fixture["release"] != "0.24.0" || fixture["engine"].value("groups", Json{0}) != Json::array({0})) continue;
    compare(entry.path().filename().string(), fixture);
    ++cases;
  }
  EXPECT_GE(cases, 91);
}
}  // namespace
}  // namespace stowage
