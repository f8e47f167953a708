// Points that share a cache are each what they are alone; defaults that follow from the model.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "scenario/cache.hpp"
#include "scenario/scenario.hpp"
#include "traces/at_once.hpp"

namespace stowage {
namespace {
std::string text_of(const std::string& more, const std::string& model = "llama-3-8b") {
  return fmt::format(R"(model: {}
hardware: h100-sxm-80gb
cost: {{source: linear, base: 10ms}}
managers: [{{kind: paged}}]
workload: {{synthetic: {{rate: 5/s, count: 50, prompt: {{uniform: {{min: 10, max: 90}}}}, output: 5}}}}
{}
)",
                     model, more);
}

std::vector<std::int64_t> requests_of(const Scenario& s) {
  std::vector<Request> rows(1000);
  rows.resize(s.runs.front().workload->open()->read(rows));
  std::vector<std::int64_t> out;
  for (const Request& r : rows) out.insert(out.end(), {r.arrival_ns, r.prompt_tokens, r.output_tokens});
  return out;
}

TEST(Points, OfOtherSeedsPlayOtherRequests) {
  ScenarioCache cache;
  cache.many_points = true;
  std::vector<std::vector<std::int64_t>> seen;
  for (const int seed : {1, 2, 1, 3}) {
    const std::string text = text_of(fmt::format("seed: {}", seed));
    seen.push_back(requests_of(resolve_scenario(ConfigDocument::parse(text, "s.yaml"), {}, cache)));
    EXPECT_EQ(seen.back(), requests_of(parse_scenario(text, "s.yaml"))) << "as it plays alone";
  }
  EXPECT_EQ(seen[0], seen[2]);
  EXPECT_NE(seen[0], seen[1]);
  EXPECT_NE(seen[1], seen[3]);
}

/// Every request, those that wait for others too, as if none took any time.
std::uint64_t count_of(const Scenario& s) {
  AtOnce stream(*s.runs.front().workload);
  std::vector<Request> rows(64);
  std::uint64_t out = 0;
  while (const std::size_t n = stream.read(rows)) out += n;
  return out;
}

TEST(Points, OfClosedLoopsPlayAllRequests) {
  ScenarioCache cache;
  cache.many_points = true;
  for (const std::string workload :
       {"{synthetic: {arrivals: closed, concurrency: 3, count: 50, prompt: 9, output: 5}}",
        "{max_concurrency: 2, synthetic: {rate: 5/s, count: 50, prompt: 9, output: 5}}",
        "{max_concurrency: 2, requests: [{prompt: 9, output: 5, count: 50}]}",
        "{requests: [{prompt: 9, output: 5, session: a}, {prompt: 14, output: 36, session: a}]}"}) {
    std::string text = text_of("");
    const auto at = text.find("workload: ");
    text.replace(at, text.find('\n', at) - at, "workload: " + workload);
    const auto alone = count_of(parse_scenario(text, "s.yaml"));
    EXPECT_EQ(alone, workload.find("session") == std::string::npos ? 50U : 2U);
    EXPECT_EQ(count_of(resolve_scenario(ConfigDocument::parse(text, "s.yaml"), {}, cache)), alone) << workload;
  }
}

TEST(Defaults, TheLongestRequestIsTheModelsButNoMoreThan8192) {
  // OPT has 2,048 positions, Llama 3.1 131,072.
  EXPECT_EQ(parse_scenario(text_of("", "opt-13b"), "s.yaml").scheduler.max_model_len, 2048);
  EXPECT_EQ(parse_scenario(text_of("", "llama-3.1-8b"), "s.yaml").scheduler.max_model_len, 8192);
  const std::string longer = text_of("scheduler: {max_model_len: 9000}", "llama-3.1-8b");
  EXPECT_EQ(parse_scenario(longer, "s.yaml").scheduler.max_model_len, 9000);
}

TEST(Defaults, AnEightBitCacheHoldsTwiceTheTokens) {
  const Scenario half = parse_scenario(text_of("memory: {kv_pool: 8GiB, kv_dtype: float8}"), "s.yaml"),
                 whole = parse_scenario(text_of("memory: {kv_pool: 8GiB}"), "s.yaml");
  EXPECT_EQ(whole.kv.bytes_per_token.count(), 131'072);
  EXPECT_EQ(half.kv.bytes_per_token.count(), 65'536);
  EXPECT_EQ(half.pool_tokens, 2 * whole.pool_tokens);
}
}  // namespace
}  // namespace stowage
