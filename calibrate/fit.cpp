#include "calibrate/fit.hpp"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <limits>

namespace stowage {
namespace {
/// min |A x - b| for x >= 0 (Lawson, Hanson 1974, chapter 23).
Eigen::VectorXd nnls(const Eigen::MatrixXd& a, const Eigen::VectorXd& b) {
  const Eigen::Index n = a.cols();
  Eigen::VectorXd x = Eigen::VectorXd::Zero(n);
  std::vector<bool> passive(static_cast<std::size_t>(n), false);
  const double tolerance = 1e-12 * std::max(1.0, (a.transpose() * b).cwiseAbs().maxCoeff());
  const auto solve = [&] {
    std::vector<Eigen::Index> columns;
    for (Eigen::Index i = 0; i < n; ++i)
      if (passive[static_cast<std::size_t>(i)]) columns.push_back(i);
    Eigen::MatrixXd part(a.rows(), static_cast<Eigen::Index>(columns.size()));
    for (std::size_t i = 0; i < columns.size(); ++i) part.col(static_cast<Eigen::Index>(i)) = a.col(columns[i]);
    const Eigen::VectorXd y = part.colPivHouseholderQr().solve(b);
    Eigen::VectorXd z = Eigen::VectorXd::Zero(n);
    for (std::size_t i = 0; i < columns.size(); ++i) z[columns[i]] = y[static_cast<Eigen::Index>(i)];
    return z;
  };
  for (int outer = 0; outer < 3 * static_cast<int>(n) + 10; ++outer) {
    const Eigen::VectorXd gradient = a.transpose() * (b - a * x);
    Eigen::Index best = -1;
    for (Eigen::Index i = 0; i < n; ++i)
      if (!passive[static_cast<std::size_t>(i)] && gradient[i] > tolerance &&
          (best < 0 || gradient[i] > gradient[best]))
        best = i;
    if (best < 0) return x;
    passive[static_cast<std::size_t>(best)] = true;
    Eigen::VectorXd z = solve();
    for (;;) {
      double step = 1;
      for (Eigen::Index i = 0; i < n; ++i)
        if (passive[static_cast<std::size_t>(i)] && z[i] <= 0) step = std::min(step, x[i] / (x[i] - z[i]));
      if (step >= 1) break;
      x += step * (z - x);
      for (Eigen::Index i = 0; i < n; ++i)
        if (x[i] <= tolerance * 1e-3 && z[i] <= 0) {
          passive[static_cast<std::size_t>(i)] = false;
          x[i] = 0;
        }
      z = solve();
    }
    x = z;
  }
  return x;
}
}  // namespace

std::vector<double> fit_nonnegative(std::span<const Equation> equations, double knee) {
  const auto rows = static_cast<Eigen::Index>(equations.size());
  const Eigen::Index columns = rows == 0 ? 0 : static_cast<Eigen::Index>(equations.front().terms.size());
  if (rows < columns || columns == 0) throw InputError({}, "too few measurements for a fit; probe with all its points");
  Eigen::MatrixXd a(rows, columns);
  for (Eigen::Index r = 0; r < rows; ++r) {
    const Equation& e = equations[static_cast<std::size_t>(r)];
    STOWAGE_ASSERT(e.value > 0 && static_cast<Eigen::Index>(e.terms.size()) == columns);
    for (Eigen::Index c = 0; c < columns; ++c) a(r, c) = e.terms[static_cast<std::size_t>(c)] / e.value;
  }
  // Columns of like size, so that one tolerance serves all.
  Eigen::VectorXd scale = a.colwise().norm();
  for (Eigen::Index c = 0; c < columns; ++c) {
    if (!(scale[c] > 0)) scale[c] = 1;
    a.col(c) /= scale[c];
  }
  const Eigen::VectorXd one = Eigen::VectorXd::Ones(rows);
  Eigen::VectorXd x = nnls(a, one);
  for (int round = 0; round < 30; ++round) {
    const Eigen::VectorXd residual = (a * x - one).cwiseAbs();
    Eigen::VectorXd root(rows);
    for (Eigen::Index r = 0; r < rows; ++r) root[r] = residual[r] <= knee ? 1.0 : std::sqrt(knee / residual[r]);
    x = nnls(root.asDiagonal() * a, root);
  }
  std::vector<double> out;
  for (Eigen::Index c = 0; c < columns; ++c) out.push_back(x[c] / scale[c]);
  return out;
}

std::vector<double> monotone(std::span<const double> values) {
  struct Pool {
    std::vector<double> members;
    double level = 0;
  };
  // |y / v - 1| summed is least at the median of v weighted by 1 / v.
  const auto weighted_median = [](std::vector<double> members) {
    std::sort(members.begin(), members.end());
    double total = 0, run = 0;
    for (const double v : members) total += 1 / v;
    for (const double v : members) {
      run += 1 / v;
      if (run >= total / 2) return v;
    }
    return members.back();
  };
  std::vector<Pool> pools;
  for (const double v : values) {
    pools.push_back({{v}, v});
    while (pools.size() > 1 && pools[pools.size() - 2].level > pools.back().level) {
      auto last = std::move(pools.back());
      pools.pop_back();
      auto& members = pools.back().members;
      members.insert(members.end(), last.members.begin(), last.members.end());
      pools.back().level = weighted_median(members);
    }
  }
  std::vector<double> out;
  for (const auto& pool : pools) out.insert(out.end(), pool.members.size(), pool.level);
  return out;
}

double percentile_of(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(values.size())));
  return values[std::clamp<std::size_t>(rank, 1, values.size()) - 1];
}

double median_of(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

PartError error_of(std::string part, std::span<const double> residuals, std::string how) {
  PartError e{std::move(part), 0, 0, 0, static_cast<std::int64_t>(residuals.size()), std::move(how)};
  std::vector<double> sizes;
  for (const double r : residuals) {
    sizes.push_back(std::abs(r));
    e.mape += std::abs(r);
    e.bias += r;
  }
  if (!residuals.empty()) {
    e.mape /= static_cast<double>(residuals.size());
    e.bias /= static_cast<double>(residuals.size());
  }
  e.p95 = percentile_of(sizes, 0.95);
  return e;
}
}  // namespace stowage
