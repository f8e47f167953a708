#include "reports/fleet.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace stowage {
namespace {
using Json = nlohmann::ordered_json;

Json json(const Imbalance& i) { return {{"max_over_mean", i.max_over_mean}, {"cov", i.cov}, {"jain", i.jain}}; }

Json seconds(const Summary& ns) {
  return {{"mean", ns.mean / 1e9}, {"p50", ns.p50 / 1e9}, {"p90", ns.p90 / 1e9}, {"p95", ns.p95 / 1e9},
          {"p99", ns.p99 / 1e9},   {"max", ns.max / 1e9}, {"count", ns.count}};
}
}  // namespace

Json imbalance_json(const RunResult& run) {
  return {{"requests", json(run.requests_imbalance)},
          {"tokens", json(run.tokens_imbalance)},
          {"busy", json(run.busy_imbalance)}};
}

Json replicas_json(const RunResult& run) {
  Json out = Json::array();
  for (const ReplicaSummary& r : run.replicas) {
    Json fractions = Json::object();
    for (std::size_t i = 0; i < part_count; ++i) fractions[std::string(part_names[i])] = r.mean_fraction[i];
    out.push_back({{"replica", out.size()},
                   {"group", r.group},
                   {"requests",
                    {{"submitted", r.submitted},
                     {"completed", r.completed},
                     {"rejected", r.rejected},
                     {"unfinished", r.unfinished},
                     {"preemptions", r.preemptions}}},
                   {"iterations", r.iterations},
                   {"prompt_tokens", r.prompt_tokens},
                   {"output_tokens", r.output_tokens},
                   {"busy_s", static_cast<double>(r.busy_ns) / 1e9},
                   {"batch", {{"mean", r.batch_mean}, {"max", r.batch_max}}},
                   {"ttft_s", seconds(r.ttft_ns)},
                   {"tbt_s", seconds(r.tbt_ns)},
                   {"e2e_s", seconds(r.e2e_ns)},
                   {"kv",
                    {{"pool_bytes", r.pool_bytes},
                     {"pool_tokens", r.pool_tokens},
                     {"peak_committed_bytes", r.peak_committed_bytes},
                     {"mean_fraction", std::move(fractions)}}},
                   {"stall_s", static_cast<double>(r.stall_ns) / 1e9}});
  }
  return out;
}

std::string imbalance_words(const RunResult& run) {
  const auto busiest = std::ranges::max_element(run.replicas, {}, &ReplicaSummary::busy_ns);
  return fmt::format("busy time max/mean {:.2f} (replica {} of {}), requests {:.2f}, tokens {:.2f}",
                     run.busy_imbalance.max_over_mean, busiest - run.replicas.begin(), run.replicas.size(),
                     run.requests_imbalance.max_over_mean, run.tokens_imbalance.max_over_mean);
}
}  // namespace stowage
