// Products: monotone tables by rows.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "calibrate/fit.hpp"
#include "calibrate/parts.hpp"

namespace stowage::detail {
namespace {
struct Point {
  const ProbeFigure* figure;
  double rows, ns;
};

/// Rows of a table between two measured ones follow a line; where only powers of two were measured, the knee between
/// reading weights and computing lies inside a segment.
double between(const Point& a, const Point& b, double rows) {
  return a.ns + (b.ns - a.ns) * (rows - a.rows) / (b.rows - a.rows);
}
}  // namespace

PartFit fit_gemm(const ProbeFile& probe, const LaunchCosts& launch, Profile& profile,
                 std::vector<GemmTable>& raw_tables) {
  std::map<std::pair<std::int64_t, std::int64_t>, std::vector<Point>> shapes;
  for (const ProbeFigure* f : probe.find("gemm", "gemm")) {
    const std::int64_t m = f->integer("m"), n = f->integer("n"), k = f->integer("k");
    if (m < 1 || n < 1 || k < 1 || !(f->median > 0)) continue;
    if (padded_rows(m) != m) continue;  // no step runs at such rows: what the probe shows there is the tile's edge
    const auto rows = static_cast<double>(m);
    shapes[{n, k}].push_back({f, rows, launch.in_graph(f->median * 1e3)});
  }
  if (shapes.empty()) missing(probe, "gemm", "gemm");
  PartFit fit;
  std::vector<double> residuals;
  for (auto& [shape, points] : shapes) {
    std::sort(points.begin(), points.end(), [](const Point& a, const Point& b) { return a.rows < b.rows; });
    // cuBLASLt chooses another tile for neighbouring rows: what is timed wobbles, and now and then it chooses badly.
    // A table that never falls keeps the trend, for rows and shapes nobody measured; rows that were measured keep what
    // they took: probes of several machines show the same choices.
    std::vector<double> raw;
    for (const Point& p : points) raw.push_back(p.ns);
    GemmTable table{shape.first, shape.second, {}, {}, {}};
    for (const Point& p : points) table.rows.x.push_back(p.rows);
    table.rows.ns = raw;
    raw_tables.push_back(table);
    table.rows.ns = monotone(raw);
    for (std::size_t i = 0; i < raw.size(); ++i) {
      if (std::abs(raw[i] / table.rows.ns[i] - 1) <= 0.01) continue;
      table.jump_rows.push_back(table.rows.x[i]);
      table.jump_ns.push_back(raw[i]);
    }
    for (std::size_t i = 1; i + 1 < points.size(); ++i) {
      std::vector<double> others;
      for (std::size_t j = 0; j < raw.size(); ++j)
        if (j != i) others.push_back(raw[j]);
      const std::vector<double> level = monotone(others);
      const Point before{nullptr, points[i - 1].rows, level[i - 1]}, after{nullptr, points[i + 1].rows, level[i]};
      const double predicted = between(before, after, points[i].rows);
      fit.points.push_back({fmt::format("{} x {}, {} rows", shape.first, shape.second, points[i].rows),
                            fmt::format("n {}, k {}", shape.first, shape.second), points[i].rows, points[i].ns,
                            predicted});
      residuals.push_back(fit.points.back().residual());
    }
    profile.gemm.push_back(std::move(table));
  }
  fit.error = error_of("gemm", residuals, "products left out one at a time, against a line between their neighbours");
  return fit;
}
}  // namespace stowage::detail
