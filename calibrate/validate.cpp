#include "calibrate/validate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "calibrate/validate_parts.hpp"

namespace stowage {
namespace {
using validation::Prediction;

std::string_view regime_of(const IterationRecord& r) {
  return r.prefill_tokens == 0 ? "decode" : r.decode_seqs == 0 ? "prefill" : "mixed";
}

/// Collects relative errors until they are summed up.
struct Errors {
  std::vector<double> relative;
  double measured_ns = 0, predicted_ns = 0;
  std::size_t covered = 0, with_interval = 0;

  void add(const PricedIteration& p) {
    relative.push_back(p.predicted_ns / p.measured_ns - 1);
    measured_ns += p.measured_ns;
    predicted_ns += p.predicted_ns;
    if (p.high_ns <= 0) return;
    ++with_interval;
    if (p.low_ns <= p.measured_ns && p.measured_ns <= p.high_ns) ++covered;
  }
  [[nodiscard]] IterationError sum(std::string name) const {
    IterationError e;
    e.name = std::move(name);
    e.count = relative.size();
    e.measured_s = measured_ns / 1e9;
    e.predicted_s = predicted_ns / 1e9;
    if (relative.empty()) return e;
    std::vector<double> absolute;
    for (const double r : relative) {
      e.bias += r / static_cast<double>(relative.size());
      absolute.push_back(std::abs(r));
      e.mape += absolute.back() / static_cast<double>(relative.size());
    }
    e.p95 = validation::nearest_rank(absolute, 0.95);
    if (with_interval > 0) e.coverage_90 = static_cast<double>(covered) / static_cast<double>(with_interval);
    return e;
  }
};

/// "1 to 2", "3 to 4", "5 to 8": powers of two.
std::string power_bin(std::int64_t value, std::string_view unit) {
  std::int64_t top = 1;
  while (top < value) top *= 2;
  return fmt::format("{} {} to {}", unit, top / 2 + 1, top);
}

/// The passes to compare: warm ones, or cold ones when there is nothing else.
std::vector<const MeasuredPass*> chosen(const MeasuredManager& m, ManagerValidation& out) {
  for (const char* state : {"warm", "cold"}) {
    std::vector<const MeasuredPass*> passes;
    for (const MeasuredPass& p : m.passes) {
      if (p.state != state) continue;
      if (!p.complete() && out.incomplete.empty()) out.incomplete = fmt::format("a {} pass is {}", p.state, p.status);
      if (!p.iterations.empty()) passes.push_back(&p);
    }
    if (passes.empty()) continue;
    out.state = state;
    return passes;
  }
  out.incomplete = "nothing was measured";
  return {};
}

void price_iterations(const std::vector<const MeasuredPass*>& passes, const Prediction& prediction,
                      ManagerValidation& out, Errors& total) {
  Errors all;
  std::map<std::string_view, Errors> regimes;
  std::map<std::pair<int, std::int64_t>, std::pair<std::string, Errors>> bins;  // ordered by kind, then size
  for (const MeasuredPass* pass : passes) {
    const std::vector<PricedIteration> priced = prediction.price(*pass);
    for (std::size_t n = 0; n < priced.size(); ++n) {
      const PricedIteration& p = priced[n];
      out.points.push_back(p);
      all.add(p);
      total.add(p);
      regimes[p.regime].add(p);
      const auto into = [&](int kind, std::int64_t value, std::string_view unit) {
        std::int64_t top = 1;
        while (top < value) top *= 2;
        auto& bin = bins[{kind, top}];
        bin.first = power_bin(value, unit);
        bin.second.add(p);
      };
      const IterationRecord& r = pass->iterations[n].record;
      if (p.regime == "decode") {
        into(0, r.decode_seqs, "decode, batch");
        into(1, r.decode_kv_tokens / r.decode_seqs, "decode, context");
      } else if (p.regime == "prefill") {
        into(2, r.prefill_tokens, "prefill, tokens");
      } else {
        into(3, r.prefill_tokens, "mixed, prompt tokens");
      }
    }
  }
  std::map<std::string_view, Errors> anchored;
  for (const MeasuredPass* pass : passes)
    for (const PricedIteration& p : prediction.price_anchored(*pass)) anchored[p.regime].add(p);
  for (const char* name : {"decode", "prefill", "mixed"})
    if (anchored.contains(name)) out.anchored.push_back(anchored.at(name).sum(name));
  out.all = all.sum("all");
  for (const char* name : {"decode", "prefill", "mixed"})
    if (regimes.contains(name)) out.regimes.push_back(regimes.at(name).sum(name));
  for (const auto& [key, bin] : bins) out.bins.push_back(bin.second.sum(bin.first));
}

std::optional<RepeatFloor> floor_of(const std::vector<const MeasuredPass*>& passes) {
  if (passes.size() < 2) return std::nullopt;
  const MeasuredPass &a = *passes[passes.size() - 2], &b = *passes.back();
  if (!a.complete() || !b.complete() || a.iterations.size() != b.iterations.size()) return std::nullopt;
  Errors errors;
  for (std::size_t i = 0; i < a.iterations.size(); ++i) {
    PricedIteration p;
    p.measured_ns = static_cast<double>(a.iterations[i].record.step_ns);
    p.predicted_ns = static_cast<double>(b.iterations[i].record.step_ns);
    errors.add(p);
  }
  const IterationError e = errors.sum("");
  return RepeatFloor{e.mape, e.bias, e.p95, b.numbers.at("makespan_s") / a.numbers.at("makespan_s") - 1};
}

void compare_numbers(const std::vector<const MeasuredPass*>& passes, const Prediction& prediction,
                     ManagerValidation& out) {
  std::map<std::string, double> mean;
  double whole = 0;
  for (const MeasuredPass* p : passes) {
    if (!p->complete()) continue;
    whole += 1;
    for (const auto& [name, value] : p->numbers) mean[name] += value;
  }
  if (whole == 0) return;
  for (auto& [name, value] : mean) value /= whole;
  for (const auto& [name, predicted, exact] : prediction.numbers()) {
    const auto it = mean.find(name);
    if (it != mean.end()) out.numbers.push_back({name, it->second, predicted, exact});
  }
  const MeasuredPass& last = *passes.back();
  if (last.complete()) {
    out.numbers.push_back({"driver map calls, made", static_cast<double>(last.driver_maps),
                           static_cast<double>(prediction.result().vmm.map_calls), true});
    out.numbers.push_back({"driver unmap calls, made", static_cast<double>(last.driver_unmaps),
                           static_cast<double>(prediction.result().vmm.unmap_calls), true});
  }
}

/// The first iteration whose work or memory is not the simulated one's.
std::optional<std::uint64_t> first_difference(const MeasuredPass& pass, const std::vector<IterationRecord>& simulated) {
  const auto same = [](const IterationRecord& a, const IterationRecord& b) {
    return a.prefill_tokens == b.prefill_tokens && a.decode_seqs == b.decode_seqs &&
           a.decode_kv_tokens == b.decode_kv_tokens && a.running == b.running && a.waiting == b.waiting &&
           a.live_bytes == b.live_bytes && a.held_bytes == b.held_bytes && a.cached_bytes == b.cached_bytes &&
           a.external_bytes == b.external_bytes && a.free_bytes == b.free_bytes;
  };
  for (std::size_t i = 0; i < pass.iterations.size(); ++i)
    if (i >= simulated.size() || !same(pass.iterations[i].record, simulated[i])) return i;
  if (pass.complete() && pass.iterations.size() != simulated.size()) return pass.iterations.size();
  return std::nullopt;
}

ManagerValidation validate_manager(const MeasuredManager& m, const Prediction& prediction, bool offline,
                                   Errors& total) {
  ManagerValidation out;
  out.name = m.name;
  const auto passes = chosen(m, out);
  out.passes = passes.size();
  if (passes.empty()) return out;
  price_iterations(passes, prediction, out, total);
  out.floor = floor_of(passes);
  if (passes.size() > 1)
    out.latency_floor = validation::pair_latencies(passes[passes.size() - 2]->requests, passes.back()->requests);
  if (out.state == "warm") {
    Errors cold;
    for (const MeasuredPass& p : m.passes)
      if (p.state == "cold")
        for (const PricedIteration& i : prediction.price(p)) cold.add(i);
    if (!cold.relative.empty()) out.cold = cold.sum("cold pass");
  }
  compare_numbers(passes, prediction, out);
  for (const MeasuredPass* p : passes) {
    out.latencies = validation::pair_latencies(p->requests, prediction.requests());
    if (offline && !out.first_difference) out.first_difference = first_difference(*p, prediction.iterations());
  }
  return out;
}
}  // namespace

const Compared* ManagerValidation::find(std::string_view wanted) const {
  const auto it = std::find_if(numbers.begin(), numbers.end(), [&](const Compared& c) { return c.name == wanted; });
  return it == numbers.end() ? nullptr : &*it;
}

bool ManagerValidation::counters_equal() const {
  return !first_difference &&
         std::all_of(numbers.begin(), numbers.end(), [](const Compared& c) { return !c.exact || c.equal(); });
}

std::vector<PricedIteration> validation::Prediction::price(const MeasuredPass& pass) const {
  std::vector<PricedIteration> out;
  PowerCredit power;
  std::vector<PowerCredit> drawn_power(draws_.size());
  std::vector<double> drawn(draws_.size());
  for (const MeasuredIteration& i : pass.iterations) {
    PricedIteration& p = out.emplace_back();
    p.index = i.record.index;
    p.regime = regime_of(i.record);
    p.measured_ns = static_cast<double>(i.record.step_ns);
    p.predicted_ns = price_with(config_.cost, i, power);
    if (draws_.empty()) continue;
    for (std::size_t d = 0; d < draws_.size(); ++d) drawn[d] = price_with(draws_[d], i, drawn_power[d]);
    const auto known = iteration_p95_.find(p.regime);
    // A p95 of absolute errors is a 95 % interval: 1.645 / 1.960 of it is one of 90 % (normal errors).
    const double own = known == iteration_p95_.end() ? 0 : 0.839 * known->second * p.predicted_ns;
    p.low_ns = p.predicted_ns - std::hypot(std::max(0.0, p.predicted_ns - nearest_rank(drawn, 0.05)), own);
    p.high_ns = p.predicted_ns + std::hypot(std::max(0.0, nearest_rank(drawn, 0.95) - p.predicted_ns), own);
  }
  return out;
}

std::vector<PricedIteration> validation::Prediction::price_anchored(const MeasuredPass& pass) const {
  std::vector<PricedIteration> out;
  if (!anchored_) return out;
  PowerCredit power;
  for (const MeasuredIteration& i : pass.iterations) {
    PricedIteration& p = out.emplace_back();
    p.index = i.record.index;
    p.regime = regime_of(i.record);
    p.measured_ns = static_cast<double>(i.record.step_ns);
    p.predicted_ns = price_with(*anchored_, i, power);
  }
  return out;
}

namespace {
/// Prices end where the scenario's limits do: an iteration beyond them cannot be one of its.
void check_limits(const MeasuredFile& measured, const MeasuredManager& m, const SchedulerConfig& limits,
                  Problems& problems) {
  for (const MeasuredPass& pass : m.passes)
    for (const MeasuredIteration& i : pass.iterations) {
      const IterationRecord& r = i.record;
      const std::int64_t tokens = r.prefill_tokens + r.decode_seqs;
      // A mean is no longer than the longest.
      std::int64_t longest = r.decode_seqs == 0 ? 0 : (r.decode_kv_tokens - 1) / r.decode_seqs + 1;
      for (const auto& chunk : i.chunks) longest = std::max(longest, chunk.stored + chunk.count);
      const auto beyond = [&](std::int64_t has, std::string_view what, std::string_view key, std::int64_t most) {
        if (has > most)
          problems.add({measured.iterations_path, i.line, 0},
                       fmt::format("an iteration of {} {}, but its scenario has scheduler.{}: {}; give the "
                                   "measured.json that it was written with",
                                   has, what, key, most));
        return has > most;
      };
      // One a pass says it.
      if (beyond(r.decode_seqs, "decoding requests", "max_batch", limits.max_batch) ||
          beyond(tokens, "tokens", "max_batched_tokens", limits.max_batched_tokens) ||
          beyond(longest, "tokens of one request", "max_model_len", limits.max_model_len))
        break;
    }
}
}  // namespace

Validation validate(const MeasuredFile& measured, const ValidateOptions& options) {
  Validation out;
  out.measured_path = measured.path;
  out.gpu = measured.gpu;
  out.date = measured.date;
  out.driver = measured.driver;
  const Scenario s = validation::scenario_of(measured, options);
  out.scenario_name = s.name;
  out.cost =
      s.cost_used == CostSource::profile
          ? fmt::format("profile {}: {}", s.profile->name, s.profile->summary())
          : fmt::format("{} of {}", cost_source_names.at(static_cast<std::size_t>(s.cost_used)), s.hardware.name);
  out.offline = validation::all_at_once(*s.runs.front().workload);
  out.notes = measured.notes;
  out.notes.insert(out.notes.end(), s.notes.begin(), s.notes.end());
  if (measured.status != "complete") out.notes.push_back("the measurement is not whole: " + measured.status);
  if (s.cost_used == CostSource::profile && measured.canary.whole() && s.profile->canary.whole())
    out.machine = {measured.canary.read_ns / s.profile->canary.read_ns,
                   measured.canary.loaded_ns / s.profile->canary.loaded_ns};
  const auto run_of = [&](const MeasuredManager& m) {
    return std::find_if(s.runs.begin(), s.runs.end(), [&](const RunConfig& r) { return r.manager.name == m.name; });
  };
  Problems problems;
  for (const MeasuredManager& m : measured.managers) {
    if (const auto run = run_of(m); run != s.runs.end())
      check_limits(measured, m, run->scheduler, problems);
    else
      problems.add({measured.path, 0, 0},
                   fmt::format("'{}' was measured but is not in the file's own scenario", m.name));
  }
  problems.throw_if_any();
  Errors total;
  for (const MeasuredManager& m : measured.managers) {
    const auto run = run_of(m);
    const Prediction prediction(s, *run, measured.canary);
    ManagerValidation v = validate_manager(m, prediction, out.offline, total);
    out.counters_equal = out.counters_equal && v.counters_equal();
    const auto worst = [&](double& so_far, const char* number) {
      const Compared* c = v.find(number);
      if (c != nullptr && std::abs(c->error()) > std::abs(so_far)) so_far = c->error();
    };
    worst(out.makespan_error, "makespan_s");
    worst(out.throughput_error, "throughput.output_tokens_per_s");
    out.managers.push_back(std::move(v));
  }
  out.all = total.sum("all");
  return out;
}
}  // namespace stowage
