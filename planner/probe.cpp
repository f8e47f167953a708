#include "planner/probe.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <utility>

#include "base/error.hpp"
#include "sim/result.hpp"
#include "sim/serve/simulate.hpp"

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

/// One simulation. Samples by arrival, those never served behind all others.
struct Served {
  RunResult result;
  std::vector<Sample> samples;
  bool cut_short = false;
};

Served serve(RunConfig run, const RequestSet& set, double rate_per_s, std::span<const SloSet> slo,
             const ProbeOptions& options) {
  run.workload = at_rate(set, rate_per_s);
  Served out;
  std::vector<char> finished(set.size());
  out.samples.resize(set.size());  // by id: requests are numbered as they arrive
  MissWatch watch(slo, set.size());
  RunHooks hooks;
  hooks.on_request = [&](const RequestRecord& r) {
    out.samples[r.id] = sample_of(r);
    finished[r.id] = 1;
    if (options.stop_when_certain) watch.see(r.id, out.samples[r.id]);
  };
  if (options.between) hooks.on_progress = [&](std::int64_t, std::uint64_t) { options.between(); };
  try {
    out.result = simulate(run, hooks);
  } catch (const CertainMiss&) { out.cut_short = true; }
  std::size_t kept = 0;
  for (std::size_t id = 0; id < finished.size(); ++id)
    if (finished[id] != 0) out.samples[kept++] = out.samples[id];
  out.samples.resize(kept);
  return out;
}

void add_never_served(const RunResult& result, std::vector<Sample>& samples) {
  Sample never;
  never.arrival_ns = samples.empty() ? 0 : samples.back().arrival_ns;
  never.ttft_ns = never.e2e_ns = never.queue_ns = never_ns;
  never.tpot_ns = static_cast<double>(never_ns);
  samples.insert(samples.end(), result.rejected, never);
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
  Probe probe;
  probe.rate_per_s = rate_per_s;
  probe.requests = set.size();
  Served served = serve(run, set, rate_per_s, slo, options);
  probe.cut_short = served.cut_short;
  const RunResult& result = served.result;
  if (!served.cut_short) {
    probe.saturated = is_saturated(served.samples, options.growth);
    probe.requests_per_s = result.requests_per_s();
    probe.output_tokens_per_s = result.output_tokens_per_s();
    probe.prompt_tokens_per_s = result.prompt_tokens_per_s();
    probe.rejected = result.rejected;
    probe.preemptions = result.preemptions;
    probe.kv_lost = lost(result);
  }
  add_never_served(result, served.samples);
  cut_warm_up(served.samples, probe);
  probe.targets = check_plan_slo(slo, served.samples, result);
  probe.met = !probe.cut_short && !probe.saturated && !served.samples.empty() &&
              std::all_of(probe.targets.begin(), probe.targets.end(), [](const auto& t) { return t.met; });
  if (probe.met) {
    probe.ttft_p50_ns = median(served.samples, LatencyKind::ttft);
    probe.tpot_p50_ns = median(served.samples, LatencyKind::tpot);
    probe.e2e_p50_ns = median(served.samples, LatencyKind::e2e);
  }
  return probe;
}

RunConfig fleet_of(RunConfig run, std::int64_t replicas) {
  run.fleet.groups.clear();
  if (replicas > 1) run.fleet.groups.push_back({"replicas", replicas, 1, run.kv, run.cost, run.vmm});
  return run;
}
}  // namespace stowage
