// `workload: {requests: [...]}`: requests written out, with what their prompts have in common.
#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <map>
#include <utility>

#include "scenario/reader.hpp"

namespace stowage::detail {
namespace {
using keys::inline_requests_max;
using keys::KeyReader;
constexpr double arrival_ns_max = 30 * 365.25 * 86400e9;  // as of `at`, which rate_scale may stretch

std::vector<std::uint64_t> read_hashes(const ConfigNode& list, Problems& problems) {
  std::vector<std::uint64_t> out;
  if (list.kind() != ConfigNode::Kind::list) {
    problems.add(list.at(), fmt::format("'{}' must be a list of whole numbers, as [7, 8]", list.path()));
    return out;
  }
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string text = list[i].kind() == ConfigNode::Kind::scalar ? std::string(list[i].text()) : "";
    std::uint64_t hash = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), hash);
    const bool octal = text.size() > 1 && text[0] == '0';  // 010 is 8 to some, 10 to others: no number here is
    if (error == std::errc{} && end == text.data() + text.size() && !octal)
      out.push_back(hash);
    else
      problems.add(list[i].at(),
                   fmt::format("'{}' must be a whole number from 0 on, of at most 64 bits", list[i].path()));
  }
  return out;
}

class RequestList {
 public:
  RequestList(Context& context, Scenario& scenario)
      : problems_(context.problems),
        rate_scale_(scenario.workload.rate_scale),
        hash_tokens_(scenario.workload.hash_block_size.value_or(keys::hash_tokens_default)) {}

  /// False when nothing more needs to be read.
  bool add(const ConfigNode& node, const std::string& list) {
    KeyReader in(node, keys::request_keys(), problems_);
    InlineRequests g;
    in.read(g);
    if (in.has("hashes")) g.hashes = read_hashes(in.node("hashes"), problems_);
    const double at_ns = g.at_ns / rate_scale_;
    if (at_ns > arrival_ns_max) {
      in.problem("at", fmt::format("'{}' is out of range; write a time within 30 years", in.path_of("at")));
      return true;
    }
    if (static_cast<std::int64_t>(requests_.size()) + g.count > inline_requests_max) {
      in.problem("count", fmt::format("'{}': more than {} requests written out; use a trace or 'synthetic'", list,
                                      inline_requests_max));
      return false;
    }
    Request r{std::llround(at_ns), static_cast<std::int32_t>(g.prompt), static_cast<std::int32_t>(g.output)};
    check_stop(in, g, r);
    check_hashes(in, g, r);
    const std::int32_t session = g.session.empty() ? -1 : turn_of(in, g, r);
    requests_.insert(requests_.end(), static_cast<std::size_t>(g.count), {r, session, std::llround(g.think_ns)});
    groups_.push_back(std::move(g));
    return true;
  }

  void finish(Scenario& scenario) {
    if (!hashes_.lists.empty()) scenario.workload.hash_block_size = hash_tokens_;
    scenario.workload.source = std::move(groups_);
  }
  [[nodiscard]] std::shared_ptr<const Workload> workload() {
    hashes_.hash_tokens = hash_tokens_;
    return listed_workload(std::move(requests_), std::move(hashes_));
  }

 private:
  void check_stop(KeyReader& in, const InlineRequests& g, Request& r) {
    if (!g.stop_at) return;
    if (*g.stop_at > g.output)
      in.problem("stop_at", fmt::format("'{}' is behind the last of {} output tokens; write at most that",
                                        in.path_of("stop_at"), g.output));
    r.max_tokens = r.output_tokens;
    r.output_tokens = static_cast<std::int32_t>(std::min(*g.stop_at, g.output));
  }
  void check_hashes(KeyReader& in, const InlineRequests& g, Request& r) {
    if (g.hashes.empty()) return;
    const auto most = static_cast<std::size_t>((g.prompt + hash_tokens_ - 1) / hash_tokens_);
    if (g.hashes.size() > most)
      in.problem("hashes", fmt::format("'{}': {} hashes of {} tokens each do not fit a prompt of {} tokens; write at "
                                       "most {}, or another 'workload.hash_block_size'",
                                       in.path_of("hashes"), g.hashes.size(), hash_tokens_, g.prompt, most));
    r.content = static_cast<std::int32_t>(hashes_.lists.size());
    hashes_.lists.push_back(g.hashes);
  }

  /// The number of the request's session, whose next turn it is.
  std::int32_t turn_of(KeyReader& in, const InlineRequests& g, const Request& r) {
    const auto [found, fresh] = sessions_.try_emplace(g.session, static_cast<std::int32_t>(turns_.size()));
    if (fresh) turns_.push_back(0);
    std::int64_t& tokens = turns_[static_cast<std::size_t>(found->second)];
    if (g.count > 1)
      in.problem("count",
                 fmt::format("'{}': a turn of a session is one request; write 'count: 1'", in.path_of("count")));
    if (r.prompt_tokens < tokens)
      in.problem("prompt", fmt::format("'{}': {} tokens are less than the earlier turns of session '{}' with their "
                                       "answers, {}; a prompt holds them all",
                                       in.path_of("prompt"), r.prompt_tokens, shown(g.session), tokens));
    tokens = std::int64_t{r.prompt_tokens} + r.output_tokens;
    return found->second;
  }

  Problems& problems_;
  double rate_scale_;
  std::int64_t hash_tokens_;
  std::vector<InlineRequests> groups_;
  std::vector<ListedRequest> requests_;
  PromptHashes hashes_;
  std::map<std::string, std::int32_t> sessions_;
  std::vector<std::int64_t> turns_;  // of each session: tokens of the last turn, its answer too
};
}  // namespace

std::shared_ptr<const Workload> read_requests(const ConfigNode& list, Context& context, Scenario& scenario) {
  if (list.kind() != ConfigNode::Kind::list || list.size() == 0) {
    context.problems.add(list.at(), fmt::format("'{}' must be a list with at least one entry, as "
                                                "[{{prompt: 1000, output: 25}}]",
                                                list.path()));
    return nullptr;
  }
  RequestList requests(context, scenario);
  for (std::size_t i = 0; i < list.size(); ++i)
    if (!requests.add(list[i], list.path())) return nullptr;
  requests.finish(scenario);
  if (!context.problems.empty()) return nullptr;
  return requests.workload();
}
}  // namespace stowage::detail
