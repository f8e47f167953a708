// Kernels that only move bytes, and whole steps without attention: what a chain makes of its kernels.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "calibrate/fit.hpp"
#include "calibrate/parts.hpp"

namespace stowage::detail {
namespace {
PriceTable table_of(const ProbeFile& probe, const std::string& kernel) {
  std::map<double, double> by_bytes;
  for (const ProbeFigure* f : probe.find("elementwise", "elementwise")) {
    const auto bytes = f->extra.find("bytes");
    if (f->text("kernel") == kernel && bytes != f->extra.end() && bytes->second >= 1)
      by_bytes[bytes->second] = f->median * 1e3;
  }
  if (by_bytes.size() < 2) missing(probe, "elementwise", kernel);
  PriceTable table;
  std::vector<double> ns;
  for (const auto& [bytes, time] : by_bytes) {
    table.x.push_back(bytes);
    ns.push_back(time);
  }
  table.ns = monotone(ns);
  return table;
}

/// Steps without attention, back to back where that was measured, by rows. Graph: every row a decoding request.
std::map<std::int64_t, const ProbeFigure*> steps_of(const ProbeFile& probe, bool graph) {
  std::map<std::int64_t, const ProbeFigure*> out;
  for (const char* name : {"dense", "dense_sustained"})
    for (const ProbeFigure* f : probe.find("iteration", name)) {
      const std::int64_t rows = f->integer("rows"), samples = f->integer("samples");
      if (rows > 0 && f->median > 0 && padded_rows(rows) == rows && (graph ? samples == rows : samples < rows))
        out[rows] = f;
    }
  return out;
}

/// Median of a point and its neighbours: cuBLASLt's choices jump, what a chain does to kernels does not.
std::vector<double> steadied(const std::vector<double>& values) {
  std::vector<double> out = values;
  for (std::size_t i = 1; i + 1 < values.size(); ++i) out[i] = median_of({values[i - 1], values[i], values[i + 1]});
  return out;
}
}  // namespace

void fit_elementwise(const ProbeFile& probe, Profile& profile) {
  profile.norm = table_of(probe, "rms_norm");
  profile.rotate = table_of(probe, "rope_append");
  profile.activate = table_of(probe, "silu_mul");
  profile.sample = table_of(probe, "argmax");
}

StepClock step_clock(const ProbeFile& probe) {
  StepClock clock;
  for (const auto& [rows, figure] : steps_of(probe, false)) {
    if (!(figure->clock_mhz > 0)) continue;
    clock.rows.push_back(static_cast<double>(rows));
    clock.mhz.push_back(figure->clock_mhz);
  }
  if (clock.rows.size() < 2)
    missing(probe, "iteration", "steps without attention (dense, dense_sustained) with their clocks");
  clock.mhz = steadied(clock.mhz);
  for (std::size_t i = 1; i < clock.mhz.size(); ++i) clock.mhz[i] = std::min(clock.mhz[i], clock.mhz[i - 1]);
  return clock;
}

PartFit fit_dense(const ProbeFile& probe, const ModelSpec& model, const HardwareSpec& hardware,
                  const std::vector<GemmTable>& raw, Profile& profile) {
  PartFit fit;
  std::vector<double> residuals;
  // A product that the library chose badly at one row count is slow in the chain too: compare with what was timed.
  Profile timed = profile;
  timed.gemm = raw;
  for (const bool graph : {true, false}) {
    std::vector<double> rows, sums, ratios;
    for (const auto& [count, figure] : steps_of(probe, graph)) {
      rows.push_back(static_cast<double>(count));
      sums.push_back(dense_step_ns(model, hardware, timed, 1, count, figure->integer("samples"), graph));
      ratios.push_back(figure->median * 1e3 / sums.back());
    }
    if (rows.size() < 3) missing(probe, "iteration", "steps without attention (dense, dense_sustained)");
    for (std::size_t i = 1; i + 1 < rows.size(); ++i) {
      const double f = std::log2(rows[i] / rows[i - 1]) / std::log2(rows[i + 1] / rows[i - 1]);
      const double predicted = sums[i] * std::lerp(ratios[i - 1], ratios[i + 1], f);
      fit.points.push_back({fmt::format("{} step of {} rows", graph ? "graph" : "eager", rows[i]),
                            graph ? "graph" : "eager", rows[i], ratios[i] * sums[i], predicted});
      residuals.push_back(fit.points.back().residual());
    }
    Profile::Chain& chain = graph ? profile.chain_graph : profile.chain_eager;
    chain.rows = rows;
    chain.ratio = steadied(ratios);
  }
  fit.error = error_of("dense", residuals,
                       "steps without attention, left out one at a time, from their kernels and their "
                       "neighbours' ratio to theirs");
  return fit;
}
}  // namespace stowage::detail
