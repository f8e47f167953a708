// From a case's file to a scenario, under the rules of the release that it was run on.
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <stdexcept>

#include "tests/vllm_cases/case.hpp"

namespace stowage::vllm_cases {
namespace {
using Json = nlohmann::json;

/// Where releases decide unlike one another, with full attention.
struct Release {
  const char* name;
  const char* free_order;  // S16.5, S16.19
  bool admit_full;         // has the test at all: S3.18
  bool watermark;          // has one: S16.12
  bool waived_alone;       // S3.22
};
constexpr Release releases[] = {{"0.15.1", "as_freed", false, false, false},
                                {"0.19.1", "as_freed", true, false, false},
                                {"0.24.0", "nameless_first", true, true, false},
                                {"0.33.0", "nameless_first", true, true, true}};

const Release& release_of(const std::string& name) {
  const auto* row =
      std::find_if(std::begin(releases), std::end(releases), [&](const Release& r) { return name == r.name; });
  if (row == std::end(releases)) throw std::runtime_error(fmt::format("rules of vLLM {} are not known", name));
  return *row;
}

void read_engine(const Json& e, const Release& release, Scenario& s) {
  const std::int64_t block_size = e.at("block_size"), blocks = e.at("pool_blocks");
  s.config.scheduler = {.max_batch = e.at("max_num_seqs"),
                        .max_batched_tokens = e.at("max_num_batched_tokens"),
                        .max_model_len = e.at("max_model_len"),
                        .admit_full = release.admit_full && e.at("reserve_full_isl").get<bool>(),
                        .async_scheduling = e.at("async"),
                        .long_prefill_threshold = e.at("long_prefill_token_threshold"),
                        .threshold_waived_alone = release.waived_alone};
  s.config.kv = {Bytes{block_size * blocks}, Bytes{1}, 1};  // a byte a token
  s.config.manager = {"paged",
                      "",
                      {{"block_size", block_size},
                       {"watermark", release.watermark ? e.at("watermark").get<double>() : 0.0},
                       {"prefix_caching", std::int64_t{e.at("prefix_caching").get<bool>()}},
                       {"free_order", std::string(release.free_order)}}};
}

void read_request(const Json& r, Scenario& s) {
  oracle::PromptShape shape{r.at("prompt"), r.at("output"), r.value("hashes", std::vector<std::uint64_t>{}), "",
                            r.value("stop_at", std::int64_t{0})};
  if (shape.stop_at < 0 || shape.stop_at > shape.output)
    throw std::runtime_error(fmt::format("request {} stops behind its last output", s.requests.size()));
  if (r.contains("session")) shape.session = r.at("session").dump();
  Request request{r.at("at"), r.at("prompt"), r.at("output"), s.requests.size()};
  request.max_tokens = request.output_tokens;
  if (shape.stop_at > 0) request.output_tokens = static_cast<std::int32_t>(shape.stop_at);
  s.requests.push_back(request);
  s.shapes.push_back(std::move(shape));
}
}  // namespace

VllmCase read_case(const std::filesystem::path& path) {
  const Json file = Json::parse(std::ifstream(path));
  const Json& engine = file.at("engine");
  VllmCase out;
  if (engine.value("groups", Json{0}) != Json::array({0})) {
    out.skipped = "sliding windows (groups other than [0])";
    return out;
  }
  read_engine(engine, release_of(file.at("release")), out.scenario);
  const Json& p = file.at("price");
  out.scenario.config.cost =
      StepCost(StepCost::Linear{p.at("base"), p.at("per_prefill_token"), p.at("per_decode_seq"), p.at("per_kv_token")});
  for (const Json& r : file.at("requests")) read_request(r, out.scenario);
  if (out.scenario.requests.empty()) throw std::runtime_error("no requests");
  out.scenario.hash_tokens = file.at("hash_block_size");
  out.expect = file.at("expect");
  return out;
}
}  // namespace stowage::vllm_cases
