// The first difference between a case's expectation and a runner's decisions, in the words of the cases.
#include <fmt/format.h>

#include <algorithm>

#include "tests/vllm_cases/case.hpp"

namespace stowage::vllm_cases {
namespace {
using Json = nlohmann::json;

Json as_json(const Step& s) {
  return Json::array({s.formed, s.start, s.end, Json(s.rows), Json(s.preempted), s.free_blocks, s.running, s.waiting});
}
Json as_json(const Served& r) { return Json::array({r.first, r.finish, r.preemptions, Json(r.hits)}); }

std::string differs(const std::string& what, const Json& expected, const Json& found) {
  return fmt::format("{}: expected {}, found {}", what, expected.dump(), found.dump());
}

template <class Record>
std::string compare_lists(const char* what, const Json& expected, const std::vector<Record>& found) {
  for (std::size_t i = 0; i < std::min(expected.size(), found.size()); ++i)
    if (const Json f = as_json(found[i]); expected[i] != f)
      return differs(fmt::format("{} {}", what, i), expected[i], f);
  if (expected.size() != found.size())
    return differs(fmt::format("number of {}s", what), expected.size(), found.size());
  return "";
}

std::int64_t sum(const std::vector<std::int64_t>& list, std::size_t from) {
  std::int64_t out = 0;
  for (std::size_t i = from; i < list.size(); ++i) out += list[i];
  return out;
}

/// 64-bit FNV-1a, in 16 hex digits.
std::string fnv1a(const std::string& text) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return fmt::format("{:016x}", hash);
}

Json summary(const Decisions& d) {
  std::int64_t with_rows = 0, end = 0, first_hits = 0, later_hits = 0, preemptions = 0, running = 0;
  std::int64_t least_free = d.steps.empty() ? 0 : d.steps.front().free_blocks;
  for (const Step& s : d.steps) {
    with_rows += s.rows.empty() ? 0 : 1;
    running = std::max(running, s.running);
    least_free = std::min(least_free, s.free_blocks);
  }
  std::string lines;
  for (const Served& r : d.requests) {
    end = std::max(end, r.finish);
    first_hits += sum(r.hits, 0) - sum(r.hits, 1);
    later_hits += sum(r.hits, 1);
    preemptions += r.preemptions;
    lines += fmt::format("{} {} {} {}\n", r.first, r.finish, r.preemptions, sum(r.hits, 0));
  }
  return {{"fnv1a64", fnv1a(lines)},
          {"steps", with_rows},
          {"end", end},
          {"hit_tokens_first_admission", first_hits},
          {"hit_tokens_after_preemption", later_hits},
          {"preemptions", preemptions},
          {"peak_running", running},
          {"least_free", least_free}};
}

std::string compare_summary(const Json& expect, const Decisions& found) {
  for (const Json& e : expect.value("every_25th", Json::array())) {
    const std::size_t id = e.at(0);
    Json f = as_json(found.requests.at(id));
    f.insert(f.begin(), id);
    if (e != f) return differs(fmt::format("request {}", id), e, f);
  }
  const Json f = summary(found);
  for (const auto& [key, value] : expect.at("summary").items())
    if (value != f.at(key)) return differs(key, value, f.at(key));
  return "";
}
}  // namespace

std::string first_difference(const Json& expect, const Decisions& found) {
  if (!expect.contains("steps")) return compare_summary(expect, found);
  std::string out = compare_lists("step", expect.at("steps"), found.steps);
  return out.empty() ? compare_lists("request", expect.at("requests"), found.requests) : out;
}
}  // namespace stowage::vllm_cases
