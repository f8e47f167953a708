// The simulator's side of a validation: the scenario of the measured file, its run, and the price of one iteration.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.hpp"
#include "calibrate/validate_parts.hpp"
#include "models/cost/profile_prices.hpp"
#include "sim/kv/registry.hpp"
#include "sim/serve/simulate.hpp"

namespace stowage::validation {
namespace {
double seconds(std::int64_t ns) { return static_cast<double>(ns) / 1e9; }
}  // namespace

double nearest_rank(std::vector<double>& values, double p) {
  if (values.empty()) return 0;
  const auto rank = static_cast<std::size_t>(std::ceil(p * static_cast<double>(values.size()) - 1e-9));
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(std::clamp<std::size_t>(rank, 1, values.size()) - 1);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

Scenario scenario_of(const MeasuredFile& measured, const ValidateOptions& options) {
  std::vector<std::string> sets;
  if (!options.profile.empty()) sets.push_back("cost={source: profile, profile: '" + options.profile + "'}");
  sets.insert(sets.end(), options.sets.begin(), options.sets.end());
  // Paths of the scenario are relative to where measured.json lies.
  try {
    return parse_scenario(measured.scenario, measured.path, sets);
  } catch (const InputError& error) {
    // A line of the text is none of the file.
    std::vector<Problem> problems = error.problems();
    for (Problem& p : problems)
      if (p.at.file == measured.path) {
        const std::string line = p.at.line > 0 ? fmt::format(", line {}, column {}", p.at.line, p.at.column) : "";
        p = {{measured.path, 0, 0}, fmt::format("/scenario{}: {}", line, p.message)};
      }
    throw InputError(std::move(problems));
  }
}

bool all_at_once(const Workload& workload) {
  const auto stream = workload.open();
  std::vector<Request> rows(1024);
  std::int64_t first = -1;
  for (std::size_t n = stream->read(rows); n > 0; n = stream->read(rows))
    for (std::size_t i = 0; i < n; ++i) {
      if (first < 0) first = rows[i].arrival_ns;
      if (rows[i].arrival_ns != first) return false;
    }
  return true;
}

double price_with(const StepCost& cost, const MeasuredIteration& i, PowerCredit& power) {
  StepShape shape;
  for (const MeasuredIteration::Chunk& c : i.chunks) {
    shape.prefill_tokens += c.count;
    cost.add_chunk(shape, c.count, c.stored);
  }
  shape.decode_seqs = i.record.decode_seqs;
  shape.decode_kv_tokens = i.record.decode_kv_tokens;
  const std::int64_t start = i.record.start_ns + i.record.stall_ns;
  const auto ns = static_cast<double>(power.step_ns(cost, shape, start, i.record.stall_ns));
  if (shape.prefill_tokens > 0) power.ended(start + i.record.step_ns);
  return ns;
}

Prediction::Prediction(const Scenario& scenario, const RunConfig& config, const CanaryTimes& machine)
    : config_(config) {
  if (scenario.cost_used == CostSource::profile) {
    const ProfileTarget target{static_cast<int>(scenario.cluster.tensor), config.scheduler.max_batched_tokens,
                               config.scheduler.max_batch, row_of(config.manager).layout(config.manager)};
    const auto compile = [&](const Profile& profile) {
      return compile_partly(scenario.model, scenario.hardware, profile, scenario.cluster.layout(), target,
                            config.scheduler.max_model_len);
    };
    for (std::size_t i = 0; i < scenario.profile->draw_count(); ++i)
      draws_.push_back(compile(scenario.profile->drawn(i)));
    if (machine.whole() && scenario.profile->canary.whole())
      anchored_ = compile(scenario.profile->anchored(machine));
    for (const char* regime : {"decode", "prefill", "mixed"})
      if (const PartError* e = scenario.profile->error_of(std::string("iteration_") + regime))
        iteration_p95_[regime] = e->p95;
  }
  RunHooks hooks;
  hooks.on_iteration = [&](const IterationRecord& r) { iterations_.push_back(r); };
  hooks.on_request = [&](const RequestRecord& r) { requests_.push_back(r); };
  result_ = simulate(config, hooks);
}

std::vector<std::tuple<std::string, double, bool>> Prediction::numbers() const {
  const RunResult& r = result_;
  const auto n = [](auto value) { return static_cast<double>(value); };
  std::vector<std::tuple<std::string, double, bool>> out = {
      {"requests.completed", n(r.completed), true},
      {"requests.rejected", n(r.rejected), true},
      {"requests.preemptions", n(r.preemptions), true},
      {"iterations", n(r.iterations), true},
      {"batch.max", n(r.batch_max), true},
      {"kv.pool_bytes", n(r.pool_bytes), true},
      {"kv.pool_tokens", n(r.pool_tokens), true},
      {"kv.bytes_per_token", n(r.bytes_per_token), true},
      {"kv.peak_committed_bytes", n(r.peak_committed_bytes), true},
      {"kv.peak_live_bytes", n(r.peak_live_bytes), true},
      {"vmm.map_calls", n(r.vmm.map_calls), true},
      {"vmm.unmap_calls", n(r.vmm.unmap_calls), true},
      {"makespan_s", seconds(r.makespan_ns), false},
      {"throughput.requests_per_s", r.requests_per_s(), false},
      {"throughput.output_tokens_per_s", r.output_tokens_per_s(), false},
      {"batch.mean", r.batch_mean, false},
      {"tbt_s.mean", r.tbt_ns.mean() / 1e9, false},
      {"tbt_s.p95", r.tbt_ns.quantile(0.95) / 1e9, false},
      {"tbt_s.p99", r.tbt_ns.quantile(0.99) / 1e9, false},
      {"vmm.busy_s", r.vmm.busy_ns / 1e9, false},
      {"vmm.stall_s", seconds(r.vmm.stall_ns), false},
      {"vmm.stall_max_s", seconds(r.vmm.stall_max_ns), false},
  };
  for (std::size_t i = 0; i < part_count; ++i)
    out.emplace_back("kv.mean_fraction." + std::string(part_names[i]), r.mean_fraction[i], false);
  return out;
}

std::vector<PairedLatency> pair_latencies(std::span<const RequestRecord> measured,
                                          std::span<const RequestRecord> predicted) {
  std::map<std::uint64_t, const RequestRecord*> by_id;
  for (const RequestRecord& r : predicted) by_id[r.id] = &r;
  struct Kind {
    const char* name;
    double (*of)(const RequestRecord&);  // seconds; negative: has none
  };
  constexpr Kind kinds[] = {
      {"ttft", [](const RequestRecord& r) { return seconds(r.first_token_ns - r.arrival_ns); }},
      {"tpot",
       [](const RequestRecord& r) {
         return r.output_tokens > 1 ? seconds(r.finished_ns - r.first_token_ns) / (r.output_tokens - 1) : -1.0;
       }},
      {"e2e", [](const RequestRecord& r) { return seconds(r.finished_ns - r.arrival_ns); }},
      {"queue", [](const RequestRecord& r) { return seconds(r.first_scheduled_ns - r.arrival_ns); }},
  };
  std::vector<PairedLatency> out;
  for (const Kind& kind : kinds) {
    PairedLatency row;
    row.name = kind.name;
    std::vector<double> real, simulated, relative;
    for (const RequestRecord& m : measured) {
      const auto it = by_id.find(m.id);
      if (it == by_id.end() || kind.of(m) < 0) continue;
      real.push_back(kind.of(m));
      simulated.push_back(kind.of(*it->second));
      if (real.back() > 0) relative.push_back(std::abs(simulated.back() / real.back() - 1));
    }
    row.count = real.size();
    if (real.empty()) continue;
    const auto mean = [](const std::vector<double>& v) {
      double sum = 0;
      for (const double x : v) sum += x;
      return v.empty() ? 0.0 : sum / static_cast<double>(v.size());
    };
    row.measured_mean_s = mean(real);
    row.predicted_mean_s = mean(simulated);
    row.paired_mape = mean(relative);
    row.measured_p95_s = nearest_rank(real, 0.95);
    row.predicted_p95_s = nearest_rank(simulated, 0.95);
    row.paired_p95 = nearest_rank(relative, 0.95);
    out.push_back(row);
  }
  return out;
}
}  // namespace stowage::validation
