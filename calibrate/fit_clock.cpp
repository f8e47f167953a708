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
constexpr double settled_us = 150e3;  // of prompts back to back: the clock has fallen to what the power limit leaves
constexpr double fresh_us = 30e3;     // and until then it has not begun to fall

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

/// One prompt among rests, priced by the rule the engine prices it by.
StepCost cost_of(const Steps& steps, double ratio, std::int64_t rows, double capacity_ns, double recharge) {
  StepCost::Table table;
  table.dense_ns = {0, steps.loaded_ns.at(rows)};
  table.boost = {{1, ratio}, {capacity_ns}, {recharge}};
  return StepCost(table);
}
double priced_ns(PowerCredit& credit, const StepCost& cost, double start_ns) {
  StepShape shape;
  shape.prefill_tokens = 1;
  return static_cast<double>(credit.step_ns(cost, shape, static_cast<std::int64_t>(start_ns)));
}

struct Rest {
  std::int64_t rows = 0;
  double rest_ns = 0, step_ns = 0;
  double noise = 0;  // of its repeats: standard deviation of the mean, relative
};

/// The prompt's step once rest and prompt have followed each other for long.
double settled_ns(const Steps& steps, double ratio, const Rest& r, double capacity_ns, double recharge) {
  const StepCost cost = cost_of(steps, ratio, r.rows, capacity_ns, recharge);
  PowerCredit credit;
  double now = 0, took = 0;
  for (int i = 0; i < 8; ++i) {
    took = priced_ns(credit, cost, now);
    now += took + r.rest_ns;
  }
  return took;
}

/// How well each capacity and recharge of a grid explain the rests: few numbers, and none can run away.
CreditSearch search(const Steps& steps, double ratio_held, const std::vector<Rest>& rests) {
  CreditSearch out;
  out.rests = rests.size();
  for (const Rest& r : rests) out.noise += r.noise / static_cast<double>(rests.size());
  for (double capacity = 5e6; capacity <= 120e6; capacity += 2.5e6)
    for (double recharge = 0.05; recharge < 2.01; recharge += 0.05) {
      double sum = 0;
      for (const Rest& r : rests) {
        const auto own = steps.ratio.find(r.rows);
        const double ratio = own != steps.ratio.end() ? own->second : ratio_held;
        sum += std::abs(settled_ns(steps, ratio, r, capacity, recharge) / r.step_ns - 1);
      }
      out.tried.push_back({capacity, recharge, sum});
    }
  return out;
}
}  // namespace

std::optional<PartFit> fit_rested(const ProbeFile& probe, Profile& profile, std::uint64_t seed) {
  const Steps steps = steps_of(probe);
  if (steps.ratio.size() < 2) return std::nullopt;
  auto& rested = profile.rested;
  // Larger steps never gain less: what few repeats say otherwise is noise.
  double ratio = 1;
  for (const auto& [rows, own] : steps.ratio) {
    ratio = std::min(ratio, own);
    rested.rows.push_back(static_cast<double>(rows));
    rested.ratio.push_back(ratio);
  }
  std::map<std::int64_t, std::vector<Rest>> by_decodes;
  for (const ProbeFigure* f : probe.find("clock", "rest")) {
    const auto rest = f->extra.find("rest_us");
    if (rest == f->extra.end() || !steps.loaded_ns.contains(f->integer("rows")) || !(f->median > 0)) continue;
    by_decodes[f->integer("decodes")].push_back(
        {f->integer("rows"), rest->second * 1e3, f->median * 1e3, f->rel_noise});
  }
  if (by_decodes.empty()) missing(probe, "clock", "prompts between rests (rest)");
  std::vector<CreditSearch> searches;
  for (const auto& [decodes, rests] : by_decodes) {
    searches.push_back(search(steps, ratio, rests));
    rested.batch.push_back(static_cast<double>(decodes));
    rested.capacity_ns.push_back(searches.back().best().capacity_ns);
    rested.recharge.push_back(searches.back().best().recharge);
  }
  draw_credit(searches, seed, rested);

  // Judged by what it was not fitted to: a random walk over prompts and rests.
  PartFit fit;
  std::vector<double> residuals;
  const Profile::Chain by_rows{rested.rows, rested.ratio};
  PowerCredit credit;
  double now = 0;
  for (const ProbeFigure* f : probe.find("clock", "walk")) {
    const std::int64_t rows = f->integer("rows");
    const auto rest = f->extra.find("rest_us");
    if (!steps.loaded_ns.contains(rows) || rest == f->extra.end() || !(f->median > 0)) continue;
    const auto state = rested.at(static_cast<double>(f->integer("decodes")));
    const StepCost cost =
        cost_of(steps, by_rows.at(static_cast<double>(rows)), rows, state.capacity_ns, state.recharge);
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
