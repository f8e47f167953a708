#include "planner/probe.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "base/error.hpp"
#include "base/quantile.hpp"
#include "sim/result.hpp"
#include "sim/serve/simulate.hpp"

namespace stowage {
namespace {
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

/// The warm-up is where the served ones settle; with it go the unserved that arrived in it.
void cut_warm_up(std::vector<Sample>& samples, Probe& probe) {
  std::vector<double> latency;
  for (const Sample& s : samples)
    if (s.served) latency.push_back(static_cast<double>(s.e2e_ns));
  auto end = samples.begin();
  for (std::size_t cut = warm_up(latency); cut > 0; ++end)
    if (end->served) --cut;
  probe.warm_up = static_cast<std::uint64_t>(end - samples.begin());
  samples.erase(samples.begin(), end);
}

double median(std::span<const Sample> samples, LatencyKind kind) {
  std::vector<double> values;
  for (const Sample& s : samples)
    if (s.served && (kind != LatencyKind::tpot || s.output > 1)) values.push_back(latency_ns(s, kind));
  if (values.empty()) return Summary::none;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(nearest_rank(0.5, values.size()) - 1);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// One simulation, with a sample a request, by arrival: of one cut short those that had finished.
struct Served {
  RunResult result;
  std::vector<Sample> samples;
  bool cut_short = false;
};

Served serve(RunConfig run, const RequestSet& set, double rate_per_s, std::span<const SloSet> slo,
             const ProbeOptions& options) {
  run.workload = at_rate(set, rate_per_s);
  Served out;
  out.samples.resize(set.size());  // by id: requests are numbered as they arrive
  for (std::size_t id = 0; id < set.size(); ++id) {
    out.samples[id].served = false;
    out.samples[id].prompt = (*set.rows)[id].prompt_tokens;
    out.samples[id].output = (*set.rows)[id].output_tokens;
  }
  MissWatch watch(slo, set.size());
  RunHooks hooks;
  hooks.on_request = [&](const RequestRecord& r) {
    out.samples[r.id] = sample_of(r);
    if (options.stop_when_certain) watch.see(r.id, out.samples[r.id]);
  };
  try {
    out.result = simulate(run, hooks);
  } catch (const CertainMiss&) {
    out.cut_short = true;
    std::erase_if(out.samples, [](const Sample& s) { return !s.served; });  // what had not finished is not known
  }
  return out;
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
    if (result.unserved() == 0) {
      probe.saturated = is_saturated(served.samples, options.growth);
    } else {
      std::vector<Sample> finished = served.samples;
      std::erase_if(finished, [](const Sample& s) { return !s.served; });
      probe.saturated = is_saturated(finished, options.growth);
    }
    probe.requests_per_s = result.requests_per_s();
    probe.output_tokens_per_s = result.output_tokens_per_s();
    probe.prompt_tokens_per_s = result.prompt_tokens_per_s();
    probe.output_tokens_a_request = static_cast<double>(result.output_tokens) / static_cast<double>(set.size());
    probe.rejected = result.rejected;
    if (!result.first_rejected.empty()) probe.rejected_why = result.first_rejected.front().reason;
    probe.preemptions = result.preemptions;
    probe.kv_lost = lost(result);
  }
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
