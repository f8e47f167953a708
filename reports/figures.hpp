#pragma once
// Ready-made figures for report pages, from plain data: each brings its chart, its table, and what the sentence above
// it says is the caller's. What is not finite is left out; nothing throws.
#include <span>
#include <string>
#include <vector>

#include "reports/page.hpp"

namespace stowage::page {

/// One candidate of a plan or sweep.
struct Candidate {
  std::string name = {};    // "tensor 2, 3 replicas"
  std::string series = {};  // its manager
  std::string badge = {};   // deployability of the manager
  double x = 0, y = 0;      // as the axes say
  bool feasible = true;
  bool on_front = false;  // the caller has computed the front
  std::string set = {};   // "--set cluster.tensor=2": shown on hover and in the table, to copy
};
struct Pareto {
  std::string title = {}, sentence = {};
  Axis x = {}, y = {};
  std::vector<Candidate> candidates = {};
  std::vector<Limit> limits = {};
  std::vector<Point> points = {};  // "chosen"
};
[[nodiscard]] Figure pareto(const Pareto& p);

/// A latency against the offered rate: one curve a series, error bars over seeds.
struct CapacityCurve {
  std::string title = {}, sentence = {};
  Axis x = {}, y = {};  // rate; latency
  std::vector<Line> curves = {};
  std::vector<Limit> limits = {};
  std::vector<Point> points = {};  // the knee, the operating point chosen
};
[[nodiscard]] Figure capacity_curve(const CapacityCurve& c);

/// Distribution functions, one a series; `ticks` stand at the quantiles of `quantiles` ("p50", "p95", "p99").
struct Distribution {
  std::string series = {}, badge = {};
  std::vector<double> x = {}, f = {};  // f in (0, 1], rising
  std::vector<std::pair<std::string, double>> quantiles = {};
};
struct Cdf {
  std::string title = {}, sentence = {};
  Axis x = {};
  std::vector<Distribution> curves = {};
  std::vector<Limit> limits = {};
};
[[nodiscard]] Figure cdf(const Cdf& c);

/// Counts between edges (edges.size() == counts.size() + 1), one outline a series.
struct Counts {
  std::string series = {}, badge = {};
  std::vector<double> edges = {}, counts = {};
};
struct Histogram {
  std::string title = {}, sentence = {};
  Axis x = {};
  std::string counted = {};  // "iterations"
  std::vector<Counts> series = {};
};
[[nodiscard]] Figure histogram(const Histogram& h);

/// Changes are drawn in order of what they move, those without effect last.
[[nodiscard]] Figure tornado(Name title, std::string sentence, Tornado tornado);
[[nodiscard]] Figure heat_map(Name title, std::string sentence, HeatMap map);
[[nodiscard]] Figure timeline(Name title, std::string sentence, Timeline timeline);

/// Indices of at most 2 x buckets + 2 values that keep the first, the last, and in each bucket the least and the
/// greatest: one set for all curves that share an axis, so that stacked bands stay stacked and peaks exact.
[[nodiscard]] std::vector<std::size_t> decimate(std::span<const double> values, std::size_t buckets);

/// A number as it stands in tables.
[[nodiscard]] std::string shown(Unit unit, double value);
}  // namespace stowage::page
