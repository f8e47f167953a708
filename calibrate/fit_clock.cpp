// What a rest is worth to a prompt's step: part `clock` of the probe to Profile::Rested.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "calibrate/fit.hpp"
#include "calibrate/parts.hpp"
#include "models/cost/power_credit.hpp"

namespace stowage::detail {
namespace {
constexpr double settled_us = 150e3;   // of prompts back to back: the clock has fallen to what the power limit leaves
constexpr double fresh_us = 30e3;      // and until then it has not begun to fall
constexpr double refilled_us = 100e3;  // after a rest: by then what it earned is spent
// The cycles of `rest`: seven, and the figure is the median of all but the first two (docs/probe-format.md).
constexpr int rest_cycles = 7, rest_cycles_skipped = 2;

/// A prompt's step under load and rested, by rows.
struct Steps {
  std::map<std::int64_t, double> loaded_ns, ratio;
};

Steps steps_of(const ProbeFile& probe) {
  std::map<std::int64_t, std::vector<double>> loaded, fresh;
  for (const ProbeFigure* f : probe.find("clock", "ramp")) {
    const auto before = f->extra.find("busy_before_us");
    if (before == f->extra.end() || !(f->median > 0)) continue;
    const std::int64_t rows = f->integer("rows");
    if (before->second >= settled_us) loaded[rows].push_back(f->median * 1e3);
    if (before->second + f->median <= fresh_us) fresh[rows].push_back(f->median * 1e3);
  }
  Steps out;
  for (const auto& [rows, times] : loaded) {
    out.loaded_ns[rows] = median_of(times);
    // A first step too long to be all fresh shows no ratio of its own.
    if (fresh.contains(rows)) out.ratio[rows] = std::min(1.0, median_of(fresh[rows]) / out.loaded_ns[rows]);
  }
  return out;
}

/// A step of so much under load, priced by the rule the engine prices it by.
StepCost cost_of(double loaded_ns, double ratio, double capacity_ns, double recharge) {
  StepCost::Table table;
  table.dense_ns = {0, loaded_ns};
  table.boost = {{1, ratio}, {capacity_ns}, {recharge}};
  return StepCost(table);
}
double priced_ns(PowerCredit& credit, const StepCost& cost, double start_ns) {
  StepShape shape;
  shape.prefill_tokens = 1;
  return static_cast<double>(credit.step_ns(cost, shape, static_cast<std::int64_t>(start_ns)));
}

/// A rest between prompts, over and over (`rest`), or one rest after the clock had settled (`refill`).
struct Rest {
  double rest_ns = 0, loaded_ns = 0, ratio = 1;
  int prompts = 0;     // after the one rest; 0 = over and over
  double took_ns = 0;  // the prompts together; a prompt when over and over
  double noise = 0;    // of its repeats: standard deviation of the mean, relative
};

double predicted_ns(const Rest& r, double capacity_ns, double recharge) {
  const StepCost cost = cost_of(r.loaded_ns, r.ratio, capacity_ns, recharge);
  PowerCredit credit;
  double now = 0;
  if (r.prompts == 0) {
    std::vector<double> took;
    for (int i = 0; i < rest_cycles; ++i) {
      const double step = priced_ns(credit, cost, now);
      now += step + r.rest_ns;
      if (i >= rest_cycles_skipped) took.push_back(step);
    }
    return median_of(took);
  }
  // A step longer than any credit lasts: nothing is left of it.
  now = priced_ns(credit, cost_of(2 * capacity_ns / r.ratio, r.ratio, capacity_ns, recharge), 0) + r.rest_ns;
  double sum = 0;
  for (int i = 0; i < r.prompts; ++i) {
    const double step = priced_ns(credit, cost, now);
    now += step;
    sum += step;
  }
  return sum;
}

/// How well each capacity and recharge of a grid explain the rests: few numbers, and none can run away.
CreditSearch search(const std::vector<Rest>& rests) {
  CreditSearch out;
  out.rests = rests.size();
  for (const Rest& r : rests) out.noise += r.noise / static_cast<double>(rests.size());
  for (double capacity = 5e6; capacity <= 120e6; capacity += 2.5e6)
    for (double recharge = 0.05; recharge < 3.01; recharge += 0.05) {
      double sum = 0;
      for (const Rest& r : rests) sum += std::abs(predicted_ns(r, capacity, recharge) / r.took_ns - 1);
      out.tried.push_back({capacity, recharge, sum});
    }
  return out;
}

/// The first prompts after each rest of `refill`, together: what the rest earned, by how long they took.
std::vector<Rest> refills(const ProbeFile& probe, const Steps& steps) {
  std::map<std::pair<std::int64_t, double>, std::map<std::int64_t, const ProbeFigure*>> rows;
  for (const ProbeFigure* f : probe.find("clock", "refill")) {
    const auto rest = f->extra.find("rest_us"), settled = f->extra.find("settled_us");
    if (rest == f->extra.end() || settled == f->extra.end() || !steps.ratio.contains(f->integer("rows"))) continue;
    if (settled->second > 0 && f->mean > 0) rows[{f->integer("rows"), rest->second}][f->integer("place")] = f;
  }
  std::vector<Rest> out;
  for (const auto& [key, places] : rows) {
    const ProbeFigure& any = *places.begin()->second;
    // Against the clock that this row settled at: after short rests the chip is hotter than after long ones.
    Rest r{key.second * 1e3, any.extra.at("settled_us") * 1e3, 1, 0, 0};
    r.ratio = std::min(1.0, steps.ratio.at(key.first) * steps.loaded_ns.at(key.first) / r.loaded_ns);
    for (const auto& [place, f] : places) {
      if (r.took_ns >= refilled_us * 1e3) break;
      r.took_ns += f->mean * 1e3;  // steps are of two kinds where the clock falls: their means add up
      ++r.prompts;
    }
    out.push_back(r);
  }
  return out;
}
}  // namespace

std::optional<PartFit> fit_rested(const ProbeFile& probe, Profile& profile, std::uint64_t seed) {
  const Steps steps = steps_of(probe);
  if (steps.ratio.size() < 2) return std::nullopt;
  auto& rested = profile.rested;
  for (const auto& [rows, own] : steps.ratio) {
    rested.rows.push_back(static_cast<double>(rows));
    rested.ratio.push_back(own);
  }
  const Profile::Chain by_rows{rested.rows, rested.ratio};
  std::map<std::int64_t, std::vector<Rest>> by_decodes;
  for (const ProbeFigure* f : probe.find("clock", "rest")) {
    const auto rest = f->extra.find("rest_us");
    const std::int64_t rows = f->integer("rows");
    if (rest == f->extra.end() || !steps.loaded_ns.contains(rows) || !(f->median > 0)) continue;
    by_decodes[f->integer("decodes")].push_back({rest->second * 1e3, steps.loaded_ns.at(rows),
                                                 by_rows.at(static_cast<double>(rows)), 0, f->median * 1e3,
                                                 f->rel_noise});
  }
  if (by_decodes.empty()) missing(probe, "clock", "prompts between rests (rest)");
  for (const Rest& r : refills(probe, steps)) by_decodes[0].push_back(r);
  std::vector<CreditSearch> searches;
  for (const auto& [decodes, rests] : by_decodes) {
    searches.push_back(search(rests));
    rested.batch.push_back(static_cast<double>(decodes));
    rested.capacity_ns.push_back(searches.back().best().capacity_ns);
    rested.recharge.push_back(searches.back().best().recharge);
  }
  draw_credit(searches, seed, rested);

  // Judged by what it was not fitted to: a random walk over prompts and rests.
  PartFit fit;
  std::vector<double> residuals;
  PowerCredit credit;
  double now = 0;
  for (const ProbeFigure* f : probe.find("clock", "walk")) {
    const std::int64_t rows = f->integer("rows");
    const auto rest = f->extra.find("rest_us");
    if (!steps.loaded_ns.contains(rows) || rest == f->extra.end() || !(f->median > 0)) continue;
    const auto state = rested.at(static_cast<double>(f->integer("decodes")));
    const StepCost cost =
        cost_of(steps.loaded_ns.at(rows), by_rows.at(static_cast<double>(rows)), state.capacity_ns, state.recharge);
    now += rest->second * 1e3;
    const double predicted = priced_ns(credit, cost, now);
    now += f->median * 1e3;
    credit.ended(static_cast<std::int64_t>(now));
    fit.points.push_back({fmt::format("{} rows after {:.0f} ms", rows, rest->second / 1e3),
                          fmt::format("{} rows", rows), rest->second / 1e3, f->median * 1e3, predicted});
    residuals.push_back(fit.points.back().residual());
  }
  fit.error = error_of("rested", residuals,
                       "prompts and rests in random order, by the full-clock time that rests earn; not fitted to them");
  return fit;
}
}  // namespace stowage::detail
