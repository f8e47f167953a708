#include "planner/probe.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <utility>

#include "base/error.hpp"
#include "planner/batch_means.hpp"
#include "sim/kv/registry.hpp"
#include "sim/result.hpp"

namespace stowage {
namespace {
constexpr std::int64_t never_ns = std::numeric_limits<std::int64_t>::max() / 4;

struct CertainMiss {};

Sample sample_of(const RequestRecord& r) {
  Sample s;
  s.arrival_ns = r.arrival_ns;
  s.ttft_ns = r.first_token_ns - r.arrival_ns;
  s.e2e_ns = r.finished_ns - r.arrival_ns;
  s.queue_ns = r.first_scheduled_ns - r.arrival_ns;
  if (r.output_tokens > 1) s.tpot_ns = static_cast<double>(r.finished_ns - r.first_token_ns) / (r.output_tokens - 1);
  s.prompt = r.prompt_tokens;
  s.output = r.output_tokens;
  return s;
}

/// Counts late requests as they finish. Only those well behind the longest warm-up that could be cut (a fifth) count,
/// against what the whole run may have late, so that a miss is certain when it is called.
class MissWatch {
 public:
  MissWatch(std::span<const SloSet> slo, std::size_t requests) : requests_(requests) {
    // Classes may hold few of the requests: the watch is on targets of all requests only.
    for (const auto& set : slo) {
      if (!set.whole()) continue;
      for (const auto& t : set.targets) {
        if (t.metric == LatencyKind::tbt || t.statistic == PlanTarget::Statistic::mean) continue;
        const double share = t.statistic == PlanTarget::Statistic::max ? 0 : 1 - t.q;
        targets_.push_back({&t, nullptr, allowed(share), 0});
      }
      if (set.goodput) targets_.push_back({nullptr, &*set.goodput, allowed(1 - set.goodput->share), 0});
    }
  }
  void see(std::uint64_t id, const Sample& s) {
    if (id < requests_ / 4) return;
    for (auto& t : targets_) {
      const bool late = t.target ? latency_ns(s, t.target->metric) > t.target->limit_ns : !is_good(s, *t.goodput);
      if (late && ++t.late > t.allowed) throw CertainMiss{};
    }
  }

 private:
  [[nodiscard]] std::uint64_t allowed(double share) const {
    return static_cast<std::uint64_t>(share * static_cast<double>(requests_)) + 1;
  }
  struct Watched {
    const PlanTarget* target;
    const Goodput* goodput;
    std::uint64_t allowed, late;
  };
  std::size_t requests_;
  std::vector<Watched> targets_;
};

void cut_warm_up(std::vector<Sample>& samples, Probe& probe) {
  std::vector<double> latency(samples.size());
  std::transform(samples.begin(), samples.end(), latency.begin(),
                 [](const Sample& s) { return static_cast<double>(s.e2e_ns); });
  const std::size_t cut = warm_up(latency);
  samples.erase(samples.begin(), samples.begin() + static_cast<std::ptrdiff_t>(cut));
  probe.warm_up += cut;
}

double median(std::span<const Sample> samples, LatencyKind kind) {
  std::vector<double> values(samples.size());
  std::transform(samples.begin(), samples.end(), values.begin(), [&](const Sample& s) { return latency_ns(s, kind); });
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>((values.size() - 1) / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// What one replica's run adds to the probe. Samples by arrival, those never served behind all others.
struct ReplicaRun {
  RunResult result;
  std::vector<Sample> samples;
  bool cut_short = false;
};

ReplicaRun run_one(const RunConfig& base, std::shared_ptr<const Workload> workload, std::size_t requests,
                   std::span<const SloSet> slo, const ProbeOptions& options) {
  RunConfig run = base;
  run.workload = std::move(workload);
  ReplicaRun out;
  std::vector<std::pair<std::uint64_t, Sample>> finished;
  finished.reserve(requests);
  MissWatch watch(slo, requests);
  RunHooks hooks;
  hooks.on_request = [&](const RequestRecord& r) {
    finished.emplace_back(r.id, sample_of(r));
    if (options.stop_when_certain) watch.see(r.id, finished.back().second);
  };
  if (options.between) hooks.on_progress = [&](std::int64_t, std::uint64_t) { options.between(); };
  const ManagerRow* row = find_manager(run.manager.kind);
  STOWAGE_ASSERT(row != nullptr);
  try {
    out.result = row->run(run, hooks);
  } catch (const CertainMiss&) { out.cut_short = true; }
  std::sort(finished.begin(), finished.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  out.samples.reserve(requests);
  for (const auto& [id, sample] : finished) out.samples.push_back(sample);
  return out;
}

void add_never_served(const RunResult& result, std::vector<Sample>& samples) {
  Sample never;
  never.arrival_ns = samples.empty() ? 0 : samples.back().arrival_ns;
  never.ttft_ns = never.e2e_ns = never.queue_ns = never_ns;
  never.tpot_ns = static_cast<double>(never_ns);
  samples.insert(samples.end(), result.rejected, never);
}

void finish(Probe& probe, std::span<const SloSet> slo, std::span<const Sample> samples, const RunResult& result) {
  probe.targets = check_plan_slo(slo, samples, result);
  if (probe.cut_short) return;  // its medians would be of what had finished: of the quick ones
  probe.ttft_p50_ns = median(samples, LatencyKind::ttft);
  probe.tpot_p50_ns = median(samples, LatencyKind::tpot);
  probe.e2e_p50_ns = median(samples, LatencyKind::e2e);
  probe.met = !probe.cut_short && !probe.saturated && !samples.empty() &&
              std::all_of(probe.targets.begin(), probe.targets.end(), [](const auto& t) { return t.met; });
}

double lost(const RunResult& r) {
  const auto at = [&](Part p) { return r.mean_fraction[static_cast<std::size_t>(p)]; };
  return at(Part::reserved) + at(Part::internal) + at(Part::external);
}
}  // namespace

std::string Probe::binding() const {
  const TargetResult* least = nullptr;
  for (const auto& t : targets)
    if (least == nullptr || t.margin < least->margin) least = &t;
  if (least != nullptr && (!least->met || !saturated)) return least->key;
  return saturated ? "saturation" : "";
}

Probe run_probe(const RunConfig& run, const RequestSet& set, double rate_per_s, std::span<const SloSet> slo,
                const ProbeOptions& options) {
  return run_round_robin(run, set, rate_per_s, 1, slo, options);
}

Probe run_round_robin(const RunConfig& run, const RequestSet& set, double rate_per_s, std::size_t replicas,
                      std::span<const SloSet> slo, const ProbeOptions& options) {
  Probe probe;
  probe.rate_per_s = rate_per_s;
  RunResult pooled;
  std::vector<Sample> all;
  // The watch counts against one replica's requests, which says nothing certain about all of them together.
  ProbeOptions own = options;
  own.stop_when_certain = options.stop_when_certain && replicas == 1;
  for (std::size_t part = 0; part < replicas; ++part) {
    const std::size_t requests = (set.size() - part + replicas - 1) / replicas;
    ReplicaRun one = run_one(run, at_rate(set, rate_per_s, part, replicas), requests, slo, own);
    probe.cut_short |= one.cut_short;
    if (!one.cut_short) {
      probe.saturated |= is_saturated(one.samples);
      pooled.tbt_ns.merge(one.result.tbt_ns);
      probe.requests_per_s += one.result.requests_per_s();
      probe.output_tokens_per_s += one.result.output_tokens_per_s();
      probe.prompt_tokens_per_s += one.result.prompt_tokens_per_s();
      probe.rejected += one.result.rejected;
      probe.preemptions += one.result.preemptions;
      probe.kv_lost += lost(one.result) / static_cast<double>(replicas);
    }
    probe.requests += requests;
    add_never_served(one.result, one.samples);
    cut_warm_up(one.samples, probe);
    if (replicas == 1)
      all = std::move(one.samples);
    else
      all.insert(all.end(), one.samples.begin(), one.samples.end());
  }
  finish(probe, slo, all, pooled);
  return probe;
}
}  // namespace stowage
